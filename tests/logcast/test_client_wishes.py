"""What a client wishes for is said until the server has taken it; a scripted server on a real socket says what it heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from logcast.client import PROTOCOL, FeedClient, WishError
from tests.waiting import eventually

Message = dict[str, Any]


class Scripted:
    """A server that keeps what it hears, and says what the test says. `video`: what it shows to who joins."""

    def __init__(self) -> None:
        self.port = 0
        self.video = "video-a"
        self.heard: list[Message] = []
        self.joins = 0
        self._socket: ServerConnection | None = None

    async def serve(self, socket: ServerConnection) -> None:
        async for text in socket:
            message = orjson.loads(text)
            if message["type"] == "join":
                self._socket, self.joins = socket, self.joins + 1
                about = {"video": {"id": self.video}, "after": 0, "resumed": True, "heartbeat_ms": 15_000}
                await self.say("joined", token="token", **about)
            else:
                self.heard.append(message)

    async def say(self, kind: str, **members: Any) -> None:
        assert self._socket is not None
        with suppress(ConnectionClosed):
            await self._socket.send(orjson.dumps({"type": kind, **members}).decode())

    async def next(self, count: int) -> Message:
        """The message that is number `count` of all that were heard."""
        await eventually(lambda: len(self.heard) >= count, what=f"message {count} of the client")
        return self.heard[count - 1]

    async def cut(self) -> None:
        """Break the connection; the client comes back."""
        assert self._socket is not None
        before = self.joins
        await self._socket.close(1012)
        await eventually(lambda: self.joins > before, what="the client's return")


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    async with serve(scripted.serve, "127.0.0.1", 0, subprotocols=[Subprotocol(PROTOCOL)]) as listening:
        scripted.port = next(iter(listening.sockets)).getsockname()[1]
        yield scripted


@pytest.fixture
async def feed(server: Scripted) -> AsyncIterator[FeedClient]:
    async with FeedClient(f"http://127.0.0.1:{server.port}", "demo") as client:
        await eventually(lambda: client.video_id is not None, what="the join")
        yield client


async def test_a_like_returns_when_it_was_taken(server: Scripted, feed: FeedClient) -> None:
    liking = asyncio.create_task(feed.like(comment="comment-1"))
    said = await server.next(1)
    assert said == {"type": "like", "liked": True, "comment": "comment-1", "id": said["id"]}
    await server.say("taken", id="another-id")
    await server.say("pong", at_ms=0)
    assert not liking.done()
    await server.say("taken", id=said["id"])
    await asyncio.wait_for(liking, 60)
    await server.cut()
    await feed.react("heart")
    assert (await server.next(2))["type"] == "reaction", "what was taken is not said again"


async def test_what_a_broken_connection_ate_is_said_again_with_its_id(server: Scripted, feed: FeedClient) -> None:
    wishes = [asyncio.create_task(feed.like()), asyncio.create_task(feed.vote("poll-0001", None))]
    said = {(await server.next(n))["id"] for n in (1, 2)}
    await server.cut()
    again = [await server.next(n) for n in (3, 4)]
    assert {message["id"] for message in again} == said
    assert again[1]["option"] is None
    for message in again:
        await server.say("taken", id=message["id"])
    await asyncio.wait_for(asyncio.gather(*wishes), 60)


async def test_the_last_wish_counts_and_answers_for_those_before_it(server: Scripted, feed: FeedClient) -> None:
    first = asyncio.create_task(feed.like())
    old = await server.next(1)
    second = asyncio.create_task(feed.like(liked=False))
    new = await server.next(2)
    await server.say("taken", id=old["id"])
    await server.cut()
    assert (await server.next(3))["liked"] is False, "only the last one is said again"
    assert not first.done()
    await server.say("taken", id=new["id"])
    await asyncio.wait_for(asyncio.gather(first, second), 60)


async def test_what_came_at_a_bad_moment_is_said_again_by_itself(server: Scripted, feed: FeedClient) -> None:
    liking = asyncio.create_task(feed.like())
    said = await server.next(1)
    await server.say("error", code="too_fast", message="slower", id=said["id"])
    assert await server.next(2) == said
    await server.say("error", code="token_lapsed", message="renew", id=said["id"])
    await feed.renew("newer")
    assert (await server.next(3))["type"] == "token"
    await server.say("renewed", user={"id": "g_1", "name": "Ann"})
    assert await server.next(4) == said
    await server.say("taken", id=said["id"])
    await asyncio.wait_for(liking, 60)


async def test_a_wish_that_cannot_be_had_says_why(server: Scripted, feed: FeedClient) -> None:
    voting = asyncio.create_task(feed.vote("poll-0001", 1))
    said = await server.next(1)
    await server.say("error", code="poll_closed", message="poll poll-0001 is closed", id=said["id"])
    with pytest.raises(WishError, match="is closed") as refused:
        await asyncio.wait_for(voting, 60)
    assert refused.value.code == "poll_closed"


async def test_a_wish_for_one_video_is_not_made_of_the_next(server: Scripted, feed: FeedClient) -> None:
    liking = asyncio.create_task(feed.like())
    await server.next(1)
    server.video = "video-b"
    await server.cut()
    with pytest.raises(WishError, match="another video"):
        await asyncio.wait_for(liking, 60)
    assert len(server.heard) == 1


async def test_a_post_is_sent_again_and_returns_its_number(server: Scripted, feed: FeedClient) -> None:
    posting = asyncio.create_task(feed.post("hello"))
    said = await server.next(1)
    await server.cut()
    assert await server.next(2) == said
    await server.say("accepted", id=said["id"], seq=7)
    assert await asyncio.wait_for(posting, 60) == 7
