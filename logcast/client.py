"""The feed from Python: a client that stays joined, and gets what it missed when its connection breaks.

    async with FeedClient("http://127.0.0.1:8080", "demo", name="Ann") as feed:
        await feed.comment("hello")
        async for message in feed:
            print(message["type"], message)

Messages are those of `docs/feed.md`, as dicts.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

log = logging.getLogger(__name__)

PROTOCOL: Final = "logcast.v1"
MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_WAITING: Final = 10_000
FIRST_PAUSE_S: Final = 0.25
LAST_PAUSE_S: Final = 15.0
FINAL_CODES: Final = frozenset({4400, 4401, 4404})


class FeedError(RuntimeError):
    """The feed cannot be joined, now or ever; the message says why."""


class FeedClient:
    """One viewer of one channel (or video). Iterate over it for messages; `joined` comes again after each reconnect.

    Args:
        server: the gateway, such as `http://127.0.0.1:8080`.
        channel: name of the channel.
        name: who speaks; None: the gateway gives a name.
        token: from an earlier `joined`, to be the same guest again.
        after: the last comment's number that is known, to get what came after it.
        history: how many comments to get at the first join without `after`.
    """

    def __init__(
        self,
        server: str,
        channel: str,
        *,
        name: str | None = None,
        token: str | None = None,
        after: int | None = None,
        history: int = 50,
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise FeedError(f"expected a server such as http://127.0.0.1:8080, found {server!r}")
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._url = f"{scheme}://{parts.netloc}/v1/channels/{quote(channel, safe='')}/feed"
        self._name = name
        self._history = history
        self._messages: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue(MAX_WAITING)
        self._connection: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self.token = token
        self.seq = after
        self.video_id: str | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay(), name="feed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Every message; raises FeedError when the server refuses this client for good."""
        while True:
            message = await self._messages.get()
            if isinstance(message, Exception):
                raise message
            yield message

    async def comment(self, text: str, *, parent: str | None = None, comment_id: str | None = None) -> str:
        """Post a comment; gives its id. Its fate comes as `accepted` or `rejected`."""
        comment_id = comment_id or secrets.token_urlsafe(12)
        await self.send({"type": "comment", "id": comment_id, "text": text, "parent": parent})
        return comment_id

    async def like(self, *, liked: bool = True, comment: str | None = None) -> None:
        """Like the video or a comment, or no more."""
        await self.send({"type": "like", "liked": liked, "comment": comment})

    async def react(self, kind: str, count: int = 1) -> None:
        """React."""
        await self.send({"type": "reaction", "kind": kind, "count": count})

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            FeedError: there is no connection now; the client is reconnecting.
        """
        if self._connection is None:
            raise FeedError("not connected now; wait for the next `joined`")
        try:
            await self._connection.send(orjson.dumps(message).decode())
        except ConnectionClosed as error:
            raise FeedError("the connection has just broken; wait for the next `joined`") from error

    async def _stay(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with connect(
                    self._url, subprotocols=[Subprotocol(PROTOCOL)], max_size=MAX_MESSAGE_BYTES, max_queue=256
                ) as connection:
                    await self._join(connection)
                    async for data in connection:
                        await self._take(orjson.loads(data), connection)
                        pause_s = FIRST_PAUSE_S
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                    await self._messages.put(FeedError(closed.rcvd.reason))
                    return
            except InvalidURI as error:
                await self._messages.put(FeedError(str(error)))
                return
            except (OSError, InvalidHandshake, TimeoutError) as error:
                log.info("no connection: %s", error)
            finally:
                self._connection = None
            await asyncio.sleep(pause_s * (0.5 + random.random() / 2))  # noqa: S311  (spreads the return of many)
            pause_s = min(LAST_PAUSE_S, pause_s * 2)

    async def _join(self, connection: ClientConnection) -> None:
        join = {
            "type": "join",
            "name": self._name,
            "token": self.token,
            "video": self.video_id,
            "after": self.seq,
            "history": self._history,
        }
        await connection.send(orjson.dumps({k: v for k, v in join.items() if v is not None}).decode())

    async def _take(self, message: dict[str, Any], connection: ClientConnection) -> None:
        kind = message["type"]
        if kind == "joined":
            self._connection = connection
            self.token = message["token"]
            self._follow(message["video"]["id"] if message["video"] else None)
        elif kind == "video" and message["state"] == "live":
            self._follow(message["id"])
        elif kind in {"comment", "changed"}:
            self.seq = message["seq"]
        await self._messages.put(message)

    def _follow(self, video_id: str | None) -> None:
        """Numbers begin anew with another video."""
        if video_id != self.video_id:
            if self.video_id is not None:
                self.seq = None
            self.video_id = video_id
