import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from media.rtmp.timestamps import TimestampUnwrapper

DAY_MS = 24 * 3600 * 1000


def unwrapped(*timestamps: int) -> list[int]:
    times = TimestampUnwrapper()
    return [times.unwrap(timestamp) for timestamp in timestamps]


def test_timestamps_go_on_past_32_bits() -> None:
    top = 1 << 32
    assert unwrapped(top - 40, 0, 40) == [top - 40, top, top + 40]


def test_timestamps_cut_to_24_bits_go_on_past_them() -> None:
    top = 1 << 24
    assert unwrapped(top - 40, 0, 40, 80) == [top - 40, top, top + 40, top + 80]


def test_timestamps_cut_to_31_bits_as_ffmpeg_does_go_on_for_many_hours() -> None:
    top = 1 << 31
    steps = range(top - 30_000, top + 2 * (1 << 24), 10_000)
    assert unwrapped(*(time % top for time in steps)) == list(steps)


def test_one_track_may_be_cut_to_24_bits_and_the_other_not() -> None:
    top = 1 << 24
    assert unwrapped(top - 20, top - 10, 5, top + 15, 25) == [top - 20, top - 10, top + 5, top + 15, top + 25]


def test_a_second_24_bit_wrap_is_passed_too() -> None:
    steps = range((1 << 24) - 30_000, 3 * (1 << 24), 10_000)
    assert unwrapped(*(time % (1 << 24) for time in steps)) == list(steps)


def test_timestamps_beyond_24_bits_are_left_alone() -> None:
    assert unwrapped(0xFFFFFE, 0xFFFFFF, 0x1000000, 0x1000028) == [0xFFFFFE, 0xFFFFFF, 0x1000000, 0x1000028]


def test_audio_and_video_step_back_a_little_without_harm() -> None:
    top = 1 << 32
    assert unwrapped(top - 10, 13, top - 5, 36) == [top - 10, top + 13, top - 5, top + 36]


def test_a_jump_back_is_a_jump_back_unless_it_fits_a_wrap() -> None:
    assert unwrapped(3_600_000, 0, 40) == [3_600_000, 0, 40]


def test_a_long_gap_forward_is_kept() -> None:
    assert unwrapped(0, DAY_MS, DAY_MS + 40) == [0, DAY_MS, DAY_MS + 40]


def test_time_before_zero_is_zero_and_does_no_harm_to_what_follows() -> None:
    assert unwrapped(5, (1 << 32) - 20, 28) == [5, 0, 28]


@pytest.mark.parametrize("start", [(1 << 24) - 2_000, (1 << 31) - 1, (1 << 31) + 1, 3_000_000_000, (1 << 32) - 70_000])
def test_a_configuration_sent_at_zero_does_not_move_a_stream_that_starts_anywhere(start: int) -> None:
    # Seen live: FFmpeg with -output_ts_offset sends the configuration at 0 and the first frame at 16,774,933.
    times = [start + 40 * index for index in range(5)]
    assert unwrapped(0, 0, *times) == [0, 0, *times]


@given(
    st.integers(0, (1 << 32) - 1),
    st.lists(st.integers(-30_000, 30_000) | st.integers(30_000, 7 * DAY_MS), max_size=50),
)
def test_a_stream_of_steps_is_given_back_however_often_it_wraps(start: int, steps: list[int]) -> None:
    clock, wanted = start, [start]
    for step in steps:
        clock += step
        wanted.append(clock)
    assume(min(wanted) >= 0)
    # A long step that is nearly a multiple of a shorter wrap may be taken for one, which the tests above pin down.
    steep = [later - earlier for earlier, later in itertools.pairwise(wanted) if abs(later - earlier) > 60_000]
    assume(all(60_000 < step % (1 << 24) < (1 << 24) - 60_000 for step in steep))
    assert unwrapped(*(time % (1 << 32) for time in wanted)) == wanted


@pytest.mark.parametrize("hours", [4.5, 4.7, 1193])
def test_a_stream_of_many_hours_never_jumps(hours: float) -> None:
    start = int(hours * 3600 * 1000)
    times = range(start, start + 7_200_000, 1_000)
    assert unwrapped(*(time % (1 << 32) for time in times)) == list(times)
