"""`ReactionsRecorded` as it is counted: its likes as wishes, its reactions as numbers, without an object for each.

`ReactionBatch` leaves out what no count depends on: who reacted, and when somebody liked. It is read from Avro binary by regular
expressions, which go over entries of the usual lengths in C: a tenth of the time that `read_reactions` takes. An entry
that is not as usual (a user or a comment with an id of another length, a large number) is read by itself as there.
`tests/schemas/test_reaction_batch.py` holds both to the same.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import chain
from typing import Any, Final, NamedTuple

from schemas.events import ReactionsRecorded, Vote
from schemas.reaction_reader import long_at, optional_at, read_list, read_votes, text_at

VIDEO_ITSELF: Final = ""
COMMENT_CHARS: Final = 26
"""Of the ids that the page makes (`newCommentId` of `gateway/web/js/feed.js`)."""

Wish = tuple[str, str, bool]
"""Who, the comment (`VIDEO_ITSELF`: none), and whether it is liked."""


class ReactionBatch(NamedTuple):
    """What counts of a `ReactionsRecorded`; the names are its own.

    Attributes:
        likes: the wishes, in order.
        reactions: how many entries have a kind and a count.
    """

    video_id: str
    channel: str
    gateway_id: str
    batch: int
    recorded_ms: int
    likes: list[Wish]
    reactions: Counter[tuple[str, int]]
    votes: tuple[Vote, ...] = ()
    home: int = -1
    share: int = -1


def batch_of(event: ReactionsRecorded) -> ReactionBatch:
    """What counts of an event."""
    return ReactionBatch(
        event.video_id,
        event.channel,
        event.gateway_id,
        event.batch,
        event.recorded_ms,
        [(like.user_id, like.comment_id or VIDEO_ITSELF, like.liked) for like in event.likes],
        Counter((reaction.kind, reaction.count) for reaction in event.reactions),
        event.votes,
        event.home,
        event.share,
    )


def read_batch(data: bytes, at: int, version: int) -> ReactionBatch:
    """The batch whose body begins at `at`.

    Raises:
        ValueError, IndexError: it is broken; what was expected and found.
    """
    text = data.decode("latin-1")  # a character a byte
    video_id, at = text_at(data, at)
    channel, at = text_at(data, at)
    gateway_id, at = text_at(data, at)
    batch, at = long_at(data, at)
    recorded_ms, at = long_at(data, at)
    likes, at = read_list(data, at, partial(_likes, text))
    counts: Counter[tuple[str, int]] = Counter()
    _, at = read_list(data, at, partial(_reactions, text, counts))
    votes: list[Vote] = []
    home = share = -1
    if version > 1:
        votes, at = read_list(data, at, read_votes)
        home, at = long_at(data, at)
        share, at = long_at(data, at)
    if at > len(data):
        raise ValueError(f"expected {at} bytes, found {len(data)}")
    return ReactionBatch(video_id, channel, gateway_id, batch, recorded_ms, likes, counts, tuple(votes), home, share)


def _likes(text: str, data: bytes, at: int, count: int, found: list[Wish]) -> int:
    def one(at: int) -> int:
        user_id, at = text_at(data, at)
        comment_id, at = optional_at(data, at, text_at)
        found.append((user_id, comment_id or VIDEO_ITSELF, data[at] != 0))
        return long_at(data, at + 1)[1]

    def many(entries: list[Any]) -> None:
        if not "".join(chain.from_iterable(entries)).isascii():
            entries = [(_utf8(user), _utf8(comment), liked) for user, comment, liked in entries]
        found.extend([(user, comment, liked == "\1") for user, comment, liked in entries])

    return _entries(_like_patterns, text, at, count, one, many)


def _reactions(text: str, counts: Counter[tuple[str, int]], data: bytes, at: int, count: int, _: list[Any]) -> int:
    def one(at: int) -> int:
        _, at = text_at(data, at)
        kind, at = text_at(data, at)
        number, at = long_at(data, at)
        counts[kind, number] += 1
        return at

    def many(entries: list[Any]) -> None:
        for (kind, number), times in Counter(entries).items():
            counts[_utf8(kind[1:]), long_at(number.encode("latin-1"), 0)[0]] += times

    return _entries(_reaction_patterns, text, at, count, one, many)


Patterns = tuple[re.Pattern[str], re.Pattern[str]]
"""A run of entries that are as usual, and one of them with its values."""


def _entries(
    patterns: Callable[[str], Patterns],
    text: str,
    at: int,
    count: int,
    one: Callable[[int], int],
    many: Callable[[list[Any]], None],
) -> int:
    """Read `count` entries: those as usual together, the others one by one; gives where they end."""
    while count > 0:
        run, each = patterns(text[at])
        end = run.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        entries = each.findall(text, at, end)
        if 0 < len(entries) <= count:
            many(entries)
            at, count = end, count - len(entries)
        else:  # what follows the last entry may look like one more
            at, count = one(at), count - 1
    return at


@cache
def _like_patterns(length: str) -> Patterns:
    """Likes of users whose ids have this length, as its byte on the wire."""
    size, any_of = _user(length)
    comment = rf"\x{2 * COMMENT_CHARS:02x}(.{{{COMMENT_CHARS}}})"
    return _patterns(rf"{size}({any_of})(?:\0|\x02{comment})([\0\x01])[\x80-\xff]{{0,9}}[\0-\x7f]")


@cache
def _reaction_patterns(length: str) -> Patterns:
    """Reactions of such users, of kinds of three to five letters."""
    size, any_of = _user(length)
    kinds = "|".join(rf"\x{2 * letters:02x}.{{{letters}}}" for letters in (3, 4, 5))
    return _patterns(rf"{size}{any_of}({kinds})([\x80-\xff]?[\0-\x7f])")


def _user(length: str) -> tuple[str, str]:
    """The length, and as many bytes as it says; nothing can be as long as one of two bytes, or below 0."""
    size = ord(length)
    return rf"\x{size:02x}", f".{{{size // 2}}}" if size < 128 and not size & 1 else r"[^\0-\xff]"


def _patterns(entry: str) -> Patterns:
    without_groups = entry.replace("(?:", "<").replace("(", "(?:").replace("<", "(?:")
    # Not possessive (*+), though nothing is ever tried again: Python 3.11.2 matches that wrongly.
    return re.compile(f"(?:{without_groups})*", re.DOTALL), re.compile(entry, re.DOTALL)


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode()
