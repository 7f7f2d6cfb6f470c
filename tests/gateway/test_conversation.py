"""The fold of what viewers say: bounded, contiguous, and whoever waits hears."""

import asyncio
import dataclasses

import pytest

from gateway.conversation import MAX_COMMENTS, MAX_HELD, MAX_VIDEOS, Conversation
from gateway.feed_messages import changed, numbered
from schemas.comment_state import CommentNow
from schemas.events import (
    Change,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CueDecided,
    Queued,
    TotalsChanged,
)


def comment(seq: int, video: str = "v1") -> CommentAccepted:
    return CommentAccepted(
        video_id=video,
        channel="demo",
        seq=seq,
        comment_id=f"c-{seq:06d}",
        user_id="g_1",
        name="Ann",
        text=f"comment {seq}",
        submitted_ms=seq,
        source_offset=seq,
    )


def change(seq: int, of: int, kind: Change, text: str | None = None, revision_id: str = "") -> CommentChanged:
    return CommentChanged(
        video_id="v1",
        channel="demo",
        seq=seq,
        comment_id=f"c-{of:06d}",
        comment_seq=of,
        user_id="g_1",
        change=kind,
        text=text,
        by="mod",
        act_id="",
        revision_id=revision_id,
        comments=1,
        changed_ms=seq,
        source_offset=seq,
    )


def held(number: int) -> CommentHeld:
    return CommentHeld(
        video_id="v1",
        channel="demo",
        comment_id=f"h-{number:06d}",
        user_id="g_1",
        name="Ann",
        text="?",
        reason="links",
        message="wait",
        note="",
        role="guest",
        submitted_ms=number,
        source_offset=number,
    )


def totals(offset: int, likes: int, **comment_likes: int) -> TotalsChanged:
    return TotalsChanged(
        video_id="v1",
        channel="demo",
        as_of_offset=offset,
        as_of_ms=0,
        likes=likes,
        reactions={},
        comment_likes=comment_likes,
    )


def test_the_newest_comments_are_held_without_a_gap() -> None:
    conversation = Conversation()
    for seq in range(1, MAX_COMMENTS + 51):
        conversation.apply(comment(seq))
    talk = conversation.talk("v1")
    assert [c.seq for c in talk.comments] == list(range(51, MAX_COMMENTS + 51))
    assert [c.seq for c in talk.after(MAX_COMMENTS + 48)] == [MAX_COMMENTS + 49, MAX_COMMENTS + 50]
    assert conversation.known("v1", "c-000050") is None
    assert conversation.known("v1", "c-000051") == comment(51)


def test_a_repeat_changes_nothing_and_tells_nobody() -> None:
    conversation, told = Conversation(), list[int]()
    conversation.on_comment = lambda now: told.append(now.seq)
    for seq in (1, 2, 2, 1, 3):
        conversation.apply(comment(seq))
    assert told == [1, 2, 3]


def test_older_totals_never_win_and_those_of_one_offset_complete_each_other() -> None:
    conversation = Conversation()
    for event in (totals(5, 10, a=1), totals(3, 7, a=9), totals(6, 11, b=2), totals(6, 11, c=3)):
        conversation.apply(event)
    talk = conversation.talk("v1")
    assert talk.totals is not None
    assert (talk.totals.likes, dict(talk.comment_likes)) == (11, {"a": 1, "b": 2, "c": 3})


def test_videos_beyond_the_bound_let_the_longest_untouched_go() -> None:
    conversation = Conversation()
    conversation.apply(comment(1, "first"))
    for number in range(MAX_VIDEOS):
        conversation.apply(comment(1, f"v{number}"))
    assert conversation.talk("first").last_seq == 0
    assert conversation.talk(f"v{MAX_VIDEOS - 1}").last_seq == 1


async def test_everybody_who_waits_for_a_verdict_hears_it() -> None:
    conversation = Conversation()
    first, second = conversation.verdict("v1", "c-000001"), conversation.verdict("v1", "c-000001")
    other = conversation.verdict("v1", "c-000002")
    conversation.apply(comment(1))
    async with asyncio.timeout(60):
        assert await first == await second == comment(1)
    assert not other.done()
    rejected = CommentRejected(
        video_id="v1",
        channel="demo",
        comment_id="c-000002",
        user_id="g",
        name="A",
        text="t",
        reason="links",
        message="m",
        submitted_ms=0,
        source_offset=0,
    )
    conversation.apply(rejected)
    assert await other == rejected


async def test_who_no_longer_waits_is_forgotten() -> None:
    conversation = Conversation()
    waiter = conversation.verdict("v1", "c-000001")
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    conversation.apply(comment(1))
    assert not conversation._verdicts


async def test_a_cue_hears_its_decision() -> None:
    conversation = Conversation()
    waiter = conversation.decision("cue1")
    decided = CueDecided(
        video_id="v1", channel="demo", cue_id="cue1", accepted=False, reason="overlap", message="m", source_offset=0
    )
    conversation.apply(decided)
    assert await waiter == decided


def test_comments_and_changes_are_held_in_one_row_and_show_what_is_to_be_read_now() -> None:
    conversation, told = Conversation(), list[dict[str, object]]()
    conversation.on_change = lambda event, now: told.append(changed(event, now))
    for event in (
        comment(1),
        comment(2),
        change(3, 1, Change.EDITED, "a secret"),
        change(4, 2, Change.EDITED, "first"),
        change(5, 1, Change.HIDDEN),
        change(6, 2, Change.EDITED, "second"),
        change(6, 2, Change.HIDDEN),
        change(7, 2, Change.PINNED),
    ):
        conversation.apply(event)
    assert [message.get("text") for message in told] == ["a secret", "first", None, "second", None]
    assert told[-1]["comment"] == numbered(conversation.talk("v1").comments[1])
    messages = [numbered(entry) for entry in conversation.talk("v1").after(0)]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5, 6, 7]
    assert [message.get("text") for message in messages] == [None, "second", None, "second", None, "second", None]
    assert messages[0].items() >= {"state": "hidden", "id": "c-000001"}.items()
    assert "user" not in messages[0]
    assert "Ann" not in repr(messages[0])
    assert [entry.seq for entry in conversation.talk("v1").after(5)] == [6, 7]


def test_a_comment_says_the_colour_of_its_writers_name() -> None:
    assert "colour" not in numbered(CommentNow.of(comment(1)))["user"]
    assert numbered(CommentNow.of(dataclasses.replace(comment(1), colour="#00aaff")))["user"]["colour"] == "#00aaff"


def test_a_comment_that_is_shown_again_comes_whole() -> None:
    conversation, told = Conversation(), list[dict[str, object]]()
    conversation.on_change = lambda event, now: told.append(changed(event, now))
    for event in (comment(1), change(2, 1, Change.HIDDEN), change(3, 1, Change.SHOWN, "comment 1")):
        conversation.apply(event)
    assert "comment" not in told[0]
    assert told[1]["text"] == "comment 1"
    assert told[1]["comment"] == numbered(conversation.talk("v1").comments[0])


def test_a_change_of_a_comment_that_is_held_no_more_takes_back_what_was_told_of_it() -> None:
    conversation = Conversation()
    for seq in range(2, 12):
        conversation.apply(comment(seq))
    conversation.apply(change(12, 1, Change.EDITED, "of an old comment"))
    assert numbered(conversation.talk("v1").entries[-1])["text"] == "of an old comment"
    conversation.apply(change(13, 1, Change.HIDDEN))
    assert [numbered(entry).get("text") for entry in conversation.talk("v1").after(11)] == [None, None]


def test_comments_and_changes_together_are_bounded_and_let_go_in_order() -> None:
    conversation = Conversation()
    for seq in range(1, 2 * MAX_COMMENTS + 1, 2):
        conversation.apply(comment(seq))
        conversation.apply(change(seq + 1, seq, Change.EDITED, f"edit {seq}"))
    talk = conversation.talk("v1")
    assert [entry.seq for entry in talk.entries] == list(range(MAX_COMMENTS + 1, 2 * MAX_COMMENTS + 1))
    assert len(talk.places) == MAX_COMMENTS // 2
    assert all(now.text == f"edit {now.seq}" for now in talk.comments)


def test_after_a_gap_memory_begins_anew() -> None:
    conversation = Conversation()
    for seq in (1, 2, 5, 6):
        conversation.apply(comment(seq))
    talk = conversation.talk("v1")
    assert ([entry.seq for entry in talk.entries], talk.first_seq) == ([5, 6], 5)
    assert talk.comment("c-000001") is None


async def test_held_comments_are_bounded_and_go_once_they_are_decided() -> None:
    conversation = Conversation()
    waiter = conversation.verdict("v1", "h-000001")
    for number in range(1, MAX_HELD + 3):
        conversation.apply(held(number))
    assert await waiter == held(1)
    talk = conversation.talk("v1")
    assert list(talk.held) == [f"h-{number:06d}" for number in range(3, MAX_HELD + 3)]
    conversation.apply(dataclasses.replace(comment(1), comment_id="h-000003"))
    assert "h-000003" not in talk.held
    conversation.apply(held(3))
    assert "h-000003" not in talk.held, "it was approved before it was read that it is held"


async def test_a_comment_that_waits_no_more_is_let_go_and_who_withdraws_it_hears_so() -> None:
    conversation = Conversation()
    conversation.apply(held(1))
    conversation.apply(held(2))
    decision, revision = conversation.verdict("v1", held(1).comment_id), conversation.verdict("v1", "revision-1")
    edited = dataclasses.replace(held(1), text="better", revision_id="revision-0")
    conversation.apply(edited)
    assert conversation.known("v1", held(1).comment_id) == edited
    assert not decision.done(), "nothing was decided"
    gone = dataclasses.replace(held(1), text="", state=Queued.WITHDRAWN, revision_id="revision-1")
    conversation.apply(gone)
    assert (decision.result(), revision.result()) == (gone, gone)
    conversation.apply(dataclasses.replace(held(2), text="", state=Queued.DECLINED))
    assert conversation.talk("v1").held == {}


async def test_who_revises_hears_of_the_revision_only() -> None:
    conversation = Conversation()
    first, second = conversation.verdict("v1", "revision-1"), conversation.verdict("v1", "revision-2")
    conversation.apply(comment(1))
    conversation.apply(change(2, 1, Change.EDITED, "x", "revision-1"))
    assert (await first) == change(2, 1, Change.EDITED, "x", "revision-1")
    assert not second.done()
