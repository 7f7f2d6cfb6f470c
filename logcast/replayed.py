"""Compares a video that was made again from the log with what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from consumers.soundness.facts import Facts, Part
from consumers.soundness.gathering import Places
from logcast.rebuilding import Rebuilt, Said
from schemas.comment_state import CommentNow
from schemas.events import PollChanged
from schemas.video_settings import NOT_KEPT
from stores.recordings import segment_name

ABSENT: Final = object()


@dataclass(slots=True)
class Compared:
    """How much of one kind is equal, different, missing (of what the log gives), or was not made again from the log."""

    what: str
    equal: int = 0
    different: int = 0
    missing: int = 0
    not_rebuilt: int = 0
    first: str = ""

    @property
    def same(self) -> bool:
        """Nothing differs."""
        return not (self.different or self.missing or self.not_rebuilt)


def compared(what: str, rebuilt: Mapping[Any, Any], there: Mapping[Any, Any]) -> Compared:
    """Compare by key. Pure."""
    found = Compared(what)
    for key in sorted(rebuilt.keys() | there.keys(), key=str):
        new, old = rebuilt.get(key, ABSENT), there.get(key, ABSENT)
        if new == old:
            found.equal += 1
            continue
        found.first = found.first or str(key)
        if old is ABSENT:
            found.missing += 1
        elif new is ABSENT:
            found.not_rebuilt += 1
        else:
            found.different += 1
    return found


async def comparison(places: Places, facts: Facts, rebuilt: Rebuilt, feed: Mapping[int, Said]) -> list[Compared]:
    """Every kind of thing of a video.

    Args:
        places: where the recording is.
        facts: what log, index and stores have.
        rebuilt: what the input topics give.
        feed: comments and changes as the log has them.

    Raises:
        RecordingsError.
    """
    told, indexed = facts.logged, facts.indexed
    rows = []
    for rendition in rebuilt.renditions:
        new = {
            (key, n): part for key, parts in rebuilt.parts.items() if key[0] == rendition for n, part in parts.items()
        }
        old: dict[Any, Part] = {
            (key, n): part for key, one in told.segments.items() if key[0] == rendition for n, part in one.parts.items()
        }
        unhashed = {at for at, part in old.items() if not part.sha256}
        new = {at: Part(p.dts, p.duration, p.size) if at in unhashed else p for at, p in new.items()}
        rows.append(compared(f"parts of {rendition}", new, old))
    if facts.video.keep_days != NOT_KEPT:
        rows += [await _recorded(places, facts, rebuilt, rendition) for rendition in rebuilt.renditions]
    rows.append(compared("comments and changes on the log", rebuilt.feed, feed))
    rows.append(
        compared(
            "comments of the index",
            {seq: _shown(one) for seq, one in rebuilt.audience.comments.items()},
            {seq: _shown(one) for seq, one in indexed.comments.items()},
        )
    )
    likes, there = rebuilt.audience.totals, indexed.totals
    rows.append(
        compared(
            "totals",
            {} if likes is None else {"totals": (likes.likes, _some(likes.reactions))},
            {} if there is None else {"totals": (there.likes, _some(there.reactions))},
        )
    )
    polls = [{key: _poll(one) for key, one in each.items()} for each in (rebuilt.audience.polls, indexed.polls)]
    return [*rows, compared("polls", *polls)]


async def _recorded(places: Places, facts: Facts, rebuilt: Rebuilt, rendition: str) -> Compared:
    """The objects of the recording, byte for byte."""
    new = {key[1]: digest for key, digest in rebuilt.objects.items() if key[0] == rendition}
    numbers = new.keys() | {number for name, number in facts.logged.segments if name == rendition}
    old = {}
    for number in numbers:
        data = await places.cold.get(segment_name(facts.video.video_id, rendition, number))
        if data is not None:
            old[number] = sha256(data).digest()
    return compared(f"recorded segments of {rendition}", new, old)


def _shown(comment: CommentNow) -> tuple[Any, ...]:
    return comment.comment_id, comment.accepted.user_id, comment.text, comment.shown, comment.pinned


def _poll(poll: PollChanged) -> tuple[Any, ...]:
    return poll.question, tuple(poll.options), tuple(poll.votes), poll.closed_ms


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in sorted(counts.items()) if count}
