import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.comment_text import (
    MAX_NAME,
    CommentPolicy,
    Reason,
    clean,
    clean_name,
    digest,
    judge,
    plain_words,
    policy_of,
)
from stores.settings import load_settings

POLICY = CommentPolicy(slow_mode_ms=500, blocked=frozenset({"spam", "buy now", "straße".casefold()}))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("hello", "hello"),
        ("  a\r\nb\tc  ", "a  b c"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("left\u202eright\u2066", "leftright"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("e\u0301", "\u00e9"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\ud800", ""),
    ],
)
def test_cleaning_keeps_what_is_seen_and_nothing_else(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@settings(deadline=None)
@given(st.text())
def test_a_cleaned_text_can_be_encoded_and_has_no_control_characters(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not any(unicodedata.category(char) == "Cc" for char in cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * 500, None),
        ("x" * 501, Reason.TOO_LONG),
        ("", Reason.EMPTY),
        ("\u200d", Reason.EMPTY),
        ("see http://a.example and https://b.example", None),
        ("HTTP://a.example www.b.example https://c.example", Reason.LINKS),
        ("this is SPAM!", Reason.BLOCKED_WORD),
        ("this is spammy", None),
        ("\uff53\uff50\uff41\uff4d", Reason.BLOCKED_WORD),
        ("sp\u200cam", Reason.BLOCKED_WORD),
        ("BUY, NOW", Reason.BLOCKED_WORD),
        ("now buy", None),
        ("STRASSE", Reason.BLOCKED_WORD),
    ],
)
def test_a_text_is_judged_by_length_links_and_words(text: str, reason: Reason | None) -> None:
    assert judge(text, POLICY) == reason


def test_the_policy_comes_from_the_settings() -> None:
    policy = policy_of(load_settings(slow_mode_ms=2_000, blocked_words="Spam, buy  now,,  "))
    assert policy.slow_mode_ms == 2_000
    assert policy.blocked == {"spam", "buy now"}
    assert policy_of(load_settings()).blocked == frozenset()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_for_the_writer(reason: Reason) -> None:
    assert POLICY.message(reason).endswith(".")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_name_always_has_something_to_show(name: str) -> None:
    assert 1 <= len(clean_name(name, "g_0123456789abcdef")) <= MAX_NAME


def test_a_name_that_cannot_be_seen_becomes_the_users_id() -> None:
    assert clean_name("\u202e \x00", "g_0123456789abcdef") == "g_0123456789abcdef"
    assert clean_name("  Ann  ", "g_0123456789abcdef") == "Ann"


def test_the_digest_is_of_what_is_said_not_how_it_is_written() -> None:
    assert digest("Hello   World") == digest("hello world") == digest("\uff48ello world")
    assert digest("hello world") != digest("hello worlds")
    assert 0 <= digest("x") < 2**64


def test_words_are_compared_in_one_form() -> None:
    assert plain_words("  \uff28ello, WORLD! ") == "hello world"
