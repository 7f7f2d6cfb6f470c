"""Bursts are what the log's totals grew by: the same counts at every gateway, whenever each of them ticks."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.bursts import FRESH_MS, Bursts
from schemas.events import TotalsChanged
from tests.gateway.feed_document import check

NOW_MS = 1_790_000_000_000


def totals(offset: int, at_ms: int = NOW_MS, **reactions: int) -> TotalsChanged:
    return TotalsChanged(
        video_id="v1",
        channel="ann",
        as_of_offset=offset,
        as_of_ms=at_ms,
        likes=0,
        reactions=reactions,
        comment_likes={},
    )


class Told:
    """A gateway that ticks when a test says so."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.bursts = Bursts(self._tell, lambda: NOW_MS)

    def _tell(self, channel: str, video_id: str, message: dict[str, Any]) -> None:
        assert (channel, video_id) == ("ann", "v1")
        self.messages.append(check(message))

    @property
    def counts(self) -> list[dict[str, int]]:
        return [message["counts"] for message in self.messages]


def test_one_message_a_tick_says_what_came_since_the_one_before() -> None:
    told = Told()
    told.bursts.apply(totals(1, NOW_MS - 1, heart=40))
    told.bursts.tick()
    for event in (totals(2, heart=41), totals(3, heart=43, fire=1), totals(3, heart=43, fire=1), totals(2, heart=41)):
        told.bursts.apply(event)
    told.bursts.tick()
    told.bursts.tick()
    told.bursts.apply(totals(4, heart=43, fire=2))
    told.bursts.tick()
    assert told.counts == [{"heart": 3, "fire": 1}, {"fire": 1}]


def test_a_gateway_that_starts_tells_nothing_of_long_ago() -> None:
    told = Told()
    for offset in range(1, 10):
        told.bursts.apply(totals(offset, NOW_MS - FRESH_MS, heart=100 * offset))
    told.bursts.tick()
    told.bursts.apply(totals(10, heart=1_000))
    told.bursts.tick()
    assert told.counts == [{"heart": 100}]


def test_the_first_reactions_of_a_video_are_a_burst() -> None:
    told = Told()
    told.bursts.apply(totals(1, heart=2))
    told.bursts.tick()
    assert told.counts == [{"heart": 2}]


@given(grown=st.lists(st.integers(0, 9), min_size=1, max_size=30), one=st.data(), other=st.data())
def test_gateways_that_tick_at_different_times_tell_the_same_in_sum(
    grown: list[int], one: st.DataObject, other: st.DataObject
) -> None:
    def heard(ticks: st.DataObject) -> int:
        told, hearts = Told(), 0
        told.bursts.apply(totals(0))
        for offset, more in enumerate(grown, 1):
            hearts += more
            told.bursts.apply(totals(offset, heart=hearts))
            if ticks.draw(st.booleans()):
                told.bursts.tick()
        told.bursts.tick()
        return sum(counts["heart"] for counts in told.counts)

    assert heard(one) == heard(other) == sum(grown)
