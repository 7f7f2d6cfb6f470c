"""Who may watch what, decided in one place, before any route.

Public and unlisted videos are for everybody who has the address,
private ones with a signed link, the owner's stream key or the operator's token.

Below `/v1/videos/VIDEO`, `/live/CHANNEL/` and the feed of a channel nothing of a private video is answered without that
right, whatever routes there are. A signed path is checked, and its prefix taken away: routes never see it. What was found
is at `scope["logcast.right"]` for what is not about one video: lists and rooms.
"""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.identity import OPERATOR, Identities, IdentityError
from gateway.problems import Problem, not_found
from gateway.signed_links import Link, LinkError, split
from gateway.state import GatewayState
from media.devices import HINTS
from schemas.events import VideoChanged, Visibility
from stores.roles import Role

RIGHT: Final = "logcast.right"
DENIED: Final = 4403
"""WebSocket close code of a private video without the right to it."""

_VIDEO: Final = re.compile(r"/v1/videos/([^/]+)(?:/.*)?", re.DOTALL)
_CHANNEL: Final = re.compile(r"/v1/channels/([^/]+)/(?:feed|cues)")
_LIVE: Final = re.compile(r"/live/([^/]+)/.*", re.DOTALL)
_ENTRY: Final = re.compile(r"/(?:live/([^/]+)|v1/videos/([^/]+))/((?:master|manifest)\.[a-z0-9]+)")
_MAX_AGE: Final = re.compile(rb"\bmax-age=([0-9]{1,9})")
_PRIVATE: Final = (b"x-logcast-visibility", b"private")
_KEYED: Final = {b"", b"accept-encoding", *(name.encode() for name in HINTS)}
"""What an answer may vary by and still be kept by our edge: it keeps one for each (`docker/edge/nginx.conf.template`)."""

EDGE_KEEPS_S: Final = 60
"""Then the edge asks whether what it has is still to be shown; an ETag makes that cheap."""


@dataclass(frozen=True, slots=True)
class Right:
    """What a request may see beyond what all may: the videos that its link opens, or all of one channel, or everything."""

    link: Link | None = None
    owns: str = ""
    operator: bool = False

    def opens(self, video: VideoChanged) -> bool:
        """Whether a video may be watched."""
        return video.visibility is not Visibility.PRIVATE or self.opens_private(video.video_id, video.channel)

    def opens_private(self, video_id: str, channel: str) -> bool:
        """Whether a private video of a channel may be watched."""
        linked = self.link is not None and self.link.opens(video_id, channel)
        return self.operator or channel == self.owns or linked


class ViewingGuard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, state: GatewayState) -> None:
        self._app = app
        self._state = state
        self._identities = Identities(state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be seen; refuse the rest with a problem, or a WebSocket's close code."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            scope = self._unsigned(scope)
            video = await self._check(scope)
            location = await self._elsewhere(scope)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        if location:
            await _redirect(location, send)
        else:
            await self._app(scope, receive, send if video is None else _for_caches(send, video))

    def _unsigned(self, scope: Scope) -> Scope:
        """The scope without the signed prefix, with the right that it gives.

        Raises:
            Problem: 403, the link opens nothing.
        """
        signed = split(scope["path"])
        if signed is None:
            return {**scope, RIGHT: Right()}
        token, path = signed
        try:
            link = self._state.link_keys.link(token, self._state.clock())
        except LinkError as error:
            raise Problem(403, error.reason, str(error)) from error
        return {**scope, RIGHT: Right(link), "path": path, "raw_path": path.encode()}

    async def _check(self, scope: Scope) -> VideoChanged | None:
        """The video that a request is about, if it is about one.

        Raises:
            Problem: 403, it is private, and nothing gives the right to it.
        """
        video = await self._subject(scope["path"])
        if video is None or (scope["type"] == "http" and scope["method"] == "OPTIONS"):
            return None  # a preflight says nothing of the video, and cannot carry a token
        right: Right = scope[RIGHT]
        if not right.opens(video):
            right = scope[RIGHT] = await self._with_token(right, scope, video.channel)
        if not right.opens(video):
            raise Problem(
                403,
                "private",
                "this video is private: open it by a signed link, or with the stream key of its channel as bearer token",
            )
        return video

    async def _subject(self, path: str) -> VideoChanged | None:
        """The video that a path is about.

        Raises:
            Problem: 503, only the index knows, and it does not answer: nobody is let in by that.
        """
        if (found := _VIDEO.fullmatch(path)) is not None:
            return await self._video(found[1])
        if (found := _LIVE.fullmatch(path)) is not None:
            return await self._played(found[1])
        if (found := _CHANNEL.fullmatch(path)) is not None:
            return self._state.videos.of_channel(found[1])
        return None

    async def _video(self, video_id: str) -> VideoChanged | None:
        known = self._state.videos.get(video_id)
        media = self._state.media
        return known if known is not None or media is None else await media.catalogue.state(video_id)

    async def _played(self, channel: str) -> VideoChanged | None:
        """What `/live/CHANNEL/` is now: the current video, or an older one that is kept."""
        media = self._state.media
        return self._state.videos.of_channel(channel) if media is None else await media.catalogue.of_channel(channel)

    async def _with_token(self, right: Right, scope: Scope, channel: str) -> Right:
        """The right that a bearer token adds; asked only where it makes a difference."""
        try:
            asker = await self._identities.of_request(HTTPConnection(scope))
        except IdentityError:
            asker = None
        if asker is None or await self._identities.role(asker, channel) is not Role.OWNER:
            return right
        return Right(right.link, channel, asker.id == OPERATOR)

    async def _elsewhere(self, scope: Scope) -> str:
        """Where a channel's link leads from a playlist or manifest: to the video, under a link of the same end for just that.

        So every playlist and segment is below one signed path that an edge can check by itself.

        Raises:
            Problem: 404, the channel has not been live.
        """
        link: Link | None = scope[RIGHT].link
        found = _ENTRY.fullmatch(scope["path"]) if link is not None and link.channel else None
        if found is None or link is None:
            return ""
        channel, video_id, file = found.groups()
        video = await self._played(channel) if channel else await self._video(video_id)
        if video is None and channel == link.channel:
            raise not_found(f"channel {channel} has not been live; its streamer must publish first", "never_live")
        if video is None or video.channel != link.channel:
            return ""
        token = self._state.link_keys.token(Link(link.expires_s, video.video_id, tag=link.tag))
        query = scope["query_string"].decode("latin-1")
        up = "../" * scope["path"].count("/")
        return f"{up}{token}/v1/videos/{video.video_id}/{file}" + (f"?{query}" if query else "")


def _for_caches(send: Send, video: VideoChanged) -> Send:
    """Tell caches what they may do with an answer about a video.

    X-Accel-Expires is for our own edge, which checks links itself: it may keep what has a max-age, up to a minute, so that
    a video that turns private is asked for again soon. Others do not keep what is private.
    """

    async def changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", []))
            private = video.visibility is Visibility.PRIVATE
            message = {**message, "headers": [*_edge_headers(message["status"], headers), *message.get("headers", [])]}
            if private:
                message["headers"] = [_private_header(*header) for header in message["headers"]]
                message["headers"].append(_PRIVATE)
        await send(message)

    return changed


def _edge_headers(status: int, headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """How long the edge may keep an answer; nothing where it may not."""
    kept = _MAX_AGE.search(headers.get(b"cache-control", b""))
    varies = {name.strip().lower() for name in headers.get(b"vary", b"").split(b",")} - _KEYED
    if status not in {200, 304} or kept is None or varies or b"no-store" in headers[b"cache-control"]:
        return []
    return [(b"x-accel-expires", b"%d" % min(int(kept[1]), EDGE_KEEPS_S))]


def _private_header(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() != b"cache-control":
        return name, value
    parts = [part.strip() for part in value.split(b",")]
    kept = [part for part in parts if part not in {b"public", b"private"} and not part.startswith(b"s-maxage")]
    return name, b", ".join([b"private", *kept])


async def _redirect(location: str, send: Send) -> None:
    headers = [
        (b"location", location.encode("latin-1")),
        (b"cache-control", b"no-store"),
        (b"access-control-allow-origin", b"*"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        offered = scope.get("subprotocols") or [None]
        await send({"type": "websocket.accept", "subprotocol": offered[0]})  # else a browser sees no reason
        await send({"type": "websocket.close", "code": DENIED, "reason": problem.detail[:120]})
        return
    if problem.reason == "private":
        problem.headers["X-Logcast-Visibility"] = "private"
    await problem.response()(scope, receive, send)
