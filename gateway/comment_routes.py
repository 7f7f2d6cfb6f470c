"""Comments over HTTP: post, read, revise, remove; pages by number, time, position, author and thread (docs/comments.md).

What holds for a comment of the feed holds here: the same checks, the same verdicts. Who moderates the channel reads
hidden comments; what a writer removed nobody reads.
"""

import dataclasses
import hashlib
import secrets
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import feed_messages
from gateway.api import answer, body_of, verdict_answer
from gateway.audience import Audience
from gateway.authors import author_of, must_be_verified
from gateway.comment_pages import Page, Wanted, page_of, wanted_of
from gateway.feed_messages import MessageError
from gateway.history import HistoryError
from gateway.identity import Identities, IdentityError, address_of, client_address, unauthorized
from gateway.problems import Problem, not_found
from gateway.rate_limits import RateLimits
from gateway.speaking import Author
from schemas.comment_state import CommentNow
from schemas.events import CommentHeld, VideoChanged
from schemas.ids import COMMENT_ID
from stores.roles import Role

T = TypeVar("T")
Row = dict[str, Any]

AROUND_MS: Final = 3_600_000
"""So long before a video's start and after its end comments by time are looked for."""
FIELDS: Final = {
    "bad_id": ("id", "form"),
    "bad_text": ("text", "type"),
    "too_long": ("text", "max_length"),
    "bad_parent": ("parent", "form"),
    "bad_media_ms": ("media_ms", "range"),
    "bad_revision": ("revision", "form"),
}
"""Field and rule of what `feed_messages` refuses."""


class CommentApi:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._identities = Identities(audience.state)
        self._reads = RateLimits("comment_reads", 100, 500)
        self._of_address = RateLimits("comment_writes", 20, 60)
        self._of_user = RateLimits("comment_writes_of_user", 5, 60)

    # -- reading

    async def page(self, request: Request) -> Response:
        """A page of the video's comments."""
        return await self._page(request, wanted_of(request.query_params))

    async def pinned(self, request: Request) -> Response:
        """The pinned comments, oldest first."""
        self._reads.must_take(client_address(request))
        video = self._video(request)
        found = await self._from_history(self._audience.history.asked(lambda store: store.pinned(video.video_id)))
        return await self._answer(request, video, Page(found, None, None))

    async def replies(self, request: Request) -> Response:
        """A page of the thread that a comment is in, oldest first: all replies, at whatever depth, in one row."""
        comment = await self._comment(request)
        root = comment.accepted.root_id or comment.comment_id
        return await self._page(request, wanted_of(request.query_params, root))

    async def one(self, request: Request) -> Response:
        """One comment."""
        self._reads.must_take(client_address(request))
        video, comment = self._video(request), await self._comment(request)
        rows = await self._rows(video, [comment], hidden_too=await self._moderates(request, video))
        return tagged(request, rows[0])

    async def _page(self, request: Request, wanted: Wanted) -> Response:
        self._reads.must_take(client_address(request))
        video = self._video(request)
        within = self._within(video, wanted)
        history = self._audience.history
        page = await self._from_history(history.asked(lambda store: page_of(store, video.video_id, within)))
        return await self._answer(request, video, page)

    def _within(self, video: VideoChanged, wanted: Wanted) -> Wanted:
        """No further than about the video's own time, so that no page looks through years."""
        if wanted.clock is None:
            return wanted
        least, now_ms = video.started_ms - AROUND_MS, self._audience.state.clock()
        start = dataclasses.replace(wanted.start, at_ms=max(wanted.start.at_ms, least))
        end = dataclasses.replace(wanted.end, at_ms=min(wanted.end.at_ms, now_ms + AROUND_MS))
        return dataclasses.replace(wanted, start=start, end=max(start, end))

    async def _answer(self, request: Request, video: VideoChanged, page: Page) -> Response:
        rows = await self._rows(video, page.comments, hidden_too=await self._moderates(request, video))
        return tagged(request, {"comments": rows, "next": page.next, "previous": page.previous})

    async def _rows(self, video: VideoChanged, page: list[CommentNow], *, hidden_too: bool) -> list[Row]:
        """Comments with their likes: Cassandra's, unless the log has said more since."""
        likes = await self._from_history(self._audience.history.likes(video.video_id, [c.comment_id for c in page]))
        likes |= self._audience.conversation.talk(video.video_id).comment_likes
        return [
            feed_messages.comment(now, hidden_too=hidden_too) | {"likes": likes.get(now.comment_id, 0)} for now in page
        ]

    # -- writing

    async def post(self, request: Request) -> Response:
        """Post a comment; idempotent by its id."""
        video = self._video(request)
        author = await self._author(request, video, new=True)
        values = await body_of(request)
        try:
            post = feed_messages.post_of(values)
        except MessageError as error:
            raise wrong_field(error) from error
        return verdict_answer(post.id, await self._audience.comment(video, author, post))

    async def edit(self, request: Request) -> Response:
        """Change the text of one's own comment, also one that waits; idempotent by the id of the revision."""
        video = self._video(request)
        author = await self._author(request, video)
        values = await body_of(request)
        comment = await self._own(request, video, author)
        try:
            text = feed_messages.text_of_comment(values)
        except MessageError as error:
            raise wrong_field(error) from error
        revision_id = _revision_id(values.get("revision"))
        if isinstance(comment, CommentNow) and comment.removed:
            raise Problem(409, "removed", "you have removed the comment; post another one")
        verdict = await self._audience.revise(video, author, comment.comment_id, revision_id, text)
        return verdict_answer(comment.comment_id, verdict)

    async def remove(self, request: Request) -> Response:
        """Remove one's own comment, for good; again changes nothing. One that waits is withdrawn."""
        video = self._video(request)
        author = await self._author(request, video)
        comment = await self._own(request, video, author)
        if isinstance(comment, CommentNow) and comment.removed:
            return answer({"id": comment.comment_id, "state": "accepted", "seq": comment.seq}, 202)
        revision_id = _revision_id(request.query_params.get("revision"))
        verdict = await self._audience.revise(video, author, comment.comment_id, revision_id, None)
        return verdict_answer(comment.comment_id, verdict)

    # -- what requests have in common

    def _video(self, request: Request) -> VideoChanged:
        video = self._audience.state.videos.get(request.path_params["video"])
        if video is None:
            raise not_found(f"there is no video {request.path_params['video']:.40}", "no_video")
        return video

    async def _comment(self, request: Request) -> CommentNow:
        """The comment of a request's path: out of memory, or Cassandra."""
        comment_id, video = str(request.path_params["comment"]), self._video(request)
        if COMMENT_ID.fullmatch(comment_id) is None:
            raise Problem(400, "bad_id", f"expected the id of a comment, found {comment_id!r:.80}")
        known = self._audience.conversation.talk(video.video_id).comment(comment_id)
        if known is None:
            known = await self._from_history(self._audience.history.find(video.video_id, comment_id))
        if known is None:
            raise not_found(f"the video has no comment {comment_id}", "no_comment")
        return known

    async def _own(self, request: Request, video: VideoChanged, author: Author) -> CommentNow | CommentHeld:
        """The comment of a request's path, which is the author's, also while it waits for a moderator."""
        held = self._audience.review.get(video.channel, video.video_id, str(request.path_params["comment"]))
        if held is not None and held.user_id == author.id:
            return held
        comment = await self._comment(request)
        if comment.accepted.user_id != author.id:
            raise Problem(403, "not_yours", "only its writer may change a comment; moderators hide it by an act")
        return comment

    async def _author(self, request: Request, video: VideoChanged, *, new: bool = False) -> Author:
        """Who writes (something new, or about what they wrote), within the limits of the address and of the user."""
        self._of_address.must_take(client_address(request))
        identity = await self._identities.must_know(request)
        self._of_user.must_take(identity.id)
        role = await self._identities.role(identity, video.channel)
        if new:
            must_be_verified(self._audience.settings, self._audience.rules.of(video.channel), identity, role)
        return author_of(identity, role, address_of(request))

    async def _moderates(self, request: Request, video: VideoChanged) -> bool:
        try:
            identity = await self._identities.of_request(request)
        except IdentityError as error:
            raise unauthorized("bad_token", str(error)) from error
        return identity is not None and await self._identities.role(identity, video.channel) >= Role.MODERATOR

    async def _from_history(self, reading: Awaitable[T]) -> T:
        try:
            return await reading
        except HistoryError as error:
            raise Problem(503, "history_away", str(error), headers={"Retry-After": "5"}) from error


def tagged(request: Request, values: Row) -> Response:
    """JSON that is asked for again each time, but not sent again while it is the same (RFC 9110 section 13.1.2)."""
    body = orjson.dumps(values)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": tag,
        "Vary": "Authorization",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag",
    }
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


def wrong_field(error: MessageError) -> Problem:
    """A 422 that names the field and the rule."""
    field, rule = FIELDS.get(error.code, ("body", error.code))
    one = {"field": field, "rule": rule, "message": str(error)}
    about = {"id": error.comment_id} if error.comment_id else {}
    return Problem(422, error.code, str(error), extra={"field": field, "rule": rule, "errors": [one], **about})


def _revision_id(given: object) -> str:
    if given is None:
        return secrets.token_hex(10)
    if not isinstance(given, str) or COMMENT_ID.fullmatch(given) is None:
        detail = f"expected revision of 8 to 64 letters, digits, '-', '_'; found {given!r:.80}"
        raise wrong_field(MessageError("bad_revision", detail))
    return given


def comment_routes(audience: Audience) -> list[BaseRoute]:
    """The routes of comments."""
    api = CommentApi(audience)
    comments = "/v1/videos/{video}/comments"
    table = [
        (comments, "GET", api.page),
        (comments, "POST", api.post),
        ("/v1/videos/{video}/pinned", "GET", api.pinned),
        (comments + "/{comment}", "GET", api.one),
        (comments + "/{comment}", "PATCH", api.edit),
        (comments + "/{comment}", "DELETE", api.remove),
        (comments + "/{comment}/replies", "GET", api.replies),
    ]
    return [Route(path, endpoint, methods=[method]) for path, method, endpoint in table]
