import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.cmaf import Sample
from media.parts import MIN_FILL, PartBuilder, nominal_rate, part_target_ms


def builder(max_bytes: int = 1 << 20) -> PartBuilder:
    return PartBuilder(90_000, 250, max_bytes, announced=None, cut_at_keyframes=True)


def sample(at_ms: int, lasts_ms: int, size: int = 1, *, keyframe: bool = False) -> Sample:
    return Sample(bytes(size), at_ms * 90, 0, lasts_ms * 90, keyframe)


def at_rate(rate: Fraction, frames: int, phase: Fraction = Fraction(0)) -> list[Sample]:
    times = [int(phase + 1000 * n / rate) for n in range(frames + 1)]
    return [sample(a, b - a) for a, b in itertools.pairwise(times)]


def lasts_ms(part: tuple[Sample, ...]) -> float:
    return sum(one.duration for one in part) / 90


@pytest.mark.parametrize(
    ("rate", "target", "frames"),
    [
        ("30", 250, 7), ("25", 250, 6), ("60", 250, 14), ("60000/1001", 250, 14), ("50", 250, 12),
        ("24000/1001", 225, 5), ("24", 225, 5), ("20", 220, 4), ("15", 220, 3), ("10", 220, 2), ("5", 220, 1),
        ("3", 335, 1), ("1", 1005, 1), ("120", 250, 29),
    ],
)  # fmt: skip
def test_the_target_follows_from_the_frame_rate(rate: str, target: int, frames: int) -> None:
    build = builder()
    made = [part for one in at_rate(Fraction(rate), 400) for part in build.add(one)]
    assert build.target_ms == target == pytest.approx(part_target_ms(float(1000 / Fraction(rate)), 250), abs=5)
    assert {len(part) for part in made} == {frames}


@settings(deadline=None)
@given(st.fractions(Fraction(1, 4), 120, max_denominator=1001), st.fractions(0, 1), st.integers(100, 500))
def test_parts_of_a_constant_rate_keep_to_the_target_and_fill_it(rate: Fraction, phase: Fraction, wanted: int) -> None:
    build = PartBuilder(90_000, wanted, 1 << 20, announced=None, cut_at_keyframes=True)
    frames = at_rate(rate, 150, phase)
    made = [part for one in frames for part in build.add(one)]
    assert all(MIN_FILL * build.target_ms <= lasts_ms(part) <= build.target_ms for part in made)
    assert [one for part in [*made, *build.flush()] for one in part] == frames


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60])
@given(jitter=st.lists(st.integers(-5, 5), min_size=100, max_size=100))
@settings(deadline=None, max_examples=50)
def test_frames_that_come_a_little_early_or_late_still_fill_parts(rate: int, jitter: list[int]) -> None:
    build = PartBuilder(90_000, 200, 1 << 20, announced=Fraction(rate), cut_at_keyframes=True)
    steady = at_rate(Fraction(rate), 60)
    times = [one.dts // 90 for one in steady]
    shaken = [at + shift for at, shift in zip(times[len(times) // 2 :], jitter, strict=False)]
    times = [*times[: len(times) // 2], *itertools.accumulate(shaken, max)]
    made = [part for a, b in itertools.pairwise(times) if b > a for part in build.add(sample(a, b - a))]
    assert all(MIN_FILL * build.target_ms <= lasts_ms(part) <= build.target_ms for part in made)


def test_the_target_is_chosen_again_when_the_frame_rate_changes() -> None:
    build = PartBuilder(90_000, 200, 1 << 20, announced=None, cut_at_keyframes=True)
    for one in at_rate(Fraction(60), 120):
        build.add(one)
    assert build.target_ms == 200
    for n in range(40):
        build.add(sample(2000 + n * 40, 40))
    build.reconsider()
    assert build.target_ms == 175
    made = [part for n in range(40) for part in build.add(sample(3600 + n * 40, 40))]
    assert all(MIN_FILL * 175 <= lasts_ms(part) <= 175 for part in made[1:])


@pytest.mark.parametrize(("rate", "frames", "target"), [(48_000, 11, 250), (44_100, 10, 250), (16_000, 3, 210)])
def test_audio_frames_have_a_target_of_their_own(rate: int, frames: int, target: int) -> None:
    build = PartBuilder(rate, 250, 1 << 20, announced=None, cut_at_keyframes=False)
    sounds = [Sample(b"a", 1024 * n, 0, 1024, keyframe=True) for n in range(100)]
    assert {len(part) for one in sounds for part in build.add(one)} == {frames}
    assert build.target_ms == target


def test_a_part_is_given_out_with_its_last_frame_not_with_the_next_one() -> None:
    build = builder()
    made = [build.add(one) for one in at_rate(Fraction(30), 7)]
    assert [len(parts) for parts in made] == [0, 0, 0, 0, 0, 0, 1]


def test_a_keyframe_begins_a_part_only_when_the_one_before_it_is_long_enough() -> None:
    build = builder()
    early = [build.add(sample(n * 40, 40, keyframe=n == 3)) for n in range(6)]
    assert [len(parts) for parts in early] == [0, 0, 0, 0, 0, 1]
    build = builder()  # 9 frames of 25 ms are 90 %, and a tenth would fit
    parts = [part for n in range(12) for part in build.add(sample(n * 25, 25, keyframe=n == 9))]
    assert [len(part) for part in parts] == [9]


def test_bytes_bound_a_part_before_its_time_does() -> None:
    build = builder(max_bytes=1000)
    frames = [sample(n * 33, 33, size=400) for n in range(8)]
    parts = [part for one in frames for part in build.add(one)]
    assert [len(part) for part in parts] == [2, 2, 2]


def test_a_hole_ends_a_part() -> None:
    build = builder()
    frames = [*at_rate(Fraction(30), 20), sample(5000, 33), sample(5033, 33)]
    parts = [part for one in frames for part in build.add(one)]
    assert [len(part) for part in [*parts, *build.flush()]] == [7, 7, 6, 2]


def test_a_first_frame_that_lingers_is_no_frame_rate() -> None:
    build = builder()
    assert build.add(sample(0, 500)) == []
    assert build.add(sample(500, 33)) == []
    parts = build.add(sample(533, 33))
    assert [lasts_ms(part) for part in parts] == [500]
    assert (build.target_ms, build.frame_rate) == (250, 30)


def test_the_target_is_raised_when_single_frames_pass_it() -> None:
    build = builder()
    for one in at_rate(Fraction(30), 60):
        build.add(one)
    for n in range(40):
        build.add(sample(2000 + n * 1000, 1000))
    build.reconsider()
    assert build.target_ms == 1005


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 700), st.integers(1, 400), st.booleans()), max_size=80))
def test_whatever_the_durations_no_frame_is_lost_and_only_single_frames_pass_the_target(
    made: list[tuple[int, int, bool]],
) -> None:
    build = builder(max_bytes=1000)
    starts = itertools.accumulate((lasts for lasts, _, _ in made), initial=0)
    frames = [sample(at, lasts, size, keyframe=key) for at, (lasts, size, key) in zip(starts, made, strict=False)]
    parts = []
    for one in frames:
        for part in build.add(one):
            parts.append(part)
            assert len(part) == 1 or lasts_ms(part) <= max(250, build.target_ms)
            assert len(part) == 1 or sum(len(x.data) for x in part) <= 1000
    assert [one for part in [*parts, *build.flush()] for one in part] == frames


@pytest.mark.parametrize(
    ("frame_ms", "announced", "rate"),
    [
        (33.286, None, 30.0), (33.3, Fraction(30_000, 1001), 29.97), (16.71, None, 59.94), (33.3, Fraction(60), 30.0),
        (41.6, Fraction(24_000, 1001), 23.976), (1000.0, None, 1.0), (90.0, None, 11.111),
    ],
)  # fmt: skip
def test_the_frame_rate_is_what_was_announced_where_the_frames_agree(
    frame_ms: float, announced: Fraction | None, rate: float
) -> None:
    assert nominal_rate(frame_ms, announced) == rate
