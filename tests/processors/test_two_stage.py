"""A hot video counted on several partitions: the same totals, whatever comes when, again, or after a crash."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.fold import FoldError
from processors.reactions import KINDS, ReactionsFold
from schemas.events import Like, Reaction, ReactionsRecorded, TotalsChanged
from schemas.topics import REACTIONS, REACTIONS_STATE
from tests.processors.small_log import SmallLog

PARTITIONS = 4
HOME = 1
USERS = ("g_1", "g_2", "g_3")


def batch(number: int, partition: int = HOME, **what: Any) -> ReactionsRecorded:
    away = {} if partition == HOME else {"home": HOME, "share": partition}
    facts: dict[str, Any] = {"likes": (), "reactions": (), "gateway_id": "g1", "recorded_ms": number}
    return ReactionsRecorded(video_id="video-a", channel="ann", batch=number, **(facts | away | what))


def hearts(count: int, kind: str = "heart") -> tuple[Reaction, ...]:
    return (Reaction(user_id="g_1", kind=kind, count=count),)


def small_log() -> SmallLog:
    return SmallLog(ReactionsFold, REACTIONS, REACTIONS_STATE, PARTITIONS)


def last_totals(log: SmallLog) -> TotalsChanged:
    told = [event for event in log.results(HOME) if isinstance(event, TotalsChanged)]
    return told[-1]


def test_the_shares_of_other_partitions_are_added_up_where_the_video_is_at_home() -> None:
    log = small_log()
    for number, partition in enumerate((HOME, 0, 2, 3, HOME, 2), start=1):
        log.partitions[partition].records.append(batch(number, partition, reactions=hearts(number)))
    log.finish()
    assert last_totals(log).reactions == {"heart": 21}
    assert all(log.results(other) == [] for other in range(PARTITIONS) if other != HOME), "only home tells totals"


def test_likes_away_from_home_are_refused_and_counted_nowhere() -> None:
    fold = ReactionsFold()
    away = batch(1, 2, likes=(Like(user_id="g_1", liked=True, at_ms=0),), reactions=hearts(1))
    with pytest.raises(FoldError, match="expected reactions only"):
        fold.apply(REACTIONS.name, 0, away)
    assert fold.take() == []


def test_an_older_number_of_a_share_that_comes_again_changes_nothing() -> None:
    log = small_log()
    for number in (1, 2):
        log.partitions[2].records.append(batch(number, 2, reactions=hearts(10)))
        log.step(2, 1)
    log.partitions[HOME].records.append(log.partitions[HOME].records[0])
    log.finish()
    assert last_totals(log).reactions == {"heart": 20}


wishes = st.builds(
    lambda user, liked: (Like(user_id=user, liked=liked, at_ms=0),), st.sampled_from(USERS), st.booleans()
)
taps = st.builds(hearts, st.integers(1, 100), st.sampled_from(sorted(KINDS)))
doings = st.tuples(st.integers(0, PARTITIONS - 1), taps, wishes | st.just(()))
"""Where the reactions of a batch go; its like goes home in the same tick, as a batch of its own."""


@settings(max_examples=40, deadline=None)
@given(st.lists(doings, min_size=1, max_size=25), st.data())
def test_totals_are_the_truth_through_switches_repeats_and_restarts(
    sent: list[tuple[int, tuple[Reaction, ...], tuple[Like, ...]]], data: st.DataObject
) -> None:
    log, truth, likers = small_log(), Counter[str](), set[str]()
    for number, (partition, reactions, likes) in enumerate(sent):
        gateway_id = data.draw(st.sampled_from(["g1", "g2"]))
        events = [batch(2 * number + 1, partition, reactions=reactions, gateway_id=gateway_id)]
        if likes:
            events.append(batch(2 * number + 2, likes=likes, gateway_id=gateway_id))
        for event in events:
            records = log.partitions[event.share if event.share >= 0 else HOME].records
            records += [event] * data.draw(st.integers(1, 2))
        for reaction in reactions:
            truth[reaction.kind] += reaction.count
        for like in likes:
            likers.add(like.user_id) if like.liked else likers.discard(like.user_id)
        if data.draw(st.booleans()):
            log.step(
                data.draw(st.integers(0, PARTITIONS - 1)),
                data.draw(st.integers(0, 5)),
                crashes=data.draw(st.booleans()),
            )
    for partition in data.draw(st.permutations(range(PARTITIONS))):
        log.step(partition, 3)
        log.partitions[partition].restart()
    log.finish()
    totals = last_totals(log)
    assert (totals.likes, totals.reactions) == (len(likers), dict(truth))
