"""Cleans and judges the text of comments: a pure function of the text and the policy."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from stores.settings import Settings

MAX_TEXT: Final = 500
MAX_NAME: Final = 32
MAX_LINKS: Final = 2
DUPLICATE_MS: Final = 30_000

LINK: Final = re.compile(r"(?:https?://|\bwww\.)\w", re.IGNORECASE)
WORD: Final = re.compile(r"\w+")
JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that scripts and emoji need."""


class Reason(StrEnum):
    """Why a comment is rejected."""

    TOO_LONG = "too_long"
    EMPTY = "empty"
    LINKS = "links"
    BLOCKED_WORD = "blocked_word"
    UNKNOWN_PARENT = "unknown_parent"
    SLOW_MODE = "slow_mode"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class CommentPolicy:
    """What a comment must keep to.

    Attributes:
        slow_mode_ms: least time between two comments of a user on a video.
        duplicate_ms: a user's last text is not taken again within this time.
        blocked: words and phrases as `plain_words` gives them.
    """

    slow_mode_ms: int
    duplicate_ms: int = DUPLICATE_MS
    blocked: frozenset[str] = frozenset()

    def message(self, reason: Reason) -> str:
        """A sentence for the writer."""
        return {
            Reason.TOO_LONG: f"A comment has at most {MAX_TEXT} characters.",
            Reason.EMPTY: "The comment is empty.",
            Reason.LINKS: f"A comment has at most {MAX_LINKS} links.",
            Reason.BLOCKED_WORD: "The comment has a word that is blocked here.",
            Reason.UNKNOWN_PARENT: "The comment that this answers is not known.",
            Reason.SLOW_MODE: f"Slow mode: wait {self.slow_mode_ms / 1000:g} s between two comments.",
            Reason.DUPLICATE: "You have just written the same.",
        }[reason]


def policy_of(settings: Settings) -> CommentPolicy:
    """The policy that the settings ask for."""
    phrases = (plain_words(phrase) for phrase in settings.blocked_words.split(","))
    return CommentPolicy(settings.slow_mode_ms, blocked=frozenset(phrase for phrase in phrases if phrase))


def clean(text: str) -> str:
    """The text in composed form (NFC), without control and invisible format characters; line ends become spaces."""
    if text.isprintable():  # most are: nothing to take out, and no line ends
        return unicodedata.normalize("NFC", text).strip()
    spaced = "".join(" " if char in "\r\n\t\u2028\u2029" else char for char in text)
    shown = "".join(char for char in spaced if char in JOINERS or unicodedata.category(char) not in {"Cc", "Cf", "Cs"})
    return unicodedata.normalize("NFC", shown).strip()


def clean_name(name: str, user_id: str) -> str:
    """The display name, cleaned and at most `MAX_NAME` characters; the user's id when nothing is left."""
    return clean(name[: 4 * MAX_NAME])[:MAX_NAME].strip() or user_id[:MAX_NAME]


def judge(text: str, policy: CommentPolicy) -> Reason | None:
    """Why a cleaned text cannot be taken, whoever wrote it; None: it can."""
    if len(text) > MAX_TEXT:
        return Reason.TOO_LONG
    if not text.strip("\u200c\u200d "):
        return Reason.EMPTY
    if len(LINK.findall(text)) > MAX_LINKS:
        return Reason.LINKS
    if policy.blocked and _has_phrase(text, policy.blocked):
        return Reason.BLOCKED_WORD
    return None


def plain_words(text: str) -> str:
    """The words of a text as they are compared: compatibility form, case folded, joined by single spaces."""
    visible = text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(WORD.findall(unicodedata.normalize("NFKC", visible).casefold()))


def digest(text: str) -> int:
    """64 bits that are the same for texts that differ only in case, form and space."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(blake2b(folded.encode(), digest_size=8).digest(), "big")


def _has_phrase(text: str, blocked: frozenset[str]) -> bool:
    words = f" {plain_words(text)} "
    return any(f" {phrase} " in words for phrase in blocked)
