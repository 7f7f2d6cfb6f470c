"""The fold of what viewers say: bounded, contiguous, and whoever waits hears."""

import asyncio

import pytest

from gateway.conversation import MAX_COMMENTS, MAX_VIDEOS, Conversation
from schemas.events import CommentAccepted, CommentRejected, CueDecided, TotalsChanged


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
    assert conversation.seq_of("v1", "c-000050") is None
    assert conversation.seq_of("v1", "c-000051") == 51


def test_a_repeat_changes_nothing_and_tells_nobody() -> None:
    conversation, told = Conversation(), list[int]()
    conversation.on_comment = lambda event: told.append(event.seq)
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
    async with asyncio.timeout(5):
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
