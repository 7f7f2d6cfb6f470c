"""The bytes of media: from memory, else from the hot store, else from the recordings of kept videos.

The hot store has parts. Recordings have whole segments, which are the parts joined; a part of one is found by the boxes,
for each part is one CMAF chunk.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from gateway.memory_cache import MemoryCache
from media.cmaf import split_chunks
from stores.recordings import segment_name
from stores.segments import SegmentStore, SegmentStoreError, part_name

T = TypeVar("T")

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

        async def recorded() -> bytes | None:
            whole = await self._recorded(segment_name(video_id, rendition, segment))
            pieces = [] if whole is None else split_chunks(whole)
            return pieces[part] if part < len(pieces) else None

        return await _either(partial(self._hot, part_name(video_id, rendition, segment, part)), recorded)

    async def segment(self, video_id: str, rendition: str, segment: int, parts: int) -> list[bytes] | None:
        """A whole segment that has so many parts, as pieces to be joined."""
        if not 0 < parts <= MAX_PARTS:
            return None
        names = [part_name(video_id, rendition, segment, part) for part in range(parts)]

        async def hot() -> list[bytes] | None:
            first = await self._hot(names[0])
            if first is None:
                return None
            rest = await asyncio.gather(*map(self._hot, names[1:]))
            pieces = [first, *(data for data in rest if data is not None)]
            return pieces if len(pieces) == parts else None

        async def recorded() -> list[bytes] | None:
            whole = await self._recorded(segment_name(video_id, rendition, segment))
            return None if whole is None else [whole]

        return await _either(hot, recorded)

    async def init(self, name: str) -> bytes | None:
        """An init segment by its whole name, `VIDEO/RENDITION/init-HASH.mp4`."""
        return await _either(partial(self._hot, name), partial(self._recorded, name))

    async def _hot(self, name: str) -> bytes | None:
        return await self._memory.get(name, partial(asyncio.to_thread, self._hot_store.get, name))

    async def _recorded(self, name: str) -> bytes | None:
        cold = self.cold
        return None if cold is None else await self._memory.get(name, partial(cold.get, name))


async def _either(hot: Callable[[], Awaitable[T | None]], recorded: Callable[[], Awaitable[T | None]]) -> T | None:
    """What the hot store has, else what is recorded; that the hot store is away matters only to what is not recorded."""
    away: SegmentStoreError | None = None
    try:
        found = await hot()
    except SegmentStoreError as error:
        found, away = None, error
    if found is None:
        found = await recorded()
    if found is None and away is not None:
        raise away
    return found
