"""What is past its time goes, from both tiers, and it is said; everything else stays."""

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kept_videos import KeptVideos
from consumers.recording import Recording, record
from consumers.retention import EXPIRED, REQUESTED, Due, Retention, due
from schemas import codec
from schemas.events import (
    PartReady,
    SegmentClosed,
    VideoChanged,
    VideoRemoved,
    VideoSettingsChanged,
    VideoState,
    Visibility,
)
from schemas.topics import MEDIA_PARTS, VIDEOS, VIDEOS_SETTINGS
from schemas.video_settings import DAY_MS, expires_ms, settled
from stores.kafka import EventProducer, read_to_end
from stores.log_reader import now_ms
from stores.recordings import Recordings, open_recordings, segment_name
from stores.segments import LocalSegmentStore, init_name, part_name
from stores.settings import Settings
from tests.consumers.broadcast import CHANNEL, START_MS, Broadcast, publish
from tests.consumers.test_archiver import until_committed
from tests.waiting import eventually_async

DEADLINE_S = 60.0
HOT_S = 3_600
ENDED_MS = START_MS + 90_000


def ended(video_id: str, keep_days: int, **more: Any) -> VideoChanged:
    return dataclasses.replace(Broadcast(video_id, 0).video(VideoState.ENDED), keep_days=keep_days, **more)


def choice(video_id: str, keep_days: int, changed_ms: int) -> VideoSettingsChanged:
    return VideoSettingsChanged(
        video_id=video_id,
        channel=CHANNEL,
        title="chosen",
        keep_days=keep_days,
        visibility=Visibility.PUBLIC,
        changed_ms=changed_ms,
        changed_by="ann",
    )


def folded(*events: VideoChanged | VideoSettingsChanged | VideoRemoved) -> KeptVideos:
    videos = KeptVideos()
    for event in events:
        videos.apply(event)
    return videos


def going(videos: KeptVideos, at_ms: int) -> list[tuple[str, str]]:
    return [(found.video.video_id, found.reason) for found in due(videos, at_ms, HOT_S)]


@pytest.mark.parametrize(("keep_days", "until_ms"), [(1, DAY_MS), (30, 30 * DAY_MS), (0, HOT_S * 1000)])
def test_a_video_is_kept_to_its_last_moment_and_no_longer(keep_days: int, until_ms: int) -> None:
    videos = folded(ended("v", keep_days))
    assert going(videos, ENDED_MS + until_ms - 1) == []
    assert going(videos, ENDED_MS + until_ms) == [("v", EXPIRED)]


def test_what_is_kept_for_ever_and_what_is_live_never_goes() -> None:
    live = dataclasses.replace(Broadcast("live", 0).video(VideoState.LIVE), keep_days=0)
    interrupted = dataclasses.replace(live, video_id="left", state=VideoState.INTERRUPTED)
    videos = folded(ended("kept", -1), live, interrupted, choice("live", 0, START_MS))
    assert going(videos, ENDED_MS + 10**15) == []


def test_a_choice_counts_instead_of_what_the_channel_had() -> None:
    videos = folded(
        ended("longer", 1), choice("longer", 30, START_MS), ended("shorter", 30), choice("shorter", 1, START_MS)
    )
    assert going(videos, ENDED_MS + 2 * DAY_MS) == [("shorter", EXPIRED)]


def test_who_takes_a_finished_recording_back_has_it_removed_at_once() -> None:
    videos = folded(ended("v", -1), choice("v", 0, ENDED_MS + 5_000))
    assert going(videos, ENDED_MS + 6_000) == [("v", REQUESTED)]


def test_who_switched_recording_off_while_live_does_not_cut_the_viewers_off_at_the_end() -> None:
    videos = folded(ended("v", 7), choice("v", 0, ENDED_MS - 5_000))
    assert going(videos, ENDED_MS + 6_000) == []
    assert going(videos, ENDED_MS + HOT_S * 1000) == [("v", EXPIRED)]


@given(st.permutations(range(4)))
def test_the_two_topics_may_be_read_in_any_order(order: list[int]) -> None:
    removed = VideoRemoved(
        video_id="gone", channel=CHANNEL, title="", reason=EXPIRED, files=0, size=0, removed_ms=5, removed_by=""
    )
    events = (ended("gone", 1), removed, ended("v", 1), choice("v", 2, START_MS))
    videos = folded(*(events[number] for number in order))
    assert videos.get("gone") is None
    assert videos.is_removed("gone")
    assert [video.keep_days for video in videos] == [2]


@given(st.integers(-1, 36_500), st.integers(-1, 36_500))
def test_a_choice_replaces_what_it_names_and_nothing_else(said: int, chosen: int) -> None:
    video = ended("v", said)
    held = settled(video, choice("v", chosen, 1))
    assert held == dataclasses.replace(video, keep_days=chosen, title="chosen")
    assert settled(video, None) == video
    expires = expires_ms(held)
    assert expires == (None if chosen == -1 else ENDED_MS + chosen * DAY_MS)


# -- on real stores and a real log


@pytest.fixture
async def cold(topics: Settings) -> AsyncIterator[Recordings]:
    async with open_recordings(topics) as recordings:
        yield recordings


async def put(settings: Settings, cold: Recordings, video_id: str) -> None:
    """A video of three objects, and a part that is still hot."""
    for segment in range(2):
        await cold.put(segment_name(video_id, "source", segment), b"x" * 100)
    await cold.put(init_name(video_id, "source", b"init"), b"init")
    LocalSegmentStore(settings.segments_path).put(part_name(video_id, "source", 1, 0), b"part")


def removals(settings: Settings) -> list[VideoRemoved]:
    events = [codec.decode(m.value() or b"") for m in read_to_end(settings, VIDEOS_SETTINGS, "test")]
    return [event for event in events if isinstance(event, VideoRemoved)]


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Recording]:
    stop, running = asyncio.Event(), Recording()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(record(settings, stop, running))
        yield running
        stop.set()


@pytest.mark.integration
async def test_the_consumers_remove_what_is_past_its_time_and_say_what_it_was(
    topics: Settings, cold: Recordings
) -> None:
    past, kept, for_ever = (secrets.token_hex(10) for _ in range(3))
    at_ms = now_ms()
    for video_id in (past, kept, for_ever):
        await put(topics, cold, video_id)
    events = [
        ended(past, 1, ended_ms=at_ms - DAY_MS - 1),
        ended(kept, 1, ended_ms=at_ms),
        ended(for_ever, -1, ended_ms=at_ms - 900 * DAY_MS),
    ]
    await publish(topics, [(VIDEOS, event) for event in events])
    async with recording(topics):

        async def told() -> list[VideoRemoved]:
            return await asyncio.to_thread(removals, topics)

        (event,) = await eventually_async(told, DEADLINE_S, "a removal")
    assert (event.video_id, event.reason, event.files, event.size) == (past, EXPIRED, 3, 204)
    assert (event.title, event.removed_by) == ("Ann paints", "retention")
    assert await cold.videos() == sorted([kept, for_ever])
    hot = LocalSegmentStore(topics.segments_path)
    assert hot.get(part_name(past, "source", 1, 0)) is None
    assert hot.get(part_name(kept, "source", 1, 0)) == b"part"


@pytest.mark.integration
async def test_a_removal_that_was_cut_off_is_done_again_and_late_objects_go_too(
    topics: Settings, cold: Recordings
) -> None:
    video_id = secrets.token_hex(10)
    videos = folded(ended(video_id, 1))
    hot = LocalSegmentStore(topics.segments_path)
    found = Due(ended(video_id, 1), EXPIRED, 0)
    async with EventProducer(topics, "test") as producer:
        retention = Retention(videos, cold, hot, producer, HOT_S, now_ms)
        await put(topics, cold, video_id)
        await cold.remove_video(video_id)  # and killed before it could tell
        event = await retention.remove(found)
        assert event.files == 0
        assert retention.due() == []
        await cold.put(segment_name(video_id, "source", 9), b"from a slow archiver")
        stop = asyncio.Event()
        running = asyncio.create_task(retention.run(stop))

        async def gone() -> bool:
            return await cold.videos() == []

        await eventually_async(gone, DEADLINE_S, "the removal of late objects")
        stop.set()
        await running


@pytest.mark.integration
async def test_a_removed_video_is_not_archived_again(topics: Settings, cold: Recordings) -> None:
    gone = secrets.token_hex(10)
    removed = VideoRemoved(
        video_id=gone, channel=CHANNEL, title="", reason=EXPIRED, files=0, size=0, removed_ms=1, removed_by=""
    )
    broadcast = Broadcast(gone, 0, segments=1, parts=1)
    media = [event for event in broadcast.media() if isinstance(event, PartReady | SegmentClosed)]
    for event in media:
        if isinstance(event, PartReady):
            LocalSegmentStore(topics.segments_path).put(event.name, b"x" * event.size)
    live = dataclasses.replace(broadcast.video(VideoState.LIVE), keep_days=-1)
    await publish(topics, [(VIDEOS, live), (VIDEOS_SETTINGS, removed), *((MEDIA_PARTS, event) for event in media)])
    async with recording(topics):
        await until_committed(topics)
    assert await cold.videos() == []
