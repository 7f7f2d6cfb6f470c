"""Polls: one vote each, and the order of the log decides what came before the close."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import polls
from processors.reactions import ReactionsFold
from schemas.events import Event, PollChanged, PollClosed, PollOpened, ReactionsRecorded, Vote
from schemas.topics import REACTIONS, REACTIONS_STATE
from tests.processors.small_log import Partition, SmallLog

POLL = "poll-0001"


def opened(poll_id: str = POLL, *options: str, **facts: Any) -> PollOpened:
    given_facts: dict[str, Any] = {"question": "Who wins?", "opened_ms": 0, "opened_by": "owner", "closes_ms": None}
    return PollOpened(
        video_id="video-a",
        channel="ann",
        poll_id=poll_id,
        options=options or ("red", "blue", "nobody"),
        **(given_facts | facts),
    )


def closed(at_ms: int = 0, poll_id: str = POLL) -> PollClosed:
    return PollClosed(video_id="video-a", channel="ann", poll_id=poll_id, closed_ms=at_ms, closed_by="owner")


def vote(option: int | None, user_id: str = "g_1", poll_id: str = POLL) -> Vote:
    return Vote(user_id=user_id, poll_id=poll_id, option=option, at_ms=0)


def batch(number: int, *votes: Vote, at_ms: int = 0) -> ReactionsRecorded:
    return ReactionsRecorded(
        video_id="video-a",
        channel="ann",
        gateway_id="g1",
        batch=number,
        recorded_ms=at_ms,
        likes=(),
        reactions=(),
        votes=votes,
    )


def counted(*events: Event) -> dict[str, PollChanged]:
    """The last of each poll after all events."""
    log = SmallLog(ReactionsFold, REACTIONS, REACTIONS_STATE, 1)
    log.partitions[0].records += events
    log.finish()
    return last_of(log.partitions[0])


def last_of(partition: Partition) -> dict[str, PollChanged]:
    return {event.poll_id: event for event in partition.results if isinstance(event, PollChanged)}


def test_a_poll_is_told_with_its_votes() -> None:
    found = counted(opened(closes_ms=9_000), batch(1, vote(0), vote(1, "g_2"), vote(1, "g_3")))[POLL]
    assert (found.question, found.options, found.votes) == ("Who wins?", ("red", "blue", "nobody"), (1, 2, 0))
    assert (found.opened_by, found.closes_ms, found.closed_ms, found.as_of_offset) == ("owner", 9_000, None, 1)


def test_everybody_has_one_vote_and_may_change_it_or_take_it_back() -> None:
    assert counted(opened(), batch(1, vote(0), vote(2), vote(2)))[POLL].votes == (0, 0, 1)
    assert counted(opened(), batch(1, vote(0), vote(None), vote(None)))[POLL].votes == (0, 0, 0)


def test_a_vote_after_the_close_does_not_count_and_the_result_stays() -> None:
    found = counted(opened(), batch(1, vote(0)), closed(5), batch(2, vote(1), vote(1, "g_2")), closed(9))[POLL]
    assert (found.votes, found.closed_ms) == ((1, 0, 0), 5)


def test_a_poll_closes_by_the_clock_of_what_comes_after_its_time() -> None:
    late = batch(2, vote(1, "g_2"), at_ms=100)
    early_but_behind = batch(3, vote(1, "g_3"), at_ms=99)
    found = counted(opened(closes_ms=100), batch(1, vote(0), at_ms=99), late, early_but_behind)[POLL]
    assert (found.votes, found.closed_ms) == ((1, 0, 0), 100)


@pytest.mark.parametrize(
    "wrong",
    [
        opened("short"),
        opened(POLL, "only one"),
        opened(POLL, *"123456789"),
        opened(POLL, "red", ""),
        opened(POLL, "red", "b" * 81),
        opened(question=""),
        opened(question="?" * 201),
    ],
)
def test_an_ill_formed_poll_is_passed_over(wrong: PollOpened) -> None:
    assert counted(wrong, batch(1, vote(0))) == {}


@pytest.mark.parametrize("wrong", [vote(3), vote(-1), vote(0, ""), vote(0, "g" * 65), vote(0, poll_id="poll-none")])
def test_an_ill_formed_vote_is_passed_over(wrong: Vote) -> None:
    assert counted(opened(), batch(1, wrong))[POLL].votes == (0, 0, 0)


def test_a_poll_that_comes_again_keeps_its_votes_and_too_many_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "MAX_POLLS", 2)
    found = counted(opened(), batch(1, vote(0)), opened(), opened("poll-0002"), opened("poll-0003"))
    assert {poll_id: event.votes for poll_id, event in found.items()} == {POLL: (1, 0, 0), "poll-0002": (0, 0, 0)}


def test_votes_past_the_bound_are_not_counted_until_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "MAX_VOTES", 1)
    events = opened(), opened("poll-0002"), batch(1, vote(0), vote(0, "g_2"), vote(1, "g_1"))
    assert counted(*events)[POLL].votes == (0, 1, 0)
    assert counted(*events, closed(), batch(2, vote(1, poll_id="poll-0002")))["poll-0002"].votes == (0, 1, 0)


happenings = (
    st.builds(
        vote,
        st.none() | st.integers(0, 2),
        st.sampled_from(["g_1", "g_2", "g_3"]),
        st.sampled_from(["poll-0001", "poll-0002"]),
    )
    | st.builds(closed, st.integers(0, 50), st.sampled_from(["poll-0001", "poll-0002"]))
    | st.builds(opened, st.sampled_from(["poll-0001", "poll-0002"]), closes_ms=st.none() | st.integers(1, 60))
)


@settings(max_examples=40, deadline=None)
@given(st.lists(happenings, max_size=30), st.data())
def test_results_are_those_of_a_plain_count_through_repeats_and_restarts(
    happened: list[Vote | PollClosed | PollOpened], data: st.DataObject
) -> None:
    log = SmallLog(ReactionsFold, REACTIONS, REACTIONS_STATE, 1)
    partition = log.partitions[0]
    for number, what in enumerate(happened, start=1):
        event = batch(number, what, at_ms=number) if isinstance(what, Vote) else what
        partition.records += [event] * data.draw(st.integers(1, 2))
        if data.draw(st.booleans()):
            log.step(0, data.draw(st.integers(0, 4)), crashes=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            partition.restart()
    log.finish()
    assert {poll_id: (p.votes, p.closed_ms) for poll_id, p in last_of(partition).items()} == plain_count(happened)


def plain_count(happened: list[Vote | PollClosed | PollOpened]) -> dict[str, tuple[tuple[int, ...], int | None]]:
    voters: dict[str, dict[str, int]] = {}
    times: dict[str, list[int | None]] = {}
    clock = 0
    for number, what in enumerate(happened, start=1):
        clock = max(clock, number if isinstance(what, Vote) else what.closed_ms if isinstance(what, PollClosed) else 0)
        if isinstance(what, PollOpened) and what.poll_id not in times:
            voters[what.poll_id], times[what.poll_id] = {}, [what.closes_ms, None]
        for known in times.values():
            if known[1] is None and known[0] is not None and known[0] <= clock:
                known[1] = known[0]
        if isinstance(what, PollOpened):
            continue
        if what.poll_id in times and times[what.poll_id][1] is None:
            if isinstance(what, PollClosed):
                times[what.poll_id][1] = what.closed_ms
            elif what.option is None:
                voters[what.poll_id].pop(what.user_id, None)
            else:
                voters[what.poll_id][what.user_id] = what.option
    results = {}
    for poll_id, (_, ended_ms) in times.items():
        counts = Counter(voters[poll_id].values())
        results[poll_id] = (tuple(counts[n] for n in range(3)), ended_ms)
    return results
