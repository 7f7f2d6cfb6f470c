"""The places of pictures: whatever the reordering, every picture has one, and parts keep the source's times."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.gop_plan import GopPlan, Timing, even_timings, reorder_depth
from tests.processors.gops import Clip, make_gops

CHUNK = make_gops(Clip(gop_frames=1))[0].video[0]

ORDERS = st.lists(st.integers(1, 4000), min_size=1, max_size=24).flatmap(
    lambda durations: st.tuples(st.just(durations), st.permutations(range(len(durations))))
)
"""Durations of the places of a GOP, and the order in which its pictures are decoded."""


def timings(durations: list[int], order: list[int]) -> list[Timing]:
    starts = [sum(durations[:n]) for n in range(len(durations))]
    return [Timing(starts[n], starts[shown], durations[n]) for n, shown in enumerate(order)]


@given(ORDERS, st.integers(1, 7))
def test_every_picture_has_a_place_of_its_own_and_parts_keep_their_times(
    drawn: tuple[list[int], list[int]], size: int
) -> None:
    durations, order = drawn
    all_timings = timings(durations, order)
    plan = GopPlan()
    for at in range(0, len(order), size):
        plan.add(CHUNK, all_timings[at : at + size])
    assert sorted(plan.number(t.pts) for t in all_timings) == list(range(plan.pictures))
    for timing in all_timings:
        number = plan.number(timing.pts)
        place = plan.place(number)
        assert place == Timing(all_timings[number].dts, timing.pts, all_timings[number].duration)
        part = plan[plan.part_of(number)]
        assert part.first <= number < part.end
    assert plan.part_of(plan.pictures) == len(plan)


@given(ORDERS, st.integers(1, 7))
def test_a_number_is_final_when_all_that_is_shown_before_is_known(
    drawn: tuple[list[int], list[int]], size: int
) -> None:
    """A decoder gives a picture when it has all earlier ones: its number is then what it is in the end."""
    durations, order = drawn
    all_timings = timings(durations, order)
    whole, growing = GopPlan(), GopPlan()
    whole.add(CHUNK, all_timings)
    for at in range(0, len(order), size):
        growing.add(CHUNK, all_timings[at : at + size])
        known = {t.pts for t in all_timings[: at + size]}
        later = [t.pts for t in all_timings[at + size :]]
        for pts in known:
            if all(pts < other for other in later):
                assert growing.number(pts) == whole.number(pts)


@given(ORDERS)
def test_the_reorder_depth_is_what_a_decoder_must_hold_back(drawn: tuple[list[int], list[int]]) -> None:
    """With so many pictures held back they come out in order; with one less they do not."""
    all_timings = timings(*drawn)

    def shown(depth: int) -> list[int]:
        held: list[int] = []
        out = []
        for timing in all_timings:
            held.append(timing.pts)
            if len(held) > depth:
                held.sort()
                out.append(held.pop(0))
        return out + sorted(held)

    depth = reorder_depth(all_timings)
    assert shown(depth) == sorted(shown(depth))
    assert depth == 0 or shown(depth - 1) != sorted(shown(depth - 1))


@given(st.integers(0, 500), st.integers(0, 1 << 40), st.integers(0, 900_000))
def test_even_timings_fill_what_the_record_says(frames: int, dts: int, duration: int) -> None:
    spread = even_timings(replace(CHUNK, frames=frames, dts=dts, duration=duration))
    assert len(spread) == max(1, frames)
    assert (spread[0].dts, sum(t.duration for t in spread)) == (dts, duration)
    assert all(a.dts + a.duration == b.dts for a, b in pairwise(spread))
