from typing import Any

import pytest

from processors.fold import FoldError, pack_row, unpack_row
from schemas.events import (
    Act,
    Change,
    ChannelRules,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    Queued,
)
from tests.processors.comment_log import START_MS, Partition, fate, ordered, revised, submitted, undone

RULES = ChannelRules(blocked=("spam",), held=("ham",), max_length=50)


def written() -> Partition:
    partition = Partition(RULES)
    partition.say(submitted("comment-1"))
    return partition


def test_a_writer_edits_a_comment() -> None:
    assert written().say(revised("revision-1", text="  better\n")) == [
        CommentChanged(
            video_id="video-a",
            channel="ann",
            seq=2,
            comment_id="comment-1",
            comment_seq=1,
            user_id="g_bob",
            change=Change.EDITED,
            text="better",
            by="g_bob",
            act_id="",
            revision_id="revision-1",
            comments=1,
            changed_ms=START_MS + 1_000,
            source_offset=1,
        )
    ]


def test_a_writer_removes_a_comment_once_and_for_all() -> None:
    partition = written()
    (removed,) = partition.say(revised("revision-1", text=None))
    assert isinstance(removed, CommentChanged)
    assert (removed.change, removed.text, removed.comments) == (Change.REMOVED, None, 0)
    told = partition.again().say(
        revised("revision-2", text=None),
        revised("revision-3"),
        ordered("act-1"),
        undone("act-2", "act-1"),
        submitted("comment-1"),
    )
    assert fate(told) == ["unknown_comment"] * 2


def test_a_repeated_revision_is_nothing_new() -> None:
    partition = written()
    partition.say(revised("revision-1"), revised("revision-2"))
    assert partition.again().say(revised("revision-1"), revised("revision-2")) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"user_id": "g_cid"}, "not_yours"),
        ({"user_id": "g_cid", "text": None, "role": "owner"}, "not_yours"),
        ({"comment_id": "comment-9"}, "unknown_comment"),
        ({"video_id": "video-b"}, "unknown_comment"),
        ({"text": ""}, "empty"),
        ({"text": "x" * 51}, "too_long"),
        ({"text": "x" * 51, "role": "owner"}, "too_long"),
        ({"text": "spam"}, "blocked_word"),
        ({"text": "ham"}, "blocked_word"),
        ({"text": "www.a.example " * 3}, "links"),
    ],
)
def test_a_revision_is_judged_again(options: dict[str, Any], reason: str) -> None:
    (told,) = written().say(revised("revision-1", **options))
    assert isinstance(told, CommentRejected)
    assert (told.reason, told.revision_id) == (reason, "revision-1")
    assert told.message.endswith(".")


def test_moderators_are_above_the_words_in_their_own() -> None:
    assert fate(written().say(revised("revision-1", text="spam", role="moderator"))) == ["edited"]


def test_a_hidden_comment_cannot_be_edited_but_removed() -> None:
    partition = written()
    partition.say(ordered("act-1"))
    told = partition.again().say(revised("revision-1"), revised("revision-2", text=None))
    assert fate(told) == ["unknown_comment", "removed"]
    assert [event.comments for event in told if isinstance(event, CommentChanged)] == [0]
    assert partition.again().say(undone("act-2", "act-1")) == []


def test_an_edited_comment_that_was_hidden_comes_back_as_it_was_last() -> None:
    partition = written()
    partition.say(revised("revision-1", text="better"), ordered("act-1"))
    (shown,) = partition.again().say(undone("act-2", "act-1"))
    assert isinstance(shown, CommentChanged)
    assert shown.text == "better"


def test_an_edit_is_what_a_duplicate_is_compared_with() -> None:
    partition = written()
    partition.say(revised("revision-1", text="other"))
    told = partition.again().say(submitted("comment-2", text="other"), submitted("comment-3", text="text of comment-1"))
    assert fate(told) == ["duplicate", "accepted"]


@pytest.mark.parametrize(
    "options", [{"revision_id": "short"}, {"comment_id": "a/b"}, {"user_id": ""}, {"video_id": ""}]
)
def test_what_is_no_revision_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(FoldError, match="expected"):
        written().say(revised(**({"revision_id": "revision-1"} | options)))


HELD = ChannelRules(held=("ham",), blocked=("spam",))


def waiting() -> Partition:
    """`comment-1` of Bob waits."""
    partition = Partition(HELD)
    partition.say(submitted("comment-1", text="ham"))
    return partition


def test_a_comment_that_waits_is_edited_and_waits_with_its_new_text() -> None:
    partition = waiting()
    (edited,) = partition.again().say(revised("revision-1", text="more ham"))
    assert isinstance(edited, CommentHeld)
    assert (edited.text, edited.state, edited.revision_id) == ("more ham", Queued.WAITING, "revision-1")
    assert edited.source_offset == 0, "where its writer's address is found"
    assert partition.again().say(revised("revision-1", text="more ham")) == []
    assert fate(partition.again().say(submitted("comment-1", text="ham"))) == []
    (accepted,) = partition.again().say(ordered("act-1", Act.APPROVE))
    assert isinstance(accepted, CommentAccepted)
    assert accepted.text == "more ham"
    assert partition.again().say(revised("revision-1", text="more ham")) == [], "a repeat after it was approved"


def test_a_comment_that_waits_is_withdrawn_and_nothing_of_it_stays() -> None:
    partition = waiting()
    assert partition.again().say(revised("revision-1", text=None)) == []
    (gone,) = partition.left_queue
    assert (gone.comment_id, gone.state, gone.revision_id) == ("comment-1", Queued.WITHDRAWN, "revision-1")
    assert (gone.text, gone.note) == ("", "")
    assert not [key for key in partition.left() if key.startswith(b"h/")]
    assert partition.again().say(ordered("act-1", Act.APPROVE)) == []
    assert fate(partition.again().say(revised("revision-2", text=None))) == ["unknown_comment"]
    assert fate(partition.again().say(submitted("comment-1", text="ham"))) == ["held blocked_word"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"user_id": "g_eve"}, "unknown_comment"),
        ({"user_id": "g_eve", "text": None}, "unknown_comment"),
        ({"text": "spam"}, "blocked_word"),
        ({"text": " "}, "empty"),
        ({"text": "x" * 501}, "too_long"),
    ],
)
def test_an_edit_of_a_comment_that_waits_is_judged(options: dict[str, Any], reason: str) -> None:
    partition = waiting()
    assert fate(partition.again().say(revised("revision-1", **options))) == [reason]
    (accepted,) = partition.again().say(ordered("act-1", Act.APPROVE))
    assert isinstance(accepted, CommentAccepted)
    assert accepted.text == "ham"


def test_who_is_banned_edits_no_comment_that_waits_but_withdraws_it() -> None:
    partition = waiting()
    partition.say(ordered("act-1", Act.BAN, video_id="", comment_id="", user_id="g_bob"))
    assert fate(partition.again().say(revised("revision-1", text="ham again"))) == ["banned"]
    assert partition.again().say(revised("revision-2", text=None)) == []
    assert [event.state for event in partition.left_queue] == [Queued.WITHDRAWN]


def test_a_row_of_before_there_were_edits_of_waiting_comments_is_read() -> None:
    partition = waiting()
    (key,) = (key for key in partition.left() if key.startswith(b"h/"))
    partition.rows.append((key, pack_row(*unpack_row(partition.left()[key])[:-2])))
    assert [
        event.state
        for event in partition.again().say(revised("revision-1", text="ham!"))
        if isinstance(event, CommentHeld)
    ] == [Queued.WAITING]
