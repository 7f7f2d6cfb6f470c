"""A worker that cannot keep up leaves out rungs from the top, takes them back in calm, and never swings."""

import pytest

from processors.admission import BEHIND_S, CALM_S, DOWN_AFTER_S, LIVE_MS, UP_EVERY_S, Admission

SHED_S = 2.0
LATE_MS = 12_000
PIXELS = (1920 * 1080, 1280 * 720, 854 * 480, 640 * 360, 426 * 240)
RUNGS = len(PIXELS) - 1


def admission(threads: int = 2) -> Admission:
    made = Admission(threads, SHED_S, LATE_MS)
    made.rungs(PIXELS, 100, 0.0)
    return made


def run(tried: Admission, lag_s: float, from_s: float, to_s: float, cpu_s: float = 0.0) -> list[int]:
    """What is left out after each second of such a lag, while encoders use so much."""
    left_out = []
    for second in range(round(from_s), round(to_s)):
        tried.spent(cpu_s, second)
        tried.adjust(lag_s, second)
        left_out.append(tried.left_out)
    return left_out


@pytest.mark.parametrize(
    ("age_ms", "lag_s", "without"),
    [
        (100, 0.0, 0),
        (100, BEHIND_S + 1, RUNGS),
        (LIVE_MS, BEHIND_S + 600, 0),
        (LATE_MS - 1, 0.0, 0),
        (LATE_MS, 0.0, RUNGS),
    ],
)
def test_what_is_live_goes_first_what_is_late_waits_and_between_them_reading_waits(
    age_ms: int, lag_s: float, without: int
) -> None:
    assert admission().rungs(PIXELS, age_ms, lag_s) == without


def test_rungs_are_left_out_one_after_the_other_and_the_smallest_stays() -> None:
    tried = admission()
    steps = run(tried, SHED_S + 0.1, 0, 20)
    assert sorted(steps) == steps
    assert steps[0] == 1
    assert steps.index(2) == UP_EVERY_S
    assert steps[-1] == RUNGS - 1
    assert tried.rungs(PIXELS, 100, 0.0) == RUNGS - 1
    assert tried.rungs(PIXELS[:2], 100, 0.0) == 0, "a ladder of one rung keeps it"


def test_a_rung_comes_back_after_a_calm_while_and_not_before() -> None:
    tried = admission()
    run(tried, SHED_S + 0.1, 0, 3)
    assert tried.left_out == 2
    calm = run(tried, CALM_S / 2, 3, 40)
    assert calm.index(1) == DOWN_AFTER_S
    assert calm[-1] == 0


def test_a_lag_that_is_neither_calm_nor_too_much_changes_nothing() -> None:
    tried = admission()
    run(tried, SHED_S + 0.1, 0, 1)
    assert set(run(tried, (CALM_S + SHED_S) / 2, 1, 200)) == {1}


def test_a_rung_does_not_come_back_while_the_encoders_have_no_room_for_it() -> None:
    tried = admission(threads=1)
    run(tried, SHED_S + 0.1, 0, 1, cpu_s=0.7)
    assert set(run(tried, 0.0, 1, 100, cpu_s=0.7)) == {1}
    assert 0.5 < tried.busy(100.0) < 0.8
    assert run(tried, 0.0, 100, 130, cpu_s=0.2)[-1] == 0


def test_a_rung_that_proved_too_much_is_tried_again_later_each_time() -> None:
    tried = admission()
    now_s, waits = 0.0, []
    for _ in range(4):
        run(tried, SHED_S + 0.1, now_s, now_s + 1)
        began_s = now_s = now_s + 1
        while tried.left_out:
            tried.adjust(0.0, now_s)
            now_s += 1
        waits.append(now_s - began_s)
        now_s += UP_EVERY_S
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]
