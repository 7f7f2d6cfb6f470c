"""The feed: one WebSocket a viewer, subprotocol `logcast.v1` (docs/feed.md has every message and close code)."""

import asyncio
import contextlib
import logging
import secrets
import time
from typing import Any, Final

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import feed_messages
from gateway.audience import Audience, verdict_message
from gateway.feed_messages import ClientMessage, Join, LikeWanted, MessageError, Ping, Post, React
from gateway.guests import Guest, GuestError, guest_of, new_guest, token_of
from gateway.history import HistoryError
from gateway.problems import Problem
from gateway.rooms import Goodbye, Subscriber, text_of
from gateway.speaking import Author
from gateway.viewing_guard import RIGHT, Right
from schemas.events import CommentAccepted, VideoChanged

log = logging.getLogger(__name__)

PROTOCOL: Final = "logcast.v1"
JOIN_TIMEOUT_S: Final = 10.0
MESSAGES_PER_S: Final = 20.0
BURST: Final = 60.0
MAX_PENDING_COMMENTS: Final = 8
CATCH_UP_S: Final = 5.0
MAX_RESUME: Final = 5_000
"""A client that missed more starts anew; it could not read them anyway."""


class Rate:
    """A token bucket: how often somebody may do something."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at = time.monotonic()

    def take(self) -> bool:
        """Use one; False when there is none."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class FeedConnection:
    """One viewer's connection: join, then messages both ways until one side ends it."""

    def __init__(self, audience: Audience, socket: WebSocket, channel: str, video_id: str | None) -> None:
        self._audience = audience
        self._socket = socket
        self._channel = channel
        self._only_video = video_id
        self._right: Right = socket.scope.get(RIGHT, Right())
        video = self._known_video()
        self._subscriber = Subscriber(trusted=self._right.opens_private(video.video_id if video else "", channel))
        self._rate = Rate(MESSAGES_PER_S, BURST)
        self._comments = asyncio.Semaphore(MAX_PENDING_COMMENTS)
        self._guest: Guest | None = None

    async def run(self) -> None:
        """Serve the connection to its end."""
        await self._socket.accept(subprotocol=PROTOCOL)
        try:
            join = await self._first_message()
            await self._join(join)
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                await self._read(tasks)
                writer.cancel()
        except* (WebSocketDisconnect, RuntimeError):
            pass  # the viewer has gone
        except* _Closed as closed:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                first = closed.exceptions[0]
                assert isinstance(first, _Closed)
                await self._socket.close(first.code, first.reason)
        finally:
            self._audience.rooms.leave(self._channel, self._subscriber)

    async def _first_message(self) -> Join:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                message = await self._receive()
        except TimeoutError:
            raise _Closed(4408, f"expected a join within {JOIN_TIMEOUT_S:g} s") from None
        except MessageError as error:
            raise _Closed(4400, str(error)) from error
        if not isinstance(message, Join):
            raise _Closed(4400, "expected a join as the first message")
        return message

    async def _receive(self) -> ClientMessage:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        data = received.get("text") or received.get("bytes") or ""
        if len(data) > feed_messages.MAX_MESSAGE_BYTES:
            raise _Closed(4413, f"expected at most {feed_messages.MAX_MESSAGE_BYTES} bytes a message")
        return feed_messages.parse(data)

    # -- joining

    def _video(self) -> VideoChanged | None:
        """What the connection is about now; a channel's next video may be private, and then it is not for everybody."""
        video = self._known_video()
        return video if video is not None and self._right.opens(video) else None

    def _known_video(self) -> VideoChanged | None:
        videos = self._audience.state.videos
        return videos.get(self._only_video) if self._only_video else videos.of_channel(self._channel)

    async def _join(self, join: Join) -> None:
        audience = self._audience
        self._guest, token = self._who(join)
        video = self._video()
        resumes = join.after is not None and video is not None and join.video in {None, video.video_id}
        after = join.after if resumes else None
        missed: list[CommentAccepted] = []
        if video is not None:
            try:
                missed = await self._missed(video.video_id, after, join.history)
            except HistoryError as error:
                self._say(feed_messages.error("history_away", str(error)))
            await audience.read_likes(video.video_id)
        # From here to the end there is no wait: nothing can come between what was missed and what is new.
        last = missed[-1].seq if missed else after or 0
        if video is not None and (resumes or missed):
            missed += audience.conversation.talk(video.video_id).after(last)
            last = missed[-1].seq if missed else last
        self._say(self._joined(video, token, last))
        for event in missed:
            self._say(feed_messages.comment(event))
        audience.rooms.join(self._channel, self._subscriber, self._only_video)

    def _who(self, join: Join) -> tuple[Guest, str]:
        audience = self._audience
        now_ms = audience.state.clock()
        try:
            if join.token is None:
                name = join.name or f"guest-{secrets.token_hex(2)}"
                guest = new_guest(name, secrets.token_bytes(10))
            else:
                known = guest_of(join.token, audience.secret, now_ms)
                guest = Guest(known.id, join.name or known.name)
        except GuestError as error:
            raise _Closed(4401, str(error)) from error
        return guest, token_of(guest, audience.secret, now_ms)

    async def _missed(self, video_id: str, after: int | None, history: int) -> list[CommentAccepted]:
        """The comments that the client lacks and that memory may not hold, oldest first."""
        talk = self._audience.conversation.talk(video_id)
        if after is None:
            if len(talk.comments) >= history or talk.first_seq == 1:
                return list(talk.comments)[-history:] if history else []
            older = await self._audience.history.latest(video_id, history)
            return _joined_up(older, list(talk.comments))[-history:] if history else []
        missed: list[CommentAccepted] = []
        deadline = time.monotonic() + CATCH_UP_S
        while len(missed) < MAX_RESUME and (talk.first_seq == 0 or after + 1 < talk.first_seq):
            page = await self._audience.history.after(video_id, after, 500)
            missed += page
            after = page[-1].seq if page else after
            if not page:
                if talk.first_seq == 0:
                    break
                if time.monotonic() > deadline:
                    raise HistoryError("the comments in between are not there yet; join again with `after` in a moment")
                await asyncio.sleep(0.1)
        return missed

    def _joined(self, video: VideoChanged | None, token: str, last_seq: int) -> dict[str, Any]:
        assert self._guest is not None
        audience = self._audience
        talk = audience.conversation.talk(video.video_id) if video else None
        now_ms = audience.state.clock()
        breaks = [feed_messages.ad_break(event, now_ms) for event in talk.breaks.values()] if talk else []
        return {
            "type": "joined",
            "protocol": 1,
            "channel": self._channel,
            "video": {k: v for k, v in feed_messages.video(video).items() if k != "type"} if video else None,
            "user": {"id": self._guest.id, "name": self._guest.name},
            "token": token,
            "seq": max(last_seq, talk.last_seq if talk else 0),
            "totals": audience.totals(video.video_id) if video else None,
            "viewers": audience.rooms.size(self._channel) + 1,
            "breaks": [message for message in breaks if message["state"] != "ended"],
        }

    # -- both ways

    async def _write(self) -> None:
        while True:
            for text in await self._subscriber.take():
                if isinstance(text, Goodbye):
                    raise _Closed(text.code, text.reason)
                await self._socket.send_text(text)

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        strikes = 0
        while True:
            message: ClientMessage | MessageError
            try:
                message = await self._receive()
            except MessageError as error:
                message = error
            if not self._rate.take():
                strikes += 1
                about = message.id if isinstance(message, Post) else None
                self._say(feed_messages.error("too_fast", f"at most {MESSAGES_PER_S:g} messages a second", about))
                if strikes > BURST:
                    raise _Closed(4429, "too many messages; come back later")
            elif isinstance(message, MessageError):
                self._say(feed_messages.error(message.code, str(message), message.comment_id))
            elif isinstance(message, Post):
                await self._comments.acquire()
                tasks.create_task(self._comment(message))
            else:
                self._act(message)

    def _act(self, message: ClientMessage) -> None:
        assert self._guest is not None
        video = self._video()
        if isinstance(message, Ping):
            self._say({"type": "pong"})
        elif isinstance(message, Join):
            self._say(feed_messages.error("joined_already", "a connection joins once; open another"))
        elif video is None:
            self._say(feed_messages.error("no_video", f"channel {self._channel} has had no video yet"))
        elif isinstance(message, LikeWanted):
            self._audience.like(video, self._guest, message)
        elif isinstance(message, React):
            self._audience.react(video, self._guest, message)

    async def _comment(self, post: Post) -> None:
        assert self._guest is not None
        try:
            video = self._video()
            if video is None:
                self._say(feed_messages.rejected(post.id, "no_video", f"channel {self._channel} has had no video yet"))
                return
            verdict = await self._audience.comment(video, Author.of_guest(self._guest), post)
            if verdict is not None:
                self._say(verdict_message(verdict))
        except Problem as problem:
            self._say(feed_messages.error(problem.reason, problem.detail, post.id))
        finally:
            self._comments.release()

    def _say(self, message: dict[str, Any]) -> None:
        self._subscriber.put(text_of(message))


class _Closed(Exception):  # noqa: N818  (an end, not an error)
    """The connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason[:120]


def _joined_up(older: list[CommentAccepted], newer: list[CommentAccepted]) -> list[CommentAccepted]:
    """Two runs that may overlap, as one."""
    first = newer[0].seq if newer else None
    return [c for c in older if first is None or c.seq < first] + newer


def feed_routes(audience: Audience) -> list[BaseRoute]:
    """The two addresses of the feed."""

    async def serve(socket: WebSocket, channel: str | None, video_id: str | None) -> None:
        if PROTOCOL not in socket.scope.get("subprotocols", []):
            await refuse(socket, 4400, f"expected subprotocol {PROTOCOL}")
        elif channel is None:
            await refuse(socket, 4404, "no such channel or video")
        elif len(audience.rooms) >= audience.settings.max_feed_connections:
            await refuse(socket, 1013, "this gateway is full; try again in a moment")
        else:
            await FeedConnection(audience, socket, channel, video_id).run()

    async def by_channel(socket: WebSocket) -> None:
        name = socket.path_params["channel"]
        assert audience.accounts is not None
        known = audience.state.videos.of_channel(name) is not None or await audience.accounts.channel(name) is not None
        await serve(socket, name if known else None, None)

    async def by_video(socket: WebSocket) -> None:
        video = audience.state.videos.get(socket.path_params["video"])
        await serve(socket, video.channel if video else None, video.video_id if video else None)

    return [
        WebSocketRoute("/v1/channels/{channel}/feed", by_channel),
        WebSocketRoute("/v1/videos/{video}/feed", by_video),
    ]


async def refuse(socket: WebSocket, code: int, reason: str) -> None:
    """Accept and close: only so does a browser see the code and the reason."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    await socket.close(code, reason)
