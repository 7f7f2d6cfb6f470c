"""Words, phrases and patterns that a text may not have; strangers write them, so none becomes a regular expression.

A pattern is a phrase in which `*` stands for any characters of a word, none included: `buy *coins` finds "buy now-coins"
no more than "buy coin", but "Buy BITCOINS!". Matching is linear in the text for each pattern: the parts between the
stars are looked for from left to right, each once. Most patterns cost one substring search, because their longest part
must be in the text.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_PHRASES: Final = 10_000
MAX_PATTERNS: Final = 500
"""Of one list; the rest is passed over. Phrases without a star cost nothing in number, patterns do."""
MAX_PATTERN: Final = 64
"""Characters of a phrase or a pattern; longer ones are passed over."""

WORD: Final = re.compile(r"\w+")
GLOB: Final = re.compile(r"[\w*]+")
STARS: Final = re.compile(r"\*+")


def plain_words(text: str) -> str:
    """The words of a text as they are compared: compatibility form, case folded, joined by single spaces."""
    return " ".join(WORD.findall(_folded(text)))


def plain_pattern(pattern: str) -> str:
    """The words of a pattern in the same form, with their stars; empty when it says nothing."""
    words = GLOB.findall(STARS.sub("*", _folded(pattern)))
    return " ".join(words) if any(word != "*" for word in words) else ""


def _folded(text: str) -> str:
    visible = text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", visible).casefold()


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words with stars: `words` split at them; `rarest` is in every text that has the pattern."""

    source: str
    words: tuple[tuple[str, ...], ...]
    rarest: str

    def is_in(self, text: str, words: Sequence[str]) -> bool:
        """Whether plain words, joined (`text`) and single, have it."""
        if self.rarest not in text:
            return False
        return any(
            all(_fits(words[at + n], parts) for n, parts in enumerate(self.words))
            for at in range(len(words) - len(self.words) + 1)
        )


class Patterns:
    """A list of words, phrases and patterns, ready to be looked for."""

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self._phrases: set[str] = set()
        self._patterns: list[Pattern] = []
        short = [source for source in sources if len(source) <= MAX_PATTERN]
        for pattern in dict.fromkeys(plain_pattern(source) for source in short[:MAX_PHRASES]):
            if "*" not in pattern:
                self._phrases.add(pattern)
            elif len(self._patterns) < MAX_PATTERNS:
                self._patterns.append(_pattern(pattern))
        self._phrases.discard("")
        self._lengths = sorted({phrase.count(" ") + 1 for phrase in self._phrases})

    def __bool__(self) -> bool:
        return bool(self._phrases or self._patterns)

    def found_in(self, text: str) -> str | None:
        """The first that a text (as `plain_words` gives it) has."""
        words = text.split()
        for length in self._lengths:
            for at in range(len(words) - length + 1):
                phrase = words[at] if length == 1 else " ".join(words[at : at + length])
                if phrase in self._phrases:
                    return phrase
        return next((pattern.source for pattern in self._patterns if pattern.is_in(text, words)), None)


def _pattern(source: str) -> Pattern:
    words = tuple(tuple(word.split("*")) for word in source.split())
    return Pattern(source, words, max((part for parts in words for part in parts), key=len))


def _fits(word: str, parts: tuple[str, ...]) -> bool:
    """Whether a word is these parts with anything between them."""
    if len(parts) == 1:
        return word == parts[0]
    first, *middle, last = parts
    at, end = len(first), len(word) - len(last)
    if at > end or not word.startswith(first) or not word.endswith(last):
        return False
    for part in middle:
        found = word.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
