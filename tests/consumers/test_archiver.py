"""The archiver on a real Kafka: what is kept is in the cold store, whole, whatever happens in between."""

import asyncio
import dataclasses
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from consumers.archiver import GROUP
from consumers.recording import Recording, record
from schemas import codec
from schemas.events import (
    Event,
    PartReady,
    SegmentArchived,
    SegmentClosed,
    Track,
    VideoChanged,
    VideoSettingsChanged,
    VideoState,
    Visibility,
)
from schemas.topics import MEDIA_PARTS, RECORDINGS, VIDEOS, VIDEOS_SETTINGS, Topic
from stores.kafka import consumer_config, read_to_end
from stores.log_reader import now_ms
from stores.recordings import Recordings, open_recordings, segment_name
from stores.segments import LocalSegmentStore, init_name, part_name
from stores.settings import Settings
from tests.conftest import free_ports
from tests.consumers.broadcast import Broadcast, publish
from tests.consumers.gate import Gate
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration
DEADLINE_S = 90.0
PARTS = 3
RENDITIONS = (("source", Track.VIDEO), ("audio", Track.AUDIO))


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A made-up video: its events, its bytes in the hot store, and what must become of them."""

    video_id: str
    keep_days: int
    segments: range = range(6)

    def opened(self) -> list[tuple[Topic, Event]]:
        return [(VIDEOS, self.video())]

    def video(self) -> VideoChanged:
        return dataclasses.replace(
            Broadcast(self.video_id, 0).video(VideoState.LIVE), keep_days=self.keep_days, changed_ms=now_ms()
        )

    def media(self) -> list[tuple[Topic, Event]]:
        events: list[tuple[Topic, Event]] = []
        for segment in self.segments:
            for rendition, track in RENDITIONS:
                events += [(MEDIA_PARTS, self.part(rendition, track, segment, n)) for n in range(PARTS)]
                events.append((MEDIA_PARTS, self.end(rendition, segment)))
        return events

    def part(self, rendition: str, track: Track, segment: int, number: int) -> PartReady:
        return dataclasses.replace(
            Broadcast(self.video_id, 0).part(rendition, track, segment, number),
            size=len(self.data(rendition, segment, number)),
            init=init_name(self.video_id, rendition, rendition.encode()),
        )

    def end(self, rendition: str, segment: int) -> SegmentClosed:
        return SegmentClosed(
            video_id=self.video_id, channel="ann", rendition=rendition, gop=segment, segment=segment, parts=PARTS
        )

    def data(self, rendition: str, segment: int, number: int) -> bytes:
        seed = sha256(f"{self.video_id}/{rendition}/{segment}/{number}".encode()).digest()
        return seed * (10 + segment + number)

    def put(self, hot: LocalSegmentStore) -> None:
        for rendition, _ in RENDITIONS:
            hot.put(init_name(self.video_id, rendition, rendition.encode()), rendition.encode())
            for segment in self.segments:
                for number in range(PARTS):
                    name = part_name(self.video_id, rendition, segment, number)
                    hot.put(name, self.data(rendition, segment, number))

    def objects(self) -> dict[str, bytes]:
        """What must be in the cold store, and nothing else."""
        inits = {init_name(self.video_id, r, r.encode()): r.encode() for r, _ in RENDITIONS}
        return inits | {
            segment_name(self.video_id, r, segment): b"".join(self.data(r, segment, n) for n in range(PARTS))
            for r, _ in RENDITIONS
            for segment in self.segments
        }

    def kept(self, keep_days: int = 30) -> tuple[Topic, Event]:
        """Its owner chooses how long it is kept."""
        chosen = VideoSettingsChanged(
            video_id=self.video_id,
            channel="ann",
            title="Ann paints",
            keep_days=keep_days,
            visibility=Visibility.PUBLIC,
            changed_ms=now_ms(),
            changed_by="ann",
        )
        return VIDEOS_SETTINGS, chosen


def a_video(keep_days: int = 30, **more: Any) -> Recorded:
    return Recorded(secrets.token_hex(10), keep_days, **more)


@pytest.fixture
def hot(topics: Settings) -> LocalSegmentStore:
    return LocalSegmentStore(topics.segments_path)


@pytest.fixture
async def cold(topics: Settings) -> AsyncIterator[Recordings]:
    async with open_recordings(topics) as recordings:
        yield recordings


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Recording]:
    """The archiver in this process; stopped in order in the end."""
    stop, running = asyncio.Event(), Recording()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(record(settings, stop, running))
        yield running
        stop.set()


async def objects(cold: Recordings, video_id: str) -> dict[str, bytes | None]:
    return {found.name: await cold.get(found.name) async for found in cold.of_video(video_id)}


async def until_archived(cold: Recordings, *videos: Recorded) -> None:
    for video in videos:

        async def complete(video: Recorded = video) -> bool:
            return len(await objects(cold, video.video_id)) >= len(video.objects())

        await eventually_async(complete, DEADLINE_S, f"all segments of {video.video_id}")
        assert await objects(cold, video.video_id) == video.objects()


def archived(settings: Settings, video: Recorded) -> list[SegmentArchived]:
    """What the log says of a video."""
    events = [codec.decode(m.value() or b"") for m in read_to_end(settings, RECORDINGS, "test")]
    return [e for e in events if isinstance(e, SegmentArchived) and e.video_id == video.video_id]


async def until_committed(settings: Settings) -> None:
    """Waits until the group has nothing left to do."""

    def level() -> bool:
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        consumer = Consumer(consumer_config(settings, "test", GROUP))
        try:
            name = settings.topic(MEDIA_PARTS.name)
            wanted = [TopicPartition(name, partition) for partition in range(settings.partitions)]
            for at in consumer.committed(wanted, timeout=10):
                if consumer.get_watermark_offsets(at, timeout=10)[1] != max(0, at.offset):
                    return False
        except KafkaException:  # topics that were just made have no leader yet
            return False
        else:
            return True
        finally:
            consumer.close()

    await eventually_async(lambda: asyncio.to_thread(level), DEADLINE_S, "a group that is level with the log")


async def test_kept_videos_are_archived_whole_and_others_are_not(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    kept, for_ever, not_kept = a_video(), a_video(-1), a_video(0)
    async with recording(topics):
        for video in (kept, for_ever, not_kept):
            video.put(hot)
            await publish(topics, [*video.opened(), *video.media()])
        await until_archived(cold, kept, for_ever)
        await until_committed(topics)
        assert await objects(cold, not_kept.video_id) == {}
    told = await asyncio.to_thread(archived, topics, kept)
    assert {(e.rendition, e.segment) for e in told} == {(r, s) for r, _ in RENDITIONS for s in kept.segments}
    for event in told:
        assert event.size == len(kept.objects()[segment_name(kept.video_id, event.rendition, event.segment)])
        assert event.missing == ()


async def test_what_came_while_it_was_stopped_is_caught_up_and_an_open_segment_is_not_torn(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    video = a_video()
    video.put(hot)
    media = video.media()
    async with recording(topics):
        await publish(topics, [*video.opened(), *media[:6]])  # stops in the middle of a segment

        async def first_is_there() -> bool:
            return await cold.size(segment_name(video.video_id, "source", 0)) is not None

        await eventually_async(first_is_there, DEADLINE_S, "the first segment")
    await publish(topics, media[6:])
    async with recording(topics):
        await until_archived(cold, video)
        await until_committed(topics)


STARTER = """
import asyncio, json, sys
from consumers.recording import Recording, record
from stores.settings import load_settings
asyncio.run(record(load_settings(**json.loads(sys.argv[1])), asyncio.Event(), Recording()))
"""


async def started(settings: Settings) -> asyncio.subprocess.Process:
    """The archiver as a process of its own."""
    secret = {"admin_token", "guest_secret", "segment_dir", "segment_url", "recordings_secret_key"}
    options = json.dumps(json.loads(settings.model_dump_json(exclude=secret)))
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, options, stdout=sys.stderr, cwd=settings.data_dir, env=os.environ | path
    )


async def test_killed_in_the_middle_and_started_again_nothing_is_missing_or_torn(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    video = a_video(segments=range(300))
    video.put(hot)
    await publish(topics, [*video.opened(), *video.media()])
    process = await started(topics)

    async def moved() -> bool:
        return len([found async for found in cold.of_video(video.video_id)]) >= 100

    await eventually_async(moved, DEADLINE_S, "the first hundred objects")
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert len(await objects(cold, video.video_id)) < len(video.objects()), "killed too late to be in the middle"
    async with recording(topics):
        await until_archived(cold, video)
        await until_committed(topics)


async def test_two_archivers_share_the_work_and_one_goes_on_alone(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    videos = [a_video(segments=range(20)) for _ in range(6)]
    for video in videos:
        video.put(hot)
        await publish(topics, [*video.opened(), *video.media()[:80]])
    async with recording(topics) as stays:
        async with recording(topics) as leaves:

            async def shared() -> bool:
                shares = [r.group.share if r.group else frozenset() for r in (stays, leaves)]
                return all(shares) and sum(map(len, shares)) == topics.partitions and not shares[0] & shares[1]

            await eventually_async(shared, DEADLINE_S, "a share for each")
            for video in videos:
                await publish(topics, video.media()[80:120])
        for video in videos:
            await publish(topics, video.media()[120:])
        await until_archived(cold, *videos)
        await until_committed(topics)


async def test_recording_that_is_switched_on_while_live_has_what_is_still_hot(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    video = a_video(0)
    first, second = (dataclasses.replace(video, segments=r) for r in (range(4), range(4, 6)))
    first.put(hot)
    async with recording(topics):
        await publish(topics, [*video.opened(), *first.media()])
        await until_committed(topics)
        assert await objects(cold, video.video_id) == {}
        await publish(topics, [video.kept()])
        await until_archived(cold, first)
        second.put(hot)
        await publish(topics, second.media())
        await until_archived(cold, video)


async def test_recording_that_was_switched_on_while_nobody_archived_has_what_is_still_hot(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    video = a_video(0)
    video.put(hot)
    async with recording(topics):
        await publish(topics, [*video.opened(), *video.media()])
        await until_committed(topics)
    await publish(topics, [video.kept(7)])
    async with recording(topics):
        await until_archived(cold, video)


async def test_recording_that_is_switched_off_stops(topics: Settings, hot: LocalSegmentStore, cold: Recordings) -> None:
    video, other = a_video(), a_video()
    first = dataclasses.replace(video, segments=range(2))
    video.put(hot)
    other.put(hot)
    async with recording(topics):
        await publish(topics, [*video.opened(), *first.media()])
        await until_archived(cold, first)
        await publish(topics, [video.kept(0)])
        await publish(topics, other.opened())  # whoever knows of it knows of the choice before
        await publish(topics, other.media())
        await until_archived(cold, other)
        await publish(topics, dataclasses.replace(video, segments=range(2, 6)).media())
        await until_committed(topics)
    assert await objects(cold, video.video_id) == first.objects()


async def test_a_hot_part_that_is_gone_is_a_gap_that_is_told(
    topics: Settings, hot: LocalSegmentStore, cold: Recordings
) -> None:
    video = a_video()
    video.put(hot)
    (topics.segments_path / part_name(video.video_id, "source", 3, 1)).unlink()
    async with recording(topics):
        await publish(topics, [*video.opened(), *video.media()])
        await until_committed(topics)
    found, expected = await objects(cold, video.video_id), video.objects()
    name = segment_name(video.video_id, "source", 3)
    assert len(found.pop(name) or b"") == len(expected.pop(name))
    assert found == expected
    gaps = {(e.rendition, e.segment): e.missing for e in await asyncio.to_thread(archived, topics, video) if e.missing}
    assert gaps == {("source", 3): (1,)}


def behind_a_gate(settings: Settings, request: pytest.FixtureRequest, port: int) -> tuple[int, Settings]:
    """The port of the real S3 server, and settings that reach it by another port, where a gate may stand."""
    server = request.getfixturevalue("s3")
    options = server.options(f"archiver/{secrets.token_hex(6)}")
    changed = options | {
        "recordings_secret_key": SecretStr(options["recordings_secret_key"]),
        "recordings_endpoint": f"http://127.0.0.1:{port}",
    }
    return int(server.endpoint.rpartition(":")[2]), settings.model_copy(update=changed)


async def test_stopped_while_the_cold_store_is_away_it_ends_at_once_and_loses_nothing(
    topics: Settings, hot: LocalSegmentStore, request: pytest.FixtureRequest
) -> None:
    (port,) = free_ports(1)
    server, away = behind_a_gate(topics, request, port)
    video = a_video()
    video.put(hot)
    await publish(topics, [*video.opened(), *video.media()])
    async with asyncio.timeout(DEADLINE_S):
        async with recording(away) as running:
            await eventually_async(_unhealthy(running), DEADLINE_S, "trouble that is told")
    async with Gate(port, "127.0.0.1", server) as gate:
        await gate.open()
        async with recording(away), open_recordings(away) as cold:
            await until_archived(cold, video)


async def test_while_the_cold_store_is_away_the_archiver_waits_and_then_stores_all(
    topics: Settings, hot: LocalSegmentStore, request: pytest.FixtureRequest
) -> None:
    (port,) = free_ports(1)
    server, away = behind_a_gate(topics, request, port)
    first, second = a_video(), a_video()
    async with Gate(port, "127.0.0.1", server) as gate, recording(away) as running:
        for video in (first, second):
            video.put(hot)
        await publish(topics, [*first.opened(), *first.media()])
        await eventually_async(_unhealthy(running), DEADLINE_S, "trouble that is told")
        await gate.open()
        async with open_recordings(away) as cold:
            await until_archived(cold, first)
            await eventually_async(_healthy(running), DEADLINE_S, "health")
            await gate.shut()
            await publish(topics, [*second.opened(), *second.media()])
            await eventually_async(_unhealthy(running), DEADLINE_S, "trouble that is told")
            await gate.open()
            await until_archived(cold, second)
    assert running.archiver is not None


def _healthy(running: Recording) -> Any:
    async def check() -> bool:
        return running.checks() == {"archiver": True, "recordings": True}

    return check


def _unhealthy(running: Recording) -> Any:
    async def check() -> bool:
        return running.group is not None and running.group.joined and not running.checks()["recordings"]

    return check


async def test_a_directory_that_is_not_there_yet_is_waited_for(
    topics: Settings, hot: LocalSegmentStore, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_bytes(b"not mounted")
    settings = topics.model_copy(update={"recordings_url": f"file://{tmp_path}/disk/recordings"})
    video = a_video()
    video.put(hot)
    await publish(topics, [*video.opened(), *video.media()])
    async with recording(settings) as running:
        assert running.checks() == {"archiver": False, "recordings": False}
        (tmp_path / "disk").unlink()
        async with open_recordings(settings) as cold:
            await until_archived(cold, video)
