import itertools
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.cmaf import Sample
from media.parts import MIN_FILL, PartBuilder, audio_part_target_ms, nominal_rate, video_part_target_ms

RATES = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"]
Part = tuple[Sample, ...]


def builder(max_bytes: int = 1 << 20, wanted_ms: int = 200) -> PartBuilder:
    return PartBuilder(90_000, wanted_ms, max_bytes, announced=None, video=True)


def sample(at_ms: int, lasts_ms: int, size: int = 1, *, keyframe: bool = False) -> Sample:
    return Sample(bytes(size), at_ms * 90, 0, lasts_ms * 90, keyframe)


def lasting(durations_ms: Sequence[int]) -> list[Sample]:
    """Frames that follow one another, each lasting so long."""
    starts = itertools.accumulate(durations_ms, initial=0)
    return [sample(at, lasts) for at, lasts in zip(starts, durations_ms, strict=False)]


def at_rate(rate: Fraction, frames: int, phase: Fraction = Fraction(0)) -> list[Sample]:
    times = [int(phase + 1000 * n / rate) for n in range(frames + 1)]
    return lasting([b - a for a, b in itertools.pairwise(times)])


def ticks(part: Part) -> int:
    return sum(one.duration for one in part)


def assert_fills(parts: Sequence[Part], target_ticks: int) -> None:
    """No part is longer than the target; none but the last one is shorter than 85 % of it."""
    assert all(ticks(part) <= target_ticks for part in parts)
    assert all(ticks(part) >= MIN_FILL * target_ticks for part in parts[:-1])


def assert_same_pictures(parts: Sequence[Part], frames: Sequence[Sample]) -> None:
    """Every frame is there once, in order, shown when it was to be shown, and decoded after the one before it."""
    given_out = [one for part in parts for one in part]
    assert [(one.data, one.dts + one.cts_offset, one.keyframe) for one in given_out] == [
        (one.data, one.dts + one.cts_offset, one.keyframe) for one in frames
    ]
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(given_out))
    assert all(one.duration > 0 for one in given_out)
    assert all(mine.dts <= theirs.dts for mine, theirs in zip(given_out, frames, strict=True))


@pytest.mark.parametrize("wanted_ms", [100, 200, 250, 333, 500])
@pytest.mark.parametrize("rate", RATES)
def test_parts_of_every_usual_rate_keep_to_the_wanted_target_and_fill_it(rate: str, wanted_ms: int) -> None:
    build = builder(wanted_ms=wanted_ms)
    frames = at_rate(Fraction(rate), 1000)
    made = [part for one in frames for part in build.add(one)] + build.flush()
    assert build.target_ms == wanted_ms
    assert_fills(made, wanted_ms * 90)
    assert_same_pictures(made, frames)
    ahead = [b.dts - a.dts for a, b in zip((one for part in made for one in part), frames, strict=True)]
    assert max(ahead) <= max(one.duration for one in frames)


@settings(deadline=None)
@given(st.lists(st.integers(1, 170), min_size=1, max_size=300), st.integers(170, 500))
def test_any_variable_frame_rate_keeps_to_the_target_and_fills_it(durations_ms: list[int], wanted_ms: int) -> None:
    build = builder(wanted_ms=wanted_ms)
    frames = lasting(durations_ms)
    made = [part for one in frames for part in build.add(one)] + build.flush()
    assert build.target_ms == wanted_ms
    assert_fills(made, wanted_ms * 90)
    assert_same_pictures(made, frames)


@settings(deadline=None)
@given(st.sampled_from(RATES), st.lists(st.tuples(st.integers(0, 200), st.integers(100, 1_500)), max_size=6))
def test_a_stuttering_publisher_changes_no_target_and_the_clocks_meet_again(
    rate: str, stalls: list[tuple[int, int]]
) -> None:
    durations = [one.duration // 90 for one in at_rate(Fraction(rate), 400)]
    for at, lasts_ms in stalls:
        durations[at] += lasts_ms
    build = builder()
    frames = lasting(durations)
    made = [part for one in frames for part in build.add(one)] + build.flush()
    if all(abs(a - b) > 4 for (a, _), (b, _) in itertools.combinations(stalls, 2)):
        assert build.target_ms == 200
        assert_fills(made, 200 * 90)
    assert_same_pictures(made, frames)


@pytest.mark.parametrize(("rate", "target"), [("5", 200), ("4", 280), ("3", 375), ("1", 1115)])
def test_a_source_of_few_frames_has_a_target_that_a_frame_fills(rate: str, target: int) -> None:
    build = builder()
    made = [part for one in at_rate(Fraction(rate), 60) for part in build.add(one)]
    assert build.target_ms == target == video_part_target_ms(float(1000 / Fraction(rate)), 200)
    assert_fills(made, target * 90)


def test_the_target_is_raised_when_the_source_slows_down_for_good() -> None:
    build = builder()
    frames = [*at_rate(Fraction(30), 60), *(sample(2000 + n * 1000, 1000) for n in range(40))]
    made = [part for one in frames for part in build.add(one)]
    assert build.target_ms == 1115
    assert max(map(ticks, made)) <= 1115 * 90
    first, last = made[0][0], made[-1][-1]
    assert first.cts_offset == last.cts_offset == 0, "what was decoded early at the turn was made up for"


def test_a_picture_that_lingers_fills_one_part_and_the_next_is_decoded_early() -> None:
    build = builder()
    frames = lasting([40] * 10 + [600] + [40] * 20)
    made = [part for one in frames for part in build.add(one)]
    assert [len(part) for part in made[:7]] == [5, 5, 1, 1, 1, 3, 5]
    assert [part[0].cts_offset // 90 for part in made[:7]] == [0, 0, 0, 400, 240, 80, 0]


@pytest.mark.parametrize("wanted_ms", [100, 150, 200, 250, 400, 500])
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
def test_audio_frames_fill_a_target_of_their_own(rate_hz: int, wanted_ms: int) -> None:
    build = PartBuilder(rate_hz, wanted_ms, 1 << 20, announced=None, video=False)
    sounds = [Sample(b"a", 1024 * n, 0, 1024, keyframe=True) for n in range(100)]
    made = [part for one in sounds for part in build.add(one)] + build.flush()
    target = build.target_ms
    assert target == audio_part_target_ms(1_024_000 / rate_hz, wanted_ms)
    assert target <= wanted_ms or target * rate_hz < (1024 * 1000 + 5 * rate_hz)
    assert all(ticks(part) * 1000 <= target * rate_hz for part in made)
    assert all(ticks(part) * 1000 >= MIN_FILL * target * rate_hz for part in made[:-1])
    assert [one for part in made for one in part] == sounds


@pytest.mark.parametrize(("rate_hz", "frames"), [(48_000, 9), (44_100, 8), (32_000, 6), (24_000, 4), (16_000, 3)])
def test_usual_audio_keeps_to_the_default_target(rate_hz: int, frames: int) -> None:
    assert audio_part_target_ms(1_024_000 / rate_hz, 200) == 200
    assert 170 <= frames * 1_024_000 / rate_hz <= 200


def test_a_part_is_given_out_with_its_last_frame_not_with_the_next_one() -> None:
    build = builder()
    made = [build.add(one) for one in at_rate(Fraction(30), 6)]
    assert [len(parts) for parts in made] == [0, 0, 0, 0, 0, 1]


def test_a_keyframe_begins_a_part_only_when_the_one_before_it_is_long_enough() -> None:
    build = builder()
    early = [build.add(sample(n * 40, 40, keyframe=n == 3)) for n in range(6)]
    assert [len(parts) for parts in early] == [0, 0, 0, 0, 1, 0]
    build = builder()  # 9 frames of 20 ms are 90 %, and a tenth would fit
    parts = [part for n in range(12) for part in build.add(sample(n * 20, 20, keyframe=n == 9))]
    assert [len(part) for part in parts] == [9]


def test_bytes_bound_a_part_before_its_time_does() -> None:
    build = builder(max_bytes=1000)
    frames = [sample(n * 33, 33, size=400) for n in range(8)]
    parts = [part for one in frames for part in build.add(one)]
    assert [len(part) for part in parts] == [2, 2, 2]


def test_a_hole_ends_a_part_of_audio() -> None:
    build = PartBuilder(48_000, 200, 1 << 20, announced=None, video=False)
    sounds = [Sample(b"a", 1024 * n + (100_000 if n > 12 else 0), 0, 1024, keyframe=True) for n in range(20)]
    parts = [part for one in sounds for part in build.add(one)]
    assert [len(part) for part in [*parts, *build.flush()]] == [9, 4, 7]


def test_a_first_frame_that_lingers_is_no_frame_rate() -> None:
    build = builder()
    for one in lasting([500, *([33] * 30)]):
        build.add(one)
    assert (build.target_ms, build.frame_rate) == (200, 30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 700), st.integers(1, 400), st.booleans()), max_size=80))
def test_whatever_the_durations_and_sizes_no_frame_is_lost(made: list[tuple[int, int, bool]]) -> None:
    build = builder(max_bytes=1000)
    starts = itertools.accumulate((lasts for lasts, _, _ in made), initial=0)
    frames = [sample(at, lasts, size, keyframe=key) for at, (lasts, size, key) in zip(starts, made, strict=False)]
    parts = []
    for one in frames:
        for part in build.add(one):
            parts.append(part)
            assert ticks(part) <= build.target_ms * 90
            assert len(part) == 1 or sum(len(x.data) for x in part) <= 1000
    assert_same_pictures([*parts, *build.flush()], frames)


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
