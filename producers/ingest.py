"""The ingest: RTMP publishers in, `media.source`, `media.gops` and `videos` out."""

import asyncio
import os
import time

from producers.broadcast import Clock
from producers.rtmp_server import RtmpServer
from producers.studio import Studio
from producers.video_index import VideoIndex
from schemas.topics import MEDIA_GOPS, VIDEOS
from stores.accounts import Accounts
from stores.health import HealthServer
from stores.kafka import EventProducer
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings

CLOCK = Clock(now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom)


async def run_ingest(settings: Settings, stop: asyncio.Event) -> None:
    """Serve publishers until `stop` is set, then let them go and write what they sent.

    Raises:
        LogError: Kafka does not answer at the start.
        OSError: a port is taken.
    """
    index = VideoIndex()
    follow = [Subscription(topic, lambda event, _place: index.apply(event)) for topic in (VIDEOS, MEDIA_GOPS)]
    reader = LogReader(settings, follow, role="ingest-index")
    ready = {"rtmp": False}
    async with (
        HealthServer(settings.bind_host, settings.health_port_ingest, lambda: ready | {"log": reader.caught_up}),
        Accounts.open(settings) as accounts,
        EventProducer(settings, "ingest") as producer,
        reader,
    ):
        studio = Studio(settings, accounts, index, reader, producer, CLOCK)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(_serve(settings, index, reader, studio, ready), name="serve")
            await stop.wait()
            serving.cancel()


async def _serve(
    settings: Settings, index: VideoIndex, reader: LogReader, studio: Studio, ready: dict[str, bool]
) -> None:
    """Wait for the log, then listen until cancelled; a reader that breaks ends it, the supervisor starts us again."""
    assert reader.failed is not None
    await reader.wait_caught_up()
    index.forget_unknown()
    async with RtmpServer(settings, studio), asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(studio.sweep_for_ever(), name="sweep")
        ready["rtmp"] = True
        try:
            await asyncio.wait({reader.failed, sweeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready["rtmp"] = False
            sweeping.cancel()
        reader.failed.result()
