"""Identifiers: new types, their form, and how they are made."""

import re
from typing import NewType

VideoId = NewType("VideoId", str)
ChannelName = NewType("ChannelName", str)
CommentId = NewType("CommentId", str)
UserId = NewType("UserId", str)

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32 in lower case: no i, l, o, u."""

CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,39}")
VIDEO_ID = re.compile(f"[{ALPHABET}]{{20}}")
COMMENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def base32(number: int, length: int) -> str:
    """`number` in `length` characters of Crockford base32, most significant first; higher bits are cut off."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def new_video_id(now_ms: int, random: bytes) -> VideoId:
    """A new id of 20 characters that sorts by time: 50 bits of milliseconds, then 50 bits of `random` (≥ 7 bytes)."""
    if len(random) < 7:
        raise ValueError(f"expected at least 7 random bytes, found {len(random)}")
    return VideoId(base32(now_ms, 10) + base32(int.from_bytes(random, "big"), 10))


def started_ms(video_id: str) -> int:
    """Wall clock in a video id: its first ten characters.

    Raises:
        ValueError: a character is none of ours.
    """
    number = 0
    for character in video_id[:10]:
        number = number << 5 | ALPHABET.index(character)
    return number
