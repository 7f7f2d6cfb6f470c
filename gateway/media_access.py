"""The media of a gateway, made once however many groups of routes ask: folds, playlists, bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.broadcasts import ENTRY_BYTES, Broadcasts
from gateway.catalogue import Catalogue
from gateway.dvr import DvrViews
from gateway.playlists import Playlists
from gateway.recorded import RecordedVideos
from gateway.segment_reader import SegmentReader
from gateway.state import GatewayState
from schemas.topics import ADS_BREAKS, MEDIA_PARTS, VIDEOS, VIDEOS_SETTINGS
from stores.recordings import open_recordings

TICK_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class MediaAccess:
    """What routes of media use.

    Attributes:
        broadcasts: the folds of the log's window, and who waits for them.
        catalogue: the fold of any video, live or recorded.
        reader: the bytes.
        playlists: rendered once for each change.
    """

    broadcasts: Broadcasts
    catalogue: Catalogue
    reader: SegmentReader
    playlists: Playlists


def media_access(state: GatewayState) -> MediaAccess:
    """The media of a gateway; the first who asks, before the gateway starts, makes it."""
    if state.media is None:
        state.media = _made(state)
    return state.media


def _made(state: GatewayState) -> MediaAccess:
    settings = state.settings
    memory_bytes = settings.gateway_memory_mb * 1024 * 1024
    broadcasts = Broadcasts(settings, state.videos, state.clock)
    reader = SegmentReader(state.memory, state.segments)
    recorded = RecordedVideos(
        state.cassandra, state.clock, memory_bytes // 8 // ENTRY_BYTES, settings.hot_retention_s, reader.init
    )
    views = DvrViews(settings, recorded, state.clock)
    catalogue = Catalogue(settings, state.videos, broadcasts, recorded, views, state.clock)
    state.subscribe(VIDEOS, broadcasts.video)
    state.subscribe(VIDEOS_SETTINGS, broadcasts.video)
    state.subscribe(MEDIA_PARTS, broadcasts.media, broadcasts.log_start_ms)
    state.subscribe(MEDIA_PARTS, catalogue.media, broadcasts.log_start_ms)
    state.subscribe(ADS_BREAKS, broadcasts.ad_break, broadcasts.log_start_ms)
    state.on_removed(broadcasts.forget, catalogue.forget)
    state.after_batch(broadcasts.folded)
    state.on_stop(broadcasts.stop)
    state.resource(lambda: _ticking(broadcasts, views))
    state.resource(lambda: _recordings(state, reader))
    return MediaAccess(broadcasts, catalogue, reader, Playlists(settings))


@asynccontextmanager
async def _recordings(state: GatewayState, reader: SegmentReader) -> AsyncIterator[None]:
    async with open_recordings(state.settings) as reader.cold:
        yield


@asynccontextmanager
async def _ticking(broadcasts: Broadcasts, views: DvrViews) -> AsyncIterator[None]:
    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            broadcasts.tick()
            views.tick(broadcasts.get)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
