"""What the studio asks besides what everybody may: the health of a channel's stream, comments by minute. docs/studio.md."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import answer
from gateway.audience import HELD_MS, Audience
from gateway.comment_minutes import CommentMinutes
from gateway.identity import Identities, client_address, must_have_channel
from gateway.ingest_health import READ_MS, IngestHealth
from gateway.left_out import LeftOut, shed_lately
from gateway.media_access import media_access
from gateway.part_delays import PartDelays
from gateway.problems import not_found
from gateway.rate_limits import RateLimits
from gateway.stream_health import health_row
from schemas.topics import COMMENTS_FEED, INGEST_HEALTH, MEDIA_PARTS
from stores.roles import Role

ASKS_PER_S: Final = 5.0
ASKS_BURST: Final = 30.0


def studio_routes(audience: Audience) -> list[BaseRoute]:
    """The routes of this module."""
    routes = StudioRoutes(audience)
    return [
        Route("/v1/channels/{channel}/health", routes.health),
        Route("/v1/videos/{video}/comments/minutes", routes.comment_minutes),
    ]


class StudioRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, audience: Audience) -> None:
        self._state = audience.state
        self._identities = Identities(audience.state)
        self._broadcasts = media_access(audience.state).broadcasts
        self._arrivals = IngestHealth()
        self._delays = PartDelays()
        self._left_out = LeftOut()
        self._minutes = CommentMinutes()
        self._asking = RateLimits("health", ASKS_PER_S, ASKS_BURST)
        now_ms = self._state.clock()
        self._state.subscribe(INGEST_HEALTH, self._arrivals.apply, now_ms - READ_MS)
        self._state.subscribe(MEDIA_PARTS, self._delays.apply, self._broadcasts.log_start_ms)
        self._state.subscribe(MEDIA_PARTS, self._left_out.apply, self._broadcasts.log_start_ms)
        self._state.subscribe(COMMENTS_FEED, self._minutes.apply, now_ms - HELD_MS)
        self._state.on_removed(self._delays.forget, self._left_out.forget, self._minutes.forget)

    async def health(self, request: Request) -> Response:
        """How the stream arrives and is delivered, and what to do about it; for moderators and owners."""
        self._asking.must_take(client_address(request))
        channel = await must_have_channel(self._state, request)
        await self._identities.must_be(request, channel, Role.MODERATOR)
        video = self._state.videos.of_channel(channel)
        fold = self._broadcasts.get(video.video_id) if video is not None else None
        delays = self._delays.of(video.video_id) if video is not None else {}
        arrival, now_ms = self._arrivals.of(channel), self._state.clock()
        shed = shed_lately(fold, self._left_out.of(video.video_id), now_ms) if video is not None else ()
        return answer(health_row(channel, video, fold, delays, arrival, now_ms, shed))

    async def comment_minutes(self, request: Request) -> Response:
        """How many comments each minute of the last hour had."""
        video_id = request.path_params["video"]
        if self._state.videos.get(video_id) is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        rows = [{"minute_ms": minute_ms, "n": n} for minute_ms, n in self._minutes.of(video_id)]
        return answer({"minutes": rows})
