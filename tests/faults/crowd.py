"""People who like, comment, vote, react and listen, by feed and by REST, and know what the system has acknowledged.

Everybody says a thing again until it is acknowledged, as `logcast.client` does; so at the end each knows the truth of
their own. Each has an address of their own, for the limits are by address.
"""

import asyncio
import itertools
import random
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from logcast.client import FeedClient, NotConnectedError, PostError
from tests.e2e.live_stack import LiveStack
from tests.faults.course import Course
from tests.waiting import eventually

LIKES_PER_S: Final = 15.0
"""Of one user; the feed takes 20 messages a second of a connection."""

COMMENT_EVERY_S: Final = 0.6
"""Of one user; the operator's slow mode is 0.5 s."""

TAPS_PER_S: Final = 15.0
TAPS: Final = 100
"""Reactions in one message."""

PAUSE_S: Final = 0.25
SETTLE_S: Final = 240.0
REST_TIMEOUT_S: Final = 30.0
TARGETS: Final = 100
"""So many comments are liked."""

LOOKS_AGAIN: Final = frozenset({"no_answer", "too_fast", "log_away", "internal", "slow_mode"})
"""Why a comment is sent again."""


class Strict(FeedClient):
    """A subscriber that notes what the client hides: numbers that come again, or are left out."""

    def __init__(self, server: str, channel: str, **options: Any) -> None:
        super().__init__(server, channel, **options)
        self.wrong: list[tuple[int | None, int]] = []

    def _is_next(self, seq: int) -> bool:
        if self.seq is None or seq != self.seq + 1:
            self.wrong.append((self.seq, seq))
        return super()._is_next(seq)


@dataclass(slots=True)
class Heard:
    """What a subscriber has heard: number and id of each comment, when, and how often it had to join."""

    feed: Strict
    comments: list[tuple[int, str]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    joins: list[dict[str, Any]] = field(default_factory=list)

    async def all_up_to(self, last: int) -> None:
        """Wait until the comment with this number was heard (the client knows it a little before its reader)."""
        await eventually(lambda: self.comments and self.comments[-1][0] >= last, SETTLE_S, f"number {last} on a feed")

    async def listen(self) -> None:
        async for message in self.feed:
            if message["type"] == "comment":
                self.comments.append((message["seq"], message["id"]))
                self.at.append(time.monotonic())
            elif message["type"] == "joined":
                self.joins.append(message)


@dataclass(slots=True)
class Truth:
    """What was acknowledged.

    Attributes:
        likes: by target (a comment's id; empty: the video) and user, the last state.
        comments: number and text by id.
        votes: option by user.
        sent_taps: ids of messages with `TAPS` reactions each; `taken_taps`: those that were acknowledged.
    """

    likes: dict[str, dict[str, bool]] = field(default_factory=lambda: defaultdict(dict))
    comments: dict[str, tuple[int, str]] = field(default_factory=dict)
    votes: dict[str, int | None] = field(default_factory=dict)
    sent_taps: set[str] = field(default_factory=set)
    taken_taps: set[str] = field(default_factory=set)

    def likes_of(self, target: str) -> int:
        return sum(self.likes[target].values())

    def targets(self) -> list[str]:
        """Comments that may be liked or answered."""
        return list(itertools.islice(self.comments, TARGETS))


class Crowd:
    """All of them; `likes` and `comments` say how many there are to be."""

    def __init__(self, stack: LiveStack, channel: str, video: str, poll: str, likes: Course, comments: Course) -> None:
        self.truth = Truth()
        self.listeners: list[Heard] = []
        self.liked_at: list[float] = []
        self.commented_at: list[float] = []
        self._stack = stack
        self._channel = channel
        self._video = f"/v1/videos/{video}"
        self._poll = poll
        self._likes = likes
        self._comments = comments
        self._addresses: Iterator[str] = (f"10.1.{n // 250}.{n % 250 + 1}" for n in itertools.count())
        self._random = random.Random(5)

    # -- by feed

    def feed(self, kind: type[FeedClient] = FeedClient, **options: Any) -> FeedClient:
        """Somebody's connection."""
        headers = {"X-Forwarded-For": next(self._addresses)}
        return kind(self._stack.server, self._channel, headers=headers, **options)

    async def listens(self, after: int = 0) -> None:
        """Somebody who hears everything after a number."""
        feed = self.feed(Strict, after=after)
        assert isinstance(feed, Strict)
        heard = Heard(feed)
        self.listeners.append(heard)
        async with feed:
            await heard.listen()

    async def likes_by_feed(self, name: str, likes: Course | None = None) -> None:
        """Somebody who likes and likes no more, and votes now and then; `likes`: other turns than those of all."""
        async with self._speaking(name) as feed:

            async def like(target: str, liked: bool) -> None:
                await feed.like(liked=liked, comment=target or None)

            async def vote(option: int | None) -> None:
                await feed.vote(self._poll, option)

            await self._wishes(name, like, vote, likes or self._likes)

    async def comments_by_feed(self, name: str, comments: Course | None = None) -> None:
        """Somebody who comments and answers."""
        async with self._speaking(name) as feed:

            async def post(comment_id: str, text: str, parent: str | None) -> int | None:
                try:
                    return await feed.post(text, parent=parent, comment_id=comment_id)
                except NotConnectedError:
                    return None
                except PostError as error:
                    if error.reason not in LOOKS_AGAIN:
                        raise
                    return None

            await self._writes(name, post, comments or self._comments)

    async def taps(self, name: str, taps: Course) -> None:
        """Somebody with fast thumbs: enough of them make the video hot. Leaves when the log has the last of it."""
        unsure: set[str] = set()

        def hear(message: dict[str, Any]) -> None:
            if message["type"] == "taken":
                self.truth.taken_taps.add(message["id"])
                unsure.discard(message["id"])
            elif message["type"] == "joined":
                unsure.clear()

        async with self._speaking(name, hear) as feed:
            for due in _ticks(TAPS_PER_S):
                await _until(due)
                if not await taps.turn():
                    break
                tap = secrets.token_hex(8)
                with suppress(NotConnectedError):
                    self.truth.sent_taps.add(tap)
                    unsure.add(tap)
                    await feed.send({"type": "reaction", "kind": "heart", "count": TAPS, "id": tap})
            await eventually(lambda: not unsure, 120, "the last reactions to be taken")

    @asynccontextmanager
    async def _speaking(
        self, name: str, hear: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> AsyncIterator[FeedClient]:
        """A connection whose messages are read; it has joined."""
        joined = asyncio.Event()

        async def read() -> None:
            async for message in feed:
                joined.set()
                hear(message)

        async with self.feed(name=name, history=0) as feed, asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read())
            await joined.wait()
            yield feed
            reading.cancel()

    # -- by REST

    async def likes_by_rest(self, name: str) -> None:
        """As `likes_by_feed`."""
        async with self._guest(name) as client:

            async def like(target: str, liked: bool) -> None:
                path = f"{self._video}/comments/{target}/like" if target else f"{self._video}/like"
                await _until_taken(lambda: client.request("PUT" if liked else "DELETE", path))

            async def vote(option: int | None) -> None:
                path = f"{self._video}/polls/{self._poll}/votes"
                await _until_taken(lambda: client.post(path, json={"option": option}))

            await self._wishes(name, like, vote, self._likes)

    async def comments_by_rest(self, name: str) -> None:
        """As `comments_by_feed`."""
        async with self._guest(name) as client:

            async def post(comment_id: str, text: str, parent: str | None) -> int | None:
                body = {"id": comment_id, "text": text} | ({"parent": parent} if parent else {})
                try:
                    answer = await client.post(f"{self._video}/comments", json=body)
                except httpx.TransportError:
                    return None
                said = answer.json()
                if answer.is_success:
                    number: int | None = said.get("seq")
                    return number
                assert answer.status_code in {429, 503} or said["reason"] in LOOKS_AGAIN, answer.text
                return None

            await self._writes(name, post, self._comments)

    @asynccontextmanager
    async def _guest(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        async with AsyncExitStack() as stack:
            headers = {"X-Forwarded-For": next(self._addresses)}
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=self._stack.server, headers=headers, timeout=REST_TIMEOUT_S)
            )
            guest = await _until_taken(lambda: client.post("/v1/guests", json={"name": name}))
            client.headers["Authorization"] = f"Bearer {guest.json()['token']}"
            yield client

    # -- what they do

    async def _wishes(
        self,
        name: str,
        like: Callable[[str, bool], Awaitable[None]],
        vote: Callable[[int | None], Awaitable[None]],
        likes: Course,
    ) -> None:
        chance = random.Random(name)
        for due in _ticks(LIKES_PER_S):
            await _until(due)
            if not await likes.turn():
                return
            if chance.random() < 0.02:
                option = chance.choice([0, 1, 2, None])
                await vote(option)
                self.truth.votes[name] = option
            target, liked = chance.choice(["", *self.truth.targets()]), chance.random() < 0.6
            await like(target, liked)
            self.truth.likes[target][name] = liked
            self.liked_at.append(time.monotonic())
            await likes.done()

    async def _writes(
        self, name: str, post: Callable[[str, str, str | None], Awaitable[int | None]], comments: Course
    ) -> None:
        chance, number = random.Random(name), 0
        while await comments.turn():
            began, number = time.monotonic(), number + 1
            comment_id, text = f"{name}-{number:06}", f"{name} says {number}"
            targets = self.truth.targets()
            parent = chance.choice(targets) if targets and chance.random() < 0.2 else None
            while (seq := await post(comment_id, text, parent)) is None:
                await _until(time.monotonic() + PAUSE_S)
            self.truth.comments[comment_id] = (seq, text)
            self.commented_at.append(time.monotonic())
            await comments.done()
            await _until(max(began, time.monotonic()) + COMMENT_EVERY_S)


async def _until_taken(request: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask until there is a good answer; busy, away and broken are no reasons to stop."""
    while True:
        with suppress(httpx.TransportError):
            answer = await request()
            if answer.is_success:
                return answer
            assert answer.status_code in {429, 503}, answer.text
        await asyncio.sleep(PAUSE_S)


def _ticks(per_s: float) -> Iterator[float]:
    """Times from now on, so many a second; who is late is not made up for."""
    due = time.monotonic()
    while True:
        yield due
        due = max(due + 1 / per_s, time.monotonic())


async def _until(due: float) -> None:
    await asyncio.sleep(max(0.0, due - time.monotonic()))
