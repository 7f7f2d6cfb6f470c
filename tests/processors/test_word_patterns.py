import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.word_patterns import MAX_PATTERN, MAX_PATTERNS, MAX_PHRASES, Patterns, plain_pattern, plain_words

BLOCKED = Patterns(["spam", "Buy  now", "straße", "*coin*", "free *", "w*n*r", "***", "", "a b c"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("this is SPAM!", "spam"),
        ("this is spammy", None),
        ("\uff53\uff50\uff41\uff4d", "spam"),
        ("sp\u200cam", "spam"),
        ("BUY, NOW", "buy now"),
        ("now buy", None),
        ("STRASSE", "strasse"),
        ("all the bitcoins", "*coin*"),
        ("COIN", "*coin*"),
        ("co in", None),
        ("free beer", "free *"),
        ("it is free", None),
        ("a winner", "w*n*r"),
        ("wnr", "w*n*r"),
        ("wr", None),
        ("winners", None),
        ("we win far", None),
        ("x a b c", "a b c"),
        ("a b b c", None),
        ("", None),
    ],
)
def test_words_phrases_and_patterns_are_found_however_they_are_written(text: str, found: str | None) -> None:
    assert BLOCKED.found_in(plain_words(text)) == found


def test_words_are_compared_in_one_form() -> None:
    assert plain_words("  \uff28ello, WORLD! ") == "hello world"
    assert plain_pattern(" \uff28ello, **ORLD! ") == "hello *orld"
    assert plain_pattern("* ** ***") == ""


def test_what_says_nothing_blocks_nothing() -> None:
    assert not Patterns([])
    assert not Patterns(["", " ,", "*", "* *"])
    assert not Patterns(["x" * (MAX_PATTERN + 1)])


def test_of_too_many_the_first_count() -> None:
    phrases = Patterns(f"word{n}" for n in range(MAX_PHRASES + 1))
    assert phrases.found_in(f"word{MAX_PHRASES - 1}")
    assert phrases.found_in(f"word{MAX_PHRASES}") is None
    patterns = Patterns(f"word{n}*" for n in range(10_000, 10_001 + MAX_PATTERNS))
    assert patterns.found_in(f"word{10_000 + MAX_PATTERNS - 1}s")
    assert patterns.found_in(f"word{10_000 + MAX_PATTERNS}s") is None


def test_what_would_choke_a_regular_expression_takes_no_time() -> None:
    evil = Patterns([f"{'*a' * 31}*b"] * 1 + [f"{'a*' * n}b" for n in range(1, 31)])
    text = plain_words("a" * 500)
    started = time.process_time()
    for _ in range(100):
        assert evil.found_in(text) is None
    assert time.process_time() - started < 2


LETTERS = st.text("ab", max_size=6)


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=2, max_size=4), LETTERS, st.data())
def test_a_star_is_any_characters_of_one_word(parts: list[str], word: str, data: st.DataObject) -> None:
    """Compared with every way of putting the parts one after the other."""
    pattern = plain_pattern("*".join(parts))
    if not pattern:
        return

    def fits(rest: str, left: list[str]) -> bool:
        if not left:
            return True
        if len(left) == 1:
            return rest.endswith(left[0])
        return any(
            rest[at:].startswith(left[0]) and fits(rest[at + len(left[0]) :], left[1:]) for at in range(len(rest) + 1)
        )

    expected = word.startswith(parts[0]) and fits(word[len(parts[0]) :], parts[1:])
    assert (Patterns([pattern]).found_in(word) is not None) is (expected and bool(word))
