import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.comment_text import MAX_NAME, clean, clean_name, digest, is_empty, links_in


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
    ("text", "links"),
    [
        ("no link", 0),
        ("see http://a.example and https://b.example", 2),
        ("HTTP://a.example www.b.example https://c.example", 3),
        ("http:// www. awww.b", 0),
    ],
)
def test_links_are_counted(text: str, links: int) -> None:
    assert links_in(text) == links


@pytest.mark.parametrize(("text", "empty"), [("", True), ("\u200d", True), ("\u200d \u200c", True), ("a", False)])
def test_a_text_of_which_nothing_is_seen_is_empty(text: str, empty: bool) -> None:
    assert is_empty(text) is empty


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
