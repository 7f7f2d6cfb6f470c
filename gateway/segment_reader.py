"""The bytes of media: from memory, else from the hot store, else from the recordings of kept videos.

The hot store has parts. Recordings have whole segments, which are the parts joined; a part of one is found by the boxes,
for each part is one CMAF chunk.
"""

import asyncio
from functools import partial
from typing import Final, Protocol

from gateway.memory_cache import MemoryCache
from media.cmaf import split_chunks
from stores.recordings import segment_name
from stores.segments import SegmentStore, part_name

MAX_PARTS: Final = 500


class ColdStore(Protocol):
    """What is needed of the recordings; `None` where there is no such object."""

    async def get(self, name: str) -> bytes | None:
        """The bytes of a whole segment or an init segment."""


class SegmentReader:
    """Reads media of all videos. Every method gives None where nothing is stored (any more).

    Attributes:
        cold: the recordings, once they are open.

    Errors: `SegmentStoreError`, `RecordingsError` when a store cannot be read now; `BadSegmentNameError` for a name that no
    media has; `CmafError` for a recording that is broken.
    """

    def __init__(self, memory: MemoryCache[bytes], hot: SegmentStore, cold: ColdStore | None = None) -> None:
        self.cold = cold
        self._memory = memory
        self._hot_store = hot

    async def part(self, video_id: str, rendition: str, segment: int, part: int) -> bytes | None:
        """One part."""
        data = await self._hot(part_name(video_id, rendition, segment, part))
        if data is not None:
            return data
        whole = await self._recorded(segment_name(video_id, rendition, segment))
        if whole is None:
            return None
        parts = split_chunks(whole)
        return parts[part] if part < len(parts) else None

    async def segment(self, video_id: str, rendition: str, segment: int, parts: int) -> list[bytes] | None:
        """A whole segment that has so many parts, as pieces to be joined."""
        if not 0 < parts <= MAX_PARTS:
            return None
        names = [part_name(video_id, rendition, segment, part) for part in range(parts)]
        first = await self._hot(names[0])
        if first is not None:
            rest = await asyncio.gather(*map(self._hot, names[1:]))
            pieces = [first, *(data for data in rest if data is not None)]
            if len(pieces) == parts:
                return pieces
        whole = await self._recorded(segment_name(video_id, rendition, segment))
        return None if whole is None else [whole]

    async def init(self, name: str) -> bytes | None:
        """An init segment by its whole name, `VIDEO/RENDITION/init-HASH.mp4`."""
        data = await self._hot(name)
        return await self._recorded(name) if data is None else data

    async def _hot(self, name: str) -> bytes | None:
        return await self._memory.get(name, partial(asyncio.to_thread, self._hot_store.get, name))

    async def _recorded(self, name: str) -> bytes | None:
        cold = self.cold
        return None if cold is None else await self._memory.get(name, partial(cold.get, name))
