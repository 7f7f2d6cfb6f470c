"""Bursts of reactions in a real Cassandra: differences of totals, whatever came twice or late."""

import pytest

from schemas.events import TotalsChanged
from stores.cassandra import Cassandra
from stores.reaction_bursts import MAX_RANGE_MS, Burst, BurstStore, moment_writes

pytestmark = pytest.mark.integration
DAY_MS = 86_400_000
MIDNIGHT = 20_000 * DAY_MS


def totals(video_id: str, offset: int, at_ms: int, likes: int, **reactions: int) -> TotalsChanged:
    return TotalsChanged(
        video_id=video_id,
        channel="ann",
        as_of_offset=offset,
        as_of_ms=at_ms,
        likes=likes,
        reactions=reactions,
        comment_likes={},
    )


async def test_a_burst_is_what_came_since_the_moment_before_also_over_midnight(session: Cassandra, video: str) -> None:
    events = [
        totals(video, 1, MIDNIGHT - 12_000, 1, heart=2),
        totals(video, 2, MIDNIGHT - 11_000, 2, heart=5),
        totals(video, 3, MIDNIGHT - 4_000, 2, heart=5, clap=1),
        totals(video, 4, MIDNIGHT + 1_000, 1, heart=9, clap=1),
        totals(video, 5, MIDNIGHT + 61_000, 1, heart=9, clap=1),
        totals(video, 6, MIDNIGHT + 71_000, 1, heart=10, clap=1),
    ]
    for event in [*events[::-1], events[0], *events]:
        await session.write(moment_writes(event))
    expected = [
        Burst(MIDNIGHT - 15_000, 2, {"heart": 5}),
        Burst(MIDNIGHT - 5_000, 0, {"clap": 1}),
        Burst(MIDNIGHT, -1, {"heart": 4}),
        Burst(MIDNIGHT + 70_000, 0, {"heart": 1}),
    ]
    store = BurstStore(session)
    assert await store.between(video, MIDNIGHT - 60_000, MIDNIGHT + 100_000) == expected
    assert await store.between(video, MIDNIGHT, MIDNIGHT + 70_000) == expected[2:3]
    assert await store.between(video, MIDNIGHT + 2_000, MIDNIGHT + 100_000) == expected[3:]
    halves = [
        await store.between(video, MIDNIGHT + at, MIDNIGHT + at + 20_000) for at in range(-20_000, 100_000, 20_000)
    ]
    assert [burst for half in halves for burst in half] == expected, "ranges side by side have each burst once"
    assert await store.between(video, MIDNIGHT + 200_000, MIDNIGHT + 300_000) == []


async def test_a_range_has_a_limit(session: Cassandra, video: str) -> None:
    with pytest.raises(ValueError, match="expected a range of up to"):
        await BurstStore(session).between(video, 0, MAX_RANGE_MS + 1)
