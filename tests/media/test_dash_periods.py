"""What a Period lists of a rendition's segments."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.dash import Shape, Span
from media.dash_periods import Rendition, recorded_periods
from media.hls_window import Segment

INIT = "init-1.mp4"
SEGMENT = Segment(0, 0, 1_000, 0, 0, 1_000, INIT, True, (), 0, 9, closed=True)
SHAPE = Shape("avc1.42c01e", 640, 360, 30.0)


def spans_of(*told: Span) -> tuple[Span, ...]:
    """What is listed of segments with these times."""
    segments = [
        replace(SEGMENT, number=number, dts=span.dts, duration=span.duration, gap=span.lost)
        for number, span in enumerate(told)
    ]
    (period,) = recorded_periods([Rendition("480p", audio=False, shapes={INIT: SHAPE}, segments=segments)])
    return period.tracks[0].spans


def test_what_was_lost_ends_where_the_next_segment_begins() -> None:
    whole, lost, following = Span(0, 2_000), Span(2_000, 2_000, lost=True), Span(3_900, 2_000)
    assert spans_of(whole, lost, following) == (whole, Span(2_000, 1_900, lost=True), following)


def test_several_lost_ones_in_a_row_share_what_room_there_is() -> None:
    lost = Span(2_000, 2_000, lost=True), Span(4_000, 2_000, lost=True)
    assert spans_of(Span(0, 2_000), *lost, Span(4_000, 2_000))[1:3] == (
        Span(2_000, 1_999, lost=True),
        Span(3_999, 1, lost=True),
    )


@given(st.lists(st.tuples(st.integers(5, 50), st.integers(1, 90), st.booleans()), min_size=1, max_size=9))
def test_nothing_overlaps_and_what_is_there_stays_as_it_is(told: list[tuple[int, int, bool]]) -> None:
    at, spans = 100, [Span(0, 100)]
    for step, lasts, lost in told:
        spans.append(Span(at, lasts if lost else step, lost))
        at += step
    found = spans_of(*spans)
    assert all(before.dts + before.duration <= after.dts for before, after in pairwise(found))
    assert all(span.duration > 0 for span in found)
    assert [span for span in found if not span.lost] == [span for span in spans if not span.lost]
