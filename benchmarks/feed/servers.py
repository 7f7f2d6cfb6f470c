"""The two servers that are measured, each in a process of its own that publishes and counts its own CPU time."""

import asyncio
import gc
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
import uvicorn
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.feed_messages import comment
from gateway.feed_socket import FeedProtocol
from gateway.server import listen
from gateway.state import GatewayState
from schemas.events import CommentAccepted, VideoChanged, VideoState
from schemas.ids import new_video_id
from schemas.topics import COMMENTS_FEED, VIDEOS
from stores.log_reader import Place
from stores.settings import load_settings

VIDEO: Final = new_video_id(1_790_000_000_000, b"benchmar")
PATH: Final = f"/v1/videos/{VIDEO}/feed"
TEXT_CHARS: Final = 24
"""A comment message is then about 270 bytes; the yardstick sends as many."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What publishing took. Times in seconds.

    Attributes:
        messages: published.
        cpu_s: of this process, user and system.
        wall_s: from the first message to half a second after the last.
    """

    messages: int
    cpu_s: float
    wall_s: float


Publish = Callable[[int], None]
"""Publishes the message with this number."""


async def _obey(orders: Pipe, publish: Publish) -> None:
    """Answer the orders of the parent: ("memory",), ("publish", rate, seconds), ("stop",)."""
    loop = asyncio.get_running_loop()
    seq = 0
    while True:
        order = await loop.run_in_executor(None, orders.recv)
        if order[0] == "stop":
            return
        if order[0] == "memory":
            gc.collect()
            orders.send(psutil.Process().memory_info().rss)
            continue
        _, rate, seconds = order
        gc.freeze()
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        for n in range(int(rate * seconds)):
            if (wait_s := began + n / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            seq += 1
            publish(seq)
        await asyncio.sleep(0.5)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        orders.send(Spent(int(rate * seconds), cpu_s, time.monotonic() - began))


def comment_of(seq: int) -> CommentAccepted:
    """A comment that says in `submitted_ms` when it was published, in µs of the monotonic clock."""
    return CommentAccepted(
        video_id=VIDEO,
        channel="demo",
        seq=seq,
        comment_id=f"comment-{seq:08d}",
        user_id="g_0123456789abcdef",
        name="Somebody",
        text="x" * TEXT_CHARS,
        submitted_ms=time.monotonic_ns() // 1000,
        source_offset=seq,
    )


def logcast(port: int, directory: str, orders: Pipe) -> None:
    """The gateway as it is, without a log: comments are folded into it by hand."""
    uvloop.run(_logcast(port, directory, orders))


async def _logcast(port: int, directory: str, orders: Pipe) -> None:
    settings = load_settings(data_dir=Path(directory), max_feed_connections_per_address=0, max_feed_connections=50_000)
    state = GatewayState(settings)
    app = create_app(settings, state)
    place = Place("", 0, 0, 0)
    live = VideoChanged(
        video_id=VIDEO,
        channel="demo",
        title="Demo",
        state=VideoState.LIVE,
        started_ms=0,
        changed_ms=0,
        last_segment=-1,
        part_target_ms=200,
        segment_max_ms=10_000,
        audio=True,
        video=True,
    )
    for subscription in state.subscriptions:
        if subscription.topic is VIDEOS:
            subscription.handler(live, place)
    handlers = [one.handler for one in state.subscriptions if one.topic is COMMENTS_FEED]

    def publish(seq: int) -> None:
        event = comment_of(seq)
        for handler in handlers:
            handler(event, place)
        state.batch_folded()

    config = uvicorn.Config(
        app, ws=FeedProtocol, ws_per_message_deflate=False, lifespan="off", log_config=None, backlog=4096
    )
    with listen("127.0.0.1", port) as listening:
        await _serve(uvicorn.Server(config), listening, lambda: _obey(orders, publish))


async def _serve(server: uvicorn.Server, listening: Any, obey: Callable[[], Awaitable[None]]) -> None:
    running = asyncio.create_task(server.serve([listening]))
    await obey()
    server.should_exit = server.force_exit = True
    with suppress(asyncio.CancelledError):
        await running


def yardstick(port: int, _directory: str, orders: Pipe) -> None:
    """`websockets.broadcast()`."""
    uvloop.run(_yardstick(port, orders))


async def _yardstick(port: int, orders: Pipe) -> None:
    members: set[ServerConnection] = set()

    async def subscriber(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"joined"}')
        members.add(connection)
        try:
            await connection.wait_closed()
        finally:
            members.discard(connection)

    def publish(seq: int) -> None:
        broadcast(members, orjson.dumps(comment(comment_of(seq))).decode())

    async with serve(
        subscriber, "127.0.0.1", port, compression=None, subprotocols=[Subprotocol("logcast.v1")], backlog=4096
    ):
        await _obey(orders, publish)
