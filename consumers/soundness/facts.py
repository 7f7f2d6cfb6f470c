"""What is known of one video from each place: the log, the index, the stores. Gathered elsewhere, compared by `rules`."""

from dataclasses import dataclass, field
from typing import Final

from schemas.comment_state import CommentNow
from schemas.events import CommentChanged, PollChanged, SegmentArchived, TotalsChanged, VideoChanged
from stores.engagement import Counted
from stores.segment_rows import SegmentRow

Key = tuple[str, int]
"""Rendition, segment number."""

SOURCE: Final = "source"
AUDIO: Final = "audio"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a segment: decode time and duration in ticks, bytes, and their SHA-256 (empty where nobody told it)."""

    dts: int
    duration: int
    size: int
    sha256: bytes = b""


@dataclass(slots=True)
class LoggedSegment:
    """A segment as the log tells of it.

    Attributes:
        parts: by number.
        part_count: how many there are; 0: it is lost; None: its end is not on the log.
        init: name of its init segment.
        told_ms: Kafka's time of the newest record about it.
        made: a task made it after the broadcast: its parts were never hot.
        ready_ms: Kafka's time of the first of its parts.
    """

    parts: dict[int, Part] = field(default_factory=dict)
    part_count: int | None = None
    init: str = ""
    epoch: int = 0
    timescale: int = 0
    told_ms: int = 0
    made: bool = False
    ready_ms: int = 0

    @property
    def whole(self) -> bool:
        """The log tells of every part and of the end."""
        return bool(self.part_count) and all(number in self.parts for number in range(self.part_count or 0))


@dataclass(slots=True)
class Logged:
    """What the log still has of a video."""

    segments: dict[Key, LoggedSegment] = field(default_factory=dict)
    archived: dict[Key, SegmentArchived] = field(default_factory=dict)
    comments: dict[int, CommentNow] = field(default_factory=dict)
    changes: dict[int, CommentChanged] = field(default_factory=dict)
    commented_ms: int = 0
    """Kafka's time of the newest record of its feed."""
    totals: TotalsChanged | None = None
    totals_ms: int = 0
    polls: dict[str, PollChanged] = field(default_factory=dict)
    source_gaps: list[str] = field(default_factory=list)
    """What is missing of its source chunks, a sentence each; looked for on request."""


@dataclass(slots=True)
class Indexed:
    """What Cassandra has of a video."""

    video: VideoChanged | None = None
    renditions: set[str] = field(default_factory=set)
    segments: dict[Key, SegmentRow] = field(default_factory=dict)
    comments: dict[int, CommentNow] = field(default_factory=dict)
    changes: dict[int, CommentChanged] = field(default_factory=dict)
    head: int = 0
    totals: Counted | None = None
    polls: dict[str, PollChanged] = field(default_factory=dict)


@dataclass(slots=True)
class Stored:
    """What the stores have of a video.

    Attributes:
        cold: bytes of each object of the recording, by name.
        hot: bytes of each part and init segment that was looked for in the hot store; None: it is not there.
        broken: of objects that were read, what is wrong with their content, by name.
    """

    cold: dict[str, int] = field(default_factory=dict)
    hot: dict[str, int | None] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patience:
    """What is not expected yet, or not any more.

    Attributes:
        now_ms: the wall clock at which the facts were gathered.
        settle_ms: what is on the log for less than this may still be on its way.
        hot_ms: so long parts stay in the hot store.
    """

    now_ms: int
    settle_ms: int
    hot_ms: int

    def settled(self, told_ms: int) -> bool:
        """Whether a record is old enough for its effects to be there."""
        return told_ms <= self.now_ms - self.settle_ms

    def is_hot(self, ready_ms: int) -> bool:
        """Whether a part must still be in the hot store; a minute before it goes nobody counts on it."""
        return ready_ms > self.now_ms - self.hot_ms + min(60_000, self.hot_ms // 10)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a video. `video` is as its owner wants it kept; `removed`: its recording was removed."""

    video: VideoChanged
    removed: bool
    logged: Logged
    indexed: Indexed
    stored: Stored
    patience: Patience


@dataclass(frozen=True, slots=True)
class Expected:
    """A segment as it must be: by the log where that has it, else by the index."""

    key: Key
    init: str
    epoch: int
    timescale: int
    parts: tuple[Part, ...]
    made: bool
    from_log: bool

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)

    @property
    def end(self) -> int:
        """Decode time at which the next segment begins, ticks."""
        return self.parts[-1].dts + self.parts[-1].duration


def expected(key: Key, logged: LoggedSegment | None, row: SegmentRow | None) -> Expected | None:
    """What a segment must be; None where neither log nor index knows all of it.

    A part that the log does not tell of any more is taken from the index.
    """
    if logged is not None and logged.part_count:
        known = logged.parts | _of_row(row, logged.parts)
        if all(number in known for number in range(logged.part_count)):
            parts = tuple(known[number] for number in range(logged.part_count))
            init = logged.init or (row.init if row else "")
            return Expected(key, init, logged.epoch, logged.timescale, parts, logged.made, from_log=True)
    if row is not None and row.part_count and all(number in row.parts for number in range(row.part_count)):
        known = _of_row(row, {})
        parts = tuple(known[number] for number in range(row.part_count))
        return Expected(key, row.init, row.epoch, row.timescale, parts, made=False, from_log=False)
    return None


def _of_row(row: SegmentRow | None, but: dict[int, Part]) -> dict[int, Part]:
    parts = row.parts if row is not None else {}
    return {n: Part(part.dts, part.duration, part.size) for n, part in parts.items() if n not in but}
