"""Shelves: the finished videos that an audience can watch, of a channel or of all, newest first."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import answer
from gateway.problems import Problem
from gateway.state import GatewayState
from schemas.events import VideoChanged, VideoState, Visibility

USUAL: Final = 24
MOST: Final = 100
FRESH_MS: Final = 2_000
"""A list is made anew after so long: pages ask for it every few seconds."""

SHORTEST_MS: Final = 1_000


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes of the shelves."""
    shelf = Shelf(state.videos.every, state.clock, state.settings.hot_retention_s * 1000)

    async def of_all(request: Request) -> Response:
        return answer({"videos": shelf.newest("", _limit(request))})

    async def of_channel(request: Request) -> Response:
        return answer({"videos": shelf.newest(request.path_params["channel"], _limit(request))})

    return [
        Route("/v1/videos", of_all, methods=["GET"]),
        Route("/v1/channels/{channel}/videos", of_channel, methods=["GET"]),
    ]


class Shelf:
    """Lists finished videos that are public and still there: kept, or so new that the hot store has them.

    Args:
        every: all videos that are known.
        clock: wall clock in ms.
        hot_ms: how long the media of a video that is not kept stays.
    """

    def __init__(self, every: Callable[[], Iterator[VideoChanged]], clock: Callable[[], int], hot_ms: int) -> None:
        self._every = every
        self._clock = clock
        self._hot_ms = hot_ms
        self._made_ms = -FRESH_MS
        self._made: list[dict[str, Any]] = []

    def newest(self, channel: str, limit: int) -> list[dict[str, Any]]:
        """The newest videos of a channel (empty: of all) as JSON rows."""
        if self._clock() - self._made_ms >= FRESH_MS:
            shown = sorted(filter(self._is_shown, self._every()), key=lambda video: video.video_id, reverse=True)
            self._made = [_row(video) for video in shown]
            self._made_ms = self._clock()
        return [row for row in self._made if channel in ("", row["channel"])][:limit]

    def _is_shown(self, video: VideoChanged) -> bool:
        if video.state is not VideoState.ENDED or video.visibility is not Visibility.PUBLIC or video.ended_ms is None:
            return False
        there = video.keep_days != 0 or self._clock() - video.started_ms < self._hot_ms
        return there and video.last_segment >= 0 and video.ended_ms - video.started_ms >= SHORTEST_MS


def _row(video: VideoChanged) -> dict[str, Any]:
    ended_ms = video.ended_ms or video.started_ms
    return {
        "id": video.video_id,
        "channel": video.channel,
        "title": video.title,
        "started_ms": video.started_ms,
        "ended_ms": ended_ms,
        "duration_ms": ended_ms - video.started_ms,
        "poster": f"/v1/videos/{video.video_id}/poster.jpg",
    }


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(USUAL))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST):
        raise Problem(400, "bad_limit", f"expected limit from 1 to {MOST}, found {text!r:.40}")
    return int(text)
