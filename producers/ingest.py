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
from stores.log_tail import Follow, LogTail
from stores.settings import Settings

CLOCK = Clock(now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom)


async def run_ingest(settings: Settings, stop: asyncio.Event) -> None:
    """Serve publishers until `stop` is set, then let them go and write what they sent.

    Raises:
        LogError: Kafka does not answer at the start.
        OSError: a port is taken.
    """
    index = VideoIndex()
    follow = Follow(lambda record: index.apply(record.event))
    ready = {"log": False, "rtmp": False}

    def checks() -> dict[str, bool]:
        return ready | {"log": ready["log"] and tail.failure is None}

    tail = LogTail(settings, "ingest-index", {VIDEOS: follow, MEDIA_GOPS: follow})
    async with (
        HealthServer(settings.bind_host, settings.health_port_ingest, checks),
        Accounts.open(settings) as accounts,
        EventProducer(settings, "ingest") as producer,
        tail,
    ):
        await tail.caught_up()
        index.forget_unknown()
        ready["log"] = True
        studio = Studio(settings, accounts, index, tail, producer, CLOCK)
        sweeper = asyncio.create_task(studio.sweep_for_ever(), name="sweeper")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        async with RtmpServer(settings, studio):
            ready["rtmp"] = True
            await asyncio.wait({stopping, sweeper}, return_when=asyncio.FIRST_COMPLETED)
            ready["rtmp"] = False
        sweeper.cancel()
        stopping.cancel()
        if not stop.is_set():
            sweeper.result()  # it never ends but by an error: show it, the supervisor starts us again
