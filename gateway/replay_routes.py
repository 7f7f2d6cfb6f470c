"""What happened at a position of a recorded video, besides comments: bursts of reactions and likes."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.audience import Audience
from gateway.comment_pages import MOST, number_of
from gateway.comment_routes import tagged
from gateway.history import HistoryError
from gateway.identity import client_address
from gateway.problems import Problem, not_found
from gateway.rate_limits import RateLimits
from stores.reaction_bursts import MAX_RANGE_MS, MOMENT_MS


def replay_routes(audience: Audience) -> list[BaseRoute]:
    """The route of bursts."""
    limits = RateLimits("burst_reads", 100, 500)

    async def bursts(request: Request) -> Response:
        """What came in each few seconds between two times."""
        limits.must_take(client_address(request))
        video = audience.state.videos.get(request.path_params["video"])
        if video is None:
            raise not_found(f"there is no video {request.path_params['video']:.40}", "no_video")
        start, end = (number_of(request.query_params, name, 0, MOST) for name in ("from_ms", "to_ms"))
        if start is None or end is None or not 0 <= end - start <= MAX_RANGE_MS:
            detail = f"expected from_ms and to_ms, at most {MAX_RANGE_MS} ms apart"
            raise Problem(400, "bad_from_ms", detail, extra={"field": "from_ms", "rule": "range"})
        try:
            found = await audience.history.bursts(video.video_id, start, end)
        except HistoryError as error:
            raise Problem(503, "history_away", str(error), headers={"Retry-After": "5"}) from error
        return tagged(request, {"moment_ms": MOMENT_MS, "bursts": [asdict(burst) for burst in found]})

    return [Route("/v1/videos/{video}/bursts", bursts, methods=["GET"])]
