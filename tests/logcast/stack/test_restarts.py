from hypothesis import given
from hypothesis import strategies as st

from logcast.stack.restarts import RestartRule, Restarts


def waits(rule: RestartRule, lives_s: list[float]) -> list[float]:
    restarts, found = Restarts(rule), []
    for ran_s in lives_s:
        restarts = restarts.after(ran_s)
        found.append(restarts.wait_s)
    return found


def test_waits_double_up_to_the_longest_one() -> None:
    assert waits(RestartRule(first_s=1, max_s=30, patience=9), [0] * 8) == [1, 1, 2, 4, 8, 16, 30, 30]


def test_the_first_restart_may_be_at_once() -> None:
    assert waits(RestartRule(first_s=0), [0, 0, 0]) == [0, 1, 2]


def test_who_ran_long_enough_starts_counting_anew() -> None:
    assert waits(RestartRule(first_s=0, steady_s=30), [0, 0, 0, 31, 0]) == [0, 1, 2, 0, 1]


def test_too_many_fast_failures_are_called_failed_and_tried_again_at_the_longest_wait() -> None:
    restarts = Restarts(RestartRule(patience=3, max_s=20))
    for _ in range(3):
        assert not restarts.failed
        restarts = restarts.after(0)
    assert restarts.failed
    assert restarts.wait_s == 20
    assert not restarts.after(60).failed


def test_an_end_that_was_asked_for_is_no_failure_and_is_not_waited_after() -> None:
    restarts = Restarts(RestartRule(first_s=1)).after(0).after(0).asked_for()
    assert restarts.wait_s == 0
    assert not restarts.failed
    assert restarts.after(0).wait_s == 1


@given(st.lists(st.floats(0, 100)), st.floats(0, 10), st.floats(0, 100))
def test_no_wait_is_longer_than_the_longest(lives_s: list[float], first_s: float, max_s: float) -> None:
    assert all(0 <= wait <= max_s for wait in waits(RestartRule(first_s=first_s, max_s=max_s), lives_s))
