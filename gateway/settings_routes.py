"""How videos are kept and shown, chosen by their channel's owner or the operator.

`PATCH /v1/videos/VIDEO` for one video, `PATCH /v1/channels/CHANNEL` for the channel's next ones (what they are about is said
of the one that is live, too), `DELETE /v1/videos/VIDEO` to have a recording removed. What a field must be is said by name.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import feed_messages
from gateway.api import HEADERS, answer, body_of
from gateway.audience import Audience
from gateway.identity import Identities, Identity, signature_name
from gateway.media_access import media_access
from gateway.problems import Problem, not_found
from schemas.events import VideoChanged, VideoSettingsChanged, VideoState, Visibility
from schemas.ids import CHANNEL_NAME
from schemas.video_settings import MAX_KEEP_DAYS, NOT_KEPT
from stores.accounts import BadKeepDays, BadTitle, Channel, checked_keep_days, checked_title
from stores.descriptions import MAX_DESCRIPTION, MAX_TAGS, BadText, checked_description, checked_tags

FIELDS: Final = ("title", "keep_days", "visibility", "tags", "description")
ABOUT: Final = ("title", "tags", "description")
"""What holds for the video that is live, too, when a channel chooses it."""


T = TypeVar("T")


def settings_routes(audience: Audience) -> list[BaseRoute]:
    """The routes of this module."""
    routes = SettingsRoutes(audience)
    return [
        Route("/v1/videos/{video}", routes.change_video, methods=["PATCH"]),
        Route("/v1/videos/{video}", routes.remove_video, methods=["DELETE"]),
        Route("/v1/channels/{channel}", routes.change_channel, methods=["PATCH"]),
    ]


class SettingsRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._state = audience.state
        self._identities = Identities(audience.state)
        self._media = media_access(audience.state)

    async def change_video(self, request: Request) -> Response:
        """Change how a video is kept and shown, and what it is about; what is not given stays."""
        video, owner = await self._own_video(request)
        wanted = wanted_of(await body_of(request))
        return answer(row_of(await self._choose(video, owner, wanted)))

    async def remove_video(self, request: Request) -> Response:
        """Have the recording of an ended video removed: nobody sees it any more, the next retention run takes it away."""
        video, owner = await self._own_video(request)
        if video.state is not VideoState.ENDED:
            raise Problem(409, "not_ended", f"video {video.video_id} is still {video.state.value}; end it first")
        await self._choose(video, owner, {"keep_days": NOT_KEPT, "visibility": Visibility.PRIVATE})
        return Response(status_code=202, headers=HEADERS)

    async def change_channel(self, request: Request) -> Response:
        """Change how the next videos of a channel are kept and shown, and what they are about; what is not given stays."""
        name = request.path_params["channel"]
        accounts = self._state.accounts
        assert accounts is not None
        if CHANNEL_NAME.fullmatch(name) is None or await accounts.channel(name) is None:
            raise not_found(f"there is no channel {name:.40}", "no_channel")
        owner = await self._identities.must_be(request, name)
        wanted = wanted_of(await body_of(request))
        channel = await accounts.set_channel(name, **wanted)
        await self._tell_live(name, owner, {field: wanted[field] for field in ABOUT if field in wanted})
        return answer(channel_row(channel))

    async def _tell_live(self, channel: str, owner: Identity, about: Mapping[str, Any]) -> None:
        """What a channel says its videos are about holds for the one that is on the air."""
        video = self._state.videos.of_channel(channel)
        if about and video is not None and video.state is not VideoState.ENDED:
            await self._choose(video, owner, about)

    async def _choose(self, video: VideoChanged, owner: Identity, wanted: Mapping[str, Any]) -> VideoChanged:
        """Write the choice on the log; this gateway knows it at once, the others when they read it."""
        chosen = VideoSettingsChanged(
            video_id=video.video_id,
            channel=video.channel,
            title=wanted.get("title") or video.title,
            keep_days=wanted.get("keep_days", video.keep_days),
            visibility=wanted.get("visibility", video.visibility),
            changed_ms=self._state.clock(),
            changed_by=signature_name(owner),
            tags=wanted.get("tags", video.tags),
            description=wanted.get("description", video.description),
        )
        await self._audience.written(self._audience.speaker.choice(chosen))
        return self._state.videos.choose(video, chosen)

    async def _own_video(self, request: Request) -> tuple[VideoChanged, Identity]:
        """The video and who asks, who may change it.

        Raises:
            Problem: 404 there is none, 401 or 403 it is not theirs.
        """
        video_id = request.path_params["video"]
        video = await self._media.catalogue.state(video_id)
        if video is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        return video, await self._identities.must_be(request, video.channel)


def wanted_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a body asks to be changed, by field, checked.

    Raises:
        Problem: 422; `errors` has every wrong field with its rule, `field` and the detail are the first's.
    """
    if not values:
        raise _wrong("body", f"expected at least one of {', '.join(FIELDS)}, found none", "required")
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in values.items():
        try:
            found[name] = _CHECKS.get(name, _unknown(name))(value)
        except Problem as problem:
            problems.append(problem)
    if problems:
        problems[0].extra["errors"] = [error for problem in problems for error in problem.extra["errors"]]
        raise problems[0]
    return found


def _unknown(name: str) -> Callable[[object], Any]:
    def refuse(_value: object) -> Any:
        raise _wrong(name[:40], f"expected some of {', '.join(FIELDS)}, found {name!r:.40}", "unknown")

    return refuse


def _title(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong("title", f"expected title to be a text that is not empty, found {value!r:.40}", "required")
    try:
        return checked_title(value)
    except BadTitle as error:
        raise _wrong("title", str(error)) from error


def _keep_days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(
            "keep_days", f"expected keep_days to be a whole number from -1 to {MAX_KEEP_DAYS}, found {value!r:.40}"
        )
    try:
        return checked_keep_days(value)
    except BadKeepDays as error:
        raise _wrong("keep_days", str(error)) from error


def _visibility(value: object) -> Visibility:
    if not isinstance(value, str) or value not in list(Visibility):
        raise _wrong("visibility", f"expected visibility to be one of {', '.join(Visibility)}, found {value!r:.40}")
    return Visibility(value)


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise _wrong("tags", f"expected tags to be a list of at most {MAX_TAGS} texts, found {value!r:.40}")
    return _described(checked_tags, value)


def _description(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("description", f"expected a text of at most {MAX_DESCRIPTION} characters, found {value!r:.40}")
    return _described(checked_description, value)


def _described(check: Callable[[Any], T], value: object) -> T:
    try:
        return check(value)
    except BadText as error:
        raise _wrong(error.field, str(error), error.rule) from error


_CHECKS: Final[dict[str, Callable[[object], Any]]] = {
    "title": _title,
    "keep_days": _keep_days,
    "visibility": _visibility,
    "tags": _tags,
    "description": _description,
}


def _wrong(field: str, detail: str, rule: str = "form") -> Problem:
    errors = [{"field": field, "rule": rule, "message": detail}]
    return Problem(422, f"bad_{field}", detail, extra={"field": field, "rule": rule, "errors": errors})


def row_of(video: VideoChanged) -> dict[str, Any]:
    """A video with how it is kept and shown."""
    row = {name: value for name, value in feed_messages.video(video).items() if name != "type"}
    return row | {
        "keep_days": video.keep_days,
        "visibility": video.visibility.value,
        "origin": video.origin.value,
        "duration_ms": None if video.ended_ms is None else video.ended_ms - video.started_ms,
    }


def channel_row(channel: Channel) -> dict[str, Any]:
    """A channel with what its next videos take; `keep_days` null: as the server's settings say."""
    return {
        "name": channel.name,
        "title": channel.title,
        "keep_days": channel.keep_days,
        "visibility": channel.visibility.value,
        "tags": list(channel.tags),
        "description": channel.description,
    }
