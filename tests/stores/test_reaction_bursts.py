"""Bursts in a real Cassandra: likes as differences of totals, reactions by position, whatever came twice or late."""

import pytest

from schemas.events import PlacedMoment, ReactionsPlaced, TotalsChanged
from stores.cassandra import Cassandra
from stores.reaction_bursts import MAX_RANGE_MS, Burst, BurstStore, moment_writes, place_writes

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


def placed(video_id: str, number: int, gateway_id: str = "run-1", **moments: dict[str, int]) -> ReactionsPlaced:
    """Reactions to seconds from midnight on (`s7`: the seventh)."""
    return ReactionsPlaced(
        video_id=video_id,
        channel="ann",
        gateway_id=gateway_id,
        number=number,
        recorded_ms=MIDNIGHT + 100_000,
        moments=tuple(PlacedMoment(at_ms=MIDNIGHT + 1_000 * int(at[1:]), reactions=n) for at, n in moments.items()),
    )


async def test_likes_are_what_came_since_the_moment_before_also_over_midnight(session: Cassandra, video: str) -> None:
    events = [
        totals(video, 1, MIDNIGHT - 12_000, 1),
        totals(video, 2, MIDNIGHT - 11_000, 2),
        totals(video, 3, MIDNIGHT - 4_000, 3),
        totals(video, 4, MIDNIGHT + 1_000, 1),
        totals(video, 5, MIDNIGHT + 61_000, 1, heart=9),
        totals(video, 6, MIDNIGHT + 71_000, 2),
    ]
    for event in [*events[::-1], events[0], *events]:
        await session.write(moment_writes(event))
    expected = [
        Burst(MIDNIGHT - 15_000, 2, {}),
        Burst(MIDNIGHT - 5_000, 1, {}),
        Burst(MIDNIGHT, -2, {}),
        Burst(MIDNIGHT + 70_000, 1, {}),
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


async def test_reactions_to_a_moment_are_added_up_over_gateways_whatever_comes_twice(
    session: Cassandra, video: str
) -> None:
    events = [
        placed(video, 1, s7={"heart": 2}, s8={"heart": 1, "fire": 1}, s599={"clap": 1}),
        placed(video, 2, s9={"heart": 1}, s601={"wow": 2}),
        placed(video, 1, "run-2", s7={"heart": 4}),
        placed(video, 3, s7={"unknown": 1, "fire": -1}),
    ]
    for event in [*events, *events[::-1]]:
        await session.write(place_writes(event))
    store = BurstStore(session)
    expected = [
        Burst(MIDNIGHT + 5_000, 0, {"heart": 8, "fire": 1}),
        Burst(MIDNIGHT + 595_000, 0, {"clap": 1}),
        Burst(MIDNIGHT + 600_000, 0, {"wow": 2}),
    ]
    assert await store.between(video, MIDNIGHT, MIDNIGHT + 700_000) == expected
    assert await store.between(video, MIDNIGHT + 595_000, MIDNIGHT + 600_000) == expected[1:2]
    await session.write(moment_writes(totals(video, 1, MIDNIGHT + 6_000, 3)))
    assert (await store.between(video, MIDNIGHT, MIDNIGHT + 10_000)) == [
        Burst(MIDNIGHT + 5_000, 3, {"heart": 8, "fire": 1})
    ]


async def test_a_range_has_a_limit(session: Cassandra, video: str) -> None:
    with pytest.raises(ValueError, match="expected a range of up to"):
        await BurstStore(session).between(video, 0, MAX_RANGE_MS + 1)
