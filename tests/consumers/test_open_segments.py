"""Which segments are open, and from where the log must be read again to find all of what is not finished."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.open_segments import ClosedSegment, OpenSegments
from schemas.events import PartReady, SegmentClosed, Track
from tests.consumers.broadcast import CHANNEL, Broadcast

VIDEO = "0123456789abcdefghjk"
BROADCAST = Broadcast(VIDEO, comments=0)


def part(segment: int, number: int) -> PartReady:
    return BROADCAST.part("source", Track.VIDEO, segment, number)


def end(segment: int, parts: int) -> SegmentClosed:
    return SegmentClosed(video_id=VIDEO, channel=CHANNEL, rendition="source", gop=segment, segment=segment, parts=parts)


def test_a_closed_segment_has_the_names_and_sizes_of_its_parts() -> None:
    segments = OpenSegments()
    for number in range(3):
        segments.part(part(7, number), 0, number, 0)
    closed = segments.closed(end(7, 3))
    sizes = tuple(part(7, number).size for number in range(3))
    assert closed == ClosedSegment(VIDEO, CHANNEL, "source", 7, part(7, 0).init, sizes)
    assert closed.part_names() == tuple(part(7, number).name for number in range(3))
    assert len(segments) == 0


def test_a_part_that_was_never_announced_has_no_size() -> None:
    segments = OpenSegments()
    segments.part(part(0, 1), 0, 0, 0)
    closed = segments.closed(end(0, 3))
    assert closed is not None
    assert closed.sizes == (None, part(0, 1).size, None)


def test_of_a_lost_segment_nothing_is_kept() -> None:
    segments = OpenSegments()
    segments.part(part(0, 0), 0, 0, 0)
    assert segments.closed(end(0, 0)) is None
    assert segments.first_offsets() == {}


@given(st.integers(-5, 2**40))
def test_a_count_of_parts_from_a_broken_writer_costs_no_memory(count: int) -> None:
    closed = OpenSegments().closed(end(0, count))
    assert closed is None or len(closed.sizes) <= 10_000


@given(st.permutations([(segment, number) for segment in range(5) for number in range(3)]), st.integers(0, 14))
def test_the_log_is_read_again_from_the_first_part_of_an_open_segment(order: list[tuple[int, int]], ends: int) -> None:
    """Whatever the order: everything before the first offset belongs to segments that are closed."""
    segments = OpenSegments()
    for offset, (segment, number) in enumerate(order):
        segments.part(part(segment, number), segment % 2, offset, 0)
    done = {segment for segment in range(5) if segment * 3 < ends}
    for segment in done:
        segments.closed(end(segment, 3))
    expected: dict[int, int] = {}
    for offset, (segment, _) in enumerate(order):
        if segment not in done:
            expected.setdefault(segment % 2, offset)
    assert segments.first_offsets() == expected


def test_a_segment_whose_end_never_comes_does_not_hold_the_place_for_ever() -> None:
    segments = OpenSegments()
    segments.part(part(0, 0), 0, 5, 1_000)
    segments.part(part(1, 0), 0, 9, 5_000)
    assert segments.forget_before(2_000) == 1
    assert segments.first_offsets() == {0: 9}
