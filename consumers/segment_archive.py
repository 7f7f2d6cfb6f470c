"""Puts closed segments of the hot store into the cold one: the same object, however often it is done.

Parts that are gone leave a `free` box of their size (ISO/IEC 14496-12, clause 8.1.2), which players pass over: so that
every other part stays where the index says. A segment of which nothing is left has no object. An object that is whole is
never replaced by one with gaps, for hot parts go with time.
"""

import asyncio
import logging
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

from consumers.open_segments import ClosedSegment
from schemas.events import SegmentArchived
from stores.recordings import Recordings, segment_name
from stores.segments import SegmentStore

log = logging.getLogger(__name__)

BOX_HEADER: Final = 8
INITS_REMEMBERED: Final = 10_000

SEGMENTS = Counter(
    "logcast_archive_segments_total", "Closed segments of kept videos, by what became of them", ["result"]
)
BYTES = Counter("logcast_archive_bytes_total", "Bytes written to the cold store")
MISSING = Counter("logcast_archive_missing_parts_total", "Parts that were gone from the hot store and are gaps")
SECONDS = Histogram("logcast_archive_segment_seconds", "Time until a segment was in the cold store")


@dataclass(frozen=True, slots=True)
class Joined:
    """The bytes of a segment, and the numbers of the parts that are gaps in it."""

    data: bytes
    missing: tuple[int, ...]


def joined(parts: Sequence[bytes | None], sizes: Sequence[int | None]) -> Joined:
    """The parts side by side, a filler of the announced size for each that is None or has another size."""
    pieces, missing = [], []
    for number, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        if part is not None and size in (None, len(part)):
            pieces.append(part)
        else:
            missing.append(number)
            pieces.append(filler(size or 0))
    return Joined(b"".join(pieces), tuple(missing))


def filler(size: int) -> bytes:
    """Exactly `size` bytes that mean nothing; a whole `free` box where one fits."""
    return struct.pack(">I4s", size, b"free").ljust(size, b"\0") if size >= BOX_HEADER else bytes(size)


class SegmentArchive:
    """Archives one segment at a time for each caller; safe to call from many tasks."""

    def __init__(self, hot: SegmentStore, cold: Recordings, now_ms: Callable[[], int]) -> None:
        self._hot = hot
        self._cold = cold
        self._now_ms = now_ms
        self._inits: OrderedDict[str, None] = OrderedDict()

    async def archive(self, segment: ClosedSegment, *, only_new: bool = False) -> SegmentArchived | None:
        """Store a segment and its init segment.

        Args:
            segment: what to store.
            only_new: pass over what the cold store has, and what is not hot any more.

        Returns:
            What to tell on the log; None when there is nothing new.

        Raises:
            RecordingsError, SegmentStoreError: not now; try again.
        """
        name = segment_name(segment.video_id, segment.rendition, segment.segment)
        if only_new and await self._is_whole(name, segment):
            SEGMENTS.labels("present").inc()
            return None
        with SECONDS.time():
            await self._init(segment.init)
            found = joined(await asyncio.to_thread(self._parts, segment), segment.sizes)
            if found.missing and await self._is_whole(name, segment):
                SEGMENTS.labels("present").inc()
                return None
            if only_new and len(found.missing) == len(segment.sizes):
                return None
            return await self._store(name, segment, found)

    async def _store(self, name: str, segment: ClosedSegment, found: Joined) -> SegmentArchived:
        nothing = len(found.missing) == len(segment.sizes)
        # Where a gap has no known size, what follows it could not be found again.
        if any(segment.sizes[number] is None for number in found.missing):
            nothing, found = True, Joined(b"", tuple(range(len(segment.sizes))))
        if found.missing:
            MISSING.inc(len(found.missing))
            log.warning("%s: %d of %d parts were gone: a gap", name, len(found.missing), len(segment.sizes))
        if not nothing:
            await self._cold.put(name, found.data)
            BYTES.inc(len(found.data))
        SEGMENTS.labels("lost" if nothing else "partial" if found.missing else "whole").inc()
        return SegmentArchived(
            video_id=segment.video_id,
            channel=segment.channel,
            rendition=segment.rendition,
            segment=segment.segment,
            size=0 if nothing else len(found.data),
            missing=found.missing,
            archived_ms=self._now_ms(),
        )

    async def _init(self, name: str) -> None:
        """Copy an init segment once; a name tells its bytes."""
        if not name or name in self._inits:
            return
        data = await asyncio.to_thread(self._hot.get, name)
        if data is not None:
            await self._cold.put(name, data)
        elif await self._cold.size(name) is None:
            log.warning("%s is neither hot nor recorded: its segments cannot be played", name)
            return
        self._inits[name] = None
        if len(self._inits) > INITS_REMEMBERED:
            self._inits.popitem(last=False)

    def _parts(self, segment: ClosedSegment) -> list[bytes | None]:
        return [self._hot.get(name) for name in segment.part_names()]

    async def _is_whole(self, name: str, segment: ClosedSegment) -> bool:
        """Whether the cold store has the object in the size that all parts have together."""
        known = [size for size in segment.sizes if size is not None]
        return len(known) == len(segment.sizes) and await self._cold.size(name) == sum(known)
