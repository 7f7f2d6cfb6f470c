"""What the spool costs: records of the size of parts through it and straight to Kafka, in turns, on a broker that runs already.

    LOGCAST_KAFKA_BOOTSTRAP=127.0.0.1:9092 python -m benchmarks.spool

Prints MB/s with as much in flight as there may be, and the time from `put` to Kafka's acknowledgement at 50 records a second.
"""

import asyncio
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import AdminClient

from producers.outlet import DirectOutlet, Outlet
from producers.spool import Spool
from schemas.events import MediaChunk, Track
from schemas.topics import MEDIA_SOURCE, source_partition
from stores.kafka import EventProducer, client_config
from stores.settings import Settings, load_settings
from stores.spool_log import Limits, SpoolLog
from stores.topics import apply_topics

PART_BYTES: Final = 100_000
"""A part of 200 ms at 4 Mbit/s."""

RECORDS: Final = 500
PACED: Final = 100
PACE_S: Final = 0.02
ROUNDS: Final = 3
IN_FLIGHT: Final = 200


def part(number: int) -> MediaChunk:
    gop, index = divmod(number, 10)
    return MediaChunk(
        video_id="bench",
        channel="bench",
        track=Track.VIDEO,
        gop=gop,
        segment=gop,
        part=index,
        index=index,
        epoch=0,
        dts=number,
        duration=1,
        timescale=5,
        independent=not index,
        frames=6,
        captured_ms=0,
        received_ms=0,
        codecs="avc1.64001f",
        width=1280,
        height=720,
        frame_rate=30.0,
        sample_rate=0,
        channels=0,
        init=None,
        data=secrets.token_bytes(16) * (PART_BYTES // 16),
        part_target_ms=200,
        ladder_below=0,
        epoch_ms=0,
    )


class Way:
    """One way to the log: `put`, and wait until Kafka has it all."""

    def __init__(self, settings: Settings, outlet: Outlet, delivered: Callable[[], Awaitable[None]] | None) -> None:
        self._settings = settings
        self._outlet = outlet
        self._delivered = delivered

    async def put(self, event: MediaChunk) -> "asyncio.Future[Any]":
        """Give it away."""
        partition = source_partition(event.video_id, event.gop, self._settings.partitions)
        return await self._outlet.put(MEDIA_SOURCE, f"{event.video_id}/{event.gop}", event, partition=partition)

    async def rate(self, events: list[MediaChunk]) -> float:
        """MB/s until Kafka has them all."""
        began = time.perf_counter()
        waiting: list[asyncio.Future[Any]] = []
        for event in events:
            waiting.append(await self.put(event))
            if len(waiting) >= IN_FLIGHT:
                await waiting.pop(0)
        await asyncio.gather(*waiting)
        if self._delivered:
            await self._delivered()
        return len(events) * PART_BYTES / 1e6 / (time.perf_counter() - began)

    async def latencies(self, events: list[MediaChunk]) -> list[float]:
        """Milliseconds from `put` to Kafka's acknowledgement of each."""
        took = []
        for event in events:
            began = time.perf_counter()
            await (await self.put(event))
            if self._delivered:
                await self._delivered()
            took.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PACE_S)
        return took


@asynccontextmanager
async def ways(settings: Settings, directory: Path) -> AsyncIterator[dict[str, Way]]:
    """Straight to Kafka, and through spools that are synced never, each second and each 200 ms."""
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(EventProducer(settings, "bench"))
        found = {"direct": Way(settings, DirectOutlet(producer), None)}
        for name, sync_ms in (("spool", 0), ("sync 1 s", 1_000), ("sync 200 ms", 200)):
            files = stack.enter_context(SpoolLog(directory / name, Limits(1 << 34), now_ms))
            spool = Spool(settings.model_copy(update={"spool_sync_ms": sync_ms}), files, producer)
            await stack.enter_async_context(spool)
            found[name] = Way(settings, spool, spool.delivered)
        yield found


def now_ms() -> int:
    """Wall clock."""
    return time.time_ns() // 1_000_000


def _delete_topics(settings: Settings) -> None:
    admin = AdminClient(client_config(settings, "bench"))
    mine = [name for name in admin.list_topics(timeout=60).topics if name.startswith(settings.topic_prefix)]
    for deleted in admin.delete_topics(mine, operation_timeout=60).values():
        deleted.result(timeout=60)


async def main() -> None:
    settings = load_settings(topic_prefix=f"bench{secrets.token_hex(3)}.")
    await asyncio.to_thread(apply_topics, settings)
    events = [part(number) for number in range(RECORDS)]
    report: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        async with ways(settings, Path(directory)) as found:
            for _ in range(ROUNDS):
                for name, way in found.items():
                    one = report.setdefault(name, {"mb_per_s": [], "p50_ms": [], "p99_ms": []})
                    one["mb_per_s"].append(round(await way.rate(events), 1))
                    took = sorted(await way.latencies(events[:PACED]))
                    one["p50_ms"].append(round(statistics.median(took), 2))
                    one["p99_ms"].append(round(took[int(len(took) * 0.99)], 2))
    await asyncio.to_thread(_delete_topics, settings)
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    asyncio.run(main())
