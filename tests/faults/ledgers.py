"""What the log, Cassandra and the API say of one video's engagement, read whole."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from schemas.codec import decode
from schemas.comment_state import CommentNow
from schemas.events import (
    CommentAccepted,
    DeadLetter,
    Event,
    PollChanged,
    ReactionsCounted,
    ReactionsRecorded,
    TotalsChanged,
)
from schemas.topics import COMMENTS_FEED, DEAD_LETTERS, REACTIONS, TOTALS, Topic
from stores.cassandra import Cassandra
from stores.comments import MAX_LIMIT, CommentStore
from stores.engagement import EngagementStore
from stores.kafka import read_to_end
from stores.settings import Settings
from tests.faults.crowd import Truth

E = TypeVar("E", bound=Event)

SETTLE_S: Final = 240.0


@dataclass(slots=True)
class Told:
    """One source's account.

    Attributes:
        comments: number and id of each, as the source orders them.
        comment_likes: of those that have some.
        reactions: of all kinds.
        votes: by option.
    """

    likes: int = 0
    comments: list[tuple[int, str]] = field(default_factory=list)
    comment_likes: dict[str, int] = field(default_factory=dict)
    reactions: int = 0
    votes: tuple[int, ...] = ()


@dataclass(slots=True)
class Taps:
    """Reactions on `reactions`, each batch once: how many, how many of them away from the video's partition."""

    all: int = 0
    away: int = 0
    shares: int = 0


class Log:
    """The events of one video in topics that are read whole. Blocking."""

    def __init__(self, settings: Settings, video: str) -> None:
        self._settings = settings
        self._video = video

    def of(self, topic: Topic, kind: type[E]) -> list[E]:
        """All of a kind, in the order of their partitions."""
        messages = read_to_end(self._settings, topic, "test")
        events = (decode(value) for message in messages if (value := message.value()) is not None)
        return [event for event in events if isinstance(event, kind) and self._is_mine(event)]

    def _is_mine(self, event: Event) -> bool:
        return getattr(event, "video_id", self._video) == self._video

    def told(self) -> Told:
        """The account of the topics `totals` and `comments.feed`."""
        totals = self.of(TOTALS, TotalsChanged)
        newest = max(totals, key=lambda event: event.as_of_offset)
        likes: dict[str, int] = {}
        for event in sorted(totals, key=lambda event: event.as_of_offset):
            likes |= event.comment_likes
        polls = self.of(TOTALS, PollChanged)
        return Told(
            likes=newest.likes,
            comments=[(event.seq, event.comment_id) for event in self.of(COMMENTS_FEED, CommentAccepted)],
            comment_likes=_some(likes),
            reactions=sum(newest.reactions.values()),
            votes=max(polls, key=lambda event: event.as_of_offset).votes,
        )

    def taps(self) -> Taps:
        """What the gateways wrote."""
        taps, seen = Taps(), set()
        for event in self.of(REACTIONS, ReactionsRecorded):
            if (event.gateway_id, event.batch) in seen:
                continue
            seen.add((event.gateway_id, event.batch))
            count = sum(reaction.count for reaction in event.reactions)
            taps.all += count
            taps.away += count if event.share >= 0 else 0
        taps.shares = len({event.share for event in self.of(REACTIONS, ReactionsCounted)})
        return taps

    def letters(self) -> list[DeadLetter]:
        """Whatever could not be folded or written, of any video."""
        return self.of(DEAD_LETTERS, DeadLetter)


async def cassandra_says(settings: Settings, video: str) -> Told:
    """The account of Cassandra."""
    async with Cassandra.open(settings) as cassandra:
        store, engagement = CommentStore(cassandra), EngagementStore(cassandra)
        comments: list[CommentNow] = [comment async for comment in store.every(video)]
        ids = [comment.comment_id for comment in comments]
        likes: dict[str, int] = {}
        for at in range(0, len(ids), MAX_LIMIT // 10):
            likes |= await store.likes(video, ids[at : at + MAX_LIMIT // 10])
        counted, polls = await engagement.totals(video), await engagement.polls(video)
        return Told(
            likes=counted.likes if counted else 0,
            comments=[(comment.seq, comment.comment_id) for comment in comments],
            comment_likes=_some(likes),
            reactions=sum(counted.reactions.values()) if counted else 0,
            votes=polls[0].votes if polls else (),
        )


async def api_says(http: httpx.AsyncClient, server: str, video: str) -> Told:
    """The account of the API: its figures now, and all pages of comments."""
    below = f"{server}/v1/videos/{video}"
    totals, polls = await asyncio.gather(_json(http, f"{below}/totals"), _json(http, f"{below}/polls"))
    rows: list[dict[str, Any]] = []
    while page := (await _json(http, f"{below}/comments?limit=100&after={rows[-1]['seq'] if rows else 0}"))["comments"]:
        rows += page
    return Told(
        likes=totals["likes"],
        comments=sorted((row["seq"], row["id"]) for row in rows),
        comment_likes=_some({row["id"]: row["likes"] for row in rows}),
        reactions=sum(totals["reactions"].values()),
        votes=tuple(option["votes"] for option in polls["polls"][0]["options"]),
    )


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await http.get(url)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _some(likes: dict[str, int]) -> dict[str, int]:
    return {comment_id: n for comment_id, n in likes.items() if n}


def votes_of(options: Iterable[int | None], count: int) -> tuple[int, ...]:
    """How many chose each option."""
    counts = Counter(options)
    return tuple(counts[number] for number in range(count))


def told_by(truth: Truth, reactions: int, options: int) -> Told:
    """What everybody must say; reactions as the log has them, for whoever lost a connection cannot know."""
    return Told(
        likes=truth.likes_of(""),
        comments=sorted((seq, comment_id) for comment_id, (seq, _) in truth.comments.items()),
        comment_likes={target: n for target in list(truth.likes) if target and (n := truth.likes_of(target))},
        reactions=reactions,
        votes=votes_of(truth.votes.values(), options),
    )


async def settled(ask: Callable[[], Coroutine[Any, Any, Told]], expected: Told) -> Told:
    """What somebody says: the truth as soon as they know it, or in the end whatever they say instead."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        told = await ask()
        if told == expected or time.monotonic() > deadline:
            return told
