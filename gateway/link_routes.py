"""`POST /v1/videos/VIDEO/links` and `/v1/channels/CHANNEL/links`: the owner gives somebody the right to watch."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import answer, body_of
from gateway.identity import Identities
from gateway.problems import Problem, not_found
from gateway.signed_links import MAX_LIFETIME_S, PREFIX, TAG, Link
from gateway.state import GatewayState
from schemas.ids import CHANNEL_NAME

DEFAULT_S: Final = 3_600
SHORTEST_S: Final = 10


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes that make links."""
    links = LinkRoutes(state)
    return [
        Route("/v1/videos/{video}/links", links.of_video, methods=["POST"]),
        Route("/v1/channels/{channel}/links", links.of_channel, methods=["POST"]),
    ]


class LinkRoutes:
    """Signs links for the owner of a channel, and for the operator."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._identities = Identities(state)

    async def of_video(self, request: Request) -> Response:
        """A link to one video."""
        video_id = request.path_params["video"]
        video = self._state.videos.get(video_id)
        if video is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        await self._identities.must_be(request, video.channel)
        link = await self._wanted(request, video_id=video_id)
        return self._answer(link, f"v1/videos/{video_id}/", video_id)

    async def of_channel(self, request: Request) -> Response:
        """A link to all videos of a channel, live and later."""
        channel = request.path_params["channel"]
        if CHANNEL_NAME.fullmatch(channel) is None:
            raise not_found(f"there is no channel {channel:.40}", "no_channel")
        await self._identities.must_be(request, channel)
        link = await self._wanted(request, channel=channel)
        return self._answer(link, f"live/{channel}/", channel)

    async def _wanted(self, request: Request, *, video_id: str = "", channel: str = "") -> Link:
        values = await body_of(request)
        expires_s, tag = values.get("expires_s", DEFAULT_S), values.get("tag", "-")
        if (
            not isinstance(expires_s, int)
            or isinstance(expires_s, bool)
            or not SHORTEST_S <= expires_s <= MAX_LIFETIME_S
        ):
            raise Problem(
                422, "expires", f"expected expires_s from {SHORTEST_S} to {MAX_LIFETIME_S}, found {expires_s!r:.40}"
            )
        if not isinstance(tag, str) or TAG.fullmatch(tag) is None:
            raise Problem(422, "tag", f"expected a tag of 1 to 32 of A-Za-z0-9_-, found {tag!r:.60}")
        return Link(self._state.clock() // 1000 + expires_s, video_id, channel, tag)

    def _answer(self, link: Link, media: str, name: str) -> Response:
        prefix = f"{PREFIX}{self._state.link_keys.token(link)}/"
        values: dict[str, Any] = {
            "expires_ms": link.expires_s * 1000,
            "prefix": prefix,
            "page": f"{prefix}watch/{name}",
            "hls": f"{prefix}{media}master.m3u8",
            "dash": f"{prefix}{media}manifest.mpd",
        }
        return answer(values, 201)
