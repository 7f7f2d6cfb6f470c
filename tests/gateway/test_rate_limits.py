"""Nobody does a thing more often than its limit says, whatever the others do, and memory stays bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem
from gateway.rate_limits import RateLimits


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_then_one_each_interval() -> None:
    clock = Clock()
    limits = RateLimits("test", 0.5, 3, now=clock)
    assert [limits.take("ann") for _ in range(4)] == [0, 0, 0, 2.0]
    assert limits.take("ben") == 0, "of each key apart"
    clock.now += 1.5
    assert limits.take("ann") == 0.5
    clock.now += 0.5
    assert limits.take("ann") == 0
    assert limits.take("ann") == 2.0, "asking too early cost nothing, and gave nothing"


def test_who_is_too_fast_is_told_when_to_come_back() -> None:
    limits = RateLimits("test", 0.25, 1, now=Clock())
    limits.must_take("ann")
    with pytest.raises(Problem, match="try again in 4 s") as caught:
        limits.must_take("ann")
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "4")


def test_what_was_not_used_longest_is_forgotten_first() -> None:
    limits = RateLimits("test", 0.001, 1, most_keys=2, now=Clock())
    for key in ("ann", "ben"):
        assert limits.take(key) == 0
    assert limits.take("cat") == 0
    assert len(limits) == 2
    assert limits.take("ben") > 0
    assert limits.take("ann") == 0


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5))
def test_in_no_span_of_time_is_more_let_through_than_the_burst_and_the_rate(gaps: list[float], burst: int) -> None:
    clock = Clock()
    limits = RateLimits("test", 1.0, burst, now=clock)
    taken = []
    for gap in gaps:
        clock.now += gap
        if limits.take("ann") == 0:
            taken.append(clock.now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + taken[last] - taken[first] + 1e-6
