"""Comments and reactions through the exact agents: a real worker, a real broker.

    python benchmarks/engagement.py --rate 100 --seconds 10

Latency of a comment is from just before its send to its CommentAccepted in a read_committed consumer, both in this
process. The worker stands still (SIGSTOP) while a backlog is written, and its own CPU from then to the end is counted. Each
worker has counted what it is to count before: hot code, open partitions.
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.fanout.broker import broker
from schemas.codec import decode, encode
from schemas.events import CommentAccepted, CommentSubmitted, Like, Reaction, ReactionsRecorded, TotalsChanged
from schemas.ids import base32
from schemas.topics import COMMENTS_FEED, COMMENTS_SUBMITTED, REACTIONS, TOTALS, Topic, partition_of
from stores.kafka import consumer_config, producer_config
from stores.settings import Settings, load_settings
from stores.topics import apply_topics
from tests.conftest import free_ports

VIDEOS = tuple(base32(n, 20) for n in range(8))
KINDS = ("heart", "clap", "laugh", "wow", "fire")
MIB = 1024 * 1024
BATCH = 100
"""What a gateway gathers in 20 ms on a busy evening."""


@contextmanager
def worker(settings: Settings) -> Iterator[psutil.Process]:
    """The worker as the supervisor starts it, ready."""
    names = ("kafka_bootstrap", "topic_prefix", "data_dir", "worker_agents", "slow_mode_ms", "health_port_worker")
    environment = os.environ | {f"LOGCAST_{name.upper()}": str(getattr(settings, name)) for name in names}
    argv = [sys.executable, "-m", "faust", "-A", "processors.app", "worker", "-l", "info", "--without-web"]
    with (settings.data_dir / "worker.log").open("wb") as output:
        process = subprocess.Popen(argv, env=environment, cwd=settings.data_dir, stdout=output, stderr=output)
    try:
        while not _ready(settings):
            if process.poll() is not None:
                raise RuntimeError((settings.data_dir / "worker.log").read_text())
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _ready(settings: Settings) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{settings.health_port_worker}/readyz").is_success
    except httpx.TransportError:
        return False


class Bench:
    """One producer, and a consumer of what comes out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(producer_config(settings, "bench"))
        self.consumer = Consumer(consumer_config(settings, "bench") | {"fetch.wait.max.ms": 10})
        self.consumer.assign(
            [
                TopicPartition(settings.topic(topic.name), partition, 0)
                for topic in (COMMENTS_FEED, TOTALS)
                for partition in range(settings.partitions)
            ]
        )
        self.comments = 0
        self.batches = 0
        self.sent = 0
        self.counted: dict[str, int] = {}

    def send(self, topic: Topic, video_id: str, value: bytes) -> None:
        """One record to the partition of its video."""
        partition = partition_of(video_id, self.settings.partitions)
        self.producer.produce(self.settings.topic(topic.name), value, video_id.encode(), partition=partition)
        self.producer.poll(0)

    def comment(self) -> str:
        """Send one comment; its id."""
        event = self.new_comment()
        self.send(COMMENTS_SUBMITTED, event.video_id, encode(event))
        return event.comment_id

    def new_comment(self) -> CommentSubmitted:
        """The next comment."""
        self.comments += 1
        return CommentSubmitted(
            video_id=VIDEOS[self.comments % len(VIDEOS)],
            channel="bench",
            comment_id=f"comment-{self.comments}",
            user_id=f"g_{base32(self.comments % 500, 16)}",
            name="Bench",
            text=f"what a goal, number {self.comments}",
            submitted_ms=time.time_ns() // 1_000_000,
            gateway_id="bench",
        )

    def new_batch(self, size: int) -> ReactionsRecorded:
        """The next batch: half likes of different users, half reactions of all kinds."""
        self.batches += 1
        now_ms = time.time_ns() // 1_000_000
        return ReactionsRecorded(
            video_id=VIDEOS[self.batches % len(VIDEOS)],
            channel="bench",
            gateway_id="bench",
            batch=self.batches,
            recorded_ms=self.batches,
            likes=tuple(
                Like(user_id=f"g_{base32(self.batches * size + n, 16)}", liked=True, at_ms=now_ms + n)
                for n in range(size // 2)
            ),
            reactions=tuple(
                Reaction(user_id=f"g_{base32(self.batches * size + n, 16)}", kind=KINDS[n % len(KINDS)], count=1)
                for n in range(size - size // 2)
            ),
        )

    def heard(self) -> list[CommentAccepted | TotalsChanged]:
        """What has come since."""
        events = [decode(message.value() or b"") for message in self.consumer.consume(1_000, 0.005)]
        return [event for event in events if isinstance(event, CommentAccepted | TotalsChanged)]


def latency(bench: Bench, rate: int, seconds: int) -> None:
    """Comments at an even rate."""
    sent: dict[str, float] = {}
    took: list[float] = []
    begin = time.monotonic()
    while len(took) < rate * seconds:
        while len(sent) < min(rate * seconds, (time.monotonic() - begin) * rate):
            now = time.monotonic()
            sent[bench.comment()] = now
        mine = [e.comment_id for e in bench.heard() if isinstance(e, CommentAccepted) and e.comment_id in sent]
        took += [1_000 * (time.monotonic() - sent[comment_id]) for comment_id in mine]
    cuts = statistics.quantiles(took, n=100)
    print(f"{rate} comments/s: ms p50 {cuts[49]:.0f}  p95 {cuts[94]:.0f}  p99 {cuts[98]:.0f}  max {max(took):.0f}")


def comments_backlog(bench: Bench, process: psutil.Process, count: int) -> None:
    """Comments that wait: how many a second reach the feed."""
    events = [bench.new_comment() for _ in range(count)]
    waiting = {event.comment_id for event in events}

    def done() -> bool:
        waiting.difference_update(e.comment_id for e in bench.heard() if isinstance(e, CommentAccepted))
        return not waiting

    records = [(COMMENTS_SUBMITTED, event.video_id, encode(event)) for event in events]
    timed("comments", bench, process, count, records, done)


def reactions_backlog(bench: Bench, process: psutil.Process, count: int, size: int) -> None:
    """Batches that wait: how many of their likes and hearts are counted a second; the totals must be the truth."""
    records = [(REACTIONS, event.video_id, encode(event)) for event in (bench.new_batch(size) for _ in range(count))]
    bench.sent += count * size

    def done() -> bool:
        for event in bench.heard():
            if isinstance(event, TotalsChanged):
                bench.counted[event.video_id] = event.likes + sum(event.reactions.values())
        assert sum(bench.counted.values()) <= bench.sent, "more was counted than sent"
        return sum(bench.counted.values()) == bench.sent

    timed(f"reactions by {size}", bench, process, count * size, records, done)


def timed(
    what: str,
    bench: Bench,
    process: psutil.Process,
    units: int,
    records: list[tuple[Topic, str, bytes]],
    done: Callable[[], bool],
) -> None:
    """Write records while the worker stands still, let it run until all is done, and print how fast it went."""
    process.suspend()
    try:
        for record in records:
            bench.send(*record)
        bench.producer.flush()
        before, started = process.cpu_times(), time.monotonic()
    finally:
        process.resume()
    while not done():
        if process.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(
                "the worker ended: it stood still for longer than its group waits; try with fewer batches"
            )
    after, wall = process.cpu_times(), time.monotonic() - started
    cpu = after.user + after.system - before.user - before.system
    print(
        f"{what}: {units / wall:,.0f}/s, {units / cpu:,.0f} per CPU second ({cpu:.2f} s); "
        f"worker {process.memory_info().rss / MIB:.0f} MiB, {process.num_threads()} threads"
    )


def main() -> None:
    """Run all measurements."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kafka", default="", help="[default: one of its own]")
    options.add_argument("--rate", type=int, default=100)
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--comments", type=int, default=10_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory, broker(Path(directory) / "kafka", chosen.kafka) as kafka:
        settings = load_settings(
            kafka_bootstrap=kafka,
            topic_prefix=f"bench{secrets.token_hex(4)}.",
            data_dir=Path(directory),
            worker_agents="comments,reactions,cues",
            slow_mode_ms=0,
            health_port_worker=free_ports(1)[0],
        )
        apply_topics(settings)
        try:
            with worker(settings) as process:
                bench = Bench(settings)
                print(f"idle: {process.memory_info().rss / MIB:.0f} MiB; load {os.getloadavg()[0]:.1f}")
                latency(bench, 20, 2)  # opens the partitions
                latency(bench, chosen.rate, chosen.seconds)
                comments_backlog(bench, process, chosen.comments)
                for size in (1, 1, 50, 100, 100, 500):
                    reactions_backlog(bench, process, 4_000 if size <= BATCH else 1_000, size)
                print(f"load {os.getloadavg()[0]:.1f}")
                bench.consumer.close()
        finally:
            admin = AdminClient({"bootstrap.servers": kafka})
            mine = [name for name in admin.list_topics().topics if name.startswith(settings.topic_prefix)]
            for deleted in admin.delete_topics(mine).values():
                deleted.result()


if __name__ == "__main__":
    main()
