"""Transcode throughput of 1, 2, … workers with one encoder thread each, how even their share is, and one heavy stream.

    python -m benchmarks.workers                       # a backlog for 1 and 2 workers, then one live 1080p60 stream for 1 and 2
    python -m benchmarks.workers --workers 1,2,4 --seconds 40

Throughput is from the first to the last part of a backlog of several 720p30 streams that lies on the log before the workers
start. The heavy stream comes at its own pace: what is counted is how many parts of its ladder were made in time.
"""

import argparse
import asyncio
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from confluent_kafka.admin import AdminClient

from benchmarks.fanout.broker import broker
from benchmarks.transcode import feed, renamed, wait_ready
from logcast.roles import ROLES
from logcast.stack.environment import environment
from logcast.stack.tether import tethered
from schemas.events import PartReady, SegmentClosed, Track
from schemas.ids import base32
from schemas.topics import MEDIA_PARTS, MEDIA_SOURCE, source_partition
from stores.kafka import EventProducer
from stores.settings import Settings, load_settings
from stores.topics import apply_topics
from tests.conftest import free_ports
from tests.processors.gops import Clip, SourceGop, make_gops
from tests.processors.log_reader import LogReader

GIVE_UP_S = 240.0
LATE_S = 2.0
"""A part that comes later than this after its chunk would have made a viewer wait."""

NEVER = str(2**40)
Stream = tuple[SourceGop, ...]


@dataclass(frozen=True)
class Worked:
    """What some workers did: `parts` of each, of the ladder; `took_s` from the first part to the last."""

    parts: list[float]
    took_s: float


@contextmanager
def workers(settings: Settings, count: int, **options: str) -> Iterator[list[str]]:
    """So many workers, ready; gives the addresses of their metrics."""
    with ExitStack() as stack:
        addresses = []
        for slot, port in enumerate(free_ports(count)):
            told = settings.model_copy(update={"worker_slot": str(slot), "health_port_worker": port})
            told_environ = environment(told) | {f"LOGCAST_{name.upper()}": value for name, value in options.items()}
            log = stack.enter_context((settings.data_dir / f"worker-{slot}.log").open("wb"))
            argv = tethered(ROLES["worker"].argv)
            process = subprocess.Popen(
                argv, env=os.environ | told_environ, cwd=settings.data_dir, stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_ready(told, process)
            addresses.append(f"http://127.0.0.1:{port}/metrics")
        yield addresses


def ladder_parts(address: str) -> float:
    """How many parts of the ladder a worker made."""
    lines = httpx.get(address).text.splitlines()
    mine = [line for line in lines if line.startswith("logcast_worker_parts_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in mine if '"source"' not in line and '"audio"' not in line)


async def put(settings: Settings, streams: Sequence[Stream]) -> None:
    """The whole backlog on the log."""
    async with EventProducer(settings, "bench") as producer:
        written = []
        for gop in (gop for gops in zip(*streams, strict=True) for gop in gops):
            partition = source_partition(gop.closed.video_id, gop.closed.gop, settings.partitions)
            for event in gop.events:
                key = f"{event.video_id}/{event.gop}"
                written.append(await producer.enqueue(MEDIA_SOURCE, key, event, partition=partition))
        for done in written:
            await done


def backlog(kafka: str, directory: Path, count: int, streams: Sequence[Stream], ladder: str) -> Worked:
    """Work off a backlog."""
    due = sum(1 for stream in streams for gop in stream for _ in gop.video) * (ladder.count(",") + 1)
    with topics(kafka, directory, ladder) as settings:
        asyncio.run(put(settings, streams))
        reader = LogReader(settings, MEDIA_PARTS)
        with workers(settings, count, late_gop_s=NEVER) as addresses:
            seen, began, deadline = 0, 0.0, time.monotonic() + GIVE_UP_S
            while seen < due and time.monotonic() < deadline:
                for event in reader.read(0.05):
                    if isinstance(event, PartReady) and event.rendition not in {"source", "audio"}:
                        began = began or time.monotonic()
                        seen += 1
            took_s, parts = time.monotonic() - began, [ladder_parts(address) for address in addresses]
        reader.close()
    if seen < due:
        raise SystemExit(f"{due - seen} of {due} parts never came; see {directory}/worker-0.log")
    return Worked(parts, took_s)


async def heavy(settings: Settings, stream: Stream) -> dict[str, tuple[int, int, int]]:
    """By rendition of the ladder: parts in time, parts that were late, segments left out."""
    reader, found = LogReader(settings, MEDIA_PARTS), dict[str, list[int]]()
    names = [f"{rung.split(':')[0]}p" for rung in settings.ladder.split(",")]
    last = stream[-1].closed.last_segment
    over: set[tuple[str, int]] = set()
    async with EventProducer(settings, "bench") as producer:
        feeding = asyncio.create_task(feed(settings, producer, stream, 0.0))
        deadline = time.monotonic() + GIVE_UP_S
        while len(over) < len(names) * (last + 1) and time.monotonic() < deadline:
            for event in await asyncio.to_thread(reader.read, 0.02):
                counts = found.setdefault(event.rendition, [0, 0, 0]) if hasattr(event, "rendition") else [0, 0, 0]
                if isinstance(event, PartReady) and event.track is Track.VIDEO:
                    counts[time.time() * 1000 - event.received_ms > LATE_S * 1000] += 1
                elif isinstance(event, SegmentClosed) and event.rendition in names:
                    over.add((event.rendition, event.segment))
                    counts[2] += event.parts == 0
        await feeding
    reader.close()
    return {name: (counts[0], counts[1], counts[2]) for name, counts in found.items() if name in names}


@contextmanager
def topics(kafka: str, directory: Path, ladder: str) -> Iterator[Settings]:
    """Topics of a measurement's own, gone after it."""
    settings = load_settings(
        kafka_bootstrap=kafka,
        topic_prefix=f"bench{secrets.token_hex(4)}.",
        data_dir=directory,
        ladder=ladder,
        worker_agents="transcode",
        worker_threads=1,
    )
    apply_topics(settings)
    try:
        yield settings
    finally:
        admin = AdminClient({"bootstrap.servers": kafka})
        mine = [name for name in admin.list_topics().topics if name.startswith(settings.topic_prefix)]
        for deleted in admin.delete_topics(mine).values():
            deleted.result()


def main() -> None:
    """Both measurements for each number of workers."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kafka", default="", help="[default: one of its own]")
    options.add_argument("--workers", default="1,2")
    options.add_argument("--streams", type=int, default=4)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--ladder", default="480:1200,360:700,240:350")
    options.add_argument("--heavy-ladder", default="720:2800,480:1200,360:700,240:350")
    chosen = options.parse_args()
    counts = [int(count) for count in chosen.workers.split(",")]
    clip = Clip(width=1280, height=720, gops=chosen.seconds, gop_frames=30, part_frames=6, kbps=3000, audio=True)
    streams = [renamed(make_gops(clip), base32(n, 20)) for n in range(chosen.streams)]
    large = make_gops(
        Clip(width=1920, height=1080, fps=60, gops=12, gop_frames=60, part_frames=12, kbps=8000, audio=True)
    )
    with tempfile.TemporaryDirectory() as place, broker(Path(place) / "kafka", chosen.kafka) as kafka:
        media_s, first = chosen.seconds * chosen.streams, 0.0
        print(
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chosen.streams} streams of {chosen.seconds} s, 720p30"
        )
        print(f"{'workers':>7}  {'media s / s':>11}  {'ratio':>5}  parts of each")
        for count in counts:
            worked = backlog(kafka, Path(place), count, streams, chosen.ladder)
            rate = media_s / worked.took_s
            first = first or rate
            print(f"{count:7}  {rate:11.2f}  {rate / first:5.2f}  {', '.join(f'{n:.0f}' for n in worked.parts)}")
        print("one live 1080p60 stream of 12 s:")
        for count in counts:
            with topics(kafka, Path(place), chosen.heavy_ladder) as settings, workers(settings, count):
                found = asyncio.run(heavy(settings, large))
            told = "; ".join(
                f"{name} {n} in time, {late} late, {out} left out" for name, (n, late, out) in found.items()
            )
            print(f"{count:7}  {told}")


if __name__ == "__main__":
    main()
