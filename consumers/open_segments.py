"""Which segments are being written, and with which parts: a pure fold of `media.parts`, a few numbers a segment.

A part's name follows from its number, so a segment is known by its sizes. It is remembered from its first part to its
end; `first_offsets` tells from where the log must be read again to find all of what is not finished.
"""

from dataclasses import dataclass, field
from typing import Final

from schemas.events import PartReady, SegmentClosed
from stores.segments import part_name

Key = tuple[str, str, int]
"""Video, rendition, segment number."""

MAX_PARTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A segment that is complete.

    Attributes:
        init: name of its init segment; empty when no part was seen.
        sizes: bytes of each part; None of one that was not announced.
    """

    video_id: str
    channel: str
    rendition: str
    segment: int
    init: str
    sizes: tuple[int | None, ...]

    def part_names(self) -> tuple[str, ...]:
        """The names of its parts in the hot store, in order."""
        return tuple(part_name(self.video_id, self.rendition, self.segment, n) for n in range(len(self.sizes)))


@dataclass(slots=True)
class _Open:
    partition: int
    offset: int
    timestamp_ms: int
    init: str = ""
    sizes: dict[int, int] = field(default_factory=dict)


class OpenSegments:
    """The segments of all partitions that are not closed yet."""

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def part(self, event: PartReady, partition: int, offset: int, timestamp_ms: int) -> None:
        """A part is there; told twice, the newest counts."""
        if not 0 <= event.part < MAX_PARTS:
            return
        key = event.video_id, event.rendition, event.segment
        entry = self._open.setdefault(key, _Open(partition, offset, timestamp_ms))
        entry.init = event.init
        entry.sizes[event.part] = event.size

    def closed(self, event: SegmentClosed) -> ClosedSegment | None:
        """The end of a segment; None when there is nothing to keep of it, for it was lost."""
        entry = self._open.pop((event.video_id, event.rendition, event.segment), None)
        if not 0 < event.parts <= MAX_PARTS:
            return None
        sizes = entry.sizes if entry is not None else {}
        return ClosedSegment(
            event.video_id,
            event.channel,
            event.rendition,
            event.segment,
            entry.init if entry is not None else "",
            tuple(sizes.get(n) for n in range(event.parts)),
        )

    def first_offsets(self) -> dict[int, int]:
        """By partition, the offset of the first record of a segment that is open."""
        firsts: dict[int, int] = {}
        for entry in self._open.values():
            firsts[entry.partition] = min(entry.offset, firsts.get(entry.partition, entry.offset))
        return firsts

    def forget_before(self, timestamp_ms: int) -> int:
        """Give up segments that began before and were never closed: their parts are not hot any more. How many."""
        old = [key for key, entry in self._open.items() if entry.timestamp_ms < timestamp_ms]
        for key in old:
            del self._open[key]
        return len(old)

    def clear(self) -> None:
        """Start anew: the records come again."""
        self._open.clear()
