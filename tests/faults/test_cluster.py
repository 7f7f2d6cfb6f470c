"""kill -9 of a broker that leads and of a Cassandra node, in mid-push: viewers and chat go on, nothing is lost.

Takes two minutes and 3 GB: LOGCAST_CLUSTER=1 runs it.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from logcast.client import FeedClient, FeedError
from logcast.stack.probes import local_cluster
from schemas.topics import partition_of
from tests.e2e.hls_viewer import HlsViewer, Variant, frame_times, newest_part_ms
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.gateway.playlist_reader import ReadPlaylist
from tests.waiting import eventually, eventually_async

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif("LOGCAST_CLUSTER" not in os.environ, reason="heavy: LOGCAST_CLUSTER=1 runs it"),
]

CLIP_S = 150
RENDITIONS = {"source", "240p", "audio"}
BACK_S = 180.0
AFTER_S = 8.0
"""Above what brokers need to agree on a new leader (4 s), so that the pause is over when it is measured."""


def say(line: str) -> None:
    """Among pytest's own lines (`-s`), or with those of a failure."""
    sys.stdout.write(f"\n    {line}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LiveStack]:
    stack = LiveStack(tmp_path, ["--cluster"], ladder="240:350")
    took_s = stack.start()
    try:
        say(f"cluster ready in {took_s:.1f} s")
        yield stack
        stack.stop()
    finally:
        stack.kill_all()


@dataclass
class Watcher:
    """Looks at a playlist ten times a second, and notes when its newest part changed."""

    viewer: HlsViewer
    variant: Variant
    seen: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def watch(self) -> None:
        newest = 0.0
        while True:
            try:
                part_ms = newest_part_ms(await self.viewer.playlist(self.variant))
            except httpx.HTTPError as error:
                self.failures.append(f"{type(error).__name__} {error}")
                part_ms = newest
            if part_ms > newest:
                newest = part_ms
                self.seen.append(time.monotonic())
            await asyncio.sleep(0.1)

    def longest_pause_s(self, since: float) -> float:
        moments = [since, *(moment for moment in self.seen if moment >= since)]
        return max((after - before for before, after in pairwise(moments)), default=0.0)


@asynccontextmanager
async def watching(watchers: list[Watcher]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def talk(feed: FeedClient, taken: list[str]) -> None:
    """Post comment after comment; what was numbered is in `taken`. Unanswered ones are posted again by their id."""
    number = 0
    while True:
        text, comment_id = f"comment {number}", f"comment-id-{number:06d}"
        try:
            await feed.post(text, comment_id=comment_id)
            taken.append(text)
            number += 1
        except FeedError:
            pass
        await asyncio.sleep(0.6)


def admin_of(stack: LiveStack) -> AdminClient:
    port = stack.environ["LOGCAST_KAFKA_BOOTSTRAP"].rpartition(":")[2]
    return AdminClient({"bootstrap.servers": ",".join(f"127.0.0.{n}:{port}" for n in (1, 2, 3)), "log_level": 0})


def leader(admin: AdminClient, topic: str, partition: int) -> str:
    return f"kafka-{admin.list_topics(topic, timeout=30).topics[topic].partitions[partition].leader}"


def in_step(admin: AdminClient) -> bool:
    topics = admin.list_topics(timeout=30).topics
    return all(len(p.isrs) == 3 for topic in topics.values() for p in topic.partitions.values())


async def kill(stack: LiveStack, name: str, watchers: dict[str, Watcher]) -> int:
    """kill -9; returns when everybody has seen new parts long after it, says the longest pause, gives the process id."""
    began, pid = time.monotonic(), stack.role(name).pid
    assert pid is not None
    await asyncio.to_thread(stack.kill, name)
    await eventually(lambda: all(w.seen[-1] > began + AFTER_S for w in watchers.values()), BACK_S, "parts go on")
    pauses = ", ".join(f"{place} {watcher.longest_pause_s(began):.2f} s" for place, watcher in watchers.items())
    say(f"kill -9 of {name}: longest time without a new part: {pauses}")
    return pid


async def test_a_broker_that_leads_and_a_node_of_cassandra_may_die_in_mid_push(
    cluster: LiveStack, tmp_path: Path
) -> None:
    admin = admin_of(cluster)
    channel: Channel = cluster.new_channel()
    clip = ClipMaker(tmp_path).make("640x360", CLIP_S)
    second = cluster.master_url(channel.name).replace("127.0.0.1", "127.0.0.2")
    taken: list[str] = []
    async with httpx.AsyncClient(timeout=30) as http:
        viewers = {"gateway-1": HlsViewer(http, cluster.master_url(channel.name)), "gateway-2": HlsViewer(http, second)}
        with publishing(clip, cluster.push_url(channel.key), tmp_path / "ffmpeg.log") as publisher:
            variants = {place: await viewer.live(RENDITIONS, seconds=3) for place, viewer in viewers.items()}
            watchers = {
                f"{rendition} at {place}": Watcher(viewer, variants[place][rendition])
                for place, viewer in viewers.items()
                for rendition in ("source", "240p")
            }
            video = variants["gateway-1"]["source"].url.split("/")[-3]
            async with FeedClient(cluster.server, channel.name, name="Ann") as feed, watching([*watchers.values()]):
                talking = asyncio.create_task(talk(feed, taken))
                listening = asyncio.create_task(_listen(feed))
                await eventually(lambda: len(taken) >= 3, what="comments")
                broker = leader(admin, "media.parts", partition_of(video, 8))
                killed = {broker: await kill(cluster, broker, watchers)}
                killed["cassandra-2"] = await kill(cluster, "cassandra-2", watchers)
                assert publisher.exit_code is None, "the push ended before the kills: the machine is too slow"
                said = len(taken)
                await eventually(lambda: len(taken) > said, what="comments after the kills")
                assert await publisher.finished(CLIP_S + 120) == 0, publisher.complaints
                for task in (talking, listening):
                    task.cancel()
                await asyncio.wait((talking, listening))

        await eventually(
            lambda: all(cluster.role(name).pid not in {None, pid} for name, pid in killed.items()), BACK_S, "both back"
        )
        await eventually(lambda: in_step(admin), BACK_S, "all copies in step")
        failures = {place: watcher.failures for place, watcher in watchers.items() if watcher.failures}
        assert not failures, "gateways answer all the time"
        for place, viewer in viewers.items():
            for name in ("source", "240p"):
                playlist = await whole(viewer, variants[place][name])
                times = await asyncio.to_thread(frame_times, await viewer.media(variants[place][name], playlist))
                assert len(times) == clip.frames, f"{name} at {place} has {len(times)} of {clip.frames} frames"
    await eventually(lambda: set(taken) <= set(kept(cluster, video)), 90, "every comment in Cassandra")
    assert len(kept(cluster, video)) == len(set(kept(cluster, video)))
    say(f"{clip.frames} frames, {len(taken)} comments: none lost, none double")


async def whole(viewer: HlsViewer, variant: Variant) -> ReadPlaylist:
    """The playlist of the end; what came too late for the live one is in the recording's."""
    gaps = sum(segment.gap for segment in (await viewer.ended(variant)).segments)
    say(f"{variant.name}: {gaps} segments were too late for the live playlist")

    async def without_gaps() -> ReadPlaylist | None:
        playlist = await viewer.playlist(variant)
        return None if any(segment.gap for segment in playlist.segments) else playlist

    playlist = await eventually_async(without_gaps, 120, f"{variant.name} without gaps")
    assert playlist is not None
    return playlist


async def _listen(feed: FeedClient) -> None:
    async for _ in feed:
        pass


def kept(stack: LiveStack, video: str) -> list[str]:
    """The texts of the comments that the third node has, asked alone."""
    nodes = local_cluster("127.0.0.3", int(stack.environ["LOGCAST_CASSANDRA_PORT"]))
    try:
        query = "SELECT text FROM logcast.comments WHERE video_id = %s AND bucket = 0"
        return [row.text for row in nodes.connect().execute(query, (video,), timeout=30)]
    finally:
        nodes.shutdown()
