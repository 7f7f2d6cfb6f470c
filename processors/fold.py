"""What an exact agent is made of: a pure fold of one partition, its writes, and the rows that keep its state.

A fold gets the records of its partition in order, decides, and gives back what is to be written: results for other
topics and the rows of its own state that changed. `processors.ledger` writes both in one transaction and gives the
rows back after a restart; so a fold never needs to know of crashes. Two promises make that exact:

- what `load` builds from the rows of all former `take`s decides everything that follows as the fold that took them;
- a fold that takes nothing has changed nothing that matters later.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import orjson

from schemas.codec import decode, encode
from schemas.events import Event
from schemas.topics import Topic

ROW_VERSION: Final = 1
SEPARATOR: Final = "/"


class FoldError(ValueError):
    """An event that the fold cannot take; it says what was expected. Nothing has changed."""


class RowError(ValueError):
    """A state row that this version cannot read; it says what to do."""


class Write(NamedTuple):
    """One record to write; a tuple, because a step of a busy partition makes tens of thousands.

    Attributes:
        topic: name without the cluster's prefix.
        key: the record's key.
        value: the record's value; None deletes the key from a compacted topic.
        partition: where to; None: the fold's own partition number.
    """

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None = None


Row = tuple[bytes, bytes | None]
"""Key and value of a state row as the log has it: later ones replace earlier ones, None deletes."""


class Fold(Protocol):
    """The state of one partition."""

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from every row that was written, oldest first; called once, on a new fold."""

    def apply(self, topic: str, offset: int, event: Event) -> None:
        """Take one event of a source topic (without prefix).

        Raises:
            FoldError: the event does not belong here; the state is as it was.
        """

    def forget(self, video_id: str) -> None:
        """A video is gone: delete all rows that are kept for it, and its keys on compacted topics of results.

        Called between records as `apply` is, so that it happens once. What comes about the video later never reaches the
        fold (`processors.ledger`).
        """

    def take(self) -> list[Write]:
        """What is to be written since the last `take`: results, and state rows that changed."""


@dataclass(frozen=True, slots=True)
class ExactAgent:
    """An agent whose effects happen exactly once.

    Attributes:
        name: as in the setting `worker_agents`.
        sources: topics it reads; with several, they have the same keys and number of partitions.
        state: the compacted topic of its state rows.
        make: makes an empty fold.
        interval_s: least time between the starts of two transactions of a partition.
        replayed: those sources whose last hour is read again when a partition opens, because the fold keeps no rows
            of them.
        read: makes of a record's value what the fold applies; raises `CodecError`.
        late: makes of what was read from a replayed dead letter, and of its new offset, what the fold does not take for a
            repeat: it was passed by when its neighbours were counted.
    """

    name: str
    sources: tuple[Topic, ...]
    state: Topic
    make: Callable[[], Fold]
    interval_s: float = 0.0
    replayed: tuple[Topic, ...] = ()
    read: Callable[[bytes], Any] = decode
    late: Callable[[Any, int], Any] = lambda event, _: event


def result(topic: Topic, event: Event) -> Write:
    """An event of a video as a write, keyed as all events of a video are."""
    return Write(topic.name, event.video_id.encode(), encode(event))  # type: ignore[union-attr]


def row_key(*parts: str) -> str:
    """The key of a state row; only the last part may contain a separator."""
    return SEPARATOR.join(parts)


def pack_row(*values: Any) -> bytes:
    """The value of a state row: a JSON array that begins with its version."""
    return orjson.dumps([ROW_VERSION, *values])


def unpack_row(value: bytes) -> list[Any]:
    """The values of a state row.

    Raises:
        RowError: a newer version wrote it, or it is none.
    """
    try:
        values: list[Any]
        version, *values = orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise RowError(f"expected a state row (a JSON array), found {value[:40]!r}") from error
    if version != ROW_VERSION:
        raise RowError(f"expected a state row of version {ROW_VERSION}, found {version!r}; upgrade this worker")
    return values
