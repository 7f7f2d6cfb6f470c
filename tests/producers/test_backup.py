"""Primary and backup: one goes on where the other stopped, without a frame lost or doubled where both are the same stream."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from producers.backup import Source, Switch
from producers.broadcast import Broadcast, Clock
from producers.video_index import VideoIndex
from schemas.events import Event, MediaChunk, Track
from schemas.topics import Topic
from stores.accounts import Accounts, Channel
from stores.settings import Settings
from tests.e2e.raw_push import START, Tag, tags_of
from tests.producers.conftest import Clip, contiguous, decoded_frames, log_of, make_flv
from tests.rtmp_client import open_publisher
from tests.waiting import eventually

AFTER_MS = 1_500


class Kept:
    """An outlet that keeps what was put."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def put(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Any]:
        del topic, key, partition  # what comes out is what is looked at
        self.events.append(event)
        safe: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        safe.set_result(None)
        return safe

    def chunks(self, track: Track = Track.VIDEO) -> list[MediaChunk]:
        return [event for event in self.events if isinstance(event, MediaChunk) and event.track is track]


class Stage:
    """A switch whose clock the test sets, and what comes out of its broadcast."""

    def __init__(self, settings: Settings, channel: Channel) -> None:
        self.at_ms = 0
        self.kept = Kept()
        clock = Clock(now_ms=lambda: 1_700_000_000_000 + self.at_ms, random_bytes=bytes)
        self.broadcast = Broadcast(settings, channel, VideoIndex(), self.kept, clock)
        self.switched: list[Source] = []
        self.switch = Switch(self.broadcast, AFTER_MS, lambda: self.at_ms, self.switched.append)

    def send(self, *streams: tuple[Source, list[Tag]]) -> None:
        """The tags of several publishers, in the order of time."""
        sent = sorted(
            ((tag.at_ms, n, source, tag) for n, (source, tags) in enumerate(streams) for tag in tags),
            key=lambda s: s[:2],
        )
        for at_ms, _, source, tag in sent:
            self.at_ms = at_ms
            if tag.video:
                source.feed_video(tag.timestamp_ms, tag.body)
            else:
                source.feed_audio(tag.timestamp_ms, tag.body)


@asynccontextmanager
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    async with Accounts.open(settings) as accounts:
        channel = (await accounts.create_channel("one")).channel
    made = Stage(settings, channel)
    await made.broadcast.open()
    yield made
    await made.broadcast.finish()


def until(tags: list[Tag], at_ms: int) -> list[Tag]:
    return [tag for tag in tags if tag.at_ms < at_ms]


def shifted(tags: list[Tag], by_ms: int) -> list[Tag]:
    """The same stream with other time stamps, as another encoder has."""
    return [dataclasses.replace(tag, timestamp_ms=tag.timestamp_ms + by_ms) for tag in tags]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return make_flv(tmp_path / "clip.flv", 10, (), video=True, audio=True)


@pytest.mark.parametrize("leaves", [True, False])
async def test_the_same_stream_goes_on_in_the_middle_of_a_gop_with_nothing_lost_or_doubled(
    settings: Settings, clip: Clip, leaves: bool
) -> None:
    tags = tags_of(clip.path)
    async with stage(settings) as on:
        primary, backup = on.switch.join(backup=False), on.switch.join(backup=True)
        on.send((primary, until(tags, 4_512)), (backup, until(tags, 4_600)))
        if leaves:
            assert on.switch.leave(primary)
            assert on.switched == [backup]
        on.send((backup, tags[len(until(tags, 4_600)) :]))
        assert on.switched == [backup]
    video, audio = on.kept.chunks(), on.kept.chunks(Track.AUDIO)
    assert decoded_frames(video) == sum(chunk.frames for chunk in video) == clip.video_frames
    assert {chunk.epoch for chunk in video} == {0}
    assert contiguous(video)
    assert contiguous(audio)


async def test_another_stream_goes_on_with_a_keyframe_without_a_discontinuity(settings: Settings, clip: Clip) -> None:
    tags = tags_of(clip.path)
    async with stage(settings) as on:
        primary, backup = on.switch.join(backup=False), on.switch.join(backup=True)
        on.send((primary, until(tags, 4_512)), (backup, shifted(tags, 77_777_777)))
        assert on.switched == [backup]
    video = on.kept.chunks()
    assert {chunk.epoch for chunk in video} == {0}
    assert contiguous(video)
    assert decoded_frames(video) == sum(chunk.frames for chunk in video)
    lost = clip.video_frames - sum(chunk.frames for chunk in video)
    assert 0 <= lost < 30, "what is missing is less than a GOP: from the cut to the keyframe after it"
    media_s = sum(chunk.duration for chunk in video) / video[0].timescale
    assert abs(media_s - 10) < 0.3, "media time goes on with the clock"


async def test_a_backup_of_another_configuration_begins_an_epoch(
    settings: Settings, clip: Clip, tmp_path: Path
) -> None:
    small = make_flv(tmp_path / "small.flv", 10, ("-vf", "scale=160:90"), video=True, audio=True)
    async with stage(settings) as on:
        primary, backup = on.switch.join(backup=False), on.switch.join(backup=True)
        on.send((primary, until(tags_of(clip.path), 4_512)), (backup, tags_of(small.path)))
    video = on.kept.chunks()
    assert [epoch for epoch, _ in itertools.groupby(chunk.epoch for chunk in video)] == [0, 1]
    assert {(chunk.epoch, chunk.width) for chunk in video} == {(0, 320), (1, 160)}


async def test_who_returns_waits_and_goes_on_when_the_other_stops(settings: Settings, clip: Clip) -> None:
    tags = tags_of(clip.path)
    configs, frames = tags[:2], tags[2:]
    async with stage(settings) as on:
        primary, backup = on.switch.join(backup=False), on.switch.join(backup=True)
        on.send((primary, until(tags, 2_100)), (backup, until(tags, 5_000)))
        assert on.switched == [backup]
        assert on.switch.standby is primary
        on.switch.leave(primary)
        again = on.switch.join(backup=False)
        later = [tag for tag in frames if tag.at_ms >= 5_000]
        on.send((again, [dataclasses.replace(c, at_ms=5_000) for c in configs] + later), (backup, until(later, 8_200)))
        assert on.switched == [backup, again]
    video = on.kept.chunks()
    assert sum(chunk.frames for chunk in video) == clip.video_frames
    assert {chunk.epoch for chunk in video} == {0}


async def test_what_waits_is_bounded_by_time(settings: Settings, clip: Clip) -> None:
    tags = tags_of(clip.path)
    async with stage(settings) as on:
        primary, backup = on.switch.join(backup=False), on.switch.join(backup=True)
        on.send((primary, tags), (backup, tags))
        assert on.switched == []
        assert backup.waiting[0].keyframe
        assert backup.waiting[-1].came_ms - backup.waiting[0].came_ms <= AFTER_MS + 1_000 + 1_100
        on.switch.leave(backup)


@pytest.mark.integration
async def test_a_backup_goes_on_when_the_primary_is_cut_off_and_a_third_is_refused(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], clip: Clip
) -> None:
    tags, port = tags_of(clip.path), ingest_settings.rtmp_port
    async with log_of(ingest_settings) as seen:
        primary = await open_publisher("127.0.0.1", port, stream_key=keys["one"])
        assert await primary.status() == START
        backup = await open_publisher("127.0.0.1", port, stream_key=keys["one"] + "?backup=1")
        assert await backup.status() == START
        async with await open_publisher("127.0.0.1", port, stream_key=keys["one"] + "?backup=1") as third:
            assert await third.status() == "NetStream.Publish.BadName"
        async with backup:
            async with primary:
                for publisher in (primary, backup):
                    await publisher.send(publisher.client.set_chunk_size(65_536))
                for tag in until(tags, 5_000):
                    await primary.send(message(primary.client, tag))
                    await backup.send(message(backup.client, tag))
                await eventually(lambda: len({chunk.gop for chunk in seen.chunks("one")}) >= 3, what="three GOPs")
            for tag in tags[len(until(tags, 5_000)) :]:
                await backup.send(message(backup.client, tag))
            await eventually(
                lambda: sum(c.frames for c in seen.chunks("one")) >= clip.video_frames - 30, what="the rest"
            )
        await eventually(lambda: sum(c.frames for c in seen.chunks("one")) >= clip.video_frames, what="all pictures")
        video = seen.chunks("one")
        assert sum(c.frames for c in video) == clip.video_frames == decoded_frames(video)
        assert {c.epoch for c in video} == {0}
        assert len({c.video_id for c in video}) == 1


def message(client: Any, tag: Tag) -> bytes:
    made: Callable[[int, bytes], bytes] = client.video if tag.video else client.audio
    return made(tag.timestamp_ms, tag.body)
