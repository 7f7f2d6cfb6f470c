import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.timeline import DRIFT_MS, Anchor, AudioClock, AudioTime, VideoClock, VideoTime, is_jump

HERE = Anchor(0, 0)


@pytest.mark.parametrize(
    ("previous", "timestamp", "jumps"),
    [(0, 33, False), (100, 50, False), (100, 49, True), (0, 10_000, False), (0, 10_001, True), (1 << 32, 0, True)],
)
def test_a_leap_is_back_beyond_rounding_or_ten_seconds_ahead(previous: int, timestamp: int, jumps: bool) -> None:
    assert is_jump(previous, timestamp) is jumps


def test_an_anchor_ties_three_clocks_together() -> None:
    anchor = Anchor.at(timestamp_ms=5_000, media_ms=60_000, received_ms=1_000_000, earliest_wall_ms=0)
    assert anchor.media_ms(5_040) == 60_040
    assert anchor.wall_ms(60_040) == 1_000_040


def test_the_wall_clock_never_runs_back_from_one_anchor_to_the_next() -> None:
    anchor = Anchor.at(timestamp_ms=0, media_ms=100, received_ms=500, earliest_wall_ms=900)
    assert anchor.wall_ms(100) == 900


def test_video_keeps_the_publishers_milliseconds() -> None:
    clock = VideoClock(HERE)
    times = [clock.place(ms, 0, idr=ms == 0).dts for ms in (0, 33, 67, 100)]
    assert times == [0, 33 * 90, 67 * 90, 100 * 90]


def test_an_idr_is_decoded_when_it_is_shown_and_b_frames_get_signed_offsets() -> None:
    clock = VideoClock(Anchor(-67, 0))  # I P b b in decode order, 30 fps, two frames of delay
    given_ms = [(0, 67, True), (34, 167, False), (67, 100, False), (100, 134, False)]
    times = [clock.place(dts, pts - dts, idr=idr) for dts, pts, idr in given_ms]
    assert times[0] == VideoTime(0, 0)
    assert [(time.dts + time.cts_offset) // 90 for time in times] == [0, 100, 33, 67]
    assert min(time.cts_offset for time in times) < 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-40, 60), st.integers(-200, 200), st.booleans()), max_size=80))
def test_video_decode_times_rise_and_presentation_times_are_exact(steps: list[tuple[int, int, bool]]) -> None:
    clock = VideoClock(Anchor(1_000_000, 0))
    last, timestamp = -1, 0
    for step, composition, idr in steps:
        timestamp += step
        time = clock.place(timestamp, composition, idr=idr)
        assert time.dts > last
        assert time.dts + time.cts_offset == (1_000_000 + timestamp + composition) * 90
        last = time.dts


@settings(deadline=None)
@given(st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000]), st.integers(0, 1 << 33))
def test_rounding_to_milliseconds_leaves_no_gap_in_audio(rate: int, first_ms: int) -> None:
    clock = AudioClock(Anchor(-first_ms, 0), 0, rate, 1024)
    places = [clock.place(first_ms + 1024 * 1000 * n // rate, fill_limit=0) for n in range(500)]
    assert places == [AudioTime(1024 * n, 0) for n in range(500)]


@settings(deadline=None)
@given(st.floats(0.995, 1.005))
def test_a_publisher_whose_clock_runs_off_is_followed(speed: float) -> None:
    clock = AudioClock(HERE, 0, 48_000, 1024)
    last = -1024
    for n in range(2_000):
        timestamp = round(1024 * n * speed / 48)
        place = clock.place(timestamp, fill_limit=100)
        if place is None:
            continue
        assert place.dts - place.missing * 1024 == last + 1024
        assert abs(place.dts / 48 - timestamp) <= DRIFT_MS + 1
        last = place.dts


def test_a_hole_is_counted_in_whole_frames_so_that_it_can_be_filled() -> None:
    clock = AudioClock(HERE, 0, 48_000, 1024)
    assert clock.place(0, fill_limit=90) == AudioTime(0, 0)
    assert clock.place(21 + 213, fill_limit=90) == AudioTime(11 * 1024, 10)
    assert clock.place(256, fill_limit=90) == AudioTime(12 * 1024, 0)


def test_a_hole_that_cannot_be_filled_is_left_open() -> None:
    clock = AudioClock(HERE, 0, 48_000, 1024)
    clock.place(0, fill_limit=0)
    assert clock.place(1000, fill_limit=0) == AudioTime(48_000, 0)


def test_frames_for_time_that_is_taken_or_before_the_start_are_left_out() -> None:
    clock = AudioClock(HERE, 1000, 48_000, 1024)
    assert clock.place(980, fill_limit=0) is None
    assert clock.place(1000, fill_limit=0) == AudioTime(48_000, 0)
    assert clock.place(900, fill_limit=0) is None
    assert clock.place(1021, fill_limit=0) == AudioTime(49_024, 0)


@settings(deadline=None)
@given(st.lists(st.integers(-300, 3000), min_size=1, max_size=60), st.integers(0, 60))
def test_audio_never_overlaps_whatever_the_timestamps(steps: list[int], fill_limit: int) -> None:
    clock = AudioClock(HERE, 0, 48_000, 1024)
    places = [clock.place(at, fill_limit=fill_limit) for at in itertools.accumulate(steps)]
    found = [place for place in places if place]
    assert all(b.dts - b.missing * 1024 >= a.dts + 1024 for a, b in itertools.pairwise(found))
    assert all(place.missing <= fill_limit for place in found)
