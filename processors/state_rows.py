"""The state rows of a fold between two commits: what changed, each key once, packed when they are taken."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from processors.fold import Row, RowError, Write, pack_row, unpack_row
from schemas.topics import Topic

MAX_ROW_BYTES: Final = 900_000
"""A row stays below what the topic takes."""

Values = Callable[[], tuple[Any, ...]]


class StateRows:
    """Rows that are to be written. They go out in the order in which they were last put."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._changed: dict[str, bytes | Values | None] = {}

    def put(self, key: str, value: bytes) -> None:
        """A row that is as it will be."""
        self._changed.pop(key, None)
        self._changed[key] = value

    def later(self, key: str, values: Values) -> None:
        """A row whose values are asked for when rows are taken, once however often it changed."""
        self._changed[key] = values

    def drop(self, key: str) -> None:
        """A row that goes."""
        self._changed[key] = None

    def take(self) -> list[Write]:
        """The rows since the last time."""
        changed, self._changed = self._changed, {}
        return [
            Write(self._topic.name, key.encode(), pack_row(*value()) if callable(value) else value)
            for key, value in changed.items()
        ]


def by_kind(rows: Iterable[Row], kinds: str, expected: str) -> dict[str, dict[str, list[Any]]]:
    """The values of the rows that are left, by kind (the key's first part) and the rest of the key.

    Rows come in the order of their last writing, whether or not the topic was compacted.

    Raises:
        RowError: a row of another kind, or one that cannot be read.
    """
    left: dict[str, bytes] = {}
    for raw, value in rows:
        key = raw.decode()
        if key[:1] not in kinds or key[1:2] != "/":
            raise RowError(f"expected a row of {expected}, found {raw!r}")
        left.pop(key, None)
        if value is not None:
            left[key] = value
    found: dict[str, dict[str, list[Any]]] = {kind: {} for kind in kinds}
    for key, value in left.items():
        kind, _, rest = key.partition("/")
        found[kind][rest] = unpack_row(value)
    return found
