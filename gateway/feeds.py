"""The feed: one WebSocket a viewer, subprotocol `logcast.v1` (docs/feed.md has every message and close code).

A connection has one task, which reads. What is written goes straight to the transport (`gateway/feed_socket.py`): by the
room for everybody (`gateway/rooms.py`), by `Voice.say` for this one. What a message means is in a table
(`gateway/feed_actions.py`); what a newcomer lacks comes from `gateway/resuming.py`.
"""

import asyncio
import contextlib
import logging
import secrets
from typing import Any, Final

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import feed_messages
from gateway.audience import Audience
from gateway.feed_actions import MAX_AT_ONCE, Said, Voice, json_object
from gateway.feed_handlers import add_handlers
from gateway.feed_limits import FeedLimits, TooManyError
from gateway.feed_messages import Join, MessageError
from gateway.feed_origins import origin_allowed
from gateway.feed_socket import EXTENSION, HIGH_WATER_BYTES, FeedProtocol
from gateway.guests import Guest, GuestError, new_guest, token_of
from gateway.history import HistoryError
from gateway.identity import Identity, IdentityError, address_of, client_address
from gateway.pace import BURST, MESSAGES_PER_S, Rate
from gateway.problems import Problem
from gateway.resuming import MAX_RESUME, Resuming
from gateway.rooms import Hearing, Message, Subscriber, frame_of, goodbye
from gateway.viewing_guard import RIGHT, Right
from schemas.comment_state import Entry
from schemas.events import VideoChanged
from stores.roles import Role

log = logging.getLogger(__name__)

PROTOCOL: Final = "logcast.v1"
JOIN_TIMEOUT_S: Final = 10.0
HEARTBEAT_MS: Final = 15_000
BUSY_RETRY_MS: Final = 5_000


class _Closed(Exception):  # noqa: N818  (an end, not an error)
    """The connection ends with this code; after `retry_ms` the client may come back."""

    def __init__(self, code: int, reason: str, retry_ms: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:120].decode(errors="ignore")
        self.retry_ms = retry_ms


class FeedConnection:
    """One viewer's connection: join, then messages both ways until one side ends it."""

    __slots__ = (
        "_address",
        "_audience",
        "_channel",
        "_identities",
        "_limits",
        "_only_video",
        "_outlet",
        "_rate",
        "_resuming",
        "_right",
        "_socket",
        "_strikes",
        "_tasks",
        "_voice",
    )

    def __init__(
        self, audience: Audience, limits: FeedLimits, socket: WebSocket, channel: str, video_id: str | None
    ) -> None:
        self._audience = audience
        self._limits = limits
        self._socket = socket
        self._channel = channel
        self._only_video = video_id
        self._right: Right = socket.scope.get(RIGHT, Right())
        self._address = address_of(socket)
        self._identities = audience.identities
        self._resuming = Resuming(audience.conversation, audience.history)
        self._rate = Rate(MESSAGES_PER_S, BURST)
        self._strikes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._voice: Voice | None = None
        self._outlet = outlet_of(socket)

    async def run(self) -> None:
        """Serve the connection to its end."""
        await self._socket.accept(subprotocol=PROTOCOL)
        self._outlet.accepted()
        try:
            await self._join(await self._first_message())
            await self._read()
        except WebSocketDisconnect:
            pass  # the viewer has gone
        except _Closed as closed:
            last = b"" if closed.retry_ms is None else frame_of(goodbye(closed.code, closed.reason, closed.retry_ms))
            self._outlet.end(closed.code, closed.reason, last)
        finally:
            if self._voice is not None:
                self._audience.rooms.leave(self._channel, self._voice.subscriber)
                self._audience.actions.went(self._voice)

    # -- joining

    async def _first_message(self) -> Join:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                values = json_object(await self._receive())
            if values.get("type") != "join":
                raise _Closed(4400, "expected a join as the first message")
            return feed_messages.join_of(values)
        except TimeoutError:
            raise _Closed(4408, f"expected a join within {JOIN_TIMEOUT_S:g} s") from None
        except MessageError as error:
            raise _Closed(4400, str(error)) from error

    async def _receive(self) -> str | bytes:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        data: str | bytes = received.get("text") or received.get("bytes") or ""
        if len(data) > feed_messages.MAX_MESSAGE_BYTES:
            raise _Closed(4413, f"expected at most {feed_messages.MAX_MESSAGE_BYTES} bytes a message")
        return data

    def _video(self) -> VideoChanged | None:
        """What the connection is about now; a channel's next video may be private, and then it is not for everybody."""
        videos = self._audience.state.videos
        video = videos.get(self._only_video) if self._only_video else videos.of_channel(self._channel)
        return video if video is not None and self._right.opens(video) else None

    async def _join(self, join: Join) -> None:
        identity, token = await self._who(join)
        moderates = await self._identities.role(identity, self._channel) >= Role.MODERATOR
        video = self._video()
        video_id = video.video_id if video is not None else self._only_video or ""
        private = self._right.opens_private(video_id, self._channel)
        owns = self._right.operator or self._right.owns == self._channel
        hearing = Hearing(self._only_video, private, moderates or owns, join.wants)
        subscriber = Subscriber(self._outlet, hearing)
        voice = Voice(
            self._channel,
            identity,
            token,
            self._address,
            subscriber,
            self._video,
            self._identities,
            join.token is not None,
        )
        after, resumed, entries = await self._begin(video, join)
        joined = self._joined(voice, token, video) | {"after": after, "resumed": resumed}
        await self._enter(voice, video, after, entries, joined)

    async def _begin(self, video: VideoChanged | None, join: Join) -> tuple[int, bool, list[Entry]]:
        """The number to begin after, whether that is the one that was asked for, and the first of what follows."""
        if video is None:
            return 0, False, []
        await self._audience.read_stored(video.video_id)
        known = join.after if join.video in {None, video.video_id} else None
        newest = self._resuming.newest(video.video_id)
        try:
            if known is not None and newest - known <= MAX_RESUME:
                held = self._resuming.held(video.video_id, known)
                return known, True, await self._resuming.page(video.video_id, known) if held is None else []
            entries = await self._resuming.latest(video.video_id, join.history)
        except HistoryError as error:
            self._outlet.write(frame_of(feed_messages.error("history_away", str(error))))
            entries = self._resuming.held_latest(video.video_id, join.history)
        return (entries[0].seq - 1 if entries else self._resuming.newest(video.video_id)), False, entries

    async def _enter(
        self, voice: Voice, video: VideoChanged | None, after: int, entries: list[Entry], joined: Message
    ) -> None:
        """Write `joined` and everything after a number, and take part from then on."""
        frames, waited = [frame_of(joined)], False
        while True:
            # The last round does not wait: nothing can come between what was missed and what is new.
            now = self._video()
            if now is not None and (video is None or now.video_id != video.video_id):
                frames += [frame_of(feed_messages.video(now))] if video is not None or waited else []
                video, after, entries, waited = now, 0, [], True
            ended = False
            if video is not None and not entries:
                entries = await self._following(video.video_id, after)
                ended = not entries
            taken = _fitting(frames, entries)
            if taken:
                after, entries = entries[taken - 1].seq, entries[taken:]
            if not entries and self._nothing_more(video, after, ended=ended):
                break
            self._outlet.write(b"".join(frames))
            frames, waited = [], True
            await self._outlet.drained()
            self._gone()
        if waited and video is not None:
            frames += map(frame_of, self._news(video))
        frames += map(frame_of, self._audience.actions.greetings(voice, video))
        self._outlet.write(b"".join(frames))
        self._audience.rooms.join(self._channel, voice.subscriber)
        self._voice = voice
        self._audience.actions.came(voice)

    def _nothing_more(self, video: VideoChanged | None, after: int, *, ended: bool) -> bool:
        """Whether all of the current video has been written; `ended`: Cassandra had nothing more, just now."""
        now = self._video()
        if video is None or now is None:
            return now is None
        held = self._resuming.held(video.video_id, after)
        return now.video_id == video.video_id and (held == [] or (held is None and ended))

    async def _following(self, video_id: str, after: int) -> list[Entry]:
        held = self._resuming.held(video_id, after)
        try:
            return held if held is not None else await self._resuming.page(video_id, after)
        except HistoryError as error:
            if self._resuming.newest(video_id) == 0:
                return []  # nothing new has come either: what comes goes on without Cassandra
            raise _Closed(1013, str(error), BUSY_RETRY_MS) from error

    def _gone(self) -> None:
        if not self._outlet.open:
            raise WebSocketDisconnect(1006)

    async def _who(self, join: Join) -> tuple[Identity, str]:
        """Who joins, and the token by which they are known: an account's own, or a guest's made here."""
        state = self._audience.state
        try:
            if join.token is None:
                guest = new_guest(join.name or f"guest-{secrets.token_hex(2)}", secrets.token_bytes(10))
            else:
                identity = await self._identities.of_token(join.token)
                if not identity.guest:
                    return identity, join.token
                guest = Guest(identity.id, join.name or identity.name)
        except (IdentityError, GuestError) as error:
            raise _Closed(4401, str(error)) from error
        return Identity(guest.id, guest.name), token_of(guest, state.secret, state.clock())

    def _joined(self, voice: Voice, token: str, video: VideoChanged | None) -> Message:
        audience = self._audience
        return {
            "type": "joined",
            "protocol": 1,
            "channel": self._channel,
            "video": {k: v for k, v in feed_messages.video(video).items() if k != "type"} if video else None,
            "user": _user(voice.identity),
            "token": token,
            "seq": self._resuming.newest(video.video_id) if video else 0,
            "totals": audience.totals(video.video_id) if video else None,
            "viewers": max(audience.viewers(self._channel), audience.rooms.size(self._channel) + 1),
            "breaks": self._breaks(video) if video else [],
            "heartbeat_ms": HEARTBEAT_MS,
        }

    def _breaks(self, video: VideoChanged) -> list[Message]:
        now_ms = self._audience.state.clock()
        planned = self._audience.conversation.talk(video.video_id).breaks.values()
        breaks = [feed_messages.ad_break(event, now_ms) for event in planned]
        return [message for message in breaks if message["state"] != "ended"]

    def _news(self, video: VideoChanged) -> list[Message]:
        """What may have changed since `joined` was written."""
        totals = {"type": "totals"} | self._audience.totals(video.video_id)
        return [feed_messages.video(video), totals, *self._breaks(video)]

    # -- what it says

    async def _read(self) -> None:
        voice = self._voice
        assert voice is not None
        while True:
            data = await self._receive()
            if not self._rate.take() or self._limits.take(voice.address, voice.identity.id):
                self._too_fast(voice, data)
                continue
            try:
                said = self._audience.actions.read(data)
            except MessageError as error:
                voice.say(feed_messages.error(error.code, str(error), error.comment_id))
                continue
            if said.action.needs_video and voice.video is None:
                voice.say(feed_messages.error("no_video", f"channel {self._channel} has had no video yet", said.id))
            elif said.action.needs_token and not await self._known(voice):
                voice.say(
                    feed_messages.error("token_lapsed", "the token has lapsed; send a `token` message first", said.id)
                )
            elif said.action.waits:
                await self._beside(said, voice)
            else:
                await self._do(said, voice)

    async def _known(self, voice: Voice) -> bool:
        """Whether the token still stands for who joined by it."""
        try:
            return (await self._identities.of_token(voice.token)).id == voice.identity.id
        except IdentityError:
            return False

    def _too_fast(self, voice: Voice, data: str | bytes) -> None:
        """Say which message was not taken: its writer says it again later."""
        self._strikes += 1
        about = None
        with contextlib.suppress(MessageError):
            about = feed_messages.message_id(json_object(data))
        voice.say(feed_messages.error("too_fast", f"at most {MESSAGES_PER_S:g} messages a second", about))
        if self._strikes > BURST:
            raise _Closed(4429, "too many messages; come back later", BUSY_RETRY_MS)

    async def _beside(self, said: Said, voice: Voice) -> None:
        """Do it while the next is read; a connection that has `MAX_AT_ONCE` of them waits."""
        while len(self._tasks) >= MAX_AT_ONCE:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._do(said, voice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, said: Said, voice: Voice) -> None:
        try:
            doing = said.do(voice)
            if doing is not None:
                await doing
        except Problem as problem:
            voice.say(feed_messages.error(problem.reason, problem.detail, said.id))
        except Exception:
            log.exception("a message of type %s could not be handled", said.action.kind)
            voice.say(feed_messages.error("internal", "the gateway could not do it; its log says why", said.id))


def _user(identity: Identity) -> Message:
    shown = {"colour": identity.colour, "avatar": identity.avatar}
    return {"id": identity.id, "name": identity.name, "guest": identity.guest} | {k: v for k, v in shown.items() if v}


def _fitting(frames: list[bytes], entries: list[Entry]) -> int:
    """Add frames of entries until a write has enough; how many."""
    size = sum(map(len, frames))
    for taken, entry in enumerate(entries):
        if size > HIGH_WATER_BYTES:
            return taken
        frames.append(frame_of(feed_messages.numbered(entry)))
        size += len(frames[-1])
    return len(entries)


def outlet_of(socket: WebSocket) -> FeedProtocol:
    """The connection under a WebSocket.

    Raises:
        TypeError: the server does not run with `FeedProtocol`.
    """
    outlet: Any = socket.scope.get("extensions", {}).get(EXTENSION)
    if not isinstance(outlet, FeedProtocol):
        raise TypeError("expected uvicorn with ws=FeedProtocol (gateway/server.py); the feed writes frames itself")
    return outlet


def feed_routes(audience: Audience) -> list[BaseRoute]:
    """The two addresses of the feed."""
    add_handlers(audience.actions, audience)
    limits = FeedLimits(audience.settings.max_feed_connections_per_address)

    async def serve(socket: WebSocket, channel: str | None, video_id: str | None) -> None:
        if PROTOCOL not in socket.scope.get("subprotocols", []):
            await refuse(socket, 4400, f"expected subprotocol {PROTOCOL}")
        elif not origin_allowed(socket.headers.get("origin"), socket.headers.get("host"), audience.settings):
            await refuse(socket, 4406, "pages of this origin may not join; LOGCAST_FEED_ORIGINS says which may")
        elif channel is None:
            await refuse(socket, 4404, "no such channel or video")
        elif len(limits) >= audience.settings.max_feed_connections:
            await refuse(socket, 1013, "this gateway is full; try again in a moment")
        else:
            try:
                with limits.connection(client_address(socket)):
                    await FeedConnection(audience, limits, socket, channel, video_id).run()
            except TooManyError as error:
                await refuse(socket, 4429, str(error))

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
