"""Part latency and CPU of the transcode agent: a real worker, a real broker, live-paced 720p30.

    python benchmarks/transcode.py --streams 1 --seconds 20

Latency is from the chunk's send to its PartReady in a consumer; the first two seconds of media are left out.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
from confluent_kafka.admin import AdminClient

from benchmarks.fanout.broker import broker
from schemas.events import MediaChunk, PartReady, Track
from schemas.ids import base32
from schemas.topics import MEDIA_PARTS, MEDIA_SOURCE, source_partition
from stores.kafka import EventProducer
from stores.settings import Settings, load_settings
from stores.topics import apply_topics
from tests.conftest import free_ports
from tests.processors.gops import Clip, SourceGop, make_gops
from tests.processors.log_reader import LogReader

WARM_MS = 2_000
GIVE_UP_S = 30


def worker(settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    """The worker as the supervisor starts it."""
    names = (
        "kafka_bootstrap",
        "topic_prefix",
        "partitions",
        "data_dir",
        "ladder",
        "worker_agents",
        "health_port_worker",
    )
    environment = os.environ | {f"LOGCAST_{name.upper()}": str(getattr(settings, name)) for name in names}
    argv = [sys.executable, "-m", "faust", "-A", "processors.app", "worker", "-l", "info", "--without-web"]
    with log.open("wb") as output:
        return subprocess.Popen(argv, env=environment, cwd=settings.data_dir, stdout=output, stderr=output)


def wait_ready(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    """Return when the worker has its partitions."""
    while process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{settings.health_port_worker}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the worker ended")


async def feed(settings: Settings, producer: EventProducer, gops: tuple[SourceGop, ...], late_s: float) -> None:
    """One stream at its own pace: each chunk goes when its last frame would have been captured."""
    begin = time.monotonic() + 0.5 + late_s
    for gop in gops:
        for event in gop.events:
            partition = source_partition(event.video_id, event.gop, settings.partitions)
            if isinstance(event, MediaChunk):
                due = begin + (event.dts + event.duration) / event.timescale
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                event = replace(event, received_ms=time.time_ns() // 1_000_000)  # noqa: PLW2901
            producer.send(MEDIA_SOURCE, f"{event.video_id}/{event.gop}", event, partition=partition)


async def run(settings: Settings, streams: list[tuple[SourceGop, ...]], process: psutil.Process) -> None:
    """Feed, collect, print."""
    reader = LogReader(settings, MEDIA_PARTS)
    reader.read_to_now()
    latencies: dict[str, list[int]] = defaultdict(list)
    chunks = [chunk for stream in streams for gop in stream for chunk in gop.chunks]
    seconds = max((c.dts + c.duration) / c.timescale for c in chunks)
    renditions = 1 + settings.ladder.count(",") + 1
    due = sum(renditions if c.track is Track.VIDEO else 1 for c in chunks)
    before, started = process.cpu_times(), time.monotonic()
    async with EventProducer(settings, "bench") as producer:
        feeds = [feed(settings, producer, stream, n * 0.21) for n, stream in enumerate(streams)]
        feeding = asyncio.gather(*feeds)
        seen, deadline = 0, started + seconds + GIVE_UP_S
        while seen < due and time.monotonic() < deadline:
            events = await asyncio.to_thread(reader.read, 0.005)
            now_ms = time.time_ns() // 1_000_000
            for event in events:
                if isinstance(event, PartReady):
                    seen += 1
                    if event.dts * 1000 // event.timescale >= WARM_MS:
                        latencies[event.rendition].append(now_ms - event.received_ms)
        await feeding
    if seen < due:
        print(f"{due - seen} of {due} parts never came: the worker skips GOPs when it is too far behind")
    after, wall = process.cpu_times(), time.monotonic() - started
    cpu = after.user + after.system - before.user - before.system
    reader.close()
    print(f"{len(streams)} streams, {seconds:.0f} s of media in {wall:.1f} s; load {os.getloadavg()[0]:.1f}")
    print(f"worker CPU: {cpu / seconds / len(streams):.2f} s per media second and stream")
    for rendition, found in sorted(latencies.items()):
        cuts = statistics.quantiles(found, n=100)
        print(
            f"{rendition:7} {len(found):5} parts, ms p50 {cuts[49]:.0f}  p95 {cuts[94]:.0f}  p99 {cuts[98]:.0f}  max {max(found)}"
        )


def main() -> None:
    """Run one measurement."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kafka", default="", help="[default: one of its own]")
    options.add_argument("--streams", type=int, default=1)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--ladder", default="480:1200,360:700,240:350")
    options.add_argument("--b-frames", type=int, default=0)
    chosen = options.parse_args()
    clip = Clip(
        width=1280, height=720, gops=chosen.seconds, gop_frames=30, part_frames=6, kbps=3000, audio=True,
        b_frames=chosen.b_frames,
    )  # fmt: skip
    first = make_gops(clip)
    streams = [renamed(first, base32(n, 20)) for n in range(chosen.streams)]
    with tempfile.TemporaryDirectory() as directory, broker(Path(directory) / "kafka", chosen.kafka) as kafka:
        settings = load_settings(
            kafka_bootstrap=kafka,
            topic_prefix=f"bench{secrets.token_hex(4)}.",
            data_dir=Path(directory),
            ladder=chosen.ladder,
            worker_agents="transcode",
            health_port_worker=free_ports(1)[0],
        )
        apply_topics(settings)
        process = worker(settings, settings.data_dir / "worker.log")
        try:
            wait_ready(settings, process)
            asyncio.run(run(settings, streams, psutil.Process(process.pid)))
        finally:
            process.terminate()
            process.wait()
            admin = AdminClient({"bootstrap.servers": kafka})
            mine = [name for name in admin.list_topics().topics if name.startswith(settings.topic_prefix)]
            for deleted in admin.delete_topics(mine).values():
                deleted.result()


def renamed(gops: tuple[SourceGop, ...], video_id: str) -> tuple[SourceGop, ...]:
    """The same pictures as another video."""
    return tuple(
        SourceGop(
            tuple(replace(chunk, video_id=video_id) for chunk in gop.chunks), replace(gop.closed, video_id=video_id)
        )
        for gop in gops
    )


if __name__ == "__main__":
    main()
