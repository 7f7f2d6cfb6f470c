"""Pages of comments out of a real Cassandra: how long a gateway waits for them.

    python -m benchmarks.comment_pages --comments 50000 --reads 2000

A video with so many comments, some of them changed, is written as the consumers write it. Then pages are read one after the
other as a gateway reads them for the API, each with the likes of its comments; the video's partitions are warm, as those
of a video are that people watch. Without LOGCAST_TEST_CASSANDRA it brings a node of its own.
"""

import argparse
import asyncio
import os
import random
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.java import find_java
from logcast.stack.probes import cassandra_serves
from schemas.comment_state import CommentNow
from schemas.events import Change, CommentAccepted, CommentChanged
from stores.cassandra import Cassandra, Write, apply_schema
from stores.comment_writes import change_writes, comment_writes
from stores.comments import Clock, CommentStore, Moment
from stores.settings import Settings, load_settings
from tests.conftest import faster, free_ports, jars_of, server

START_MS: Final = 1_700_000_000_000
APART_MS: Final = 200
PAGE: Final = 50
BATCH: Final = 500
CHANGED_EVERY: Final = 20


@contextmanager
def node() -> Iterator[Settings]:
    """Settings of a keyspace of its own, on the given node or a new one."""
    if given := os.environ.get("LOGCAST_TEST_CASSANDRA"):
        host, _, port = given.rpartition(":")
        yield _settings(host, int(port))
        return
    with tempfile.TemporaryDirectory(prefix="logcast-bench-") as name:
        directory = Path(name)
        native, storage = free_ports(2)
        one = CassandraNode(directory, native, storage, find_java(), jars_of("cassandra"))
        one.prepare()
        with server(faster(one, "cassandra"), directory, lambda: cassandra_serves("127.0.0.1", native)):
            yield _settings("127.0.0.1", native)


def _settings(host: str, port: int) -> Settings:
    keyspace = f"bench{secrets.token_hex(6)}"
    return load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=keyspace)


def feed(video_id: str, comments: int) -> Iterator[CommentAccepted | CommentChanged]:
    """Comments five times a second, and an edit now and then."""
    users, seq = random.Random(7), 0
    for number in range(comments):
        seq += 1
        at_ms = START_MS + number * APART_MS
        comment = CommentAccepted(
            video_id=video_id,
            channel="bench",
            seq=seq,
            comment_id=f"comment-{number:08d}",
            user_id=f"g_{users.randrange(2_000)}",
            name="Somebody",
            text=f"what a goal, number {number}, I have never seen one like it",
            submitted_ms=at_ms,
            media_ms=at_ms - 3_000,
            source_offset=seq,
        )
        yield comment
        if number % CHANGED_EVERY == 0:
            seq += 1
            yield CommentChanged(
                video_id=video_id,
                channel="bench",
                seq=seq,
                comment_id=comment.comment_id,
                comment_seq=comment.seq,
                user_id=comment.user_id,
                change=Change.EDITED,
                text="said better",
                by=comment.user_id,
                act_id="",
                revision_id=f"revision-{seq}",
                comments=number,
                changed_ms=at_ms,
                source_offset=seq,
            )


async def write(session: Cassandra, video_id: str, comments: int) -> None:
    """Everything, as the consumers write it; says how fast."""
    began, events = time.perf_counter(), list(feed(video_id, comments))
    for at in range(0, len(events), BATCH):
        writes: list[Write] = []
        for event in events[at : at + BATCH]:
            writes += comment_writes(event) if isinstance(event, CommentAccepted) else change_writes(event)
        await session.write(writes)
    took = time.perf_counter() - began
    print(f"written: {len(events)} events in {took:.1f} s, {len(events) / took:.0f} a second")


async def measure(name: str, reads: int, read: Callable[[], Awaitable[int]]) -> None:
    """Print the times of one kind of read, in ms, and what they took of this process."""
    for _ in range(20):
        await read()
    times, rows, cpu = [], 0, time.process_time()
    for _ in range(reads):
        began = time.perf_counter()
        rows += await read()
        times.append((time.perf_counter() - began) * 1_000)
    cpu = (time.process_time() - cpu) * 1_000 / reads
    times.sort()
    p50, p99 = (times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.99))
    print(
        f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, CPU of the reader {cpu:.2f} ms, {rows / reads:.0f} comments a page"
    )


async def run(settings: Settings, comments: int, reads: int) -> None:
    """Write, then read."""
    await asyncio.to_thread(apply_schema, settings)
    video_id, where = secrets.token_hex(10), random.Random(11)
    end_ms = START_MS + comments * APART_MS
    async with Cassandra.open(settings) as session:
        store = CommentStore(session)
        await write(session, video_id, comments)

        async def with_likes(page: list[CommentNow]) -> int:
            await store.likes(video_id, [comment.comment_id for comment in page])
            return len(page)

        async def latest() -> int:
            return len(await store.latest(video_id, PAGE))

        async def latest_with_likes() -> int:
            return await with_likes(await store.latest(video_id, PAGE))

        async def anywhere() -> int:
            return len(await store.before(video_id, where.randrange(1, comments), PAGE))

        async def by_author() -> int:
            return len(await store.by_author(video_id, f"g_{where.randrange(2_000)}", PAGE))

        async def by_position() -> int:
            start_ms = where.randrange(START_MS, end_ms)
            page = await store.by_clock(video_id, Clock.MEDIA, Moment(start_ms, 0), Moment(start_ms + 30_000, 0), 200)
            return len(page.comments)

        async def missed() -> int:
            return len(await store.entries(video_id, where.randrange(1, comments), 200))

        for name, read in (
            ("the latest page", latest),
            ("the latest page, with likes", latest_with_likes),
            ("a page anywhere", anywhere),
            ("what one user wrote", by_author),
            ("30 s of the video", by_position),
            ("200 numbers for who comes back", missed),
        ):
            await measure(name, reads, read)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comments", type=int, default=50_000)
    parser.add_argument("--reads", type=int, default=2_000)
    options = parser.parse_args()
    with node() as settings:
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        asyncio.run(run(settings, options.comments, options.reads))
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
