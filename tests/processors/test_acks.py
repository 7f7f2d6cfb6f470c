"""Acks go out in the order of the log, once, and none after the partition went."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from processors.acks import AckQueue


@given(st.permutations(range(12)), st.lists(st.integers(0, 11)))
def test_whatever_finishes_first_acks_are_in_order_and_complete_up_to_the_first_unfinished(
    order: list[int], twice: list[int]
) -> None:
    acked: list[int] = []
    queue = AckQueue()
    held = [queue.add(partial(acked.append, n)) for n in range(12)]
    finished: set[int] = set()
    for n in order:
        held[n].finish()
        finished.add(n)
        first_left = min(set(range(12)) - finished, default=12)
        assert acked == list(range(first_left))
    for n in twice:
        held[n].finish()
    assert acked == list(range(12))
    assert len(queue) == 0


def test_nothing_is_acknowledged_after_the_partition_went() -> None:
    acked: list[int] = []
    queue = AckQueue()
    first, second = (queue.add(partial(acked.append, n)) for n in range(2))
    second.finish()
    queue.forget()
    first.finish()
    assert acked == []
    queue.add(partial(acked.append, 7)).finish()
    assert acked == [7]
