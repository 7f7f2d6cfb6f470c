"""Totals, polls and viewers in a real Cassandra, as the consumers write them."""

import pytest

from consumers.projections.table import writes_of_event
from schemas.events import Event, PollChanged, TotalsChanged, ViewersChanged
from stores.cassandra import Cassandra
from stores.engagement import MINUTE_MS, EngagementStore

pytestmark = pytest.mark.integration
START_MS = 1_700_000_040_000


async def write(session: Cassandra, *events: Event) -> None:
    for event in events:
        await session.write(list(writes_of_event(event)))


def totals(video: str, offset: int, at_ms: int) -> TotalsChanged:
    return TotalsChanged(
        video_id=video,
        channel="ann",
        as_of_offset=offset,
        as_of_ms=at_ms,
        likes=offset,
        reactions={"heart": offset * 2},
        comment_likes={},
    )


def viewers(video: str, offset: int, at_ms: int) -> ViewersChanged:
    return ViewersChanged(
        video_id=video,
        channel="ann",
        viewers=offset,
        peak=offset + 1,
        peak_ms=at_ms,
        unique=offset + 2,
        as_of_offset=offset,
        as_of_ms=at_ms,
    )


def poll(video: str, offset: int, poll_id: str, opened_ms: int, closed_ms: int | None) -> PollChanged:
    return PollChanged(
        video_id=video,
        channel="ann",
        poll_id=poll_id,
        question="Who wins?",
        options=("red", "blue"),
        opened_ms=opened_ms,
        opened_by="ann",
        closed_ms=closed_ms,
        votes=(offset, 0),
        as_of_offset=offset,
        as_of_ms=opened_ms,
    )


async def test_a_video_of_which_nothing_is_known_has_nothing(session: Cassandra, video: str) -> None:
    store = EngagementStore(session)
    assert await store.totals(video) is None
    assert await store.viewers(video) is None
    assert await store.polls(video) == []
    assert await store.minutes(video, 0, 2**53, 10) == []


async def test_the_latest_totals_stay_whatever_comes_again(session: Cassandra, video: str) -> None:
    await write(session, totals(video, 5, START_MS), totals(video, 7, START_MS + 1), totals(video, 6, START_MS))
    found = await EngagementStore(session).totals(video)
    assert found is not None
    assert (found.likes, found.reactions, found.as_of_ms) == (7, {"heart": 14}, START_MS + 1)


async def test_minutes_are_pages_of_a_range(session: Cassandra, video: str) -> None:
    events = [totals(video, n, START_MS + n * 20_000) for n in range(9)]
    await write(session, *events, *(viewers(video, n, START_MS + n * 20_000) for n in range(9)))
    store = EngagementStore(session)
    every = await store.minutes(video, 0, 2**53, 10)
    assert [(row["minute_ms"] - START_MS) // MINUTE_MS for row in every] == [0, 1, 2]
    assert [row["likes"] for row in every] == [2, 5, 8]
    assert await store.minutes(video, START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS, 10) == every[1:2]
    assert await store.minutes(video, START_MS, 2**53, 2) == every[:2]
    last = {"minute_ms": START_MS + 2 * MINUTE_MS, "n": 8, "peak": 9, "unique": 10}
    assert (await store.viewer_minutes(video, START_MS, 2**53, 10))[-1] == last
    assert await store.viewers(video) == viewers(video, 8, START_MS + 160_000)


async def test_polls_come_back_oldest_first_as_they_ended(session: Cassandra, video: str) -> None:
    first, second = poll(video, 3, "poll-b", 10, None), poll(video, 4, "poll-a", 20, None)
    ended = poll(video, 6, "poll-b", 10, 99)
    await write(session, second, first, ended, first)
    assert await EngagementStore(session).polls(video) == [ended, second]
