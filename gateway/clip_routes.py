"""`POST /v1/videos/VIDEO/clips`: the owner makes a video of its own from a range of one, live or finished."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import answer, body_of
from gateway.clips import MAX_CLIP_S, Clips, TooManyClipsError, planned
from gateway.download_routes import cut_of, find_video
from gateway.identity import Identities
from gateway.media_access import media_access
from gateway.problems import Problem, not_found
from gateway.state import GatewayState
from schemas.events import VideoChanged
from schemas.video_settings import KEPT_FOR_EVER, MAX_KEEP_DAYS

MAX_TITLE_CHARS: Final = 200


def install(state: GatewayState) -> list[BaseRoute]:
    """The route of clips."""
    routes = ClipRoutes(state)
    return [Route("/v1/videos/{video}/clips", routes.make, methods=["POST"])]


class ClipRoutes:
    """Takes wishes for clips from the owner of a channel, and from the operator."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._media = media_access(state)
        self._identities = Identities(state)
        self._clips = Clips(state, self._media)
        state.resource(self._clips.open)

    async def make(self, request: Request) -> Response:
        """Begin a clip; 202 with the video that it becomes."""
        video_id = request.path_params["video"]
        known = await self._media.catalogue.state(video_id)
        if known is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        await self._identities.must_be(request, known.channel)
        values = await body_of(request)
        title, keep_days = _title(values, known), _keep_days(values)
        fold, video = await find_video(self._media, video_id)
        cut = cut_of(fold, _place(values, "start"), _place(values, "end"))
        if cut is None or cut.end_s - cut.start_s > MAX_CLIP_S:
            raise Problem(400, "bad_range", f"expected start and end, at most {MAX_CLIP_S} s apart")
        plan = planned(video, fold, cut, title, keep_days, self._state.clock())
        if plan is None:
            raise not_found(f"nothing of video {video_id} is stored in that range", "no_media")
        try:
            self._clips.begin(fold, plan)
        except TooManyClipsError as error:
            raise Problem(429, "too_many", str(error), headers={"Retry-After": "10"}) from error
        made = plan.video.video_id
        return answer({"video_id": made, "title": title, "url": f"/v1/videos/{made}/master.m3u8"}, 202)


def _title(values: dict[str, Any], video: VideoChanged) -> str:
    title = values.get("title", video.title)
    if not isinstance(title, str) or not 0 < len(title.strip()) <= MAX_TITLE_CHARS:
        raise Problem(422, "bad_title", f"expected a title of 1 to {MAX_TITLE_CHARS} characters")
    return title.strip()


def _keep_days(values: dict[str, Any]) -> int:
    keep_days = values.get("keep_days", KEPT_FOR_EVER)
    if isinstance(keep_days, bool) or not isinstance(keep_days, int) or not -1 <= keep_days <= MAX_KEEP_DAYS:
        raise Problem(422, "bad_keep_days", f"expected keep_days from -1 (for ever) to {MAX_KEEP_DAYS}")
    return keep_days


def _place(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Problem(400, "bad_range", f"expected {name}: seconds or HH:MM:SS, below 0 from the end")
    return value if isinstance(value, str) else f"{value:f}"
