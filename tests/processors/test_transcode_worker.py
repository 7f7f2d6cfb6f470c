"""The transcode agent in a real worker process on a real broker, killed without warning."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from media.ladder import parse_rungs
from processors.gop import Gop, renditions_of
from schemas.events import DeadLetter, Event, GopClosed, MediaChunk, PartReady, SegmentClosed, Track
from schemas.topics import DEAD_LETTERS, MEDIA_PARTS, MEDIA_SOURCE, source_partition
from stores.kafka import EventProducer, client_config
from stores.segments import init_name, part_name
from stores.settings import Settings
from tests.processors.gops import Clip, SourceGop, make_gops
from tests.processors.log_reader import LogReader, reading
from tests.processors.worker_process import Worker, worker
from tests.waiting import eventually

pytestmark = pytest.mark.integration

LADDER = "96:300,64:150"
RENDITIONS = ("source", "audio", "96p", "64p")
ANN, BOB = "0123456789abcdefghjk", "zyxwvtsrqpnmkjhgfedc"
DEADLINE_S = 60.0


def transcoding(settings: Settings, slot: str = "0", **options: str) -> AbstractContextManager[Worker]:
    """A worker that transcodes into the small ladder of these tests."""
    return worker(settings, slot, worker_agents="transcode", ladder=LADDER, **options)


@dataclass
class Parts:
    """Everything on `media.parts`, as a gateway folds it: the first of a part wins."""

    settings: Settings
    ready: dict[str, PartReady] = field(default_factory=dict)
    closed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    repeated: int = 0
    again: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.reader = LogReader(self.settings, MEDIA_PARTS)

    def read(self) -> None:
        self._fold(self.reader.read())

    def read_all(self) -> None:
        self._fold(self.reader.read_to_now())

    def _fold(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, PartReady):
                self._part(event)
            else:
                assert isinstance(event, SegmentClosed)
                place = (event.video_id, event.rendition, event.segment)
                assert self.closed.setdefault(place, event.parts) == event.parts, "a repeat says something else"

    def _part(self, event: PartReady) -> None:
        known = self.ready.get(event.name)
        if known:
            self.repeated += 1
            self.again.add(event.name)
            assert known == event, "a repeat is not the same"
        else:
            self.ready[event.name] = event

    def has(self, names: Iterable[str]) -> bool:
        self.read()
        return set(names) <= self.ready.keys()

    def all_closed(self, places: Iterable[tuple[str, str, int]]) -> bool:
        self.read()
        return set(places) <= self.closed.keys()


@pytest.fixture
def parts(topics: Settings) -> Iterator[Parts]:
    found = Parts(topics)
    yield found
    found.reader.close()


@pytest.fixture
async def producer(topics: Settings) -> AsyncIterator[EventProducer]:
    async with EventProducer(topics, "test") as opened:
        yield opened


def send(producer: EventProducer, settings: Settings, event: MediaChunk | GopClosed) -> None:
    partition = source_partition(event.video_id, event.gop, settings.partitions)
    producer.send(MEDIA_SOURCE, f"{event.video_id}/{event.gop}", event, partition=partition)


def interleaved(*streams: Iterable[MediaChunk]) -> list[MediaChunk]:
    return sorted((chunk for stream in streams for chunk in stream), key=lambda chunk: chunk.captured_ms)


def expected(gops: Iterable[SourceGop]) -> dict[str, bytes]:
    """The segment store after an undisturbed run: the same work without Kafka, Faust, threads or a crash."""
    files = {}
    for source in gops:
        for chunk in source.chunks:
            rendition = "source" if chunk.track is Track.VIDEO else "audio"
            files[part_name(chunk.video_id, rendition, chunk.segment, chunk.part)] = chunk.data
            if chunk.init:
                files[init_name(chunk.video_id, rendition, chunk.init)] = chunk.init
        first = source.video[0]
        gop = Gop(first, renditions_of(first, parse_rungs(LADDER)), "superfast")
        for scaled in [*(gop.step(chunk) for chunk in source.video), gop.finish()]:
            for made in (made for index in range(len(gop.encoders)) for made in gop.encode(index, scaled)):
                chunk = made.planned.chunk
                files[part_name(chunk.video_id, made.rendition, chunk.segment, chunk.part)] = made.data
                files[init_name(chunk.video_id, made.rendition, made.init)] = made.init
    return files


def stored(settings: Settings, video_ids: Iterable[str]) -> dict[str, bytes]:
    root = settings.segments_path
    files = [path for video in video_ids for path in (root / video).rglob("*.m*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def segments_of(gops: Iterable[SourceGop], renditions: Iterable[str] = RENDITIONS) -> set[tuple[str, str, int]]:
    return {
        (gop.closed.video_id, rendition, segment)
        for gop in gops
        for segment in range(gop.closed.first_segment, gop.closed.last_segment + 1)
        for rendition in renditions
    }


def names(files: Iterable[str]) -> set[str]:
    return {name for name in files if name.endswith(".m4s")}


async def test_a_worker_killed_in_mid_gop_leaves_no_hole_and_repeats_the_same_bytes(
    topics: Settings, parts: Parts, producer: EventProducer, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = Clip(gops=4, gop_frames=48, part_frames=6, segment_parts=4, audio=True)
    streams = [make_gops(replace(clip, video_id=video_id)) for video_id in (ANN, BOB)]
    every = [gop for stream in streams for gop in stream]
    chunks = interleaved(*(gop.chunks for gop in every))
    cut = len(chunks) * 3 // 8  # in the middle of the second GOP of both

    with ExitStack() as stack:
        first = stack.enter_context(transcoding(topics))
        for chunk in chunks[:cut]:
            send(producer, topics, chunk)
        for stream in streams:
            send(producer, topics, stream[0].closed)
        begun = names(expected(gop for stream in streams for gop in stream[:1]))
        half = {
            part_name(video_id, "64p", stream[1].closed.first_segment, 1)
            for video_id, stream in zip((ANN, BOB), streams, strict=True)
        }
        await eventually(lambda: parts.has(begun | half), DEADLINE_S, "parts before the kill")
        first.kill()
        killed_s = time.monotonic()
        for chunk in chunks[cut:]:
            send(producer, topics, chunk)
        for gop in (gop for stream in streams for gop in stream[1:]):
            send(producer, topics, gop.closed)
        later = {part_name(c.video_id, "64p", c.segment, c.part) for c in chunks[cut:] if c.track is Track.VIDEO}
        stack.enter_context(transcoding(topics))
        await eventually(lambda: parts.has(()) and later & parts.ready.keys(), DEADLINE_S, "a part after the kill")
        gap_s = time.monotonic() - killed_s
        await eventually(lambda: parts.all_closed(segments_of(every)), DEADLINE_S, "the end of every segment")

    files = expected(every)
    assert parts.ready.keys() == names(files)
    assert stored(topics, (ANN, BOB)) == files
    assert all(part.init in files for part in parts.ready.values())
    assert parts.closed == {
        place: sum(name.startswith(f"{place[0]}/{place[1]}/{place[2]:08d}.") for name in files)
        for place in segments_of(every)
    }
    figures = f"new part {gap_s:.2f} s after the kill; {parts.repeated} of {len(parts.ready)} parts repeated"
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201  (figures to watch)


async def test_with_a_hot_standby_the_death_of_a_worker_costs_no_part_and_both_copies_are_the_same(
    topics: Settings, parts: Parts, producer: EventProducer
) -> None:
    gops = make_gops(Clip(gops=4, gop_frames=48, part_frames=6, segment_parts=4, audio=True))
    chunks = [chunk for gop in gops for chunk in gop.chunks]
    cut = len(chunks) // 2 - 3  # in the middle of a GOP
    with transcoding(topics) as first, transcoding(topics, worker_standby="true"):
        for chunk in chunks[:cut]:
            send(producer, topics, chunk)
        for gop in gops[:1]:
            send(producer, topics, gop.closed)
        whole = names(expected(gops[:1]))
        await eventually(lambda: parts.has(whole) and whole <= parts.again, DEADLINE_S, "both copies of the first GOP")
        first.kill()
        for chunk in chunks[cut:]:
            send(producer, topics, chunk)
        for gop in gops[1:]:
            send(producer, topics, gop.closed)
        await eventually(lambda: parts.all_closed(segments_of(gops)), DEADLINE_S, "the end of every segment")
    files = expected(gops)
    assert parts.ready.keys() == names(files)
    assert stored(topics, (ANN,)) == files


async def test_what_cannot_be_decoded_is_dead_and_the_source_goes_on(
    topics: Settings, parts: Parts, producer: EventProducer
) -> None:
    good, broken = make_gops(Clip(gops=2, audio=True))
    chunks: list[MediaChunk] = [
        replace(c, data=b"garbage") if c.index == 0 and c.track is Track.VIDEO else c for c in broken.chunks
    ]
    with transcoding(topics):
        for event in (*good.events, *chunks, broken.closed):
            send(producer, topics, event)
        wrong = source_partition(ANN, 0, topics.partitions)
        await producer.send(
            MEDIA_SOURCE,
            "x",
            DeadLetter(topic="x", partition=0, offset=0, app="x", cause="x", failed_ms=0),
            partition=wrong,
        )
        await eventually(lambda: parts.all_closed(segments_of([good, broken])), DEADLINE_S, "the end of every segment")
    parts.read()
    assert [parts.closed[ANN, rendition, 1] for rendition in RENDITIONS] == [4, 4, 0, 0]
    assert [parts.closed[ANN, rendition, 0] for rendition in RENDITIONS] == [4, 4, 4, 4]
    with reading(topics, DEAD_LETTERS) as dead:
        causes = [letter.cause for letter in dead.read_to_now() if isinstance(letter, DeadLetter)]
    assert sum("cannot transcode" in cause for cause in causes) == len(broken.video)
    assert "expected MediaChunk or GopClosed, found DeadLetter" in causes


async def test_a_gop_whose_ingest_died_is_closed_with_what_is_there(
    topics: Settings, parts: Parts, producer: EventProducer
) -> None:
    (gop,) = make_gops(Clip(segment_parts=2, audio=True))
    cut = gop.video[:3]
    with transcoding(topics):
        for chunk in cut:
            send(producer, topics, chunk)
        send(producer, topics, replace(gop.closed, video_chunks=-1, audio_chunks=-1))
        await eventually(lambda: parts.all_closed(segments_of([gop], ("source", "96p", "64p"))), DEADLINE_S)
    assert {place[1:]: count for place, count in parts.closed.items()} == {
        (rendition, segment): count for rendition in ("source", "96p", "64p") for segment, count in ((0, 2), (1, 1))
    }


async def test_gops_that_were_done_cost_nothing_when_they_come_again(
    topics: Settings, parts: Parts, producer: EventProducer
) -> None:
    gops = make_gops(Clip(gops=2))
    with transcoding(topics) as running:
        for _ in range(2):
            for gop in gops:
                for event in gop.events:
                    send(producer, topics, event)
            await eventually(lambda: parts.all_closed(segments_of(gops, ("source", "96p", "64p"))), DEADLINE_S)
        count = sum(len(gop.chunks) for gop in gops)
        await eventually(lambda: running.metric("logcast_worker_chunks_total") == 2 * count, DEADLINE_S)
        assert running.metric("logcast_worker_repeated_chunks_total") == count
        await eventually(lambda: running.metric("logcast_worker_gops_open") == 0, DEADLINE_S)
    parts.read()
    assert parts.repeated == 0


async def test_two_workers_share_the_gops_and_lose_none_when_one_joins_or_leaves(
    topics: Settings, parts: Parts, producer: EventProducer
) -> None:
    clip = Clip(gops=8, gop_frames=12, audio=False)
    gops = make_gops(clip)

    def feed(some: Iterable[SourceGop]) -> None:
        for gop in some:
            for event in gop.events:
                send(producer, topics, event)

    with ExitStack() as stack:
        first = stack.enter_context(transcoding(topics, "0"))
        feed(gops[:2])
        for chunk in gops[2].chunks[:1]:
            send(producer, topics, chunk)
        await eventually(lambda: parts.has({part_name(ANN, "64p", 2, 0)}), DEADLINE_S, "the first parts")
        with transcoding(topics, "1") as second:
            await eventually(second.ready, DEADLINE_S, "the second worker")
            for chunk in gops[2].chunks[1:]:
                send(producer, topics, chunk)
            send(producer, topics, gops[2].closed)
            feed(gops[3:6])
            await eventually(lambda: parts.all_closed(segments_of(gops[:6], ("source", "96p", "64p"))), DEADLINE_S)
            assert second.metric("logcast_worker_chunks_total") > 0
        feed(gops[6:])
        await eventually(lambda: parts.all_closed(segments_of(gops, ("source", "96p", "64p"))), DEADLINE_S)
        assert first.process.poll() is None
    assert stored(topics, [ANN]) == expected(gops)


async def test_a_worker_is_ready_when_it_has_its_partitions_and_stops_when_told(topics: Settings) -> None:
    with transcoding(topics) as running:
        await eventually(running.ready, DEADLINE_S, "readiness")
        assert running.metric("logcast_worker_gops_open") == 0
        running.process.terminate()
        await eventually(lambda: running.process.poll() is not None, DEADLINE_S, "the end of the worker")
        assert running.process.returncode == 0, running.log.read_text()[-3000:]


async def test_a_worker_without_kafka_says_so_and_ends_for_the_supervisor(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(kafka_bootstrap="127.0.0.1:1", data_dir=tmp_path)
    with transcoding(settings, data_dir=str(tmp_path / "not" / "there")) as running:
        await eventually(lambda: running.process.poll() is not None, DEADLINE_S, "the end of the worker")
        assert running.process.returncode != 0
        assert "Unable to bootstrap" in running.log.read_text()
        assert (tmp_path / "not" / "there" / "faust").is_dir()


@pytest.mark.skipif(not os.environ.get("LOGCAST_FAULTS"), reason="once did not end on a busy machine: LOGCAST_FAULTS=1")
async def test_a_worker_that_is_told_to_stop_finishes_its_gop_and_leaves_the_rest_to_the_other(
    topics: Settings, parts: Parts, producer: EventProducer, capsys: pytest.CaptureFixture[str]
) -> None:
    gops = make_gops(Clip(gops=8, gop_frames=24, audio=True))
    half = len(gops[0].chunks) // 2

    def feed(events: Iterable[MediaChunk | GopClosed]) -> None:
        for event in events:
            send(producer, topics, event)

    with transcoding(topics, "0") as first, transcoding(topics, "1") as second:
        await eventually(lambda: first.ready() and second.ready(), DEADLINE_S, "both workers")
        await eventually(lambda: members(topics) == 2, DEADLINE_S, "two members")
        feed(gops[0].chunks[:half])
        await eventually(lambda: parts.has({part_name(ANN, "64p", 0, 0)}), DEADLINE_S, "the first part")
        owner, other = (first, second) if first.metric("logcast_worker_gops_open") else (second, first)
        owner.process.terminate()
        began_s = time.monotonic()
        feed(gops[0].events[half:])
        for gop in gops[1:]:
            feed(gop.events)
        await eventually(lambda: owner.process.poll() is not None, DEADLINE_S, "the end of the worker")
        assert owner.process.returncode == 0, owner.log.read_text()[-3000:]
        assert members(topics) == 1
        ended_s = time.monotonic() - began_s
        await eventually(lambda: parts.all_closed(segments_of(gops)), DEADLINE_S, "the end of every segment")
        assert other.process.poll() is None
    assert stored(topics, [ANN]) == expected(gops)
    with capsys.disabled():
        print(f"\nended {ended_s:.2f} s after SIGTERM; {parts.repeated} of {len(parts.ready)} parts repeated")  # noqa: T201


def members(settings: Settings) -> int:
    """How many the workers' group has now."""
    admin = AdminClient(client_config(settings, "test"))
    group = f"{settings.topic_prefix}{settings.worker_group}"
    return len(admin.describe_consumer_groups([group])[group].result(DEADLINE_S).members)
