"""DASH over HTTP: the manifest of a channel and of a video, and the clock that players set theirs by.

Segments are those of HLS (`gateway.media_routes`). Everything here is plain ASGI and may be cached by anyone for as long
as it is true.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

from starlette.routing import BaseRoute, Route
from starlette.types import Scope, Send

from gateway.answers import OPEN_TO_ALL, Request, send_message
from gateway.broadcasts import TooManyParkedError
from gateway.captions import captions_of
from gateway.catalogue import Catalogue
from gateway.directives import parse_directives
from gateway.dvr import DvrView
from gateway.manifests import NO_WISH, Asked, Manifests, is_named, is_over, is_ready
from gateway.media_access import MediaAccess, media_access
from gateway.media_routes import ENDED_AGE_S, SETTLE_S, Media
from gateway.problems import Problem, not_found
from gateway.rendition_fold import RenditionFold
from gateway.segment_reader import SegmentReader
from gateway.state import GatewayState
from gateway.texts import send_text
from gateway.video_fold import VideoFold
from gateway.wishes import wish_of_request
from media.cmaf_init import parse_init
from media.dash import Shape
from media.errors import MediaError
from stores.recordings import RecordingsError
from stores.segments import SegmentStoreError

MANIFEST_TYPE: Final = b"application/dash+xml"
LIVE_AGE_S: Final = 1
MAX_HEADERS: Final = 2_000
ENOUGH_S: Final = 20.0
"""How long a manifest waits for as much media as players stay behind: two or three segments, if they are not very long."""


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes of DASH."""
    return DashRoutes(state, media_access(state)).routes()


class DashRoutes:
    """Answers requests for manifests, and for the time."""

    def __init__(self, state: GatewayState, media: MediaAccess) -> None:
        self._state = state
        self._broadcasts = media.broadcasts
        self._catalogue: Catalogue = media.catalogue
        self._manifests = Manifests(state.settings)
        self._headers = Headers(media.reader)
        self._captions = captions_of(state)

    def routes(self) -> list[BaseRoute]:
        """The busiest first: Starlette looks at them in this order."""
        return [
            Route("/v1/videos/{video}/manifest.mpd", Media(self.video_manifest)),
            Route("/live/{channel}/manifest.mpd", Media(self.channel_manifest)),
            Route("/v1/time", Media(self.time)),
        ]

    async def channel_manifest(self, scope: Scope, _request: Request, send: Send) -> None:
        """A redirection to the manifest of a channel's current video: who plays it stays with that video."""
        channel = scope["path_params"]["channel"]
        video = await self._catalogue.of_channel(channel)
        if video is None:
            raise not_found(
                f"channel {channel[:40]!r} has not been live; its streamer must publish first", "never_live"
            )
        query = scope["query_string"]
        location = f"../../v1/videos/{video.video_id}/manifest.mpd".encode() + (b"?" + query if query else b"")
        headers = [
            *OPEN_TO_ALL,
            (b"location", location),
            (b"cache-control", f"public, max-age={LIVE_AGE_S}".encode()),
            (b"content-length", b"0"),
        ]
        await send_message(send, 307, headers)

    async def video_manifest(self, scope: Scope, request: Request, send: Send) -> None:
        """The manifest of a video."""
        video_id, query = scope["path_params"]["video"], scope["query_string"]
        wish = wish_of_request(query, request)[0] if b"deviceType" in query else NO_WISH
        dvr_s = parse_directives(query, delivery=False).dvr_s
        fold, _ = await self._catalogue.further_back(await self._ready(video_id), dvr_s)
        window_ms = fold.span_ms if isinstance(fold, DvrView) else self._state.settings.window_s * 1000
        tracks = await (self._captions.tracks(fold) if is_over(fold) else self._captions.of_source(fold))
        asked = Asked(window_ms, wish, dvr_s)
        body = self._manifests.body(fold, asked, await self._headers.unknown_of(fold), tracks)
        if body is None:
            raise _starting(video_id)
        await send_text(send, request, body, MANIFEST_TYPE, ENDED_AGE_S if is_over(fold) else LIVE_AGE_S)

    async def time(self, _scope: Scope, request: Request, send: Send) -> None:
        """The wall clock as an xs:dateTime (ISO/IEC 23009-1, 5.8.5.7)."""
        now = datetime.fromtimestamp(self._state.clock() / 1000, UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
        headers = [
            *OPEN_TO_ALL,
            (b"content-type", b"text/plain"),
            (b"cache-control", b"no-store"),
            (b"content-length", str(len(text)).encode()),
        ]
        await send_message(send, 200, headers, b"" if request.method == "HEAD" else text)

    async def _ready(self, video_id: str) -> VideoFold:
        """The fold of a video, once a manifest can be begun with (`is_ready`), or when it could not in time.

        Raises:
            Problem: 404, there is no such video; 503, it has no media yet.
        """
        began = asyncio.get_running_loop().time()
        fold = await self._catalogue.fold(video_id)
        if fold is None:
            known = await self._catalogue.state(video_id)
            raise not_found(
                f"video {video_id[:40]!r} has no media here" if known else f"there is no video {video_id[:40]!r}",
                "no_media" if known else "no_such_video",
            )
        while not is_ready(fold):
            patience_s = ENOUGH_S if is_named(fold) else SETTLE_S
            left = began + patience_s - asyncio.get_running_loop().time()
            if left <= 0 or self._state.stopping.is_set() or not await self._changed(fold, left):
                break
        if fold.video is None:
            raise _starting(video_id)
        return fold

    async def _changed(self, fold: VideoFold, timeout_s: float) -> bool:
        try:
            return await self._broadcasts.changed(fold, timeout_s)
        except TooManyParkedError as error:
            raise Problem(503, "overloaded", str(error), headers={"Retry-After": "2"}) from error


class Headers:
    """What tracks are, read from their init segments, where the index says only what they were last."""

    def __init__(self, reader: SegmentReader) -> None:
        self._reader = reader
        self._known: dict[str, Shape] = {}

    async def unknown_of(self, fold: VideoFold) -> dict[str, Shape]:
        """By the names of the init segments: of renditions that had several, of which the fold knows one."""
        names = [
            f"{fold.video_id}/{rendition.name}/{init}"
            for rendition in fold.listed
            for init in sorted(_inits(rendition))
        ]
        for name in names:
            if name not in self._known:
                await self._read(name)
        return {name: self._known[name] for name in names if name in self._known}

    async def _read(self, name: str) -> None:
        try:
            data = await self._reader.init(name)
            found = parse_init(data) if data is not None else None
        except MediaError:
            return
        except (SegmentStoreError, RecordingsError) as error:
            raise Problem(503, "store", str(error), headers={"Retry-After": "1"}) from error
        if found is not None:
            while len(self._known) >= MAX_HEADERS:
                del self._known[next(iter(self._known))]
            width = found.display_width or found.width
            self._known[name] = Shape(found.codecs, width, found.height, 0.0, found.sample_rate, found.channels)


def _inits(rendition: RenditionFold) -> set[str]:
    """The init segments of a rendition of which the fold does not say, or not surely, what they are.

    The index says of a rendition what it was last; a fold that was made of it says that of all its init segments.
    """
    used = {segment.init_uri for segment in rendition.segments}
    told = rendition.infos
    return used if len(used) > 1 and len({told.get(init) for init in used}) == 1 else used - told.keys()


def _starting(video_id: str) -> Problem:
    return Problem(503, "starting", f"video {video_id} has no media yet; ask again", headers={"Retry-After": "1"})
