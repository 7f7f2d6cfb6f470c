"""Parts and segments as they are announced."""

from dataclasses import replace

from processors.parts import SegmentCount, passed_on
from schemas.events import PartReady, SegmentClosed
from tests.processors.gops import Clip, make_gops

(GOP,) = make_gops(Clip(segment_parts=2, audio=True))
FIRST = GOP.video[0]


def ready(segment: int, part: int) -> PartReady:
    return passed_on(replace(FIRST, segment=segment, part=part), "init")


def closed(*found: SegmentClosed) -> list[tuple[int, int]]:
    return [(event.segment, event.parts) for event in found]


def test_a_source_part_is_the_chunk_as_it_came() -> None:
    for chunk in GOP.chunks:
        part = passed_on(chunk, "some/init")
        for name in ("video_id", "channel", "track", "gop", "segment", "part", "epoch", "dts", "duration", "timescale"):
            assert getattr(part, name) == getattr(chunk, name)
        for name in ("independent", "frames", "captured_ms", "received_ms"):
            assert getattr(part, name) == getattr(chunk, name)
        assert (part.size, part.init) == (len(chunk.data), "some/init")
        assert part.rendition == ("source" if chunk.track == "video" else "audio")
        assert (part.info is not None) == (chunk.part == 0)


def test_a_segment_is_complete_when_a_part_of_a_later_one_comes_or_the_gop_is_over() -> None:
    count = SegmentCount(FIRST, "source")
    assert closed(*count.note(ready(0, 0)), *count.note(ready(0, 1))) == []
    assert closed(*count.note(ready(1, 0))) == [(0, 2)]
    assert closed(*count.close(1)) == [(1, 1)]
    assert closed(*count.close(1)) == []


def test_a_segment_that_no_part_came_for_is_lost() -> None:
    count = SegmentCount(replace(FIRST, segment=7), "audio")
    assert closed(*count.note(ready(9, 0))) == [(7, 0), (8, 0)]
    assert closed(*count.close(11)) == [(9, 1), (10, 0), (11, 0)]


def test_a_gop_without_any_part_is_lost_whole() -> None:
    assert closed(*SegmentCount(FIRST, "96p").close(2)) == [(0, 0), (1, 0), (2, 0)]
