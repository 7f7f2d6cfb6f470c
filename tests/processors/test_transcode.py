"""The transcode agent without Faust, on a real broker: what it acknowledges, gives up, leaves out and survives."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import partial

import pytest

from processors import part_writer, transcoder
from processors.admission import BEHIND_S
from processors.leaving import Leave
from processors.part_writer import Record
from processors.transcoder import IDLE_S, QUIET_S, Transcoder
from schemas import codec
from schemas.events import Event, PartReady, SegmentClosed, Track, TranscodeTask
from schemas.topics import MEDIA_PARTS, MEDIA_SOURCE, MEDIA_TASKS
from stores.kafka import EventProducer
from stores.segments import LocalSegmentStore, SegmentStoreError, part_name
from stores.settings import Settings
from tests.processors.gops import VIDEO_ID, WALL_MS, Clip, SourceGop, make_gops
from tests.processors.log_reader import LogReader, reading
from tests.waiting import eventually

pytestmark = pytest.mark.integration


class Rig:
    """A transcoder with clocks that stand still, and the records of one partition."""

    def __init__(self, settings: Settings, producer: EventProducer, reader: LogReader, ladder: str = "64:150") -> None:
        self.reader = reader
        self.producer = producer
        self.settings = settings.model_copy(update={"ladder": ladder, "worker_threads": 1})
        self.now_s = 100.0
        self.now_ms = WALL_MS
        self.failures: list[BaseException] = []
        self.acked: list[int] = []
        self.offset = 0
        self.transcoder = Transcoder(
            self.settings,
            LocalSegmentStore(settings.segments_path),
            producer,
            self.failures.append,
            lambda: self.now_ms,
            lambda: self.now_s,
        )
        self.transcoder.assigned([0])

    async def give(self, *events: Event, first_offset: int | None = None) -> None:
        """The next records of partition 0, or those from an offset again."""
        offset = self.offset if first_offset is None else first_offset
        for event in events:
            record = Record("media.source", 0, offset, b"key", codec.encode(event))
            await self.transcoder.receive(record, partial(self.acked.append, offset))
            offset += 1
        self.offset = max(self.offset, offset)

    def announced(self) -> tuple[set[str], dict[tuple[str, int], int]]:
        """The parts, and the closed segments with their number of parts."""
        self.reader.read_to_now()
        events = self.reader.events
        ready = {event.name for event in events if isinstance(event, PartReady)}
        closed = {(e.rendition, e.segment): e.parts for e in events if isinstance(e, SegmentClosed)}
        return ready, closed


@pytest.fixture
async def rig(topics: Settings) -> AsyncIterator[Rig]:
    async with EventProducer(topics, "test") as producer:
        with reading(topics, MEDIA_PARTS) as reader:
            made = Rig(topics, producer, reader)
            async with made.transcoder:
                yield made


def parts(gops: Iterable[SourceGop], count: int, *renditions: str) -> set[str]:
    firsts = [gop.closed.first_segment for gop in gops]
    return {part_name(VIDEO_ID, r, segment, part) for segment in firsts for r in renditions for part in range(count)}


async def test_the_records_of_a_gop_are_acknowledged_when_it_is_closed_and_written_and_not_before(rig: Rig) -> None:
    first, second = make_gops(Clip(gops=2))
    await rig.give(*first.chunks[:2], second.chunks[0])
    await rig.give(*first.chunks[2:])
    store = LocalSegmentStore(rig.settings.segments_path)
    await eventually(lambda: store.get(part_name(VIDEO_ID, "64p", 0, 3)))
    assert rig.acked == []
    await rig.give(first.closed)
    await eventually(lambda: rig.acked == [0, 1], what="acks up to the open GOP")
    await rig.give(*second.chunks[1:], second.closed)
    await eventually(lambda: rig.acked == list(range(10)), what="acks of all")
    ready, closed = rig.announced()
    assert ready == parts([first, second], 4, "source", "64p")
    assert closed == {(r, s): 4 for r in ("source", "64p") for s in (0, 1)}


async def test_an_open_gop_goes_on_after_a_rebalance_and_only_new_records_are_acknowledged(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.chunks[:3])
    rig.transcoder.revoked()
    await rig.give(gop.chunks[3], first_offset=90)  # on its way while the partition went
    rig.transcoder.assigned([0])
    await rig.give(*gop.chunks, gop.closed, first_offset=0)
    await eventually(lambda: len(rig.acked) == 5, what="acks")
    assert rig.acked == [0, 1, 2, 3, 4]
    assert rig.announced()[1] == {("source", 0): 4, ("64p", 0): 4}


async def test_a_gop_that_was_done_is_acknowledged_at_once_when_it_comes_again(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.events)
    await eventually(lambda: len(rig.acked) == 5)
    await rig.give(*gop.events)
    assert rig.acked == list(range(10))


async def test_the_rest_of_a_gop_whose_start_was_acknowledged_is_acknowledged(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.chunks[1:], gop.closed)
    assert rig.acked == [0, 1, 2, 3]
    assert rig.announced() == (set(), {})


async def test_a_gop_that_nothing_comes_for_holds_back_no_other_and_goes_on_when_its_push_does(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.chunks[:3])
    rig.now_s += IDLE_S - 1
    rig.transcoder.close_idle()
    assert rig.acked == []
    rig.now_s += 2
    rig.transcoder.close_idle()
    assert rig.acked == [0, 1, 2]
    assert rig.announced()[1] == {}
    await rig.give(*gop.chunks[3:], gop.closed)
    await eventually(lambda: rig.acked == [0, 1, 2, 3, 4], what="the end of the GOP")
    assert rig.announced()[1] == {("source", 0): 4, ("64p", 0): 4}


async def test_a_gop_whose_push_does_not_come_back_is_closed_so_that_the_playlist_goes_on(rig: Rig) -> None:
    (gop,) = make_gops(Clip(segment_parts=2))
    await rig.give(*gop.chunks[:3])
    rig.now_s += IDLE_S + rig.settings.push_grace_s
    rig.transcoder.close_idle()
    await eventually(lambda: rig.acked == [0, 1, 2], what="the end of the GOP")
    assert rig.announced()[1] == {("source", 0): 2, ("source", 1): 1, ("64p", 0): 2, ("64p", 1): 1}


@pytest.mark.parametrize("ladder_below", [0, 120])
async def test_a_video_that_goes_on_without_its_picture_has_gaps_where_it_had_renditions(
    rig: Rig, ladder_below: int
) -> None:
    (gop,) = make_gops(Clip(audio=True))
    sound = [replace(c, ladder_below=ladder_below) for c in gop.chunks if c.track is Track.AUDIO]
    await rig.give(*sound, replace(gop.closed, video_chunks=0))
    await eventually(lambda: len(rig.acked) == len(sound) + 1, what="acks")
    gaps = {("source", 0): 0, ("64p", 0): 0} if ladder_below else {}
    assert rig.announced()[1] == {("audio", 0): len(sound)} | gaps


async def test_a_gop_that_went_to_another_worker_is_let_go_without_a_word(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.chunks[:3])
    store = LocalSegmentStore(rig.settings.segments_path)
    await eventually(lambda: store.get(part_name(VIDEO_ID, "64p", 0, 2)))
    rig.transcoder.revoked()
    rig.transcoder.assigned([1, 2])
    rig.now_s += IDLE_S + 1
    rig.transcoder.close_idle()
    await eventually(lambda: not rig.transcoder.open_gops, what="the GOP to go")
    assert rig.announced()[1] == {}
    assert rig.acked == []
    assert rig.failures == []


async def test_a_store_that_stays_broken_ends_the_work_and_nothing_is_acknowledged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_writer, "STORE_BACKOFF_S", 0.001)
    rig.settings.segments_path.write_bytes(b"a file where the directory should be")
    (gop,) = make_gops(Clip())
    await rig.give(*gop.events)
    (failure,) = await eventually(lambda: rig.failures)
    assert isinstance(failure, ExceptionGroup)
    assert failure.subgroup(SegmentStoreError) is not None
    assert rig.acked == []


async def test_a_store_that_comes_back_is_waited_for(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.settings.segments_path.write_bytes(b"a file where the directory should be")
    (gop,) = make_gops(Clip())
    await rig.give(*gop.events)
    await eventually(lambda: "attempt 1" in caplog.text)
    rig.settings.segments_path.unlink()
    await eventually(lambda: len(rig.acked) == 5)
    assert rig.failures == []


async def test_the_source_never_waits_for_the_encoders_and_what_is_too_late_for_viewers_is_left_for_later(
    rig: Rig,
) -> None:
    gops = make_gops(Clip(gops=4))
    busy = threading.Event()
    rig.transcoder.encoders.submit(busy.wait)
    try:
        await rig.give(*gops[0].events)
        rig.now_s += BEHIND_S + 1
        await rig.give(*gops[1].events)
        rig.now_ms += (
            1000 * rig.settings.late_gop_s - 3_000
        )  # old, but not too old: it is caught up with, so nothing is left out
        await rig.give(*gops[2].events)
        rig.now_ms += 3_600_000
        await rig.give(*gops[3].events)
        await eventually(lambda: parts(gops, 4, "source") <= rig.announced()[0], what="the source")
        assert parts(gops, 1, "64p").isdisjoint(rig.announced()[0])
    finally:
        busy.set()
    await eventually(lambda: len(rig.acked) == 20)
    closed = rig.announced()[1]
    assert [closed["64p", segment] for segment in range(4)] == [4, 0, 4, 0]
    assert [closed["source", segment] for segment in range(4)] == [4, 4, 4, 4]
    with reading(rig.settings, MEDIA_TASKS) as reader:
        reader.read_to_now()
    tasks = [event for event in reader.events if isinstance(event, TranscodeTask)]
    assert sorted((task.rendition, task.first_segment, task.last_segment) for task in tasks) == [
        ("64p", 1, 1),
        ("64p", 3, 3),
    ]


async def test_a_worker_that_does_not_keep_up_leaves_out_the_largest_rendition(rig: Rig) -> None:
    rig = Rig(rig.settings, rig.producer, rig.reader, ladder="96:200,64:150")
    gops = make_gops(Clip(gops=2))
    busy = threading.Event()
    async with rig.transcoder:
        rig.transcoder.encoders.submit(busy.wait)
        try:
            await rig.give(*gops[0].events)
            await eventually(lambda: parts(gops[:1], 4, "source") <= rig.announced()[0], what="the first GOP is begun")
            rig.now_s += rig.settings.shed_lag_ms / 1000 + 1
            rig.transcoder.watch_lag()
            await rig.give(*gops[1].events)
        finally:
            busy.set()
        await eventually(lambda: len(rig.acked) == 10)
    closed = rig.announced()[1]
    assert [[closed[name, segment] for segment in range(2)] for name in ("96p", "64p")] == [[4, 0], [4, 4]]
    said = [e for e in rig.reader.events if isinstance(e, SegmentClosed) and e.left_out]
    assert [(e.rendition, e.segment) for e in said] == [("96p", 1)]


async def test_what_waits_is_bounded_but_a_gop_always_gets_through(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, topics: Settings
) -> None:
    monkeypatch.setattr(transcoder, "LADDER_ROOM_BYTES", 20_000)
    monkeypatch.setattr(transcoder, "RELAY_ROOM_BYTES", 20_000)
    async with EventProducer(topics, "test") as producer:
        small = Rig(topics, producer, rig.reader)
        busy = threading.Event()
        async with small.transcoder:
            small.transcoder.encoders.submit(busy.wait)
            gops = make_gops(Clip(gops=3))
            giving = asyncio.create_task(small.give(*(event for gop in gops for event in gop.events)))
            await eventually(lambda: small.transcoder.waiting_bytes > 0)
            assert small.transcoder.waiting_bytes <= 20_000
            assert not giving.done()
            busy.set()
            await giving
            await eventually(lambda: len(small.acked) == 15)
            assert small.transcoder.waiting_bytes == 0


async def test_a_worker_that_leaves_finishes_its_gop_and_leaves_a_new_one_alone(rig: Rig) -> None:
    first, second = make_gops(Clip(gops=2))
    await rig.give(*first.chunks[:2])
    rig.transcoder.take_no_new()
    assert rig.transcoder.is_awaited()
    await rig.give(first.chunks[2], second.chunks[0], first.chunks[3], second.chunks[1], first.closed)
    assert rig.transcoder.turned_away == 1
    await eventually(lambda: rig.acked == [0, 1, 2], what="acks up to the new GOP")
    assert not rig.transcoder.is_awaited()
    await rig.give(*second.chunks[2:], second.closed)
    assert rig.acked == [0, 1, 2]
    assert rig.announced()[1] == {("source", 0): 4, ("64p", 0): 4}


async def test_a_worker_that_has_left_reads_its_open_gops_to_their_end_and_acknowledges_nothing(
    rig: Rig, topics: Settings
) -> None:
    first, second = make_gops(Clip(gops=2))
    begun = (*first.chunks[:2], second.chunks[0])
    for event in (*begun, *first.events[2:], *second.events[1:]):
        await rig.producer.send(MEDIA_SOURCE, "x", event, partition=0)
    leave = Leave(topics, rig.transcoder, lambda: rig.now_s)
    await rig.give(*begun[:2])
    rig.transcoder.take_no_new()
    await rig.give(begun[2])
    await leave.hand_over()  # at once, for a GOP that another worker should begin
    await leave.finish()
    assert rig.transcoder.open_gops == 0
    assert (rig.acked, rig.failures) == ([], [])
    assert rig.announced()[1] == {("source", 0): 4, ("64p", 0): 4}


async def test_a_worker_that_leaves_does_not_wait_for_a_publisher_that_hangs(rig: Rig, topics: Settings) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(*gop.chunks[:2])
    store = LocalSegmentStore(rig.settings.segments_path)
    await eventually(lambda: store.get(part_name(VIDEO_ID, "64p", 0, 1)))
    leave = Leave(topics, rig.transcoder, lambda: rig.now_s)
    rig.now_s += QUIET_S
    await leave.hand_over()
    await leave.finish()
    assert rig.transcoder.open_gops == 1
    assert rig.announced()[1] == {}


async def test_a_gop_that_lost_a_chunk_on_its_way_in_is_given_up_when_the_worker_stops(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, topics: Settings
) -> None:
    monkeypatch.setattr(transcoder, "LADDER_ROOM_BYTES", 5_000)
    small = Rig(topics, rig.producer, rig.reader)
    busy = threading.Event()
    (gop,) = make_gops(Clip())
    async with small.transcoder:
        small.transcoder.encoders.submit(busy.wait)
        giving = asyncio.create_task(small.give(*gop.events))
        await eventually(lambda: small.transcoder.waiting_bytes > 0)
        giving.cancel()
        await asyncio.wait({giving})
        busy.set()
        await eventually(lambda: not small.transcoder.open_gops, what="the GOP to go")
        await small.transcoder.follow(Record("media.source", 0, 9, b"key", codec.encode(gop.chunks[-1])))
        assert small.transcoder.open_gops == 0
    assert small.acked == []


async def test_a_lost_chunk_does_not_stop_the_rest(rig: Rig) -> None:
    (gop,) = make_gops(Clip(segment_parts=2))
    await rig.give(gop.chunks[0], *gop.chunks[2:], gop.closed)
    await eventually(lambda: len(rig.acked) == 4)
    ready, closed = rig.announced()
    assert part_name(VIDEO_ID, "64p", 1, 1) in ready
    assert closed["source", 1] == 2


async def test_a_chunk_without_its_init_segment_is_a_dead_letter(rig: Rig) -> None:
    (gop,) = make_gops(Clip())
    await rig.give(replace(gop.chunks[0], init=None), *gop.chunks[1:], gop.closed)
    await eventually(lambda: len(rig.acked) == 5)
    assert rig.announced() == (set(), {("64p", 0): 0})
