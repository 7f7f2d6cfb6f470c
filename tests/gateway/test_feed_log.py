"""The feed of a real gateway on a real log: every number once and in order, whoever is slow, leaves or restarts."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from gateway.access_tokens import Access, access_token
from gateway.server import run_gateway
from logcast.client import FeedClient
from logcast.feed_types import Comment, Part
from schemas.events import CommentAccepted
from schemas.ids import VideoId, new_video_id
from schemas.topics import COMMENTS_FEED, MEDIA_PARTS, VIDEOS
from stores.kafka import EventProducer
from stores.settings import Settings
from stores.topics import apply_topics
from tests.conftest import free_ports
from tests.gateway.feed_document import check
from tests.gateway.tape import Tape, video
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration
LONG_S = 60


class Log:
    """Writes what workers write."""

    def __init__(self, producer: EventProducer, video_id: VideoId) -> None:
        self.producer = producer
        self.video_id = video_id
        self.last = 0

    async def comments(self, count: int, chars: int = 5) -> None:
        """The next so many accepted comments."""
        first, self.last = self.last + 1, self.last + count
        events = [self._comment(seq, chars) for seq in range(first, self.last + 1)]
        await asyncio.gather(*(self.producer.send(COMMENTS_FEED, self.video_id, event) for event in events))

    def _comment(self, seq: int, chars: int) -> CommentAccepted:
        return CommentAccepted(
            video_id=self.video_id,
            channel="ann",
            seq=seq,
            comment_id=f"comment-{seq:06d}",
            user_id="g_1",
            name="Ann",
            text="x" * chars,
            submitted_ms=seq,
            source_offset=seq,
        )


@pytest.fixture
async def settings_of_feed(kafka: str, make_settings: Callable[..., Settings]) -> Settings:
    settings = make_settings(http_port=free_ports(1)[0])
    await asyncio.to_thread(apply_topics, settings)
    return settings


@pytest.fixture
async def log(settings_of_feed: Settings) -> AsyncIterator[Log]:
    async with EventProducer(settings_of_feed, "test") as producer:
        log = Log(producer, new_video_id(time.time_ns() // 1_000_000, bytes(7)))
        await producer.send(VIDEOS, log.video_id, video(video_id=log.video_id))
        yield log


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[None]:
    """A gateway in this loop that knows the video."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(settings, stop))
    async with httpx.AsyncClient(base_url=url(settings), timeout=20) as client:
        try:
            await eventually_async(partial(is_up, client), LONG_S, "readiness")
            yield
        finally:
            stop.set()
            await running


async def is_up(client: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        ready = await client.get("/readyz")
        return ready.status_code == 200 and (await client.get("/v1/channels/ann")).status_code == 200
    return False


def url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.http_port}"


@asynccontextmanager
async def socket_of(settings: Settings, origin: str | None = None, **join: Any) -> AsyncIterator[ClientConnection]:
    """A bare connection that has said its join."""
    address = url(settings).replace("http", "ws", 1) + "/v1/channels/ann/feed"
    async with connect(
        address,
        subprotocols=[Subprotocol("logcast.v1")],
        max_queue=1,
        close_timeout=1,  # what is unread keeps the goodbyes from being read
        compression=None,
        origin=None if origin is None else Origin(origin),
    ) as socket:
        await say(socket, {"type": "join", **join})
        yield socket


async def say(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(orjson.dumps(message).decode())


async def hear(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of some kinds; all messages are as the document says."""
    async with asyncio.timeout(LONG_S):
        while True:
            message = check(orjson.loads(await socket.recv()))
            if message["type"] in kinds:
                return message


async def numbers_until(socket: ClientConnection, last: int) -> list[int]:
    numbers: list[int] = []
    while not numbers or numbers[-1] < last:
        numbers.append((await hear(socket, "comment"))["seq"])
    return numbers


async def heard(feed: FeedClient, last: int) -> list[int]:
    """The numbers that a client gets, up to one."""
    numbers: list[int] = []
    async with asyncio.timeout(2 * LONG_S):
        async for message in feed.typed():
            check(message.raw)
            if isinstance(message, Comment):
                numbers.append(message.seq)
                if message.seq >= last:
                    return numbers
    raise AssertionError("the feed ended")


async def test_who_comes_back_with_a_number_gets_exactly_what_came_after_it(
    settings_of_feed: Settings, log: Log
) -> None:
    settings = settings_of_feed
    await log.comments(300)
    async with served(settings):
        async with socket_of(settings, history=10) as newcomer:
            joined = await hear(newcomer, "joined")
            assert (joined["resumed"], joined["after"], joined["seq"]) == (False, 290, 300)
            assert await numbers_until(newcomer, 300) == list(range(291, 301))
        async with socket_of(settings, after=7, video=log.video_id) as back, socket_of(settings, after=300) as other:
            joined = await hear(back, "joined")
            assert (joined["resumed"], joined["after"]) == (True, 7)
            await log.comments(200)
            assert await numbers_until(back, 500) == list(range(8, 501))
            assert await numbers_until(other, 500) == list(range(301, 501))
        async with socket_of(settings, after=3, video="0" * 20, history=0) as stranger:
            joined = await hear(stranger, "joined")
            assert (joined["resumed"], joined["after"]) == (False, 500), "the number is of another video"


async def test_a_slow_consumer_is_told_to_resume_and_loses_nothing(settings_of_feed: Settings, log: Log) -> None:
    settings = settings_of_feed
    async with served(settings), socket_of(settings, history=0) as slow, FeedClient(url(settings), "ann") as quick:
        await hear(slow, "joined")
        await eventually_async(partial(all_joined, [quick]), LONG_S, "the other client")
        all_numbers = asyncio.create_task(heard(quick, 900))
        await log.comments(900, chars=8_000)  # 7 MB: more than transport, kernel and this reader hold
        assert await all_numbers == list(range(1, 901)), "the others go on"
        numbers: list[int] = []
        while (message := await hear(slow, "comment", "goodbye"))["type"] == "comment":
            numbers.append(message["seq"])
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) < 900
        assert (message["code"], message["resume"]) == (1013, True)
        assert message["retry_ms"] > 0
        with pytest.raises(ConnectionClosed):
            await slow.recv()
        assert slow.close_code == 1013
        async with socket_of(settings, after=len(numbers), video=log.video_id) as back:
            assert (await hear(back, "joined"))["resumed"]
            assert await numbers_until(back, 900) == list(range(len(numbers) + 1, 901))


async def test_over_a_restart_of_the_gateway_everybody_comes_back_at_a_time_of_their_own_and_misses_nothing(
    settings_of_feed: Settings, log: Log
) -> None:
    settings = settings_of_feed
    async with contextlib.AsyncExitStack() as stack:
        feeds = [await stack.enter_async_context(FeedClient(url(settings), "ann", history=0)) for _ in range(10)]
        lines = [asyncio.create_task(heard(feed, 120)) for feed in feeds]
        async with served(settings):
            bare = [await stack.enter_async_context(socket_of(settings, history=0)) for _ in range(10)]
            for socket in bare:
                await hear(socket, "joined")
            await eventually_async(partial(all_joined, feeds), LONG_S, "all clients")
            await log.comments(60)
            for socket in bare:
                assert await numbers_until(socket, 60) == list(range(1, 61))
            goodbyes = [asyncio.create_task(hear(socket, "goodbye")) for socket in bare]
        told = await asyncio.gather(*goodbyes)
        assert {message["code"] for message in told} == {1012}
        assert len({message["retry_ms"] for message in told}) > 5
        await log.comments(40)
        async with served(settings):
            await log.comments(20)
            for line in lines:
                assert await line == list(range(1, 121))


async def all_joined(feeds: Iterable[FeedClient]) -> bool:
    return all(feed.seq is not None for feed in feeds)


async def test_parts_are_told_as_the_playlist_gets_them_to_who_asked_for_their_rendition(
    settings_of_feed: Settings, log: Log
) -> None:
    settings = settings_of_feed
    tape, sound = Tape([4] * 6, video_id=log.video_id), Tape([4] * 6, "audio", video_id=log.video_id)

    async def write(first: int, end: int) -> None:
        events = [*tape.events(first, end), *sound.events(first, end)]
        await asyncio.gather(*(log.producer.send(MEDIA_PARTS, log.video_id, event) for event in events))

    await write(0, 2)
    async with served(settings), FeedClient(url(settings), "ann", wants=("source",)) as player:
        await eventually_async(partial(all_joined, [player]), LONG_S, "the player")
        await write(2, 5)
        parts: list[Part] = []
        async with asyncio.timeout(LONG_S):
            async for message in player.typed():
                check(message.raw)
                if isinstance(message, Part):
                    parts.append(message)
                    if len(parts) == 12:
                        break
    assert [(part.segment, part.part) for part in parts] == [(n, k) for n in (2, 3, 4) for k in range(4)]
    assert {part.rendition for part in parts} == {"source"}
    assert f"{log.video_id}/source/{parts[1].name}" == tape.part(2, 1).name


async def test_a_token_is_renewed_by_the_same_user_only_and_pages_of_others_stay_out(
    settings_of_feed: Settings, log: Log
) -> None:
    settings = settings_of_feed.model_copy(update={"max_feed_connections_per_address": 5})
    async with served(settings), socket_of(settings, name="Ann") as ann, socket_of(settings, name="Bea") as bea:
        mine, hers = (await hear(ann, "joined"))["token"], (await hear(bea, "joined"))["token"]
        await say(ann, {"type": "token", "token": hers})
        assert (await hear(ann, "error"))["code"] == "other_user"
        await say(ann, {"type": "token", "token": "nobody's"})
        assert (await hear(ann, "error"))["code"] == "bad_token"
        await say(ann, {"type": "token", "token": mine})
        assert (await hear(ann, "renewed"))["user"]["name"] == "Ann"
        await say(ann, {"type": "ping"})
        await hear(ann, "pong")
        async with socket_of(settings, origin=url(settings)) as own_page:
            await hear(own_page, "joined")
        for origin in ("https://evil.example", "null"):
            with pytest.raises(ConnectionClosed) as closed:
                async with socket_of(settings, origin=origin) as page:
                    await hear(page, "joined")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4406
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await hear(await stack.enter_async_context(socket_of(settings)), "joined")
            with pytest.raises(ConnectionClosed) as full:
                await hear(await stack.enter_async_context(socket_of(settings)), "joined")
            assert full.value.rcvd is not None
            assert full.value.rcvd.code == 4429


async def test_a_token_that_lapses_takes_the_word_and_a_newer_one_gives_it_back(
    settings_of_feed: Settings, log: Log
) -> None:
    settings = settings_of_feed
    secret = settings.guest_secret.get_secret_value().encode()

    def token(lasts_ms: int) -> str:
        access = Access("u_0123456789abcdef", 7, "Ann", "", "", False, "s", time.time_ns() // 1_000_000 + lasts_ms)
        return access_token(access, secret)

    async def answer(socket: ClientConnection) -> dict[str, Any]:
        """What comes of a like and a ping: the pong alone, or an error before it."""
        await say(socket, {"type": "like", "liked": True})
        await say(socket, {"type": "ping"})
        message = await hear(socket, "error", "pong")
        if message["type"] == "error":
            await hear(socket, "pong")
        return message

    async with served(settings), socket_of(settings, token=token(5_000)) as ann:
        assert (await hear(ann, "joined"))["user"]["id"] == "u_0123456789abcdef"

        async def lapsed() -> bool:
            await asyncio.sleep(0.2)  # as often as a connection may speak
            return (await answer(ann)).get("code") == "token_lapsed"

        await eventually_async(lapsed, LONG_S, "the token to lapse")
        await log.comments(1)
        assert (await hear(ann, "comment"))["seq"] == 1, "hearing goes on"
        await say(ann, {"type": "token", "token": token(3_600_000)})
        await hear(ann, "renewed")
        assert (await answer(ann))["type"] == "pong"
