"""Passes the source on: every chunk of a GOP becomes a part of `source` or `audio`, untouched and at once.

Captions that its pictures carry are announced before the part, so that whoever has the part has them.
"""

from processors import parts
from processors.part_writer import Arrived, PartWriter
from processors.parts import SegmentCount
from schemas.events import MediaChunk, Track
from stores.segments import init_name


class Relay:
    """The chunks of one GOP, both tracks."""

    def __init__(self, first: MediaChunk, writer: PartWriter) -> None:
        self._first = first
        self._writer = writer
        self._inits: dict[Track, str] = {}
        self._counts: dict[Track, SegmentCount] = {}

    async def chunk(self, arrived: Arrived) -> None:
        """Store and announce the next chunk of its track; see `PartWriter.part` for errors."""
        chunk = arrived.chunk
        rendition = parts.SOURCE if chunk.track is Track.VIDEO else parts.AUDIO
        if chunk.init is not None:
            name = init_name(chunk.video_id, rendition, chunk.init)
            await self._writer.store(name, chunk.init)
            self._inits[chunk.track] = name
        if chunk.track not in self._inits:
            await self._writer.dead_letter(
                arrived.record, "expected an init segment in the GOP's first chunk, found none"
            )
            return
        count = self._counts.setdefault(chunk.track, SegmentCount(self._first, rendition))
        ready = parts.passed_on(chunk, self._inits[chunk.track])
        await self._writer.part(ready, chunk.data, [*count.note(ready), *parts.captions_in(chunk)])

    async def close(self, last_segment: int, *, pictures: bool) -> None:
        """Announce what is complete: the GOP is over. A video that had pictures before lacks them now: a gap."""
        if not pictures and self._first.ladder_below:
            self._counts.setdefault(Track.VIDEO, SegmentCount(self._first, parts.SOURCE))
        for count in self._counts.values():
            await self._writer.announce(*count.close(last_segment))
