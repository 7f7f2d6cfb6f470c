"""Pictures over HTTP: a frame of a video, its preview thumbnails, its poster (docs/pictures.md)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gateway.answers import FOREVER, OPEN_TO_ALL
from gateway.answers import Request as Asked
from gateway.frame_media import Cut, mp4_from
from gateway.frame_request import MP4, OFFERED, FrameRequest, asked_width, frame_request
from gateway.media_access import MediaAccess, media_access
from gateway.moments import by_width, has_settled, pictured, span_of, suiting, width_of
from gateway.picture_pool import PicturePool
from gateway.pictures import POSTER_WIDTH, Pictures, media_time, moment_in, no_picture
from gateway.problems import Problem, not_found
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from gateway.wishes import wish_of_request
from media.devices import Wish
from media.negotiation import preferred
from media.offsets import is_from_end
from media.stills import JPEG
from media.thumbnails import EVERY, TILES, seconds_between, thumbnails_vtt, tiles_on
from schemas.events import Track
from stores.recordings import Recordings

KEPT: Final = FOREVER.decode()
PASSED: Final = "public, max-age=3600"
"""Of a broadcast that goes on: nothing that comes changes it, but the broadcast may not be kept."""

EDGE: Final = "public, max-age=1"
SOON: Final = "public, max-age=30"
MOST_SHEETS: Final = 10_000

HEADERS: Final = {name.decode(): value.decode() for name, value in OPEN_TO_ALL}


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes of pictures."""
    settings = state.settings
    media = media_access(state)
    pool = PicturePool(settings.picture_threads, settings.picture_queue)
    state.resource(pool.opened)

    def recordings() -> Recordings | None:
        cold = media.reader.cold
        return cold if isinstance(cold, Recordings) else None

    pictures = Pictures(media.reader, state.memory, pool, recordings)
    return PictureRoutes(media, pictures, settings.dvr_max_s).routes()


class PictureRoutes:
    """Finds the video, says what is wrong, and how long an answer may be kept."""

    def __init__(self, media: MediaAccess, pictures: Pictures, dvr_s: int) -> None:
        self._broadcasts = media.broadcasts
        self._catalogue = media.catalogue
        self._dvr_s = dvr_s
        self._pictures = pictures

    def routes(self) -> list[BaseRoute]:
        """All of them answer GET and HEAD."""
        below = "/v1/videos/{video}"
        return [
            Route(below + "/frame", self.frame, methods=["GET"]),
            Route(below + "/thumbnails.vtt", self.thumbnails, methods=["GET"]),
            Route(below + "/sprites/{sheet}.jpg", self.sprites, methods=["GET"]),
            Route(below + "/poster.jpg", self.poster, methods=["GET"]),
            Route("/live/{channel}/poster.jpg", self.channel_poster, methods=["GET"]),
        ]

    async def frame(self, request: Request) -> Response:
        """A still, or media, from an offset on, in the type that the client likes best."""
        kind = preferred(request.headers.get("accept", ""), OFFERED)
        if kind is None:
            detail = f"expected one of {', '.join(OFFERED)} in Accept, found {request.headers['accept']!r:.100}"
            raise Problem(406, "not_acceptable", detail, extra={"available": list(OFFERED)})
        asked = frame_request(request.query_params)
        fold = await self._reaching(await self._fold(request.path_params["video"]), asked.offset)
        wish, hints = wish_of_request(request.scope["query_string"], Asked(request.method, request.scope["headers"]))
        vary = {"vary": ", ".join(("accept", *hints))}
        if kind == MP4:
            return await self._mp4(fold, asked, wish, vary)
        pictures = pictured(fold)
        widest = max(map(width_of, suiting(pictures, wish) or pictures[:1]), default=0)
        still = await self._pictures.still(fold, asked, kind, widest)
        settled = has_settled(fold)
        passed = PASSED if still.settled and asked.offset is not None and asked.offset > 0 else EDGE
        return _answer(request, still.data, kind, KEPT if settled else passed, vary)

    async def thumbnails(self, request: Request) -> Response:
        """Where the preview thumbnails are; grows with a live video."""
        fold = await self._further_back(await self._fold(request.path_params["video"]))
        start, end = _span(fold)
        text = thumbnails_vtt(start, end, seconds_between(end))
        kept = SOON if has_settled(fold) else EDGE
        return _answer(request, text.encode(), "text/vtt; charset=utf-8", kept, {})

    async def sprites(self, request: Request) -> Response:
        """A sheet of thumbnails; the address that the VTT gives stands for the same pictures for ever."""
        fold = await self._further_back(await self._fold(request.path_params["video"]))
        number = _number(request, "sheet", request.path_params["sheet"], 0, MOST_SHEETS)
        _, end = _span(fold)
        every = _number(request, "every", request.query_params.get("every", str(seconds_between(end))), 1, EVERY[-1])
        if every not in EVERY:
            raise Problem(400, "bad_every", f"expected every to be one of {EVERY}, found {every}")
        there = tiles_on(number, end, every)
        if not there:
            raise not_found(f"video {fold.video_id} is {end:.0f} s long and has no sheet {number}", "no_sheet")
        asked = _number(request, "tiles", request.query_params.get("tiles", str(there)), 1, TILES)
        tiles = min(asked, there)
        data = await self._pictures.sheet(fold, number, tiles, every)
        same = tiles == asked and "tiles" in request.query_params
        return _answer(request, data, JPEG, KEPT if same else EDGE, {})

    async def poster(self, request: Request) -> Response:
        """The first picture of a video that shows something."""
        return await self._poster(request, await self._fold(request.path_params["video"]))

    async def channel_poster(self, request: Request) -> Response:
        """The poster of what a channel plays, or played last."""
        channel = request.path_params["channel"]
        video = await self._catalogue.of_channel(channel)
        if video is None:
            raise not_found(f"channel {channel[:40]!r} has not been live", "never_live")
        return await self._poster(request, await self._fold(video.video_id))

    async def _poster(self, request: Request, fold: VideoFold) -> Response:
        width = asked_width(request.query_params) or POSTER_WIDTH
        poster = await self._pictures.poster(fold, width)
        return _answer(request, poster.data, JPEG, PASSED if poster.settled else SOON, {})

    async def _fold(self, video_id: str) -> VideoFold:
        fold = await self._catalogue.fold(video_id)
        if fold is None:
            known = await self._catalogue.state(video_id)
            reason, what = ("no_media", "has no media here now") if known else ("no_such_video", "is not there")
            raise not_found(f"video {video_id[:40]!r} {what}", reason)
        return fold

    async def _reaching(self, fold: VideoFold, offset: float | None) -> VideoFold:
        """The fold, or one that reaches further back where a live video's offset is before its window."""
        if offset is None or has_settled(fold) or not fold.listed:
            return fold
        start, end = span_of(fold.listed)
        before = (end + offset if is_from_end(offset) else offset) < start
        return await self._further_back(fold) if before else fold

    async def _further_back(self, fold: VideoFold) -> VideoFold:
        """All of a live video that viewers may go back to."""
        older, _ = await self._catalogue.further_back(fold, self._dvr_s)
        return older

    async def _mp4(self, fold: VideoFold, asked: FrameRequest, wish: Wish, vary: dict[str, str]) -> Response:
        suits = suiting(pictured(fold), wish)
        sound = [rendition for rendition in fold.listed if rendition.track is Track.AUDIO]
        suits = by_width(suits, asked.width) if asked.width else suits
        asked = replace(asked, exact=True)
        at_s = media_time(fold, suits or sound, asked.offset)
        for rendition in suits or sound:
            moment = moment_in(fold, rendition, at_s, asked)
            if moment is not None:
                cut = Cut(fold, moment, at_s + asked.duration_s)
                media = mp4_from(self._pictures, cut, self._broadcasts.wait)
                first = await anext(media, None)
                if first is not None:
                    kept = KEPT if has_settled(fold) else "no-store"
                    headers = {**HEADERS, **vary, "cache-control": kept}
                    return StreamingResponse(_from(first, media), headers=headers, media_type=MP4)
        raise no_picture(fold, "no media is stored for this offset")


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for data in rest:
        yield data


def _span(fold: VideoFold) -> tuple[float, float]:
    pictures = pictured(fold)
    if not pictures:
        raise no_picture(fold, "it has no pictures")
    return span_of(pictures)


def _number(request: Request, name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        detail = f"{request.url.path[:100]}: expected {name} from {least} to {most}, found {text!r:.40}"
        raise Problem(400, f"bad_{name}", detail)
    return int(text)


def _answer(request: Request, data: bytes, kind: str, kept: str, extra: dict[str, str]) -> Response:
    """Bytes with a strong entity tag, or 304 where the client has them."""
    etag = blake2b(data, digest_size=12).hexdigest()
    headers = {**HEADERS, **extra, "cache-control": kept, "etag": f'"{etag}"'}
    if Asked(request.method, request.scope["headers"]).has(etag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=kind)
