"""The HTTP API below `/v1`: channels, videos, guests, likes, reactions, cues. Described in `openapi/`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from gateway import feed_messages
from gateway.audience import Audience
from gateway.conversation import Verdict
from gateway.feed_messages import LikeWanted, MessageError
from gateway.guests import Guest, GuestError, new_guest, token_of
from gateway.identity import OPERATOR, Identities, client_address
from gateway.openapi.document import openapi_document
from gateway.problems import Problem, not_found
from gateway.rate_limits import RateLimits
from gateway.viewing_guard import RIGHT, Right
from schemas.events import (
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    Queued,
    VideoChanged,
    VideoState,
    Visibility,
)
from schemas.ids import COMMENT_ID, new_video_id

MAX_BODY_BYTES: Final = 32 * 1024
BODY_TIMEOUT_S: Final = 10.0
DECISION_TIMEOUT_S: Final = 5.0
CALLS_PER_S: Final = 20.0
CALLS_BURST: Final = 60.0

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._videos = audience.state.videos
        self._identities = Identities(audience.state)
        self._callers = RateLimits("calls", CALLS_PER_S, CALLS_BURST)

    # -- reading

    async def channels(self, _request: Request) -> Response:
        """What is or was live: every channel that ever had a video, live ones first."""
        public = (video for video in self._videos.current() if video.visibility is Visibility.PUBLIC)
        rows = [self._channel_row(video.channel, video) for video in public]
        order = {"live": 0, "interrupted": 1, "ended": 2}
        rows.sort(key=lambda row: (order[row["state"]], -row["started_ms"]))
        return answer({"channels": rows[:500]})

    async def channel(self, request: Request) -> Response:
        """One channel; `state` is `offline` when it never had a video."""
        name = request.path_params["channel"]
        video = self._videos.of_channel(name)
        right: Right = request.scope.get(RIGHT, Right())
        if video is not None and right.opens(video):
            return answer(self._channel_row(name, video) | {"description": video.description})
        assert self._audience.accounts is not None
        known = await self._audience.accounts.channel(name)
        if known is None:
            raise not_found(f"there is no channel {name}; `logcast channel create` makes one", "no_channel")
        about = {"title": known.title, "tags": list(known.tags), "description": known.description}
        return answer({"name": name, "state": "offline", "video_id": None, "viewers": 0, "likes": 0} | about)

    def _channel_row(self, name: str, video: VideoChanged) -> dict[str, Any]:
        return {
            "name": name,
            "title": video.title,
            "tags": list(video.tags),
            "state": video.state.value,
            "video_id": video.video_id,
            "started_ms": video.started_ms,
            "ended_ms": video.ended_ms,
            "viewers": self._audience.viewers(name),
            "likes": self._audience.totals(video.video_id)["likes"],
        }

    async def video(self, request: Request) -> Response:
        """One video with its totals, and how it is kept and shown."""
        video = self._video(request)
        await self._audience.read_stored(video.video_id)
        row = {k: v for k, v in feed_messages.video(video).items() if k != "type"}
        kept = {"keep_days": video.keep_days, "visibility": video.visibility.value, "origin": video.origin.value}
        return answer(row | kept | {"totals": self._audience.totals(video.video_id)})

    # -- viewers

    async def new_guest(self, request: Request) -> Response:
        """Name yourself; the token is yours for 30 days."""
        self._limit(request)
        values = await body_of(request)
        try:
            guest = new_guest(values.get("name"), secrets.token_bytes(10))
        except GuestError as error:
            raise Problem(422, "bad_name", str(error)) from error
        token = token_of(guest, self._audience.secret, self._audience.state.clock())
        return answer({"token": token, "user": {"id": guest.id, "name": guest.name}}, 201)

    async def like_video(self, request: Request) -> Response:
        """PUT: the video is liked; DELETE: not any more."""
        return await self._like(request, None)

    async def like_comment(self, request: Request) -> Response:
        """PUT: the comment is liked; DELETE: not any more."""
        return await self._like(request, _comment_id(request))

    async def _like(self, request: Request, comment_id: str | None) -> Response:
        self._limit(request)
        wanted = LikeWanted(liked=request.method == "PUT", comment=comment_id)
        await self._audience.taken(self._audience.like(self._video(request), await self._who(request), wanted))
        return Response(status_code=202, headers=HEADERS)

    async def react(self, request: Request) -> Response:
        """React to the video."""
        self._limit(request)
        guest, video = await self._who(request), self._video(request)
        values = await body_of(request)
        try:
            reaction = feed_messages.reaction_of(values)
        except MessageError as error:
            raise Problem(422, error.code, str(error)) from error
        await self._audience.taken(self._audience.react(video, guest, reaction))
        return Response(status_code=202, headers=HEADERS)

    # -- the streamer

    async def owner(self, request: Request) -> Response:
        """204 when the bearer token may steer the channel."""
        self._limit(request)
        await self._owner(request)
        return Response(status_code=204, headers=HEADERS)

    async def cue(self, request: Request) -> Response:
        """Ask for a break."""
        self._limit(request)
        by = await self._owner(request)
        name = request.path_params["channel"]
        values = await body_of(request)
        seconds = values.get("seconds", 30)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 5 <= seconds <= 600:
            raise Problem(422, "duration", f"expected seconds from 5 to 600, found {seconds!r:.40}")
        video = self._videos.of_channel(name)
        if video is None or video.state is not VideoState.LIVE:
            raise Problem(409, "not_live", f"channel {name} is not live; a break needs a live video")
        cue_id = new_video_id(self._audience.state.clock(), secrets.token_bytes(8))
        waiter = self._audience.conversation.decision(cue_id)
        try:
            await self._audience.written(
                self._audience.speaker.cue(video, cue_id, int(seconds * 1000), by),
            )
            async with asyncio.timeout(DECISION_TIMEOUT_S):
                decided = await waiter
        except TimeoutError:
            return answer({"cue_id": cue_id, "state": "submitted"}, 202)
        finally:
            waiter.cancel()
        if not decided.accepted:
            raise Problem(409, decided.reason, decided.message, extra={"cue_id": cue_id})
        return answer({"cue_id": cue_id, "state": "accepted", "seconds": seconds}, 202)

    async def breaks(self, request: Request) -> Response:
        """The breaks of the channel's current video."""
        video = self._videos.of_channel(request.path_params["channel"])
        planned = self._audience.conversation.talk(video.video_id).breaks.values() if video else []
        now_ms = self._audience.state.clock()
        rows = [feed_messages.ad_break(event, now_ms) for event in planned]
        return answer({"breaks": [{k: v for k, v in row.items() if k != "type"} for row in rows]})

    async def _owner(self, request: Request) -> str:
        """Who the bearer token says may steer the channel."""
        assert self._audience.accounts is not None
        name = request.path_params["channel"]
        identity = await self._identities.must_be(request, name)
        if identity.admin and await self._audience.accounts.channel(name) is None:
            raise not_found(f"there is no channel {name:.40}", "no_channel")
        return "operator" if identity.id == OPERATOR else "owner"

    # -- what requests have in common

    def _video(self, request: Request) -> VideoChanged:
        video = self._videos.get(request.path_params["video"])
        if video is None:
            raise not_found(f"there is no video {request.path_params['video']:.40}", "no_video")
        return video

    async def _who(self, request: Request) -> Guest:
        """Who likes and reacts: whoever the token stands for, with an account or without."""
        identity = await self._identities.must_know(request)
        return Guest(identity.id, identity.name)

    def _limit(self, request: Request) -> None:
        """At most `CALLS_PER_S` writing calls of one address."""
        self._callers.must_take(client_address(request))


HEADERS: Final = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}


REJECTED_STATUS: Final = {
    **dict.fromkeys(("slow_mode", "flood"), 429),
    **dict.fromkeys(("banned", "timed_out", "guests", "followers_only", "members_only", "not_yours"), 403),
    "unknown_comment": 409,
}
"""Of the reasons of a rejection; of the others 422."""


def answer(values: dict[str, Any], status: int = 200) -> Response:
    """JSON that nobody keeps and every origin may read."""
    return Response(orjson.dumps(values), status, HEADERS, "application/json")


def verdict_answer(comment_id: str, verdict: Verdict | None) -> Response:
    """What became of a comment."""
    if verdict is None:
        return answer({"id": comment_id, "state": "submitted"}, 202)
    match verdict:
        case CommentAccepted() | CommentChanged():
            return answer({"id": comment_id, "state": "accepted", "seq": verdict.seq}, 202)
        case CommentHeld(state=Queued.WITHDRAWN):
            return answer({"id": comment_id, "state": "withdrawn"}, 202)
        case CommentHeld():
            held = {"id": comment_id, "state": "held", "reason": verdict.reason, "message": verdict.message}
            return answer(held, 202)
        case CommentRejected():
            status = REJECTED_STATUS.get(verdict.reason, 422)
            raise Problem(status, verdict.reason, verdict.message, extra={"id": comment_id})


def bearer(request: Request) -> str:
    """The bearer token of a request; empty without one (RFC 6750)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def bytes_of(request: Request, most: int, within_s: float = BODY_TIMEOUT_S) -> bytes:
    """The bytes of a request's body.

    Raises:
        Problem: 413 above `most` bytes, 408 when it does not come within `within_s`.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Problem(413, "too_large", f"expected at most {most} bytes")
    except TimeoutError:
        raise Problem(408, "too_slow", f"the body did not come within {within_s:g} s") from None
    return bytes(body)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request's body.

    Raises:
        Problem: 413 above 32 KiB, 408 when it does not come, 400 when it is no JSON object.
    """
    body = await bytes_of(request, MAX_BODY_BYTES)
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "bad_json", f"expected a JSON object: {error}") from error
    if not isinstance(values, dict):
        raise Problem(400, "bad_json", f"expected a JSON object, found {type(values).__name__}")
    return values


def _comment_id(request: Request) -> str:
    found = str(request.path_params["comment"])
    if COMMENT_ID.fullmatch(found) is None:
        raise Problem(400, "bad_id", f"expected the id of a comment, found {found!r:.80}")
    return found


async def preflight(_request: Request) -> Response:
    """CORS preflight (Fetch standard): every origin may call; the one cookie needs our own (`origins.py`)."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "86400",
    }
    return Response(status_code=204, headers=HEADERS | allowed)


class PreflightRoute(Route):
    """OPTIONS of every path below; for other methods it is not there, so that an unknown path stays a 404."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match OPTIONS only, and not even partly what is not."""
        return super().matches(scope) if scope.get("method") == "OPTIONS" else (Match.NONE, {})


def api_routes(audience: Audience) -> list[BaseRoute]:
    """The routes below /v1 that are not media."""
    api = Api(audience)
    comment = "/v1/videos/{video}/comments/{comment}"

    async def openapi(_request: Request) -> Response:
        return answer(openapi_document())

    table: list[tuple[str, list[str], Endpoint]] = [
        ("/v1/openapi.json", ["GET"], openapi),
        ("/v1/channels", ["GET"], api.channels),
        ("/v1/channels/{channel}", ["GET"], api.channel),
        ("/v1/channels/{channel}/owner", ["GET"], api.owner),
        ("/v1/channels/{channel}/cues", ["GET"], api.breaks),
        ("/v1/channels/{channel}/cues", ["POST"], api.cue),
        ("/v1/guests", ["POST"], api.new_guest),
        ("/v1/videos/{video}", ["GET"], api.video),
        (comment + "/like", ["PUT", "DELETE"], api.like_comment),
        ("/v1/videos/{video}/like", ["PUT", "DELETE"], api.like_video),
        ("/v1/videos/{video}/reactions", ["POST"], api.react),
    ]
    routes: list[BaseRoute] = [Route(path, endpoint, methods=methods) for path, methods, endpoint in table]
    return [*routes, PreflightRoute("/v1/{rest:path}", preflight, methods=["OPTIONS"])]
