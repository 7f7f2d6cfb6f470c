"""The conversation's processes for tests: gateway, Faust worker and consumers, on real Kafka and Cassandra."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import httpx

from schemas.events import GopOpened, VideoChanged, VideoState
from schemas.ids import new_video_id
from schemas.topics import MEDIA_GOPS, VIDEOS
from stores.accounts import Accounts
from stores.cassandra import apply_schema
from stores.kafka import EventProducer
from stores.settings import Settings
from stores.topics import apply_topics
from tests.waiting import eventually_async

VIDEO = new_video_id(1_790_000_000_000, b"12345678")


@dataclass
class System:
    """Where it answers, and the processes."""

    settings: Settings
    url: str
    key: str
    processes: dict[str, asyncio.subprocess.Process]

    async def start(self, role: str) -> None:
        values = self.settings.model_dump(mode="json") | {
            "admin_token": self.settings.admin_token.get_secret_value(),
            "guest_secret": self.settings.guest_secret.get_secret_value(),
        }
        environment = {f"LOGCAST_{name.upper()}": str(value) for name, value in values.items() if value is not None}
        argv = [sys.executable, "-m", "logcast", "serve", role]
        log = (self.settings.data_dir / f"{role}.log").open("ab")
        self.processes[role] = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=log, stderr=log)
        log.close()

    async def ready(self, port: int) -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def all_ready(self) -> None:
        s = self.settings
        for port in (s.http_port, s.health_port_worker, s.health_port_consumers):
            await eventually_async(partial(self.ready, port), 90, f"readiness on {port}")


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[System]:
    """The processes, and a channel that is live as far as the log says."""
    await asyncio.to_thread(apply_topics, settings)
    await asyncio.to_thread(apply_schema, settings)
    async with Accounts.open(settings) as accounts:
        key = (await accounts.create_channel("demo")).stream_key
    async with EventProducer(settings, "test") as producer:
        await producer.send(VIDEOS, VIDEO, live_video(now_ms()))
        await producer.send(MEDIA_GOPS, VIDEO, gop(0, now_ms()))
    system = System(settings, f"http://127.0.0.1:{settings.http_port}", key, {})
    try:
        for role in ("worker", "consumers", "gateway"):
            await system.start(role)
        await system.all_ready()
        yield system
    finally:
        for process in system.processes.values():
            if process.returncode is None:
                process.terminate()
        for process in system.processes.values():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 20)
            if process.returncode is None:
                process.kill()
                await process.wait()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def live_video(at_ms: int) -> VideoChanged:
    return VideoChanged(
        video_id=VIDEO,
        channel="demo",
        title="Demo",
        state=VideoState.LIVE,
        started_ms=at_ms,
        changed_ms=at_ms,
        last_segment=-1,
        part_target_ms=250,
        segment_max_ms=10_000,
        audio=True,
        video=True,
    )


def gop(number: int, at_ms: int) -> GopOpened:
    return GopOpened(
        video_id=VIDEO,
        channel="demo",
        gop=number,
        segment=number,
        epoch=0,
        media_time_ms=number * 1_000,
        captured_ms=at_ms,
    )
