"""What acts do to the feed and to who may write, and how they are taken back."""

from typing import Any

import pytest

from processors.comment_queue import MAX_OF_USER
from processors.comments import CommentsFold
from processors.fold import FoldError
from schemas.codec import decode
from schemas.events import Act, Change, ChannelRules, CommentAccepted, CommentChanged, CommentHeld, Event, Queued
from schemas.topics import COMMENTS_STATE, COMMENTS_SUBMITTED
from tests.processors.comment_log import START_MS, Partition, fate, ordered, revised, submitted, undone

HELD = ChannelRules(held=("ham",))


def with_comments(count: int = 3) -> Partition:
    """`comment-1`, … on a video, each of another user."""
    partition = Partition()
    partition.say(*(submitted(f"comment-{n}", user_id=f"g_{n}") for n in range(1, count + 1)))
    return partition


def changes(partition: Partition, *events: Any) -> list[tuple[str, Change, int]]:
    """Comment, change, comments shown: of each record after the fold was loaded again."""
    told = [said for event in events for said in partition.again().say(event)]
    assert all(isinstance(event, CommentChanged) for event in told)
    return [(event.comment_id, event.change, event.comments) for event in told if isinstance(event, CommentChanged)]


def test_a_hidden_comment_is_told_without_its_text_and_comes_back_with_it() -> None:
    partition = with_comments()
    hidden, shown = partition.say(ordered("act-1"), undone("act-2", "act-1"))
    assert hidden == CommentChanged(
        video_id="video-a",
        channel="ann",
        seq=4,
        comment_id="comment-1",
        comment_seq=1,
        user_id="g_1",
        change=Change.HIDDEN,
        by="u_mod",
        act_id="act-1",
        revision_id="",
        comments=2,
        changed_ms=START_MS + 2_000,
        source_offset=3,
    )
    assert isinstance(shown, CommentChanged)
    assert (shown.change, shown.seq, shown.comments, shown.text) == (Change.SHOWN, 5, 3, "text of comment-1")
    assert (shown.act_id, shown.source_offset) == ("act-2", 4)


def test_a_repeated_act_does_nothing() -> None:
    partition = with_comments()
    acts = [ordered("act-1"), undone("act-2", "act-1")]
    assert len(changes(partition, *acts)) == 2
    assert changes(partition, *acts, *acts) == []


def test_what_another_act_hid_stays_hidden() -> None:
    assert changes(with_comments(), ordered("act-1"), ordered("act-2"), undone("act-3", "act-1")) == [
        ("comment-1", Change.HIDDEN, 2)
    ]


def test_show_brings_back_whatever_hid_it_and_can_be_taken_back() -> None:
    acts = (ordered("act-1"), ordered("act-2"), ordered("act-3", Act.SHOW), undone("act-4", "act-3"))
    assert [change for _, change, _ in changes(with_comments(), *acts)] == [Change.HIDDEN, Change.SHOWN, Change.HIDDEN]


def test_taking_back_what_took_back_brings_the_act_to_force_again() -> None:
    acts = [ordered("act-1"), undone("act-2", "act-1"), undone("act-3", "act-2"), undone("act-4", "act-3")]
    told = changes(with_comments(), *acts)
    assert [change for _, change, _ in told] == [Change.HIDDEN, Change.SHOWN, Change.HIDDEN, Change.SHOWN]


def test_an_act_of_another_channel_changes_nothing_and_cannot_be_taken_back() -> None:
    partition = with_comments()
    assert (
        changes(
            partition, ordered("act-1", channel="eve"), ordered("act-2", Act.HIDE_USER, channel="eve", user_id="g_1")
        )
        == []
    )
    assert len(changes(partition, ordered("act-3"), undone("act-4", "act-3", channel="eve"))) == 1
    assert changes(partition, ordered("act-5", Act.PIN, comment_id="comment-2", channel="eve")) == []


def test_all_of_a_user_in_the_channel_goes_with_one_act_and_comes_back_as_it_was() -> None:
    partition = Partition()
    partition.say(
        submitted("comment-1"),
        submitted("comment-2"),
        submitted("comment-3", user_id="g_cid"),
        submitted("comment-4", video_id="video-b"),
        submitted("comment-5", video_id="video-e", channel="eve"),
        submitted("comment-6"),
        revised("revision-1", "comment-6", text=None),
        ordered("act-1", comment_id="comment-2"),
    )
    assert changes(partition, ordered("act-2", Act.HIDE_USER, user_id="g_bob")) == [
        ("comment-1", Change.HIDDEN, 1),
        ("comment-4", Change.HIDDEN, 0),
    ]
    assert changes(partition, undone("act-3", "act-2")) == [
        ("comment-1", Change.SHOWN, 2),
        ("comment-4", Change.SHOWN, 1),
    ]
    assert changes(partition, undone("act-4", "act-1")) == [("comment-2", Change.SHOWN, 3)]


def test_show_user_ends_hide_user_and_nothing_else() -> None:
    acts = (
        ordered("act-1", comment_id="comment-2"),
        ordered("act-2", Act.HIDE_USER, user_id="g_2"),
        ordered("act-3", Act.HIDE_USER, user_id="g_1"),
        ordered("act-4", Act.SHOW_USER, user_id="g_2"),
        ordered("act-5", Act.SHOW_USER, user_id="g_1"),
    )
    assert changes(with_comments(), *acts) == [
        ("comment-2", Change.HIDDEN, 2),
        ("comment-1", Change.HIDDEN, 1),
        ("comment-1", Change.SHOWN, 2),
    ]


# -- who may write


@pytest.mark.parametrize(
    ("kind", "against", "reason"),
    [
        (Act.BAN, {"user_id": "g_bob"}, "banned"),
        (Act.TIMEOUT, {"user_id": "g_bob"}, "timed_out"),
        (Act.BAN_ADDRESS, {"address": "a" * 32}, "banned"),
    ],
)
def test_a_sanction_holds_until_its_time_and_for_its_channel(kind: Act, against: dict[str, str], reason: str) -> None:
    partition = Partition()
    partition.say(ordered("act-1", kind, until_ms=START_MS + 10_000, **against))

    def say(n: int, **options: Any) -> str:
        return fate(partition.again().say(submitted(f"comment-{n}", address="a" * 32, **options)))[0]

    assert say(1, submitted_ms=START_MS + 9_999) == reason
    assert say(2, submitted_ms=START_MS + 10_000) == "accepted"
    assert say(3, channel="eve", video_id="video-e") == "accepted"
    assert fate(partition.say(submitted("comment-4", user_id="g_cid", address="b" * 32))) == ["accepted"]


@pytest.mark.parametrize(
    ("kind", "end", "against"),
    [
        (Act.BAN, Act.UNBAN, {"user_id": "g_bob"}),
        (Act.TIMEOUT, Act.UNTIMEOUT, {"user_id": "g_bob"}),
        (Act.BAN_ADDRESS, Act.UNBAN_ADDRESS, {"address": "a" * 32}),
    ],
)
def test_a_sanction_is_ended_and_taken_back(kind: Act, end: Act, against: dict[str, str]) -> None:
    partition = Partition()
    acts = [
        ordered("act-1", kind, **against, until_ms=START_MS + 90_000),
        ordered("act-2", end, **against),
        ordered("act-3", end, undoes="act-2"),
        ordered("act-4", end, undoes="act-1"),
    ]
    told = []
    for n, act in enumerate(acts):
        partition.again().say(act)
        told += fate(partition.again().say(submitted(f"comment-{n}", address="a" * 32)))
    assert [verdict == "accepted" for verdict in told] == [False, True, False, True]


def test_a_banned_writer_cannot_revise_but_remove() -> None:
    partition = Partition()
    partition.say(submitted("comment-1"), ordered("act-1", Act.BAN, user_id="g_bob"))
    told = partition.again().say(revised("revision-1"), revised("revision-2", text=None))
    assert fate(told) == ["banned", "removed"]


# -- pinned


def pinned(partition: Partition) -> list[str]:
    found: list[str] = []
    for event in partition.told:
        if isinstance(event, CommentChanged) and event.change is Change.PINNED:
            found.append(event.comment_id)
        elif isinstance(event, CommentChanged) and event.change is Change.UNPINNED:
            found.remove(event.comment_id)
    return found


def pin(n: int, kind: Act = Act.PIN) -> Any:
    return ordered(f"act-{kind}-{n}", kind, comment_id=f"comment-{n}")


def test_a_fourth_pin_takes_the_place_of_the_first_until_it_is_taken_back() -> None:
    partition = with_comments(4)
    assert changes(partition, *(pin(n) for n in range(1, 5)))[-2:] == [
        ("comment-1", Change.UNPINNED, 4),
        ("comment-4", Change.PINNED, 4),
    ]
    changes(partition, undone("act-9", "act-pin-2"))
    assert sorted(pinned(partition)) == ["comment-1", "comment-3", "comment-4"]
    changes(partition, pin(3, Act.UNPIN), undone("act-10", "act-pin-4"), undone("act-11", "act-pin-1"))
    assert pinned(partition) == []
    changes(partition, undone("act-12", "act-unpin-3"))
    assert pinned(partition) == ["comment-3"]


def test_who_is_hidden_is_not_pinned_and_comes_back_pinned() -> None:
    partition = with_comments()
    assert [change for _, change, _ in changes(partition, pin(1), ordered("act-1"), undone("act-2", "act-1"))] == [
        Change.PINNED,
        Change.HIDDEN,
        Change.UNPINNED,
        Change.SHOWN,
        Change.PINNED,
    ]
    partition.say(revised("revision-1", user_id="g_1", text=None))
    assert pinned(partition) == []


def test_a_pinned_comment_can_be_unpinned_when_it_is_forgotten() -> None:
    partition = Partition(remembered=2)
    partition.say(submitted("comment-1"), pin(1), *(submitted(f"comment-{n}") for n in range(2, 5)))
    assert changes(partition, pin(2), pin(1, Act.UNPIN)) == [("comment-1", Change.UNPINNED, 4)]


# -- held


def test_a_held_comment_is_for_moderators_until_one_approves_it() -> None:
    partition = Partition(HELD)
    event = submitted("comment-1", text="ham", role="viewer", media_ms=7)
    (held,) = partition.say(event)
    assert held == CommentHeld(
        video_id="video-a",
        channel="ann",
        comment_id="comment-1",
        user_id="g_bob",
        name="Bob",
        text="ham",
        reason="blocked_word",
        message="A moderator looks at your comment before it is shown.",
        note="ham",
        role="viewer",
        submitted_ms=START_MS,
        media_ms=7,
        source_offset=0,
    )
    assert partition.again().say(event) == []
    (accepted,) = partition.again().say(ordered("act-1", Act.APPROVE))
    assert accepted == CommentAccepted(
        video_id="video-a",
        channel="ann",
        seq=1,
        comment_id="comment-1",
        user_id="g_bob",
        name="Bob",
        text="ham",
        submitted_ms=START_MS,
        media_ms=7,
        source_offset=2,
        role="viewer",
        comments=1,
        approved_by="u_mod",
    )
    assert partition.again().say(event, ordered("act-2", Act.APPROVE), ordered("act-3", Act.DECLINE)) == []
    assert not [key for key in partition.left() if key.startswith(b"h/")]


def test_a_first_comment_that_passes_lets_its_writer_pass_in_all_partitions() -> None:
    rules = ChannelRules(first_review=True)
    here, there = CommentsFold(rules, partitions=3), Partition(rules)

    def told_there(*events: Event) -> list[str]:
        """What the others say to what this partition orders of them."""
        orders = []
        for event in events:
            here.apply("source", 0, event)
            orders += [write for write in here.take() if write.topic == COMMENTS_SUBMITTED.name]
        assert [write.partition for write in orders] == [0, 1, 2] * (len(orders) // 3)
        for order in (decode(write.value or b"") for write in orders):
            there.again().say(order)
            here.apply("source", 0, order)
        assert [write.topic for write in here.take() if write.topic != COMMENTS_STATE.name] == []
        comment = submitted(f"comment-{len(there.rows)}", video_id="video-b", text=f"text {len(there.rows)}")
        return fate(there.again().say(comment))

    assert told_there(submitted("comment-1")) == ["held first_message"]
    assert told_there(ordered("act-1", Act.APPROVE)) == ["accepted"]
    there.say(*(ordered(f"act-{at}", comment_id=f"comment-{at}", video_id="video-b") for at in range(100)))
    assert told_there(undone("undo-1", "act-1")) == ["held first_message"]
    assert told_there(undone("undo-2", "undo-1")) == ["accepted"]


def test_an_approval_that_is_taken_back_hides_the_comment() -> None:
    partition = Partition(HELD)
    partition.say(submitted("comment-1", text="ham"), ordered("act-1", Act.APPROVE))
    told = changes(partition, undone("act-2", "act-1"), undone("act-3", "act-2"))
    assert told == [("comment-1", Change.HIDDEN, 0), ("comment-1", Change.SHOWN, 1)]


def test_a_declined_comment_is_rejected_and_waits_again_when_that_is_taken_back() -> None:
    partition = Partition(HELD)
    partition.say(submitted("comment-1", text="ham"))
    steps: list[tuple[Event, list[str]]] = [
        (ordered("act-1", Act.DECLINE), ["declined"]),
        (ordered("act-2", Act.DECLINE), []),
        (submitted("comment-1", text="ham"), ["declined"]),
        (undone("act-3", "act-1"), []),
        (undone("act-4", "act-2"), ["held blocked_word"]),
        (undone("act-5", "act-4"), ["declined"]),
        (ordered("act-6", Act.APPROVE), ["accepted"]),
    ]
    for event, verdicts in steps:
        assert fate(partition.again().say(event)) == verdicts


def test_all_of_a_user_that_waits_is_declined_with_what_is_shown_and_comes_back_with_it() -> None:
    partition = Partition(HELD)
    partition.say(submitted("comment-1"), submitted("comment-2", text="ham"), submitted("comment-3", text="more ham"))
    partition.say(submitted("comment-4", text="ham", user_id="g_eve"))
    partition.say(ordered("act-1", Act.DECLINE, comment_id="comment-3"))
    user = {"video_id": "", "comment_id": "", "user_id": "g_bob"}
    assert fate(partition.again().say(ordered("act-2", Act.HIDE_USER, **user))) == ["hidden", "declined"]
    assert fate(partition.again().say(undone("act-3", "act-1"))) == [], "it is declined still"
    assert fate(partition.again().say(undone("act-4", "act-2", **user))) == [
        "shown",
        "held blocked_word",
        "held blocked_word",
    ]
    told = fate(partition.again().say(ordered("act-5", Act.HIDE_USER, **user), ordered("act-6", Act.SHOW_USER, **user)))
    assert sorted(told) == sorted(["hidden", "shown", *["declined"] * 2, *["held blocked_word"] * 2])
    assert [(event.comment_id, event.state) for event in partition.left_queue] == [
        (f"comment-{n}", Queued.DECLINED) for n in (3, 2, 2, 3)
    ]


def test_moderators_are_told_of_every_comment_that_does_not_wait_any_more() -> None:
    partition = Partition(HELD)
    partition.say(submitted("comment-1", text="ham"), ordered("act-1", Act.APPROVE), undone("act-2", "act-1"))
    (left,) = partition.left_queue
    assert (left.comment_id, left.state, left.text) == ("comment-1", Queued.APPROVED, "")


def test_an_answer_that_is_held_knows_its_thread() -> None:
    partition = Partition(HELD)
    partition.say(submitted("comment-1"), submitted("comment-2", parent_id="comment-1", user_id="g_2"))
    partition.say(submitted("comment-3", parent_id="comment-2", user_id="g_3", text="ham"))
    (accepted,) = partition.again().say(ordered("act-1", Act.APPROVE, comment_id="comment-3"))
    assert isinstance(accepted, CommentAccepted)
    assert (accepted.parent_id, accepted.root_id) == ("comment-2", "comment-1")


def test_one_user_cannot_fill_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.comment_queue.MAX_WAITING", MAX_OF_USER + 1)
    partition = Partition(HELD)

    def ham(n: int, user_id: str) -> str:
        return fate(partition.again().say(submitted(f"comment-{n}", text=f"ham {n}", user_id=user_id)))[0]

    assert [ham(n, "g_bob") for n in range(MAX_OF_USER + 1)] == ["held blocked_word"] * MAX_OF_USER + ["queue_full"]
    assert [ham(n, f"g_{n}") for n in (10, 11)] == ["held blocked_word", "queue_full"]
    partition.say(ordered("act-1", Act.DECLINE, comment_id="comment-10"))
    assert ham(12, "g_12") == "held blocked_word"


def test_of_too_many_declined_ones_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.comment_queue.MAX_DECLINED", 2)
    partition = Partition(HELD)
    for n in range(3):
        partition.again().say(submitted(f"comment-{n}", text="ham", user_id=f"g_{n}"))
    for n in (2, 0, 1):
        partition.again().say(ordered(f"act-{n}", Act.DECLINE, comment_id=f"comment-{n}"))
    assert {key for key in partition.left() if key.startswith(b"h/")} == {
        b"h/video-a/comment-1",
        b"h/video-a/comment-2",
    }


@pytest.mark.parametrize(
    "act",
    [
        ordered("", Act.HIDE),
        ordered("act/1", Act.HIDE),
        ordered("a" * 81, Act.HIDE),
        ordered("act-1", Act.HIDE, comment_id=""),
        ordered("act-1", Act.APPROVE, video_id=""),
        ordered("act-1", Act.BAN),
        ordered("act-1", Act.BAN_ADDRESS),
        ordered("act-1", Act.RULES),
        ordered("act-1", Act.HIDE, undoes="act-1"),
        ordered("act-1", Act.RULES, rules=ChannelRules(blocked=("\u0001" * 64,) * 9_000)),
    ],
)
def test_an_act_that_does_not_say_what_it_needs_is_refused_and_changes_nothing(act: Any) -> None:
    partition = Partition()
    with pytest.raises(FoldError, match="expected"):
        partition.fold.apply("source", 0, act)
    assert partition.fold.take() == []
