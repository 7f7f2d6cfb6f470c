"""Cleans the text of comments, and says what it says: pure functions of the text."""

import re
import unicodedata
from hashlib import blake2b
from typing import Final

MAX_TEXT: Final = 500
MAX_NAME: Final = 32

LINK: Final = re.compile(r"(?:https?://|\bwww\.)\w", re.IGNORECASE)
COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that scripts and emoji need."""


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


def is_empty(text: str) -> bool:
    """Whether nothing of a cleaned text can be seen."""
    return not text.strip("\u200c\u200d ")


def links_in(text: str) -> int:
    """How many links a text has."""
    return len(LINK.findall(text))


def digest(text: str) -> int:
    """64 bits that are the same for texts that differ only in case, form and space."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(blake2b(folded.encode(), digest_size=8).digest(), "big")


def clean_colour(colour: str) -> str:
    """A colour as pages take it; empty where it is none."""
    return colour.lower() if COLOUR.fullmatch(colour) else ""
