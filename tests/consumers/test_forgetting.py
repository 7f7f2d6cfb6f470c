"""A video that was removed is forgotten after its time: rows, keys and folds; others stay, and nothing late comes back."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from consumers.forgetting import Forgetting, due
from consumers.keeping import videos_on_log
from consumers.kept_videos import KeptVideos
from consumers.projections.table import writes_of_event
from consumers.removed_videos import RemovedVideos
from schemas import codec
from schemas.events import (
    CaptionsUploaded,
    Event,
    GopOpened,
    RenditionChanged,
    VideoChanged,
    VideoForgotten,
    VideoRemoved,
)
from schemas.topics import (
    ADS_CUES,
    COMMENTS_SUBMITTED,
    MEDIA_GOPS,
    MEDIA_JOBS,
    MEDIA_RENDITIONS,
    PRESENCE,
    REACTIONS,
    VIDEOS,
    VIDEOS_CAPTIONS,
    VIDEOS_SETTINGS,
    Topic,
    partition_of,
)
from stores.cassandra import Cassandra
from stores.clearing import BY_VIDEO, Gone, clear_video
from stores.kafka import EventProducer
from stores.log_reader import Place
from stores.read_back import read_partition
from stores.recordings import Recordings, open_recordings, segment_name
from stores.settings import Settings
from tests.consumers.broadcast import CHANNEL, REMOVED_MS, START_MS, Broadcast, stored

GRACE_S = 3_600


def removed(video_id: str) -> VideoRemoved:
    return Broadcast(video_id, 0).removal()


def videos_of(*events: Event) -> RemovedVideos:
    found = RemovedVideos()
    for event in events:
        found.apply(event)
    return found


@dataclass
class Clock:
    now_ms: int = REMOVED_MS

    def __call__(self) -> int:
        return self.now_ms


# -- what is due, without a server


def test_what_is_due_follows_from_the_newest_word_of_each_video() -> None:
    forgotten = VideoForgotten(
        video_id="b", channel=CHANNEL, removed_ms=1, forgotten_ms=REMOVED_MS, until_ms=REMOVED_MS + 5_000
    )
    videos = videos_of(removed("a"), removed("b"), forgotten)

    def now(after_ms: int) -> list[str]:
        return [event.video_id for event in due(videos, REMOVED_MS + after_ms, GRACE_S * 1_000)]

    assert now(4_999) == []
    assert now(5_000) == ["b"]
    assert now(GRACE_S * 1_000) == ["a", "b"]
    videos.gone("b", Place(VIDEOS_SETTINGS.name, 0, 0, 0))
    assert now(GRACE_S * 1_000) == ["a"]


def test_a_kept_video_whose_keys_are_deleted_is_unknown_and_a_removed_one_stays_so_until_its_key_goes() -> None:
    videos = KeptVideos()
    ended = Broadcast("v", 0).events()[1][1]
    assert isinstance(ended, VideoChanged)
    for event in (ended, removed("v")):
        videos.apply(event)
    videos.gone("v", Place(VIDEOS.name, 0, 0, 0))
    assert videos.is_removed("v")
    videos.gone("v", Place(VIDEOS_SETTINGS.name, 0, 1, 0))
    assert not videos.is_removed("v")
    assert videos.get("v") is None


def test_the_renditions_that_were_asked_for_are_known_until_their_keys_go() -> None:
    rendition = Broadcast("v", 0).rendition()
    videos = videos_of(rendition)
    assert videos.renditions("v") == {rendition.rendition}
    videos.gone(f"v/{rendition.rendition}", Place(MEDIA_RENDITIONS.name, 0, 0, 0))
    assert videos.renditions("v") == frozenset()


# -- on real stores and a real log


async def everything(session: Cassandra, video_id: str) -> dict[str, int]:
    """Rows by table of a video in every table that has videos, whatever its keys."""
    found = {table: len(rows) for table, rows in (await stored(session, video_id)).items()}
    for table in BY_VIDEO:
        rows = await session.rows(f"SELECT * FROM $keyspace.{table} WHERE video_id = ?", (video_id,))
        found[table] = len(rows)
    tables = ("comment_ids", "comments_by_author", "comments_by_clock", "replies", "totals_by_moment")
    for table in (*tables, "reactions_by_position"):
        query = f"SELECT video_id FROM $keyspace.{table} WHERE video_id = ? ALLOW FILTERING"
        found[table] = len(await session.rows(query, (video_id,)))
    return {table: rows for table, rows in found.items() if rows}


async def write(session: Cassandra, broadcast: Broadcast) -> None:
    await session.write([write for _, event in broadcast.events() for write in writes_of_event(event)])


def new_broadcast() -> Broadcast:
    return Broadcast(f"0{secrets.token_hex(10)[1:]}", 25)


@pytest.mark.integration
async def test_every_row_of_a_video_goes_and_what_is_written_late_stays_gone(session: Cassandra) -> None:
    gone, stays = new_broadcast(), new_broadcast()
    for broadcast in (gone, stays):
        await write(session, broadcast)
    before, others = await everything(session, gone.video_id), await everything(session, stays.video_id)
    assert before == others
    assert len(before) >= 24, "the broadcast writes into every table"
    acts = before["moderation_acts"]
    cleared = await clear_video(session, Gone(gone.video_id, CHANNEL, START_MS, START_MS + 900_000))
    assert cleared.languages == {"en", "de"}
    assert {"source", "144p150k"} <= cleared.renditions
    assert await everything(session, gone.video_id) == {"moderation_acts": acts}
    await write(session, gone)  # a writer that was behind
    assert await everything(session, gone.video_id) == {"moderation_acts": acts}
    assert await everything(session, stays.video_id) == others


@dataclass
class System:
    settings: Settings
    cold: Recordings
    session: Cassandra
    producer: EventProducer
    clock: Clock = field(default_factory=Clock)

    def forgetting(self, videos: RemovedVideos) -> Forgetting:
        partitions = self.settings.partitions
        return Forgetting(videos, self.cold, lambda: self.session, self.producer, partitions, GRACE_S, self.clock)

    async def look(self, videos: RemovedVideos) -> None:
        await self.forgetting(videos).look(asyncio.Event())

    async def newest(self, topic: Topic, key: str, partition_key: str = "") -> Event | None:
        """What a compacted topic has of a key in the end."""
        partitions = topic.partitions or self.settings.partitions
        at = partition_of(partition_key or key, partitions)
        records = await asyncio.to_thread(lambda: list(read_partition(self.settings, topic, at, "test")))
        values = [record.value for record in records if record.key == key.encode()]
        return codec.decode(values[-1]) if values and values[-1] is not None else None

    async def forgotten_on(self, topic: Topic, video_id: str) -> list[int]:
        """The partitions that were told of it, as often as they were."""
        found = []
        for partition in range(self.settings.partitions):
            read = lambda at=partition: list(read_partition(self.settings, topic, at, "test"))  # noqa: E731
            for record in await asyncio.to_thread(read):
                event = codec.decode(record.value or b"")
                assert isinstance(event, VideoForgotten)
                assert event.video_id == video_id
                found.append(partition)
        return found

    async def videos(self) -> RemovedVideos:
        """As a process that starts now knows it."""
        found = RemovedVideos()
        for record in await asyncio.to_thread(lambda: list(read_partition(self.settings, VIDEOS_SETTINGS, 0, "test"))):
            if record.value is not None:
                found.apply(codec.decode(record.value))
            else:
                found.gone((record.key or b"").decode())
        return found


@pytest.fixture
async def running(system: Settings, session: Cassandra) -> AsyncIterator[System]:
    async with open_recordings(system) as cold, EventProducer(system, "test") as producer:
        yield System(system, cold, session, producer)


async def told(system: System, broadcast: Broadcast) -> None:
    """What the log and the tables have of a video that was removed."""
    video_id, deliver = broadcast.video_id, system.producer.deliver
    gop = GopOpened(
        video_id=video_id, channel=CHANNEL, gop=1, segment=1, epoch=0, media_time_ms=0, captured_ms=START_MS
    )
    await write(system.session, broadcast)
    await deliver(MEDIA_GOPS, video_id, gop)
    for topic, event in broadcast.events():
        if topic is VIDEOS or isinstance(event, VideoRemoved):
            await deliver(topic, video_id, event)
        elif isinstance(event, RenditionChanged):
            at = partition_of(video_id, system.settings.partitions)
            await deliver(topic, f"{video_id}/{event.rendition}", event, partition=at)
        elif isinstance(event, CaptionsUploaded):
            await deliver(topic, f"{video_id}/{event.language}", event)


@pytest.mark.integration
async def test_a_removed_video_is_forgotten_in_two_steps_and_a_kill_between_them_loses_nothing(
    running: System,
) -> None:
    broadcast = new_broadcast()
    video_id = broadcast.video_id
    await told(running, broadcast)
    videos = await running.videos()
    await running.look(videos)
    assert await running.newest(VIDEOS, video_id) is not None, "its time has not come"

    running.clock.now_ms = REMOVED_MS + GRACE_S * 1_000
    await running.look(videos)
    home = partition_of(video_id, running.settings.partitions)
    for topic in (COMMENTS_SUBMITTED, PRESENCE, ADS_CUES, MEDIA_JOBS):
        assert await running.forgotten_on(topic, video_id) == [home], topic.name
    assert await running.forgotten_on(REACTIONS, video_id) == list(range(running.settings.partitions))
    for topic, key, place in (
        (VIDEOS, video_id, ""),
        (MEDIA_GOPS, video_id, ""),
        (MEDIA_RENDITIONS, f"{video_id}/144p150k", video_id),
        (VIDEOS_CAPTIONS, f"{video_id}/en", ""),
    ):
        assert await running.newest(topic, key, place) is None, topic.name
    assert set(await everything(running.session, video_id)) == {"moderation_acts"}
    mark = await running.newest(VIDEOS_SETTINGS, video_id)
    assert isinstance(mark, VideoForgotten)
    assert (mark.removed_ms, mark.until_ms) == (REMOVED_MS, running.clock.now_ms + GRACE_S * 1_000)

    await running.look(await running.videos())  # another process: nothing is due
    assert await running.newest(VIDEOS_SETTINGS, video_id) == mark
    await running.cold.put(segment_name(video_id, "source", 9), b"from a slow archiver")
    running.clock.now_ms = mark.until_ms
    await running.look(await running.videos())
    assert await running.newest(VIDEOS_SETTINGS, video_id) is None
    assert await running.cold.videos() == []
    assert list(await running.videos()) == []
    known = await videos_on_log(running.settings)
    assert (known.get(video_id), known.is_removed(video_id)) == (None, False), "an operator's commands know it no more"
    assert await running.forgotten_on(COMMENTS_SUBMITTED, video_id) == [home], "folds are told once"
