"""What the log tells of a video, folded; and what is wrong with bytes, and with the source."""

from dataclasses import replace

from consumers.soundness.content import init_problem, object_problem, part_problem
from consumers.soundness.facts import Expected, Logged, Part, expected
from consumers.soundness.logged import fold
from logcast.source_log import SourceGop, source_gaps
from processors.parts import passed_on
from schemas.events import MadePart, MadeSegment, MediaChunk, SegmentClosed, TaskFinished, Track
from stores.segments import init_name
from tests.processors.gops import VIDEO_ID, Clip, make_gops

(GOP,) = make_gops(Clip(segment_parts=2))
INIT = GOP.video[0].init or b""
INIT_NAME = init_name(VIDEO_ID, "source", INIT)


def closed(segment: int, parts: int) -> SegmentClosed:
    return SegmentClosed(video_id=VIDEO_ID, channel="ann", rendition="source", gop=0, segment=segment, parts=parts)


def finished(*segments: MadeSegment) -> TaskFinished:
    return TaskFinished(
        video_id=VIDEO_ID, channel="ann", rendition="source", task=0, segments=segments, problem="", finished_ms=9
    )


def made(segment: int, *sizes: int) -> MadeSegment:
    parts = tuple(
        MadePart(dts=at, duration=1, size=size, frames=1, independent=True, captured_ms=0, keyframe_size=1)
        for at, size in enumerate(sizes)
    )
    return MadeSegment(segment=segment, epoch=0, epoch_ms=0, timescale=90, init=INIT_NAME, parts=parts)


def told() -> Logged:
    logged = Logged()
    for chunk in GOP.video:
        fold(logged, passed_on(chunk, INIT_NAME), 5)
    for segment in (0, 1):
        fold(logged, closed(segment, 2), 6)
    return logged


def must(segment: int = 0) -> Expected:
    key = ("source", segment)
    found = expected(key, told().segments[key], None)
    assert found is not None
    return found


def chunks(segment: int) -> list[MediaChunk]:
    return [chunk for chunk in GOP.video if chunk.segment == segment]


def test_a_segment_is_known_by_its_parts_and_its_end() -> None:
    segment = told().segments["source", 1]
    assert (segment.part_count, segment.init, segment.told_ms, segment.ready_ms) == (2, INIT_NAME, 6, 5)
    assert [segment.parts[n].size for n in (0, 1)] == [len(chunk.data) for chunk in chunks(1)]
    assert segment.whole


def test_what_was_lost_and_made_later_is_what_was_made() -> None:
    logged = Logged()
    fold(logged, closed(0, 0), 1)
    fold(logged, closed(1, 0), 1)
    fold(logged, finished(made(0, 10, 20), made(1)), 2)
    there, lost = logged.segments["source", 0], logged.segments["source", 1]
    assert (there.part_count, there.made, [part.size for part in there.parts.values()]) == (2, True, [10, 20])
    assert lost.part_count == 0


def test_what_was_done_twice_keeps_the_hashes_of_the_first_time() -> None:
    logged = told()
    first = logged.segments["source", 0]
    segment = MadeSegment(
        segment=0,
        epoch=0,
        epoch_ms=0,
        timescale=90_000,
        init=INIT_NAME,
        parts=tuple(
            MadePart(
                dts=part.dts,
                duration=part.duration,
                size=part.size,
                frames=1,
                independent=True,
                captured_ms=0,
                keyframe_size=1,
            )
            for part in first.parts.values()
        ),
    )
    fold(logged, finished(segment), 9)
    assert logged.segments["source", 0].parts == first.parts
    assert not logged.segments["source", 0].made


def test_an_object_is_right_when_all_its_parts_are() -> None:
    data = b"".join(chunk.data for chunk in chunks(0))
    assert object_problem(data, must()) == ""
    assert "bytes" in object_problem(data[:-1], must())
    other = data[:-1] + bytes([data[-1] ^ 1])
    assert object_problem(other, must()) == "part 1: its bytes are not those that the log tells of (SHA-256)"
    assert object_problem(other, must(), gaps=(1,)) == ""


def test_a_part_without_a_hash_is_held_against_its_times() -> None:
    (chunk, *_) = chunks(0)
    part = Part(chunk.dts, chunk.duration, len(chunk.data))
    assert part_problem(chunk.data, part) == ""
    later = "it lasts from 0 for 18000 ticks, expected from 7 for 18000"
    assert part_problem(chunk.data, replace(part, dts=7)) == later
    assert part_problem(chunk.data, replace(part, duration=7)).endswith("from 0 for 7")


def test_a_part_that_is_no_chunk_is_said() -> None:
    assert "no CMAF chunk" in part_problem(b"nonsense", Part(0, 1, 8))


def test_an_init_segment_is_held_against_its_name() -> None:
    assert init_problem(INIT_NAME, INIT) == ""
    assert "name" in init_problem(INIT_NAME, INIT + b"x")
    assert "no CMAF header" in init_problem(init_name(VIDEO_ID, "source", b"nonsense"), b"nonsense")


def source_gop() -> SourceGop:
    found = {chunk.index: (chunk.segment, chunk.part) for chunk in GOP.video}
    return SourceGop({Track.VIDEO: found}, GOP.closed)


def test_a_whole_source_has_no_gaps() -> None:
    assert list(source_gaps({0: source_gop()}, told())) == []


def test_a_chunk_that_the_log_lost_and_one_that_nobody_made_a_part_are_named() -> None:
    gop, logged = source_gop(), told()
    del gop.chunks[Track.VIDEO][1]
    del logged.segments["source", 1].parts[0]
    assert list(source_gaps({0: gop}, logged)) == [
        "GOP 0: the log lacks video chunks 1",
        "GOP 0: video chunk of segment 1, part 0 was never made a part",
    ]


def test_a_gop_that_is_open_is_not_judged() -> None:
    gop = source_gop()
    gop.closed = None
    assert list(source_gaps({0: gop}, Logged())) == []
