"""The arithmetic of a benchmark's viewer: what is a stall, and what is not."""

from benchmarks.fanout.source import PART_MS, Stream
from benchmarks.fanout.viewers import HOLD_BACK_S, Seen, Viewer

PART_S = PART_MS / 1000


def played(late_s: dict[int, float], parts: int = 20) -> Seen:
    """A viewer who gets part n at n x 200 ms, some of them late."""
    seen = Seen()
    viewer = Viewer("127.0.0.1", 1, "/", seen, lambda: True)
    for number in range(parts):
        viewer._play(100 + number * PART_S + late_s.get(number, 0.0), 100 + number * PART_S, 10, at_edge=True)
    return seen


def test_parts_in_time_are_no_stall() -> None:
    seen = played({})
    assert (seen.stalls, seen.parts) == (0, 20)
    assert abs(min(seen.margins_s) - (HOLD_BACK_S - PART_S)) < 1e-6


def test_a_part_that_comes_before_the_buffer_is_empty_is_no_stall() -> None:
    assert played({10: 0.39}).stalls == 0


def test_a_part_that_comes_later_is_a_stall_as_long_as_the_picture_stood() -> None:
    seen = played({10: 0.7})
    assert seen.stalls == 1
    assert abs(seen.stalled_s - 0.3) < 1e-6


def test_a_line_that_stays_late_stalls_once() -> None:
    assert played(dict.fromkeys(range(10, 20), 0.7)).stalls == 1


def test_a_part_has_the_bytes_of_its_rate() -> None:
    assert Stream("v", 1000).part_bytes == 25_000
