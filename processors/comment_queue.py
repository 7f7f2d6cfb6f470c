"""The comments that wait for a moderator, and the last ones that were declined: a decline can be taken back.

Row of `comments.state`: `h/VIDEO/COMMENT`, the whole comment; deleted when it is accepted or forgotten. Bounded: so many of
a user on a video and of a partition wait at most (3 MB of text), so many declined ones are remembered (1 MB).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from processors.act_entries import Entry, in_force, packed, unpacked
from processors.fold import row_key
from processors.state_rows import StateRows

MAX_WAITING: Final = 2_000
MAX_OF_USER: Final = 5
MAX_DECLINED: Final = 500
MAX_REVISIONS: Final = 16


@dataclass(slots=True, eq=False, kw_only=True)
class Held:
    """A comment on its way: as it was submitted, and cleaned.

    `root`: of its thread; `offset`: of its record; `revisions`: the last ones that its writer made while it waited.
    """

    video_id: str
    comment_id: str
    channel: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    root: str | None = None
    role: str
    submitted_ms: int
    media_ms: int | None = None
    reason: str = ""
    note: str = ""
    message: str = ""
    digest: int
    offset: int
    acts: list[Entry] = field(default_factory=list)
    revisions: list[str] = field(default_factory=list)
    colour: str = ""

    @property
    def key(self) -> str:
        """`VIDEO/COMMENT`."""
        return row_key(self.video_id, self.comment_id)

    @property
    def writer(self) -> str:
        """`VIDEO/USER`."""
        return row_key(self.video_id, self.user_id)

    @property
    def declined(self) -> bool:
        """Whether an act that was not taken back declined it."""
        return bool(in_force(self.acts))

    def packed(self) -> tuple[Any, ...]:
        """The values of its row."""
        return packed(self.acts), *(getattr(self, name) for name in FACTS)


FACTS: Final = tuple(f.name for f in fields(Held) if f.name not in {"video_id", "comment_id", "acts"})
"""What a row has after its key, in this order; a new one is appended with a default, which old rows take."""


class Queue:
    """The held comments by id, and by writer."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        self._held: dict[str, Held] = {}
        self._declined: set[Held] = set()
        self._of_writer: dict[str, dict[str, Held]] = {}

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """Build from the rows `h`."""
        made = []
        for key, (acts, *facts) in rows.items():
            video_id, _, comment_id = key.partition("/")
            values = dict(zip(FACTS, facts, strict=False))
            made.append(Held(video_id=video_id, comment_id=comment_id, acts=unpacked(acts), **values))
        for held in sorted(made, key=lambda held: held.offset):
            self._put(held)

    def get(self, video_id: str, comment_id: str) -> Held | None:
        """A held or declined comment."""
        return self._held.get(row_key(video_id, comment_id))

    def waiting_of(self, video_id: str, user_id: str) -> Iterator[Held]:
        """Those of a user on a video that wait."""
        mine = self._of_writer.get(row_key(video_id, user_id), {})
        return (held for held in mine.values() if not held.declined)

    def of_user(self, channel: str, user_id: str, video_id: str = "") -> list[Held]:
        """Those of a user in a channel, on one video or all, that wait or were declined; in their order."""
        return [
            held
            for held in self._held.values()
            if held.user_id == user_id and held.channel == channel and video_id in {"", held.video_id}
        ]

    def is_full_for(self, video_id: str, user_id: str) -> bool:
        """Whether a further comment of this user has no room."""
        if len(self._held) - len(self._declined) >= MAX_WAITING:
            return True
        return sum(1 for _ in self.waiting_of(video_id, user_id)) >= MAX_OF_USER

    def hold(self, held: Held) -> None:
        """Let a comment wait."""
        self._put(held)
        self.changed(held)

    def rewrite(self, held: Held, text: str, digest: int, revision_id: str) -> None:
        """Its writer gave it another text."""
        held.text, held.digest = text, digest
        held.revisions = [*held.revisions, revision_id][-MAX_REVISIONS:]
        self.changed(held)

    def changed(self, held: Held) -> None:
        """Its acts or its text changed; of too many declined ones the oldest is forgotten."""
        self._rows.later(f"h/{held.key}", held.packed)
        self._count(held)
        while len(self._declined) > MAX_DECLINED:
            self.remove(min(self._declined, key=lambda declined: declined.offset))

    def remove(self, held: Held) -> None:
        """It waits no more."""
        del self._held[held.key]
        self._declined.discard(held)
        mine = self._of_writer[held.writer]
        del mine[held.key]
        if not mine:
            del self._of_writer[held.writer]
        self._rows.drop(f"h/{held.key}")

    def forget(self, video_id: str) -> None:
        """Forget those of a video that is gone."""
        for held in [held for held in self._held.values() if held.video_id == video_id]:
            self.remove(held)

    def _put(self, held: Held) -> None:
        self._held[held.key] = held
        self._of_writer.setdefault(held.writer, {})[held.key] = held
        self._count(held)

    def _count(self, held: Held) -> None:
        if held.declined:
            self._declined.add(held)
        else:
            self._declined.discard(held)
