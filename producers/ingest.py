"""The ingest: RTMP publishers and lossless pushes in, `media.source`, `media.gops` and `videos` out, by way of the spool."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from producers.broadcast import Clock
from producers.push_server import PushServer
from producers.rtmp_server import RtmpServer
from producers.spool import Spool
from producers.studio import Studio
from producers.video_index import VideoIndex
from schemas.topics import MEDIA_GOPS, VIDEOS
from stores.accounts import Accounts
from stores.health import HealthServer
from stores.kafka import EventProducer, LogError
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings
from stores.spool_log import FILE_BYTES, Limits, first_free

CLOCK = Clock(now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom)
CLOSE_S: Final = 2.0
CATCH_UP_S: Final = 10.0
MIB: Final = 1024 * 1024
FILES: Final = 8
"""A full spool has at least so many, so that room comes bit by bit."""


async def run_ingest(settings: Settings, stop: asyncio.Event) -> None:
    """Serve publishers until `stop` is set, then let them go and write what they sent.

    Raises:
        LogError: Kafka refuses a record.
        SpoolError: the spool's directory cannot be used.
        OSError: a port is taken.
    """
    index = VideoIndex()
    follow = [Subscription(topic, lambda event, _place: index.apply(event)) for topic in (VIDEOS, MEDIA_GOPS)]
    reader = LogReader(settings, follow, role="ingest-index")
    ready = {"rtmp": False}
    async with (
        HealthServer(settings.bind_host, settings.health_port_ingest, lambda: ready | {"log": reader.caught_up}),
        Accounts.open(settings) as accounts,
        EventProducer(settings, "ingest", close_timeout_s=CLOSE_S, spooled=True) as producer,
        reader,
        open_spool(settings, producer) as spool,
    ):
        studio = Studio(settings, accounts, index, reader, spool, producer, CLOCK)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(_serve(settings, index, reader, spool, studio, ready), name="serve")
            await stop.wait()
            serving.cancel()


@asynccontextmanager
async def open_spool(settings: Settings, producer: EventProducer) -> AsyncIterator[Spool]:
    """The spool of this process: the first that no other has."""
    total = settings.spool_max_mb * MIB
    limits = Limits(total, file=min(FILE_BYTES, total // FILES), reserve=settings.spool_reserve_mb * MIB)
    with first_free(settings.spool_path, limits, CLOCK.now_ms) as files:
        async with Spool(settings, files, producer) as spool:
            yield spool


async def _serve(
    settings: Settings, index: VideoIndex, reader: LogReader, spool: Spool, studio: Studio, ready: dict[str, bool]
) -> None:
    """Wait for the log, then listen until cancelled; what breaks ends it, the supervisor starts us again."""
    assert reader.failed is not None
    await _settle(reader, spool)
    index.forget_unknown()
    async with RtmpServer(settings, studio), PushServer(settings, studio), asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(studio.sweep_for_ever(), name="sweep")
        ready["rtmp"] = True
        try:
            await asyncio.wait({reader.failed, spool.failed, sweeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready["rtmp"] = False
            sweeping.cancel()
        for failed in (reader.failed, spool.failed):
            if failed.done():
                failed.result()


async def _settle(reader: LogReader, spool: Spool) -> None:
    """Return when what the spool held is on the log, and all of the log is known."""
    await reader.wait_caught_up()
    delivered = asyncio.ensure_future(spool.delivered())
    try:
        await asyncio.wait({delivered, spool.failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        delivered.cancel()
    if spool.failed.done():
        spool.failed.result()
    while True:
        try:
            await reader.catch_up(CATCH_UP_S)
        except LogError:
            continue
        return
