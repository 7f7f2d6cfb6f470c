"""The API of totals, polls and viewers: `/v1/videos/VIDEO/totals`, `…/polls`, `…/viewers`. Described in `openapi/`."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import CALLS_BURST, CALLS_PER_S, HEADERS, answer, body_of
from gateway.audience import Audience
from gateway.engagement import Engagement
from gateway.feed_messages import MessageError
from gateway.identity import Identities, client_address, signature_name
from gateway.poll_board import poll_row
from gateway.poll_requests import question_of, vote_of
from gateway.problems import Problem, not_found
from gateway.rate_limits import RateLimits
from schemas.events import PollChanged, PollOpened, VideoChanged
from stores.cassandra import CassandraError
from stores.comments import CommentStore
from stores.engagement import MAX_MINUTES, MINUTE_MS, Counted, EngagementStore
from stores.roles import Role

MAX_MS: Final = 2**53
T = TypeVar("T")


def engagement_routes(audience: Audience, engagement: Engagement) -> list[BaseRoute]:
    """The routes of this module."""
    routes, below = EngagementRoutes(audience, engagement), "/v1/videos/{video}"
    return [
        Route(f"{below}/totals", routes.totals),
        Route(f"{below}/totals/minutes", routes.totals_minutes),
        Route(f"{below}/viewers", routes.viewers),
        Route(f"{below}/viewers/minutes", routes.viewers_minutes),
        Route(f"{below}/polls", routes.polls, methods=["GET"]),
        Route(f"{below}/polls", routes.open_poll, methods=["POST"]),
        Route(f"{below}/polls/{{poll}}/votes", routes.vote, methods=["POST"]),
        Route(f"{below}/polls/{{poll}}/close", routes.close_poll, methods=["POST"]),
    ]


class EngagementRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, audience: Audience, engagement: Engagement) -> None:
        self._audience = audience
        self._engagement = engagement
        self._state = audience.state
        self._identities = Identities(audience.state)
        self._callers = RateLimits("engagement", CALLS_PER_S, CALLS_BURST)

    # -- figures

    async def totals(self, request: Request) -> Response:
        """The totals: the log's where they are held, else Cassandra's."""
        video = self._video(request)
        await self._audience.read_stored(video.video_id)
        talk = self._audience.conversation.talk(video.video_id)
        if talk.totals is not None and talk.shown is not None:
            return answer(self._audience.totals(video.video_id))
        found, comments = await self._stored(lambda store: _totals(store, video.video_id))
        counted = found or Counted(0, {}, 0)
        return answer(
            {"likes": counted.likes, "comments": comments, "reactions": counted.reactions, "comment_likes": {}}
        )

    async def totals_minutes(self, request: Request) -> Response:
        """The totals at the end of each minute in which they changed."""
        return await self._minutes(request, EngagementStore.minutes)

    async def viewers(self, request: Request) -> Response:
        """How many watch now, most at a time, different ones."""
        video = self._video(request)
        found = self._audience.viewer_counts.of_video(video.video_id)
        if found is None:
            found = await self._stored(lambda store: store.viewers(video.video_id))
        if found is None:
            return answer({"n": 0, "peak": 0, "peak_ms": None, "unique": 0, "as_of_ms": None})
        now = self._audience.viewer_counts.now(video.video_id, self._state.clock()) or 0
        return answer(
            {
                "n": now,
                "peak": found.peak,
                "peak_ms": found.peak_ms,
                "unique": found.unique,
                "as_of_ms": found.as_of_ms,
            }
        )

    async def viewers_minutes(self, request: Request) -> Response:
        """The viewers at the end of each minute in which there were some."""
        return await self._minutes(request, EngagementStore.viewer_minutes)

    async def _minutes(
        self,
        request: Request,
        read: Callable[[EngagementStore, str, int, int, int], Awaitable[list[dict[str, Any]]]],
    ) -> Response:
        video = self._video(request)
        from_ms = number(request, "from_ms", 0, MAX_MS, 0)
        to_ms = number(request, "to_ms", 0, MAX_MS, MAX_MS)
        limit = number(request, "limit", 1, MAX_MINUTES, MAX_MINUTES)
        rows = await self._stored(lambda store: read(store, video.video_id, from_ms, to_ms, limit))
        following = rows[-1]["minute_ms"] + MINUTE_MS if len(rows) == limit else None
        return answer({"minutes": rows, "next": following})

    # -- polls

    async def polls(self, request: Request) -> Response:
        """The polls of a video, oldest first."""
        video = self._video(request)
        found = self._audience.polls.of_video(video.video_id)
        if not found:
            found = await self._stored(lambda store: store.polls(video.video_id))
        return answer({"polls": [self._row(poll) for poll in found]})

    async def open_poll(self, request: Request) -> Response:
        """Ask viewers something; for moderators."""
        self._callers.must_take(client_address(request))
        video = self._video(request)
        asker = await self._identities.must_be(request, video.channel, Role.MODERATOR)
        question = _read(question_of, await body_of(request))
        poll = await self._engagement.open_poll(video, question, signature_name(asker))
        if isinstance(poll, PollOpened):
            return answer(_submitted(poll), 202)
        return answer(self._row(poll), 201)

    async def vote(self, request: Request) -> Response:
        """Vote, change the vote, or take it back; answered once the log has it."""
        self._callers.must_take(client_address(request))
        voter, video = await self._identities.must_know(request), self._video(request)
        poll_id = request.path_params["poll"]
        wanted = _read(lambda values: vote_of(values, poll_id), await body_of(request))
        await self._audience.taken(self._engagement.vote(video, voter.id, wanted))
        return Response(status_code=202, headers=HEADERS)

    async def close_poll(self, request: Request) -> Response:
        """Close a poll, for good; for moderators."""
        self._callers.must_take(client_address(request))
        video = self._video(request)
        closer = await self._identities.must_be(request, video.channel, Role.MODERATOR)
        poll = await self._engagement.close_poll(video, request.path_params["poll"], signature_name(closer))
        return answer(self._row(poll), 200 if poll.closed_ms is not None else 202)

    # -- what they have in common

    def _video(self, request: Request) -> VideoChanged:
        video = self._state.videos.get(request.path_params["video"])
        if video is None:
            raise not_found(f"there is no video {request.path_params['video']:.40}", "no_video")
        return video

    def _row(self, poll: PollChanged) -> dict[str, Any]:
        return poll_row(poll, self._state.clock())

    async def _stored(self, ask: Callable[[EngagementStore], Awaitable[T]]) -> T:
        session = self._state.cassandra.session
        try:
            if session is not None:
                return await ask(EngagementStore(session))
        except CassandraError as error:
            raise _away(str(error)) from error
        raise _away("Cassandra does not answer; try again in a moment")


def number(request: Request, name: str, least: int, most: int, default: int) -> int:
    """A whole number of the query.

    Raises:
        Problem: 422, it is none, or out of range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        detail = f"expected {name} from {least} to {most}, found {text!r:.40}"
        raise Problem(422, f"bad_{name}", detail, extra={"field": name})
    return int(text)


async def _totals(store: EngagementStore, video_id: str) -> tuple[Counted | None, int]:
    """The totals of a video, and how many comments it has."""
    return await store.totals(video_id), await CommentStore(store.cassandra).shown(video_id)


def _read(read: Callable[[dict[str, Any]], T], values: dict[str, Any]) -> T:
    try:
        return read(values)
    except MessageError as error:
        raise Problem(422, error.code, str(error), extra={"field": error.code.removeprefix("bad_")}) from error


def _submitted(poll: PollOpened) -> dict[str, Any]:
    """A poll that is on the log and not counted yet."""
    return {
        "id": poll.poll_id,
        "question": poll.question,
        "options": [{"text": text, "votes": 0} for text in poll.options],
        "state": "submitted",
        "opened_ms": poll.opened_ms,
        "closes_ms": poll.closes_ms,
        "closed_ms": None,
    }


def _away(detail: str) -> Problem:
    return Problem(503, "history_away", detail, headers={"Retry-After": "5"})
