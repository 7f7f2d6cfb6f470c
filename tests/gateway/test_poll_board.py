"""Polls and viewer counts as viewers see them, and what may be said of polls."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway import poll_board, viewer_counts
from gateway.feed_messages import MessageError
from gateway.poll_board import PollBoard, poll_row
from gateway.poll_requests import Question, VoteWanted, question_of, vote_of
from gateway.viewer_counts import ViewerCounts
from processors import polls
from schemas.events import PollChanged, ViewersChanged

POLL = PollChanged(
    video_id="v1",
    channel="demo",
    poll_id="poll-0001",
    question="Who wins?",
    options=("red", "blue"),
    opened_ms=1_000,
    opened_by="owner",
    closes_ms=9_000,
    votes=(3, 4),
    as_of_offset=5,
    as_of_ms=2_000,
)
VIEWERS = ViewersChanged(
    video_id="v1", channel="demo", viewers=3, peak=5, peak_ms=9, unique=7, as_of_offset=5, as_of_ms=1_000
)


def test_a_poll_is_shown_with_its_bars_and_closed_when_its_time_is_over() -> None:
    row = poll_row(POLL, 8_999)
    assert row["options"] == [{"text": "red", "votes": 3}, {"text": "blue", "votes": 4}]
    assert (row["state"], row["closes_ms"], row["closed_ms"]) == ("open", 9_000, None)
    assert poll_row(POLL, 9_000)["state"] == "closed"
    assert poll_row(replace(POLL, closed_ms=5_000), 6_000)["state"] == "closed"


def test_the_newest_of_a_poll_stays_and_its_end_by_the_clock_is_told_once() -> None:
    board, told = PollBoard(), list[int]()
    board.on_poll = lambda event: told.append(event.as_of_offset)
    for offset in (5, 7, 6):
        board.apply(replace(POLL, as_of_offset=offset))
    board.tick(8_999)
    board.tick(9_000)
    board.tick(9_001)
    assert told == [5, 7, 7]
    assert board.get("v1", "poll-0001") == replace(POLL, as_of_offset=7)


def test_polls_come_oldest_first_and_videos_touched_longest_ago_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_board, "MAX_VIDEOS", 2)
    board = PollBoard()
    for video_id, at_ms in (("v1", 20), ("v2", 5), ("v1", 10), ("v3", 1)):
        board.apply(replace(POLL, video_id=video_id, poll_id=f"poll-at-{at_ms}", opened_ms=at_ms))
    assert [poll.opened_ms for poll in board.of_video("v1")] == [10, 20]
    assert board.of_video("v2") == []


async def test_who_waits_for_the_close_does_not_take_a_vote_for_it() -> None:
    board = PollBoard()
    there, ended = board.changed("v1", "poll-0001", closed=False), board.changed("v1", "poll-0001", closed=True)
    board.apply(POLL)
    assert (await there).closed_ms is None
    await asyncio.sleep(0)
    assert not ended.done()
    board.apply(replace(POLL, closed_ms=9, as_of_offset=9))
    assert (await ended).closed_ms == 9


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"options": ["a", "b"]}, "bad_question"),
        ({"question": "?", "options": ["a"]}, "bad_options"),
        ({"question": "?", "options": ["a", " a "]}, "bad_options"),
        ({"question": "?", "options": ["a", 7]}, "bad_options"),
        ({"question": "?", "options": list("abcdefghi")}, "bad_options"),
        ({"question": "?" * 201, "options": ["a", "b"]}, "bad_question"),
        ({"question": "?", "options": ["a", "b"], "seconds": 4}, "bad_seconds"),
        ({"question": "?", "options": ["a", "b"], "seconds": True}, "bad_seconds"),
        ({"question": "?", "options": ["a", "b"], "id": "short"}, "bad_id"),
    ],
)
def test_a_wrong_question_is_refused_by_the_name_of_its_member(values: dict[str, Any], code: str) -> None:
    with pytest.raises(MessageError) as refused:
        question_of(values)
    assert refused.value.code == code


def test_a_question_is_taken_with_its_white_space_folded() -> None:
    values = {"question": "  Who\n wins? \ud800", "options": ["red ", "blue"], "seconds": 60}
    assert question_of(values) == Question(id=None, question="Who wins? ?", options=("red", "blue"), seconds=60)


@pytest.mark.parametrize("values", [{}, {"option": -1}, {"option": 8}, {"option": True}, {"option": "1"}])
def test_a_wrong_option_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="expected option"):
        vote_of(values, "poll-0001")


def test_a_vote_is_for_an_option_or_for_none_any_more() -> None:
    assert vote_of({"option": None}, "poll-0001") == VoteWanted(poll="poll-0001", option=None)
    assert vote_of({"poll": "poll-0001", "option": 7}) == VoteWanted(poll="poll-0001", option=7)
    with pytest.raises(MessageError, match="expected poll"):
        vote_of({"poll": 7, "option": 1})


def test_gateway_and_counter_have_the_same_limits() -> None:
    from gateway import poll_requests

    names = ("LEAST_OPTIONS", "MOST_OPTIONS", "MAX_QUESTION", "MAX_OPTION", "MAX_POLLS")
    assert [getattr(poll_requests, name) for name in names] == [getattr(polls, name) for name in names]


def test_figures_lapse_when_nobody_tells_them_any_more() -> None:
    counts, told = ViewerCounts(), list[int]()
    counts.on_viewers = lambda event: told.append(event.viewers)
    assert counts.now("v1", 0) is None
    for event in (
        VIEWERS,
        replace(VIEWERS, viewers=9, as_of_offset=4),
        replace(VIEWERS, as_of_offset=6, as_of_ms=2_000),
    ):
        counts.apply(event)
    assert told == [3]
    assert counts.now("v1", 2_000 + viewer_counts.LAPSE_MS - 1) == 3
    assert counts.now("v1", 2_000 + viewer_counts.LAPSE_MS) is None
