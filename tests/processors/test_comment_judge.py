"""The rules of a channel, one after the other."""

from typing import Any

import pytest

from processors.comment_rules import Finding, Reason, Rules, operators_rules
from schemas.events import Act, ChannelRules, CommentRejected
from stores.settings import load_settings
from tests.processors.comment_log import START_MS, Partition, fate, ordered, submitted

USERS = ("g_1", "g_2", "g_3", "g_4", "g_5", "g_6")


def judged(rules: ChannelRules, text: str = "hello", **options: Any) -> str:
    return fate(Partition(rules).say(submitted("comment-1", text=text, **options)))[0]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("x" * 500, "accepted"),
        ("x" * 501, "too_long"),
        ("", "empty"),
        ("\u200d", "empty"),
        ("http://a.example www.b.example", "accepted"),
        ("http://a.example www.b.example https://c.example", "links"),
        ("this is SPAM!", "blocked_word"),
        ("this is spammy", "accepted"),
        ("some bitcoins", "blocked_word"),
        ("perhaps this", "held blocked_word"),
        ("perhaps spam", "blocked_word"),
    ],
)
def test_a_text_is_judged_by_length_links_and_words(text: str, verdict: str) -> None:
    assert judged(ChannelRules(blocked=("spam", "*coin*"), held=("perhaps",)), text) == verdict


@pytest.mark.parametrize(("length", "verdict"), [(9, "accepted"), (10, "accepted"), (11, "too_long")])
def test_a_channel_may_want_shorter_comments(length: int, verdict: str) -> None:
    assert judged(ChannelRules(max_length=10), "x" * length) == verdict


@pytest.mark.parametrize(
    ("who", "verdicts"),
    [
        ("everyone", "accepted accepted accepted accepted accepted"),
        ("accounts", "guests guests accepted accepted accepted"),
        ("followers", "followers_only followers_only followers_only accepted accepted"),
        ("members", "members_only members_only members_only members_only accepted"),
        ("a later version's", "accepted accepted accepted accepted accepted"),
    ],
)
def test_who_may_write(who: str, verdicts: str) -> None:
    roles = ("", "guest", "viewer", "follower", "member")
    assert [judged(ChannelRules(who=who), role=role) for role in roles] == verdicts.split()


@pytest.mark.parametrize(("links", "of_viewer"), [("allow", "accepted"), ("hold", "held links"), ("reject", "links")])
def test_links_of_those_who_are_no_members(links: str, of_viewer: str) -> None:
    rules = ChannelRules(links=links)
    assert judged(rules, "see www.a.example", role="viewer") == of_viewer
    assert judged(rules, "see www.a.example", role="member") == "accepted"
    assert judged(rules, "see nothing", role="viewer") == "accepted"


@pytest.mark.parametrize(
    ("screened", "verdict"), [("", "accepted"), ("hold", "held classifier"), ("reject", "classifier")]
)
def test_the_classifiers_word_counts(screened: str, verdict: str) -> None:
    assert judged(ChannelRules(), screened=screened) == verdict


@pytest.mark.parametrize("role", ["moderator", "owner"])
def test_moderators_are_above_all_but_length_and_sense(role: str) -> None:
    strict = ChannelRules(
        slow_mode_ms=60_000,
        who="members",
        first_review=True,
        links="reject",
        flood=1,
        blocked=("spam",),
        held=("ham",),
        banned=("g_bob",),
    )
    partition = Partition(strict)
    partition.say(ordered("act-1", Act.BAN, user_id="g_bob"))
    texts = ("spam", "ham", "www.a.example", "spam", "", "x" * 501)
    told = partition.say(
        *(submitted(f"comment-{n}", text=text, role=role, screened="reject") for n, text in enumerate(texts))
    )
    assert fate(told) == ["accepted"] * 4 + ["empty", "too_long"]


def test_of_a_flood_the_first_comments_pass() -> None:
    partition = Partition(ChannelRules(flood=3))
    told = partition.say(*(submitted(f"comment-{n}", submitted_ms=START_MS + 1_000 * n) for n in range(14)))
    assert fate(told)[:4] == ["accepted", "accepted", "accepted", "flood"]
    assert fate(told)[9:11] == ["flood", "accepted"]


def test_the_shared_block_lists_ban() -> None:
    rules = ChannelRules(banned=("g_bob",))
    assert [judged(rules, user_id=user) for user in ("g_bob", "g_cid")] == ["banned", "accepted"]


def test_the_first_comment_of_a_user_is_held_until_one_has_passed() -> None:
    partition = Partition(ChannelRules(first_review=True))
    first, again = submitted("comment-1"), submitted("comment-2", submitted_ms=START_MS + 60_000)
    assert fate(partition.say(first, again)) == ["held first_message"] * 2
    assert fate(partition.again().say(ordered("act-1", Act.APPROVE))) == ["accepted"]
    later = submitted("comment-3", video_id="video-b", submitted_ms=START_MS + 120_000)
    assert fate(partition.again().say(later)) == ["accepted"]
    assert fate(partition.say(submitted("comment-4", channel="eve", video_id="video-e"))) == ["held first_message"]


def test_who_wrote_before_the_first_was_reviewed_is_known() -> None:
    partition = Partition()
    partition.say(submitted("comment-1"), ordered("act-1", Act.RULES, rules=ChannelRules(first_review=True)))
    told = partition.again().say(submitted("comment-2"), submitted("comment-3", user_id="g_new"))
    assert fate(told) == ["accepted", "held first_message"]


def test_a_held_comment_counts_for_the_pace_of_its_writer() -> None:
    partition = Partition(ChannelRules(slow_mode_ms=500, held=("ham",)))
    told = partition.say(
        submitted("comment-1", text="ham"),
        submitted("comment-2", submitted_ms=START_MS + 499),
        submitted("comment-3", text="Ham", submitted_ms=START_MS + 500),
        submitted("comment-4", submitted_ms=START_MS + 500),
    )
    assert fate(told) == ["held blocked_word", "slow_mode", "duplicate", "accepted"]


def test_rules_hold_from_their_act_on_and_for_their_channel() -> None:
    partition = Partition(ChannelRules(blocked=("spam",)))
    partition.say(ordered("act-1", Act.RULES, rules=ChannelRules(blocked=("eggs",))))
    texts = [submitted(f"comment-{n}", text=text, user_id=USERS[n]) for n, text in enumerate(("spam", "eggs"))]
    assert fate(partition.again().say(*texts)) == ["accepted", "blocked_word"]
    elsewhere = submitted("comment-9", channel="eve", video_id="video-e", text="spam")
    assert fate(partition.say(elsewhere)) == ["blocked_word"]


def test_rules_that_are_taken_back_give_way_to_those_before() -> None:
    def blocks(partition: Partition) -> list[str]:
        words = ("one", "two", "spam")
        events = [submitted(f"comment-{n}", text=text, user_id=USERS[n]) for n, text in enumerate(words)]
        told = Partition(ChannelRules(blocked=("spam",)))
        told.rows = list(partition.rows)
        return [
            word for word, verdict in zip(words, fate(told.again().say(*events)), strict=True) if verdict != "accepted"
        ]

    partition = Partition(ChannelRules(blocked=("spam",)))
    partition.say(ordered("act-1", Act.RULES, rules=ChannelRules(blocked=("one",))))
    partition.say(ordered("act-2", Act.RULES, rules=ChannelRules(blocked=("two",))))
    assert blocks(partition) == ["two"]
    partition.say(ordered("act-3", Act.RULES, undoes="act-2"))
    assert blocks(partition) == ["one"]
    partition.say(ordered("act-4", Act.RULES, undoes="act-1"))
    assert blocks(partition) == ["spam"]
    partition.say(ordered("act-5", Act.RULES, undoes="act-3"))
    assert blocks(partition) == ["two"]


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("held", [True, False])
def test_every_reason_has_a_sentence_for_the_writer(reason: Reason, held: bool) -> None:
    assert Rules(ChannelRules()).message(Finding(reason, held)).endswith(".")


def test_the_sentence_says_the_channels_own_limit() -> None:
    (told,) = Partition(ChannelRules(max_length=3)).say(submitted("comment-1", text="four"))
    assert isinstance(told, CommentRejected)
    assert told.message == "A comment has at most 3 characters."


def test_the_operators_settings_are_the_rules_of_who_chose_none() -> None:
    rules = operators_rules(load_settings(slow_mode_ms=2_000, blocked_words="Spam, buy  now,,  "))
    assert rules.slow_mode_ms == 2_000
    assert judged(rules, "now BUY Now!") == "blocked_word"
    assert judged(operators_rules(load_settings()), "spam") == "accepted"
