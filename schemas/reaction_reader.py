"""Reads `ReactionsRecorded` from Avro binary (specification 1.11, "Binary Encoding"), three times as fast as fastavro.

They come by the hundred thousand a second, a hundred likes and reactions in each, and fastavro makes a dict of every one
first. Here are their first two versions (schema ids 10 and 85) by hand; a later one is read by fastavro until it is
added. `tests/schemas/test_reaction_reader.py` holds both readers to the same events.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from schemas.events import Like, Reaction, ReactionsRecorded, Vote

VERSIONS: Final = {10: 1, 85: 2}
"""Schema ids that are read here, and which version of the event they are."""
LONG_BITS: Final = 64


def _setters(kind: type[Any], *names: str) -> Iterator[Callable[[Any, Any], None]]:
    """What sets the slots of a frozen dataclass: half the time of its `__init__`."""
    return (getattr(kind, name).__set__ for name in names)


_LIKE_USER, _LIKE_COMMENT, _LIKE_LIKED, _LIKE_AT = _setters(Like, "user_id", "comment_id", "liked", "at_ms")
_REACTION_USER, _REACTION_KIND, _REACTION_COUNT = _setters(Reaction, "user_id", "kind", "count")


def read_reactions(data: bytes, at: int, version: int) -> ReactionsRecorded:
    """The event whose body begins at `at`.

    Raises:
        ValueError, IndexError: it is broken; what was expected and found.
    """
    video_id, at = text_at(data, at)
    channel, at = text_at(data, at)
    gateway_id, at = text_at(data, at)
    batch, at = long_at(data, at)
    recorded_ms, at = long_at(data, at)
    likes, at = read_list(data, at, _likes)
    reactions, at = read_list(data, at, _reactions)
    votes: list[Vote] = []
    home = share = -1
    if version > 1:
        votes, at = read_list(data, at, read_votes)
        home, at = long_at(data, at)
        share, at = long_at(data, at)
    if at > len(data):
        raise ValueError(f"expected {at} bytes, found {len(data)}")
    return ReactionsRecorded(
        video_id=video_id,
        channel=channel,
        gateway_id=gateway_id,
        batch=batch,
        recorded_ms=recorded_ms,
        likes=tuple(likes),
        reactions=tuple(reactions),
        votes=tuple(votes),
        home=home,
        share=share,
    )


def read_list(data: bytes, at: int, read: Callable[[bytes, int, int, list[Any]], int]) -> tuple[list[Any], int]:
    """What `read` makes of an array: blocks of items, each with its count (below 0: and its size in bytes), until a count of 0."""
    items: list[Any] = []
    count, at = long_at(data, at)
    while count:
        if count < 0:
            count, (_, at) = -count, long_at(data, at)
        at = read(data, at, count, items)
        count, at = long_at(data, at)
    return items, at


def _likes(data: bytes, at: int, count: int, items: list[Like]) -> int:
    """The times of one batch differ in their first byte at most, mostly: the rest of the last one is remembered."""
    new, kind = object.__new__, Like
    rest, high = b"", 0
    for _ in range(count):
        like = new(kind)
        size = data[at]
        if size < 128 and not size & 1:  # the usual: a length in one byte
            end = at + 1 + (size >> 1)
            _LIKE_USER(like, data[at + 1 : end].decode())
        else:
            user_id, end = text_at(data, at)
            _LIKE_USER(like, user_id)
        if data[end] == 0:
            _LIKE_COMMENT(like, None)
            at = end + 1
        else:
            comment_id, at = optional_at(data, end, text_at)
            _LIKE_COMMENT(like, comment_id)
        _LIKE_LIKED(like, data[at] != 0)
        at += 1
        first = data[at]
        if first > 127 and not first & 1 and rest and data[at + 1 : at + 1 + len(rest)] == rest:
            _LIKE_AT(like, (high | first & 127) >> 1)
            at += 1 + len(rest)
        else:
            at_ms, end = long_at(data, at)
            _LIKE_AT(like, at_ms)
            rest, high = (data[at + 1 : end], at_ms << 1 & ~127) if at_ms > 0 else (b"", 0)
            at = end
        items.append(like)
    return at


def _reactions(data: bytes, at: int, count: int, items: list[Reaction]) -> int:
    new, kind = object.__new__, Reaction
    for _ in range(count):
        reaction = new(kind)
        size = data[at]
        if size < 128 and not size & 1:
            end = at + 1 + (size >> 1)
            _REACTION_USER(reaction, data[at + 1 : end].decode())
        else:
            user_id, end = text_at(data, at)
            _REACTION_USER(reaction, user_id)
        name, at = text_at(data, end)
        _REACTION_KIND(reaction, name)
        times = data[at]
        if times < 128 and not times & 1:
            _REACTION_COUNT(reaction, times >> 1)
            at += 1
        else:
            number, at = long_at(data, at)
            _REACTION_COUNT(reaction, number)
        items.append(reaction)
    return at


def read_votes(data: bytes, at: int, count: int, items: list[Vote]) -> int:
    """Add `count` votes; gives where they end. Errors as `read_reactions`."""
    for _ in range(count):
        user_id, at = text_at(data, at)
        poll_id, at = text_at(data, at)
        option, at = optional_at(data, at, long_at)
        at_ms, at = long_at(data, at)
        items.append(Vote(user_id=user_id, poll_id=poll_id, option=option, at_ms=at_ms))
    return at


def optional_at(data: bytes, at: int, read: Callable[[bytes, int], tuple[Any, int]]) -> tuple[Any, int]:
    """A union of null and something: which of them, then the value."""
    branch, at = long_at(data, at)
    if branch not in (0, 1):
        raise ValueError(f"expected branch 0 or 1 of a union, found {branch}")
    return read(data, at) if branch else (None, at)


def text_at(data: bytes, at: int) -> tuple[str, int]:
    """A string: its length in bytes, then UTF-8."""
    size, at = long_at(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise ValueError(f"expected a text of 0 to {len(data) - at} bytes, found {size}")
    return data[at:end].decode(), end


def long_at(data: bytes, at: int) -> tuple[int, int]:
    """An int or long: zigzag, seven bits a byte, least significant first, the last byte below 128."""
    byte = data[at]
    at += 1
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at
    value, shift = byte & 127, 7
    while byte > 127:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if shift > LONG_BITS + 6:
            raise ValueError("expected a long of at most 10 bytes")
    return (value >> 1) ^ -(value & 1), at
