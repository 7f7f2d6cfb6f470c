from typing import Any

import pytest

from processors.comments import CommentsFold
from processors.fold import FoldError, Write
from schemas.codec import decode
from schemas.events import ChannelRules, CommentAccepted, CommentRejected, CommentSubmitted, GopClosed
from schemas.topics import COMMENTS_STATE, COMMENTS_SUBMITTED

RULES = ChannelRules(slow_mode_ms=500)
Verdict = CommentAccepted | CommentRejected


def submitted(comment_id: str, **options: Any) -> CommentSubmitted:
    facts: dict[str, Any] = {
        "video_id": "video-a",
        "channel": "ann",
        "user_id": "g_bob",
        "name": "Bob",
        "text": f"text of {comment_id}",
        "submitted_ms": 1_000_000,
        "gateway_id": "g1",
    }
    return CommentSubmitted(comment_id=comment_id, **(facts | options))


def say(fold: CommentsFold, *events: CommentSubmitted) -> list[Verdict]:
    """The verdicts on some comments, each committed for itself."""
    verdicts: list[Verdict] = []
    for event in events:
        fold.apply(COMMENTS_SUBMITTED.name, 7, event)
        verdicts += results(fold.take())
    return verdicts


def results(writes: list[Write]) -> list[Verdict]:
    decoded = [decode(w.value) for w in writes if w.topic != COMMENTS_STATE.name and w.value is not None]
    return [event for event in decoded if isinstance(event, CommentAccepted | CommentRejected)]


def reason(verdict: Verdict) -> str:
    return verdict.reason if isinstance(verdict, CommentRejected) else "accepted"


def test_a_comment_is_accepted_whole_with_its_number_and_offset() -> None:
    event = submitted("comment-1", text=" h\x00i ", media_ms=5)
    assert say(CommentsFold(RULES), event) == [
        CommentAccepted(
            video_id="video-a",
            channel="ann",
            seq=1,
            comment_id="comment-1",
            user_id="g_bob",
            name="Bob",
            text="hi",
            submitted_ms=1_000_000,
            media_ms=5,
            source_offset=7,
            comments=1,
        )
    ]


def test_each_video_counts_for_itself() -> None:
    verdicts = say(
        CommentsFold(RULES),
        submitted("comment-1", user_id="g_1"),
        submitted("comment-2", user_id="g_2", video_id="video-b"),
        submitted("comment-3", user_id="g_3"),
    )
    assert [(v.video_id, v.seq) for v in verdicts if isinstance(v, CommentAccepted)] == [
        ("video-a", 1),
        ("video-b", 1),
        ("video-a", 2),
    ]


def test_a_repeated_id_gives_nothing_not_even_a_rejection() -> None:
    fold = CommentsFold(RULES)
    say(fold, submitted("comment-1"))
    fold.apply(COMMENTS_SUBMITTED.name, 8, submitted("comment-1"))
    assert fold.take() == []


def test_the_same_id_on_another_video_is_another_comment() -> None:
    fold = CommentsFold(RULES)
    verdicts = say(fold, submitted("comment-1"), submitted("comment-1", video_id="video-b"))
    assert [reason(v) for v in verdicts] == ["accepted", "accepted"]


def test_a_rejected_comment_may_be_sent_again() -> None:
    verdicts = say(
        CommentsFold(RULES),
        submitted("comment-1"),
        submitted("comment-2", submitted_ms=1_000_400),
        submitted("comment-2", submitted_ms=1_000_500),
    )
    assert [reason(v) for v in verdicts] == ["accepted", "slow_mode", "accepted"]


@pytest.mark.parametrize(("apart_ms", "verdict"), [(0, "slow_mode"), (499, "slow_mode"), (500, "accepted")])
@pytest.mark.parametrize("direction", [1, -1])
def test_slow_mode_measures_event_time_whichever_clock_is_ahead(apart_ms: int, verdict: str, direction: int) -> None:
    later = submitted("comment-2", submitted_ms=1_000_000 + direction * apart_ms)
    assert [reason(v) for v in say(CommentsFold(RULES), submitted("comment-1"), later)] == ["accepted", verdict]


def test_slow_mode_is_for_one_user_on_one_video() -> None:
    verdicts = say(
        CommentsFold(RULES),
        submitted("comment-1"),
        submitted("comment-2", user_id="g_cid"),
        submitted("comment-3", video_id="video-b"),
    )
    assert [reason(v) for v in verdicts] == ["accepted"] * 3


def test_the_same_text_is_a_duplicate_for_thirty_seconds() -> None:
    def again(comment_id: str, at_ms: int) -> CommentSubmitted:
        return submitted(comment_id, text="Well  played", submitted_ms=1_000_000 + at_ms)

    verdicts = say(CommentsFold(RULES), again("comment-1", 0), again("comment-2", 29_999), again("comment-3", 30_000))
    assert [reason(v) for v in verdicts] == ["accepted", "duplicate", "accepted"]


def test_replies_know_the_root_of_their_thread() -> None:
    verdicts = say(
        CommentsFold(RULES),
        submitted("comment-1", user_id="g_1"),
        submitted("comment-2", user_id="g_2", parent_id="comment-1"),
        submitted("comment-3", user_id="g_3", parent_id="comment-2"),
        submitted("comment-4", user_id="g_4", parent_id="comment-9"),
        submitted("comment-5", user_id="g_5", parent_id="comment-1", video_id="video-b"),
    )
    assert [v.root_id for v in verdicts if isinstance(v, CommentAccepted)] == [None, "comment-1", "comment-1"]
    assert [reason(v) for v in verdicts][3:] == ["unknown_parent", "unknown_parent"]


def test_a_rejection_carries_a_reason_a_sentence_and_a_bounded_text() -> None:
    (verdict,) = say(CommentsFold(RULES), submitted("comment-1", text="x" * 9_000, name="n" * 900))
    assert isinstance(verdict, CommentRejected)
    assert (verdict.reason, verdict.message) == ("too_long", "A comment has at most 500 characters.")
    assert (len(verdict.text), len(verdict.name)) == (500, 32)


def test_only_the_last_comments_are_remembered_and_the_rows_of_the_others_go() -> None:
    fold = CommentsFold(RULES, remembered=2)
    for n in range(1, 4):
        fold.apply(COMMENTS_SUBMITTED.name, n, submitted(f"comment-{n}", user_id=f"g_{n}"))
    rows = {w.key: w.value for w in fold.take() if w.topic == COMMENTS_STATE.name}
    assert [key for key, value in rows.items() if value is None] == [b"c/video-a/comment-1"]
    verdicts = say(
        fold,
        submitted("comment-4", user_id="g_4", parent_id="comment-1"),
        submitted("comment-5", user_id="g_5", parent_id="comment-2"),
        submitted("comment-6", user_id="g_1"),
    )
    assert [reason(v) for v in verdicts] == ["unknown_parent", "accepted", "accepted"]
    assert [v.seq for v in verdicts if isinstance(v, CommentAccepted)] == [4, 5]


def test_a_state_row_of_a_comment_is_small() -> None:
    fold = CommentsFold(RULES)
    fold.apply(COMMENTS_SUBMITTED.name, 0, submitted("c" * 36, user_id="g_0123456789abcdef", text="x" * 500))
    rows = [w for w in fold.take() if w.topic == COMMENTS_STATE.name]
    assert sum(len(w.key) + len(w.value or b"") for w in rows) < 700


@pytest.mark.parametrize(
    "event",
    [
        submitted("short"),
        submitted("with/slash"),
        submitted("c" * 65),
        submitted("comment-1", user_id=""),
        submitted("comment-1", user_id="g" * 65),
        GopClosed(video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=0, audio_chunks=0),
    ],
)
def test_what_does_not_belong_here_is_refused_and_changes_nothing(event: CommentSubmitted | GopClosed) -> None:
    fold = CommentsFold(RULES)
    with pytest.raises(FoldError, match="expected"):
        fold.apply(COMMENTS_SUBMITTED.name, 0, event)
    assert fold.take() == []


@pytest.mark.parametrize(("colour", "kept"), [("#00AAff", "#00aaff"), ("", ""), ("red", ""), ("#00aaff;x", "")])
def test_the_colour_of_a_name_is_one_or_none(colour: str, kept: str) -> None:
    (accepted,) = say(CommentsFold(RULES), submitted("comment-1", colour=colour))
    assert isinstance(accepted, CommentAccepted)
    assert accepted.colour == kept
