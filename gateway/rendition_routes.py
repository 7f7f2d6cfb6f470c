"""`/v1/videos/VIDEO/renditions`: which there are, and another one on request ("the transformation service")."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import HEADERS, answer, body_of
from gateway.catalogue import Catalogue
from gateway.identity import Identities, IdentityError, signature_name
from gateway.media_access import media_access
from gateway.pace import Rate
from gateway.problems import Problem, not_found
from gateway.rendition_fold import RenditionFold
from gateway.rendition_jobs import RenditionJobs
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from media.ladder import LadderError, Rung, checked_rung, parse_rungs, requested_name, usual_bitrate_bps
from schemas.events import RenditionChanged, RenditionRequested, Track, VideoChanged, VideoState
from schemas.topics import MEDIA_JOBS, MEDIA_RENDITIONS
from stores.kafka import EventProducer, LogError
from stores.roles import Role

SOURCE: Final = "source"
MAX_OF_VIDEO: Final = 16
VIEWER_HEIGHTS: Final = (144, 240, 360, 480, 540, 720, 1080)
"""What anybody may ask for, at the usual bit rate; owners may ask for any."""
ASKS_PER_S: Final = 0.2
ASKS_BURST: Final = 5.0
MAX_CALLERS: Final = 10_000
REQUEST_MEMORY: Final = 1_000


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes, and the fold behind them."""
    catalogue = media_access(state).catalogue
    jobs = RenditionJobs(catalogue.made)
    state.subscribe(MEDIA_RENDITIONS, jobs.apply)
    state.on_removed(jobs.forget)
    routes = RenditionRoutes(state, catalogue, jobs)
    state.resource(routes.producing)
    path = "/v1/videos/{video}/renditions"
    return [
        Route(path, routes.list, methods=["GET"]),
        Route(path, routes.ask, methods=["POST"]),
        Route(path + "/{rendition}", routes.one, methods=["GET"]),
    ]


class RenditionRoutes:
    """Tells what there is and how far what was asked for is; takes requests."""

    def __init__(self, state: GatewayState, catalogue: Catalogue, jobs: RenditionJobs) -> None:
        self._state = state
        self._catalogue = catalogue
        self._jobs = jobs
        self._identities = Identities(state)
        self._rungs = parse_rungs(state.settings.ladder)
        self._producer: EventProducer | None = None
        self._callers: OrderedDict[str, Rate] = OrderedDict()
        self._asked: OrderedDict[tuple[str, str], RenditionRequested] = OrderedDict()

    @asynccontextmanager
    async def producing(self) -> AsyncIterator[None]:
        """Open while requests can be written."""
        async with EventProducer(self._state.settings, "renditions") as self._producer:
            yield

    async def list(self, request: Request) -> Response:
        """The renditions of a video: those in its playlists, and those under way."""
        video, fold = await self._found(request)
        jobs = {job.rendition: job for job in self._jobs.of(video.video_id)}
        there = [_there(rendition) | _job(jobs.pop(rendition.name, None)) for rendition in fold.listed]
        return answer({"renditions": [*there, *(_described(job) for job in jobs.values())]})

    async def one(self, request: Request) -> Response:
        """One rendition; a requested one tells how far it is."""
        video, fold = await self._found(request)
        name = request.path_params["rendition"]
        known, job = fold.renditions.get(name), self._jobs.get(video.video_id, name)
        if known is not None and known in fold.listed:
            return answer(_there(known) | _job(job))
        if job is not None:
            return answer(_described(job))
        if (asked := self._asked.get((video.video_id, name))) is not None:
            return answer(_submitted(asked))
        raise not_found(f"video {video.video_id} has no rendition {name:.40}, and none was asked for", "no_rendition")

    async def ask(self, request: Request) -> Response:
        """Ask for a rendition: 202 when it is being made, 200 when it is there or was asked for before."""
        self._limit(request)
        rung, is_default = _wanted(await body_of(request), self._rungs)
        video, fold = await self._found(request)
        by = await self._asker(request, video, rung, is_default=is_default)
        if is_default and (there := fold.renditions.get(f"{rung.short_side}p")) in fold.listed and there is not None:
            return answer(_there(there))
        name = requested_name(rung)
        if (known := fold.renditions.get(name)) is not None and known in fold.listed:
            return answer(_there(known) | _job(self._jobs.get(video.video_id, name)))
        if (job := self._jobs.get(video.video_id, name)) is not None:
            return answer(_described(job))
        source = _source(video, fold, rung)
        if len(self._jobs.of(video.video_id)) >= MAX_OF_VIDEO:
            raise Problem(409, "too_many", f"at most {MAX_OF_VIDEO} renditions of a video are made on request")
        event = _request(video, source, rung, self._state.clock(), by)
        await self._written(event)
        return Response(
            answer(_submitted(event)).body,
            202,
            HEADERS | {"Location": f"/v1/videos/{video.video_id}/renditions/{name}"},
            "application/json",
        )

    async def _found(self, request: Request) -> tuple[VideoChanged, VideoFold]:
        video_id = request.path_params["video"]
        fold = await self._catalogue.fold(video_id)
        video = fold.video if fold is not None else await self._catalogue.state(video_id)
        if video is None:
            raise not_found(f"there is no video {video_id:.40}", "no_video")
        if fold is None:
            raise not_found(f"video {video_id} has no media here any more", "no_media")
        return video, fold

    async def _asker(self, request: Request, video: VideoChanged, rung: Rung, *, is_default: bool) -> str:
        """Who asks, if they may."""
        if not self._state.settings.viewers_request_renditions:
            return signature_name(await self._identities.must_be(request, video.channel))
        try:
            asker = await self._identities.of_request(request)
        except IdentityError:
            asker = None
        if asker is not None and await self._identities.role(asker, video.channel) is Role.OWNER:
            return signature_name(asker)
        if rung.short_side not in VIEWER_HEIGHTS or not is_default:
            heights = ", ".join(map(str, VIEWER_HEIGHTS))
            raise Problem(
                422, "height", f"expected a height of {heights} and no bitrate_kbps; the owner may ask for others"
            )
        return "viewer"

    async def _written(self, event: RenditionRequested) -> None:
        assert self._producer is not None
        try:
            await self._producer.deliver(MEDIA_JOBS, event.video_id, event)
        except LogError as error:
            raise Problem(503, "log", str(error), headers={"Retry-After": "2"}) from error
        self._asked[event.video_id, event.rendition] = event
        while len(self._asked) > REQUEST_MEMORY:
            self._asked.popitem(last=False)

    def _limit(self, request: Request) -> None:
        """A rendition costs minutes of CPU: few requests of one address."""
        address = request.client.host if request.client else "?"
        rate = self._callers.setdefault(address, Rate(ASKS_PER_S, ASKS_BURST))
        while len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        if not rate.take():
            raise Problem(429, "too_fast", "at most 5 requests at once and 12 a minute", headers={"Retry-After": "5"})


def _wanted(values: dict[str, Any], rungs: tuple[Rung, ...]) -> tuple[Rung, bool]:
    """The rung of a request, and whether its bit rate is the usual one."""
    height, kbps = values.get("height"), values.get("bitrate_kbps")
    if not isinstance(height, int) or isinstance(height, bool):
        raise Problem(422, "height", f"expected height, the shorter side in pixels, such as 144; found {height!r:.40}")
    if kbps is not None and (not isinstance(kbps, int) or isinstance(kbps, bool)):
        raise Problem(422, "bitrate_kbps", f"expected bitrate_kbps as a whole number, found {kbps!r:.40}")
    try:
        checked = checked_rung(height, 1_000_000 if kbps is None else kbps * 1000)
    except LadderError as error:
        raise Problem(422, "rung", str(error)) from error
    return (checked, False) if kbps is not None else (Rung(height, usual_bitrate_bps(height, rungs)), True)


def _source(video: VideoChanged, fold: VideoFold, rung: Rung) -> RenditionFold:
    """The source of a video that renditions can be made of.

    Raises:
        Problem: 409, it says why not.
    """
    if video.state is not VideoState.ENDED:
        raise Problem(409, "live", f"video {video.video_id} has not ended; ask again when it has")
    if video.keep_days == 0:
        raise Problem(409, "not_kept", f"video {video.video_id} is not kept, so nothing can be made of it later")
    source = fold.renditions.get(SOURCE)
    if source is None or not source.segments or not fold.whole:
        raise Problem(409, "no_source", f"video {video.video_id} has no whole picture stored; ask again in a moment")
    info = source.info
    short = min(info.width, info.height) if info is not None else 0
    if rung.short_side > short:
        raise Problem(422, "height", f"expected at most {short}, the source's; nothing is scaled up")
    return source


def _request(video: VideoChanged, source: RenditionFold, rung: Rung, now_ms: int, by: str) -> RenditionRequested:
    segments = list(source.segments)
    starts = [s.number for s in segments if s.independent or s.gap]
    return RenditionRequested(
        video_id=video.video_id,
        channel=video.channel,
        rendition=requested_name(rung),
        height=rung.short_side,
        bitrate_bps=rung.bitrate_bps,
        starts=tuple(dict.fromkeys([segments[0].number, *starts])),
        last_segment=segments[-1].number,
        requested_ms=now_ms,
        requested_by=by,
        replayed=False,
    )


def _there(rendition: RenditionFold) -> dict[str, Any]:
    info = rendition.info
    row: dict[str, Any] = {
        "name": rendition.name,
        "state": "there",
        "track": rendition.track.value,
        "progress": 1.0,
        "codecs": info.codecs if info else None,
    }
    if rendition.track is Track.VIDEO and info is not None:
        row |= {"width": info.width, "height": info.height}
    return row


def _job(job: RenditionChanged | None) -> dict[str, Any]:
    """What is told of a job besides the rendition that it made."""
    return {} if job is None else {"lost_segments": job.lost, "requested_ms": job.requested_ms}


def _described(job: RenditionChanged) -> dict[str, Any]:
    return {
        "name": job.rendition,
        "state": job.state.value,
        "track": Track.VIDEO.value,
        "progress": round(job.finished / job.tasks, 3) if job.tasks else 0.0,
        "tasks": job.tasks,
        "finished": job.finished,
        "lost_segments": job.lost,
        "requested_ms": job.requested_ms,
        "changed_ms": job.changed_ms,
    }


def _submitted(event: RenditionRequested) -> dict[str, Any]:
    return {
        "name": event.rendition,
        "state": "submitted",
        "track": Track.VIDEO.value,
        "progress": 0.0,
        "tasks": len(event.starts),
        "finished": 0,
        "lost_segments": 0,
        "requested_ms": event.requested_ms,
    }
