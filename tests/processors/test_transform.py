"""Renditions on request on real servers: workers share the tasks, a kill costs nothing, and the log gives the same."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import groupby

import pytest

from consumers.projections.table import writes_of_event
from media.ladder import Rendition, Rung, choose_ladder, requested_rendition
from processors.parts import SegmentCount, passed_on
from processors.remake import Source, remake
from processors.replay import Replay, ReplayError, stored_segments, video_on_log
from schemas.events import (
    Event,
    JobState,
    MediaChunk,
    RenditionChanged,
    RenditionRequested,
    TaskFinished,
    Track,
    TrackInfo,
    VideoChanged,
    VideoState,
)
from schemas.topics import MEDIA_JOBS, MEDIA_RENDITIONS, MEDIA_SOURCE, MEDIA_TASKS, VIDEOS, source_partition
from stores.cassandra import Cassandra, apply_schema
from stores.kafka import EventProducer
from stores.recordings import Recordings, open_recordings, segment_name
from stores.segment_index import SegmentIndex
from stores.segments import init_name
from stores.settings import Settings
from tests.processors.gops import VIDEO_ID, WALL_MS, Clip, SourceGop, make_gops
from tests.processors.log_reader import LogReader, reading
from tests.processors.worker_process import worker
from tests.waiting import eventually

pytestmark = pytest.mark.integration

CLIP = Clip(gops=10, gop_frames=24, part_frames=6, segment_parts=2, audio=True)
RUNG = Rung(64, 100_000)
NAME = "64p100k"
LAST = 19
DEADLINE_S = 90.0
VIDEO = VideoChanged(
    video_id=VIDEO_ID,
    channel="ann",
    title="Ann paints",
    state=VideoState.ENDED,
    started_ms=WALL_MS,
    changed_ms=WALL_MS + 8_000,
    ended_ms=WALL_MS + 8_000,
    last_segment=LAST,
    part_target_ms=200,
    segment_max_ms=2_000,
    audio=True,
    video=True,
    keep_days=-1,
)
REQUEST = RenditionRequested(
    video_id=VIDEO_ID,
    channel="ann",
    rendition=NAME,
    height=RUNG.short_side,
    bitrate_bps=RUNG.bitrate_bps,
    starts=tuple(range(0, 20, 2)),
    last_segment=LAST,
    requested_ms=WALL_MS + 9_000,
    requested_by="ann",
    replayed=False,
)


@pytest.fixture
async def cassandra_session(topics: Settings, cassandra: object) -> AsyncIterator[Cassandra]:
    """The index."""
    apply_schema(topics)
    async with Cassandra.open(topics) as session:
        yield session


@pytest.fixture
async def recordings(topics: Settings) -> AsyncIterator[Recordings]:
    """The cold store."""
    async with open_recordings(topics) as opened:
        yield opened


def expected(gops: Sequence[SourceGop], rendition: Rendition | None = None) -> dict[str, bytes]:
    """What the source is made into, by name."""
    rendition = rendition or requested_rendition(CLIP.width, CLIP.height, RUNG)
    found: dict[str, bytes] = {}
    for gop in gops:
        first = gop.video[0]
        info = TrackInfo(
            codecs=first.codecs, width=CLIP.width, height=CLIP.height, frame_rate=30.0, sample_rate=0, channels=0
        )
        made = remake(Source(VIDEO_ID, "ann", info), stored_segments(gop.video), rendition, "superfast")
        found |= {f"{VIDEO_ID}/{rendition.name}/{file}": data for file, data in made.objects.items()}
    return found


async def keep(gops: Sequence[SourceGop], recordings: Recordings, session: Cassandra, *, without: int = -1) -> None:
    """Put the source where a kept video has it: index and cold store; one segment may be missing from the store."""
    writes = []
    for gop in gops:
        head = gop.video[0]
        init = init_name(VIDEO_ID, "source", head.init or b"")
        await recordings.put(init, head.init or b"")
        count = SegmentCount(head, "source")
        for number, group in groupby(gop.video, key=lambda chunk: chunk.segment):
            parts: list[MediaChunk] = list(group)
            if number != without:
                await recordings.put(segment_name(VIDEO_ID, "source", number), b"".join(part.data for part in parts))
            for part in parts:
                ready = passed_on(part, init)
                writes += [*writes_of_event(ready), *(w for c in count.note(ready) for w in writes_of_event(c))]
        writes += [w for c in count.close(gop.closed.last_segment) for w in writes_of_event(c)]
    await session.write(writes)


async def stored(recordings: Recordings, rendition: str = NAME) -> dict[str, bytes]:
    """What the store has of a rendition."""
    names = [found.name async for found in recordings.of_video(VIDEO_ID) if f"/{rendition}/" in found.name]
    return {name: data for name in names if (data := await recordings.get(name)) is not None}


async def ask(settings: Settings, *events: Event) -> None:
    async with EventProducer(settings, "test") as producer:
        for event in events:
            await producer.deliver(MEDIA_JOBS, VIDEO_ID, event)


def newest(reader: LogReader, state: JobState | None = None) -> RenditionChanged | None:
    """The last state of the job, if it is `state`."""
    reader.read_to_now()
    changes = [event for event in reader.events if isinstance(event, RenditionChanged)]
    return changes[-1] if changes and state in (None, changes[-1].state) else None


async def there(progress: LogReader) -> RenditionChanged:
    """The job once it is done."""
    done = await eventually(lambda: newest(progress, JobState.DONE), DEADLINE_S, "the rendition is there")
    assert done is not None
    return done


async def test_workers_share_the_tasks_and_one_that_is_killed_costs_nothing(
    topics: Settings, cassandra_session: Cassandra, recordings: Recordings
) -> None:
    gops = make_gops(CLIP)
    await keep(gops, recordings, cassandra_session)
    await ask(topics, REQUEST, REQUEST)
    with ExitStack() as stack, reading(topics, MEDIA_RENDITIONS) as progress, reading(topics, MEDIA_TASKS) as tasks:
        first = stack.enter_context(worker(topics, "0", worker_agents="jobs,transform"))
        second = stack.enter_context(worker(topics, "1", worker_agents="jobs,transform"))
        begun = partial(newest, progress)
        await eventually(
            lambda: (change := begun()) is not None and change.finished >= 2, DEADLINE_S, "two tasks are done"
        )
        first.kill()
        third = stack.enter_context(worker(topics, "0", worker_agents="jobs,transform"))
        done = await there(progress)
        assert (done.tasks, done.finished, done.lost) == (10, 10, 0)
        assert done.info is not None
        assert (done.info.width, done.info.height) == (86, 64)
        assert len(tasks.read_to_now()) == 10, "asking twice is one job"
        assert {second.process.poll(), third.process.poll()} == {None}
    assert await stored(recordings) == expected(gops)


async def test_a_segment_that_is_lost_is_a_gap_and_the_rest_is_made(
    topics: Settings, cassandra_session: Cassandra, recordings: Recordings
) -> None:
    await keep(make_gops(CLIP), recordings, cassandra_session, without=5)
    await ask(topics, REQUEST)
    with (
        worker(topics, worker_agents="jobs,transform"),
        reading(topics, MEDIA_RENDITIONS) as progress,
        reading(topics, MEDIA_JOBS) as jobs,
    ):
        done = await there(progress)
        jobs.read_to_now()
    assert (done.finished, done.lost) == (10, 1)
    problems = {event.task: event.problem for event in jobs.events if isinstance(event, TaskFinished) and event.problem}
    assert problems == {2: "the source of segment 5 is lost"}
    assert segment_name(VIDEO_ID, NAME, 5) not in await stored(recordings)
    assert segment_name(VIDEO_ID, NAME, 4) in await stored(recordings)


async def log(settings: Settings, gops: Sequence[SourceGop]) -> None:
    """Put the source on the log, as the ingest did."""
    async with EventProducer(settings, "test") as producer:
        await producer.deliver(VIDEOS, VIDEO_ID, VIDEO)
        for gop in gops:
            number = gop.closed.gop
            partition = source_partition(VIDEO_ID, number, settings.partitions)
            for event in gop.events:
                await producer.deliver(MEDIA_SOURCE, f"{VIDEO_ID}/{number}", event, partition=partition)


async def left_out(settings: Settings, count: int) -> list[TaskFinished]:
    """What became of so many GOPs that were too late for viewers when a worker read them."""
    with (
        worker(settings, worker_agents="transcode,jobs,transform", ladder="64:100", late_gop_s="12"),
        reading(settings, MEDIA_JOBS) as jobs,
    ):
        await eventually(lambda: len(jobs.read_to_now()) == count, DEADLINE_S, "all tasks are done")
    return [event for event in jobs.events if isinstance(event, TaskFinished)]


async def test_what_a_worker_leaves_out_is_made_later_with_the_bytes_that_it_would_have_had_live(
    topics: Settings, cassandra_session: Cassandra, recordings: Recordings
) -> None:
    gops = make_gops(CLIP)[:4]
    await keep(gops, recordings, cassandra_session)
    await log(topics, gops)
    found = await left_out(topics, 4)
    assert {event.rendition for event in found} == {"64p"}
    assert [event.problem for event in found] == [""] * 4
    (_, rung) = choose_ladder(CLIP.width, CLIP.height, 30.0, (RUNG,))
    assert await stored(recordings, "64p") == expected(gops, rung)
    index = SegmentIndex(cassandra_session)
    await cassandra_session.write([write for event in found for write in writes_of_event(event)])
    rows = [row async for row in index.segments(VIDEO_ID, "64p", 0, LAST)]
    assert [row.complete for row in rows] == [True] * 8


async def test_what_a_worker_leaves_out_of_a_video_that_is_not_kept_is_never_made(
    topics: Settings, cassandra_session: Cassandra, recordings: Recordings
) -> None:
    gops = make_gops(CLIP)[:1]
    await keep(gops, recordings, cassandra_session)
    await cassandra_session.write(list(writes_of_event(replace(VIDEO, keep_days=0))))
    await log(topics, gops)
    (found,) = await left_out(topics, 1)
    assert found.problem == "the video is not kept"
    assert await stored(recordings, "64p") == {}


async def test_the_log_gives_the_same_bytes_and_the_source_too(topics: Settings, recordings: Recordings) -> None:
    gops = make_gops(CLIP)
    await log(topics, gops)
    video = video_on_log(topics, VIDEO_ID)
    assert video == VIDEO
    done: list[int] = []
    replay = Replay(topics, video, [RUNG], recordings, lambda gop: done.append(gop.number), keep_source=True)
    await replay.run()
    async with EventProducer(topics, "test") as producer:
        await replay.announce(producer, WALL_MS + 9_000, "operator")
    assert sorted(done) == list(range(10))
    assert await stored(recordings) == expected(gops)
    source = await stored(recordings, "source")
    assert source[segment_name(VIDEO_ID, "source", 7)] == b"".join(c.data for c in gops[3].video if c.segment == 7)
    sound = [chunk for gop in gops for chunk in gop.chunks if chunk.track is Track.AUDIO]
    assert len(await stored(recordings, "audio")) == len({chunk.segment for chunk in sound}) + 1
    with (
        worker(topics, worker_agents="jobs,transform"),
        reading(topics, MEDIA_RENDITIONS) as progress,
        reading(topics, MEDIA_TASKS) as tasks,
    ):
        change = await there(progress)
        assert (change.tasks, change.finished, change.lost) == (10, 10, 0)
        assert tasks.read_to_now() == []


async def test_what_the_log_has_lost_is_a_gap_and_nothing_at_all_is_said_so(
    topics: Settings, recordings: Recordings
) -> None:
    gops = make_gops(CLIP)
    await log(topics, gops[2:5])
    replay = Replay(topics, VIDEO, [RUNG], recordings, lambda _: None, keep_source=False)
    await replay.run()
    async with EventProducer(topics, "test") as producer:
        await replay.announce(producer, WALL_MS + 9_000, "operator")
    with reading(topics, MEDIA_JOBS) as jobs:
        jobs.read_to_now()
    (request,) = [event for event in jobs.events if isinstance(event, RenditionRequested)]
    assert request.starts == (0, 4, 6, 8, 10)
    finished = [event for event in jobs.events if isinstance(event, TaskFinished)]
    assert [len(event.segments) for event in finished] == [4, 2, 2, 2, 10]
    assert [bool(event.problem) for event in finished] == [True, False, False, False, True]

    other = VIDEO_ID[:-1] + "0"
    nothing = Replay(topics, replace(VIDEO, video_id=other), [RUNG], recordings, lambda _: None, keep_source=False)
    with pytest.raises(ReplayError, match="the log has nothing of video"):
        await nothing.run()
