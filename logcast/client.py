"""The feed from Python: a client that stays joined, and gets what it missed when its connection breaks.

    async with FeedClient("http://127.0.0.1:8080", "demo", name="Ann") as feed:
        posted = await feed.post("hello")
        async for message in feed.typed():
            if isinstance(message, Comment):
                print(message.seq, message.user.name, message.text)

`async for message in feed` gives the JSON objects themselves. Every number comes once and in order, over any number of
connections; where the server cannot give what was missed, `joined` says so (`resumed` is false).
Errors are those of `logcast.feed_errors`, and can be imported from here.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.typing import Subprotocol

from logcast.feed_errors import FeedError, FeedRefusedError, NotConnectedError, PostError, WishError
from logcast.feed_types import Message, Raw, message_of
from logcast.feed_wishes import Wishes

__all__ = [
    "FeedClient",
    "FeedError",
    "FeedRefusedError",
    "NotConnectedError",
    "PostError",
    "WishError",
    "feed_url",
]

log = logging.getLogger(__name__)

PROTOCOL: Final = "logcast.v1"
MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_WAITING: Final = 10_000
FIRST_PAUSE_S: Final = 0.25
LAST_PAUSE_S: Final = 15.0
SILENCE_S: Final = 40.0
"""Until `joined` says how often the server is heard."""

VERDICT_S: Final = 15.0
FINAL_CODES: Final = frozenset({4400, 4401, 4403, 4404, 4406})


class FeedClient:
    """One viewer of one channel (or video). Iterate over it for messages; `joined` comes again after each reconnect.

    Args:
        server: the gateway, such as `http://127.0.0.1:8080`.
        channel: name of the channel.
        name: who speaks; None: the gateway gives a name.
        token: an account's access token, or from an earlier `joined`, to be the same guest again.
        after: the last number that is known, to get what came after it.
        history: how many comments to get at the first join without `after`.
        video: this video only, not what the channel shows next.
        wants: renditions whose parts to hear of.
        headers: for the opening request, as a proxy may ask for.

    Attributes:
        token: of who speaks.
        seq: the last number that came; None before the first join.
        video_id: what the numbers are of.
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
        video: str | None = None,
        wants: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = feed_url(server, channel, video)
        self._name = name
        self._history = history
        self._wants = wants
        self._headers = headers
        self._messages: asyncio.Queue[Raw | Exception] = asyncio.Queue(MAX_WAITING)
        self._connection: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._verdicts: dict[str, asyncio.Future[Raw]] = {}
        self._posts: dict[str, Raw] = {}
        self._wishes = Wishes(self._say)
        self._advice_s: float | None = None
        self._silence_s = SILENCE_S
        self.token = token
        self.seq = after
        self.video_id: str | None = video

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay(), name="feed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._wishes.close()

    async def __aiter__(self) -> AsyncIterator[Raw]:
        """Every message as its JSON object; raises FeedRefusedError when the server refuses this client for good."""
        while True:
            message = await self._messages.get()
            if isinstance(message, Exception):
                raise message
            yield message

    async def typed(self) -> AsyncIterator[Message]:
        """Every message as a value of `logcast.feed_types`."""
        async for message in self:
            yield message_of(message)

    # -- what one can say

    async def comment(self, text: str, *, parent: str | None = None, comment_id: str | None = None) -> str:
        """Send a comment; gives its id. Its fate comes as `accepted`, `held` or `rejected` (`post` waits for it)."""
        comment_id = comment_id or _new_id()
        await self.send(_comment(comment_id, text, parent))
        return comment_id

    async def post(self, text: str, *, parent: str | None = None, comment_id: str | None = None) -> int:
        """Post a comment; gives its number once it has one. A repeat with the same id is the same comment.

        It is sent again after a reconnect.

        Raises:
            PostError: it was held or rejected, or there is no answer within 15 s.
            NotConnectedError: it was not sent.
        """
        comment_id = comment_id or _new_id()
        waiting = self._verdicts[comment_id] = asyncio.get_running_loop().create_future()
        try:
            await self.comment(text, parent=parent, comment_id=comment_id)
            self._posts[comment_id] = _comment(comment_id, text, parent)
            async with asyncio.timeout(VERDICT_S):
                verdict = await waiting
        except TimeoutError:
            raise PostError(
                comment_id, "no_answer", f"no answer within {VERDICT_S:g} s; post it again by its id"
            ) from None
        finally:
            del self._verdicts[comment_id]
            self._posts.pop(comment_id, None)
        if verdict["type"] in {"accepted", "comment"}:
            return int(verdict["seq"])
        reason = "held" if verdict["type"] == "held" else str(verdict.get("reason", verdict.get("code")))
        raise PostError(comment_id, reason, str(verdict["message"]))

    async def reply(self, comment_id: str, text: str) -> int:
        """Post a reply to a comment, as `post`."""
        return await self.post(text, parent=comment_id)

    async def revise(self, comment_id: str, text: str | None) -> str:
        """Change a comment of one's own, or take it back (None); gives the id by which its fate comes."""
        revision_id = _new_id()
        await self.send({"type": "revise", "id": revision_id, "comment": comment_id, "text": text}, keep={"text"})
        return revision_id

    async def like(self, *, liked: bool = True, comment: str | None = None) -> None:
        """Like the video or a comment, or no more; returns once the log has it, or a later wish for the same.

        It is sent again after a reconnect, as often as it takes; also when nobody waits any more (`asyncio.timeout`).

        Raises:
            WishError: it was not taken.
        """
        message = {"type": "like", "liked": liked} | ({"comment": comment} if comment is not None else {})
        await self._wish(("like", comment or ""), message)

    async def react(self, kind: str, count: int = 1, *, media_ms: int | None = None) -> None:
        """React to the picture of this wall clock; nothing is promised, and it is not sent again: that would count twice.

        Raises:
            NotConnectedError: it was not sent.
        """
        await self.send({"type": "reaction", "kind": kind, "count": count, "media_ms": media_ms})

    async def vote(self, poll: str, option: int | None) -> None:
        """Vote in a poll, or no more (None); returns and raises as `like`."""
        await self._wish(("vote", poll), {"type": "vote", "poll": poll, "option": option})

    async def _wish(self, target: tuple[str, str], message: Raw) -> None:
        await self._wishes.wish(target, message | {"id": _new_id()}, self.video_id)

    async def act(self, kind: str, **about: Any) -> None:
        """Moderate: `hide`, `timeout`, `ban`…, with `comment_id`, `user_id`, `seconds`, `reason`."""
        await self.send({"type": "act", "kind": kind, **about})

    async def want(self, *renditions: str) -> None:
        """Hear of these renditions' parts from now on."""
        self._wants = renditions
        await self.send({"type": "want", "parts": list(renditions)})

    async def renew(self, token: str) -> None:
        """Go on with a newer token of the same user."""
        self.token = token
        await self.send({"type": "token", "token": token})

    async def send(self, message: Raw, keep: frozenset[str] | set[str] = frozenset()) -> None:
        """Send a message; members that are None are left out, but for those in `keep`.

        Raises:
            NotConnectedError: there is no connection now; the client is reconnecting.
        """
        await self._say({k: v for k, v in message.items() if v is not None or k in keep})

    async def _say(self, message: Raw) -> None:
        if self._connection is None:
            raise NotConnectedError("not connected now; wait for the next `joined`")
        try:
            await self._connection.send(orjson.dumps(message).decode())
        except ConnectionClosed as error:
            raise NotConnectedError("the connection has just broken; wait for the next `joined`") from error

    # -- staying joined

    async def _stay(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            self._advice_s = None
            try:
                async with connect(
                    self._url,
                    subprotocols=[Subprotocol(PROTOCOL)],
                    max_size=MAX_MESSAGE_BYTES,
                    max_queue=256,
                    compression=None,
                    additional_headers=self._headers,
                ) as connection:
                    await self._join(connection)
                    while True:
                        async with asyncio.timeout(self._silence_s):
                            data = await connection.recv()
                        await self._take(orjson.loads(data), connection)
                        pause_s = FIRST_PAUSE_S
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                    await self._messages.put(FeedRefusedError(closed.rcvd.code, closed.rcvd.reason))
                    return
            except InvalidURI as error:
                await self._messages.put(FeedError(str(error)))
                return
            except (OSError, InvalidHandshake, InvalidMessage, TimeoutError, _GapError) as error:
                log.info("no connection: %s", error or "nothing was heard")
            finally:
                self._connection = None
            if (advice_s := self._advised_s()) is not None:
                await asyncio.sleep(advice_s)
            else:
                await asyncio.sleep(pause_s * (0.5 + random.random() / 2))  # noqa: S311  (spreads the return of many)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)

    def _advised_s(self) -> float | None:
        """When the last goodbye said to come back."""
        return self._advice_s

    async def _join(self, connection: ClientConnection) -> None:
        join = {
            "type": "join",
            "name": self._name,
            "token": self.token,
            "video": self.video_id,
            "after": self.seq,
            "history": self._history,
            "wants": list(self._wants) or None,
        }
        await connection.send(orjson.dumps({k: v for k, v in join.items() if v is not None}).decode())

    async def _take(self, message: Raw, connection: ClientConnection) -> None:
        kind = message["type"]
        if kind == "joined":
            self._joined(message, connection)
            await self._say_again()
        elif kind == "renewed":
            await self._say_again()
        elif kind == "video" and message["id"] != self.video_id:
            self.video_id, self.seq = message["id"], 0
        elif kind in {"comment", "changed"}:
            if not self._is_next(message["seq"]):
                return
        elif kind == "goodbye":
            self._advice_s = message["retry_ms"] / 1000
        elif kind in {"heartbeat", "pong"} or (kind in {"taken", "error"} and self._wishes.answered(message)):
            return
        waiting = self._verdicts.get(message.get("id", ""))
        if waiting is not None and not waiting.done() and kind in {"accepted", "held", "rejected", "error", "comment"}:
            waiting.set_result(message)
        await self._messages.put(message)

    def _joined(self, message: Raw, connection: ClientConnection) -> None:
        self._connection = connection
        self.token = message["token"]
        self._silence_s = 2.5 * message.get("heartbeat_ms", SILENCE_S * 400) / 1000
        self.video_id = message["video"]["id"] if message["video"] else self.video_id
        if not message.get("resumed") or self.seq is None:
            self.seq = message.get("after", 0)

    async def _say_again(self) -> None:
        """What may have been lost with the last connection: wishes, and comments without a verdict."""
        await self._wishes.say_again(self.video_id)
        with contextlib.suppress(NotConnectedError):
            for message in list(self._posts.values()):
                await self._say(message)

    def _is_next(self, seq: int) -> bool:
        """Take a number: False for a repeat.

        Raises:
            _GapError: numbers before it did not come; they do when the client joins again.
        """
        if self.seq is not None and seq <= self.seq:
            return False
        if self.seq is not None and seq > self.seq + 1:
            raise _GapError(f"expected number {self.seq + 1}, found {seq}")
        self.seq = seq
        return True


def _new_id() -> str:
    return secrets.token_urlsafe(12)


def _comment(comment_id: str, text: str, parent: str | None) -> Raw:
    about = {"parent": parent} if parent is not None else {}
    return {"type": "comment", "id": comment_id, "text": text} | about


class _GapError(Exception):
    """Numbers were left out."""


def feed_url(server: str, channel: str, video: str | None = None) -> str:
    """The address of a feed.

    Raises:
        FeedError: the server is no http(s) address.
    """
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise FeedError(f"expected a server such as http://127.0.0.1:8080, found {server!r}")
    scheme = "wss" if parts.scheme == "https" else "ws"
    path = f"videos/{quote(video, safe='')}" if video else f"channels/{quote(channel, safe='')}"
    return f"{scheme}://{parts.netloc}/v1/{path}/feed"
