"""Tells people what is theirs: over the feed once they have joined, and by `GET /v1/videos/VIDEO/me`."""

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import CALLS_BURST, CALLS_PER_S, answer
from gateway.audience import Audience
from gateway.feed_actions import Voice
from gateway.history import HistoryError
from gateway.identity import Identities, client_address
from gateway.own_marks import marks_row
from gateway.problems import Problem, not_found
from gateway.rate_limits import RateLimits
from schemas.events import CommentHeld, VideoChanged

RETRY_S: Final = 3.0


class Mine:
    """One for an audience."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._identities = Identities(audience.state)
        self._callers = RateLimits("mine", CALLS_PER_S, CALLS_BURST)
        self._telling: Final[dict[int, asyncio.Task[None]]] = {}
        audience.actions.watch(self._came, self._went)

    async def read(self, request: Request) -> Response:
        """What the bearer of the token likes of a video, and voted for."""
        self._callers.must_take(client_address(request))
        identity = await self._identities.must_know(request)
        video = self._audience.state.videos.get(request.path_params["video"])
        if video is None:
            raise not_found(f"there is no video {request.path_params['video']:.40}", "no_video")
        try:
            return answer({"user": identity.id} | await self._row(video, identity.id))
        except HistoryError as error:
            raise Problem(503, "history_away", str(error), headers={"Retry-After": "5"}) from error

    async def _row(self, video: VideoChanged, user_id: str) -> dict[str, Any]:
        marks = await self._audience.marks.of(video.video_id, user_id)
        held = self._audience.review.of_user(video.channel, video.video_id, user_id)
        return marks_row(marks) | {"held": [_held_row(event) for event in held]}

    def _came(self, voice: Voice) -> None:
        """Who came with a token may have been here before."""
        if voice.returning and voice.video is not None:
            task = asyncio.create_task(self._tell(voice, voice.video), name="mine")
            self._telling[id(voice)] = task
            task.add_done_callback(lambda _: self._telling.pop(id(voice), None))

    def _went(self, voice: Voice) -> None:
        if (task := self._telling.get(id(voice))) is not None:
            task.cancel()

    async def _tell(self, voice: Voice, video: VideoChanged) -> None:
        """Once Cassandra answers, for as long as they stay."""
        while True:
            try:
                row = await self._row(video, voice.identity.id)
            except HistoryError:
                await asyncio.sleep(RETRY_S)
            else:
                voice.say({"type": "mine", "video": video.video_id} | row)
                return


def _held_row(event: CommentHeld) -> dict[str, Any]:
    """A comment that waits, for its writer."""
    return {"id": event.comment_id, "text": event.text, "parent": event.parent_id, "message": event.message}


def mine_routes(audience: Audience) -> list[BaseRoute]:
    """The route; and the feed tells it."""
    return [Route("/v1/videos/{video}/me", Mine(audience).read, methods=["GET"])]
