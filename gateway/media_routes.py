"""HLS over HTTP: multivariant and media playlists with blocking reload, parts, whole segments, init segments.

Everything here is plain ASGI and may be cached by anyone: parts for ever, playlists for as long as they are true.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.answers import PREFLIGHT, Request, send_bytes, send_message
from gateway.broadcasts import TooManyParkedError, Wanted
from gateway.captions import captions_of, subtitles_of
from gateway.directives import Directives, check_lead, parse_directives
from gateway.media_access import MediaAccess, media_access
from gateway.open_segments import OpenSegments
from gateway.playlists import is_settled, target_s
from gateway.problems import Problem, not_found
from gateway.rendition_fold import RenditionFold
from gateway.state import GatewayState
from gateway.texts import Body, send_text
from gateway.video_fold import VideoFold
from gateway.wishes import wish_of_request
from media.boxes import CmafError
from schemas.events import Track
from stores.recordings import RecordingsError
from stores.segments import BadSegmentNameError, SegmentStoreError

T = TypeVar("T")

PLAYLIST_TYPE: Final = b"application/vnd.apple.mpegurl"
ENDED_AGE_S: Final = 60
"""How long a playlist that has ended may be kept: it stays the same as long as the video is there."""

SETTLE_S: Final = 6.0
"""How long a multivariant playlist waits for renditions that are about to begin."""

WAIT_TARGETS: Final = 3
"""A blocking reload ends after so many target durations (draft-pantos-hls-rfc8216bis section 6.2.5.2)."""

HINT_WAIT_S: Final = 25.0
"""How long a hinted part is waited for: until it is there or will never be, and less than proxies wait (60 s)."""

HINT_LEAD_PARTS: Final = 2
"""A part that another gateway hinted may be a little ahead of what this one has folded."""

_FILE = re.compile(r"(?P<segment>[0-9]{8,12})(?:\.(?P<part>[0-9]{4,6}))?")
_HASH = re.compile(r"[0-9a-f]{12}")

Endpoint = Callable[[Scope, Request, Send], Awaitable[None]]


def install(state: GatewayState) -> list[BaseRoute]:
    """The routes of the media, and the folds behind them."""
    return MediaRoutes(state, media_access(state)).routes()


class Media:
    """An ASGI application around an endpoint: GET and HEAD, CORS preflight, 405 for the rest."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method == "OPTIONS":
            await send_message(send, 204, PREFLIGHT)
        elif method in ("GET", "HEAD"):
            await self._endpoint(scope, Request(method, scope["headers"]), send)
        else:
            raise Problem(405, "method_not_allowed", f"expected GET, found {method}", headers={"Allow": "GET, HEAD"})


class MediaRoutes:
    """Answers every request for media of the videos in the window."""

    def __init__(self, state: GatewayState, media: MediaAccess) -> None:
        self._videos = state.videos
        self._state = state
        self._broadcasts = media.broadcasts
        self._catalogue = media.catalogue
        self._playlists = media.playlists
        self._reader = media.reader
        self._captions = captions_of(state)
        self._open = OpenSegments(media, state)

    def routes(self) -> list[BaseRoute]:
        """The busiest first: Starlette looks at them in this order."""
        below = "/v1/videos/{video}/{rendition}"
        return [
            Route(below + "/{file}.m4s", Media(self.segment)),
            Route(below + "/media.m3u8", Media(self.media_playlist)),
            Route(below + "/iframes.m3u8", Media(self.iframe_playlist)),
            Route(below + "/init-{hash}.mp4", Media(self.init)),
            Route("/v1/videos/{video}/master.m3u8", Media(self.video_playlist)),
            Route("/live/{channel}/master.m3u8", Media(self.channel_playlist)),
        ]

    async def channel_playlist(self, scope: Scope, request: Request, send: Send) -> None:
        """The multivariant playlist of a channel's current video."""
        channel = scope["path_params"]["channel"]
        video = await self._catalogue.of_channel(channel)
        if video is None:
            raise not_found(
                f"channel {channel[:40]!r} has not been live; its streamer must publish first", "never_live"
            )
        await self._multivariant(scope, request, send, video.video_id, f"../../v1/videos/{video.video_id}/")

    async def video_playlist(self, scope: Scope, request: Request, send: Send) -> None:
        """The multivariant playlist of a video."""
        await self._multivariant(scope, request, send, scope["path_params"]["video"], "")

    async def media_playlist(self, scope: Scope, request: Request, send: Send) -> None:
        """A media playlist, at once or as soon as it holds what the delivery directives ask for."""
        directives = parse_directives(scope["query_string"], delivery=False)
        fold, rendition = await self._find(scope, follow=not directives.vod)
        if self._state.players is not None:
            self._state.players.saw(fold.video_id, scope)
        vod = directives.vod or self._catalogue.lingering(fold.video_id) is None
        if fold.has_ended(rendition):
            body = await self._media_text(fold, rendition, directives, vod=vod)
            await self._send_playlist(request, send, body, ENDED_AGE_S)
            return
        directives = parse_directives(scope["query_string"])
        target = self._target(fold)
        max_age = 1
        if directives.msn is not None:
            check_lead(directives, rendition.following, target, self._part_target_ms(fold))
            near = directives.msn >= rendition.following[0] - 1  # an answer to it stays the right one
            max_age = 6 * target if near else 1
            await self._reach(fold, rendition, directives, WAIT_TARGETS * target)
        body = await self._media_text(fold, rendition, directives, vod=False)
        await self._send_playlist(request, send, body, max_age)

    async def _media_text(self, fold: VideoFold, rendition: RenditionFold, asked: Directives, *, vod: bool) -> Body:
        """The playlist as it is now, or further back where that was asked for."""
        shown, query = (fold, "") if asked.vod else await self._catalogue.further_back(fold, asked.dvr_s)
        of = shown.renditions.get(rendition.name, rendition)
        return self._playlists.media(
            shown, of, skip=asked.skip, vod=vod, query=query, epoch=asked.epoch, start_s=asked.start_s
        )

    async def iframe_playlist(self, scope: Scope, request: Request, send: Send) -> None:
        """The I-frame playlist of a video rendition: its key pictures, for seeking and fast forward."""
        directives = parse_directives(scope["query_string"], delivery=False)
        fold, rendition = await self._find(scope, follow=not directives.vod)
        if rendition.track is not Track.VIDEO:
            raise _no_media(scope)
        vod = directives.vod or self._catalogue.lingering(fold.video_id) is None
        age_s = ENDED_AGE_S if fold.has_ended(rendition) else 1
        shown, _ = (fold, "") if directives.vod else await self._catalogue.further_back(fold, directives.dvr_s)
        of = shown.renditions.get(rendition.name, rendition)
        await self._send_playlist(request, send, self._playlists.iframes(shown, of, vod=vod), age_s)

    async def segment(self, scope: Scope, request: Request, send: Send) -> None:
        """A part, waited for when it is the hinted one; or a whole segment, which is its parts joined."""
        params = scope["path_params"]
        video_id, name, file = params["video"], params["rendition"], params["file"]
        found = _FILE.fullmatch(file)
        if found is None:
            raise _no_media(scope)
        number = int(found["segment"])
        if found["part"] is None:
            expected = f"{number:08d}"
            if file == expected and await self._open.send(video_id, name, number, _kind(name), request, send):
                return
            pieces = await self._whole(video_id, name, number) if file == expected else []
        else:
            part = int(found["part"])
            expected = f"{number:08d}.{part:04d}"
            pieces = await self._part(video_id, name, number, part) if file == expected else []
        if not pieces:
            raise _no_media(scope)
        await send_bytes(send, request, pieces, _kind(name), f"{file}-{sum(map(len, pieces)):x}")

    async def init(self, scope: Scope, request: Request, send: Send) -> None:
        """An init segment; its name is its hash."""
        params = scope["path_params"]
        video_id, name, digest = params["video"], params["rendition"], params["hash"]
        file = f"{video_id}/{name}/init-{digest}.mp4"
        data = await self._read(self._reader.init(file)) if _HASH.fullmatch(digest) else None
        if data is None:
            raise _no_media(scope)
        await send_bytes(send, request, [data], _kind(name), digest)

    async def _multivariant(self, scope: Scope, request: Request, send: Send, video_id: str, prefix: str) -> None:
        wish, vary = wish_of_request(scope["query_string"], request)
        fold = await self._catalogue.on_demand(video_id)
        known = await self._catalogue.state(video_id)
        if fold is None and known is None:
            raise not_found(f"there is no video {video_id[:40]!r}", "no_such_video")
        deadline = asyncio.get_running_loop().time() + SETTLE_S
        while fold is None or not is_settled(fold):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or self._state.stopping.is_set() or known is None:
                break
            if fold is None:
                raise not_found(f"video {video_id} has no media here now", "no_media")
            await self._wait(fold, "", (0, None), left)
        if fold is None or fold.video is None or not fold.listed:
            raise Problem(
                503, "starting", f"video {video_id} has no media yet; ask again", headers={"Retry-After": "1"}
            )
        followed = self._catalogue.lingering(video_id) is not None
        subtitles = subtitles_of(await self._captions.tracks(fold))
        directives = parse_directives(scope["query_string"])
        query = "?vod=1" if followed else ""
        if not followed:
            fold, query = await self._catalogue.further_back(fold, directives.dvr_s)
        body = self._playlists.multivariant(
            fold, prefix, query=query, wish=wish, start_s=directives.start_s, subtitles=subtitles
        )
        await send_text(send, request, body, PLAYLIST_TYPE, 1, vary=vary)

    async def _find(self, scope: Scope, *, follow: bool) -> tuple[VideoFold, RenditionFold]:
        """The folds of a path; with `follow` the window of a video that has ended just now.

        Raises:
            Problem: 404, nothing of it is stored or on the log yet.
        """
        params = scope["path_params"]
        fold = self._catalogue.lingering(params["video"]) if follow else None
        fold = fold or await self._catalogue.on_demand(params["video"])
        rendition = fold.renditions.get(params["rendition"]) if fold is not None else None
        if fold is None or fold.video is None or rendition is None:
            raise _no_media(scope)
        return fold, rendition

    async def _reach(self, fold: VideoFold, rendition: RenditionFold, asked: Directives, timeout_s: float) -> None:
        """Wait until the playlist holds what was asked for.

        Raises:
            Problem: 503, it did not come in time.
        """
        assert asked.msn is not None
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not (fold.has_ended(rendition) or rendition.reached(asked.msn, asked.part)):
            at = rendition.following[0]
            past_last = asked.part is not None and asked.msn < at
            wanted: Wanted = (at, 0) if past_last else (asked.msn, asked.part)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self._wait(fold, rendition.name, wanted, left):
                raise _not_in_time(f"segment {asked.msn}", timeout_s)

    async def _wait(self, fold: VideoFold, rendition: str, wanted: Wanted, timeout_s: float) -> bool:
        try:
            return await self._broadcasts.wait(fold, rendition, wanted, timeout_s)
        except TooManyParkedError as error:
            raise Problem(503, "overloaded", str(error), headers={"Retry-After": "2"}) from error

    async def _part(self, video_id: str, name: str, number: int, part: int) -> list[bytes]:
        """A part's bytes, waited for when it is the hinted one (4.4.5.3); empty where there is none, or never will be.

        Raises:
            Problem: 503, it is hinted still, but the publisher is away.
        """
        if not await self._is_there(video_id, name, number, part):
            if part == 0 or part != await self._catalogue.parts_of(video_id, name, number):
                return []
            number, part = number + 1, 0  # the next segment's first, under the name that it was hinted by
            if not await self._is_there(video_id, name, number, part) or self._is_cut(video_id, name, number):
                return []
        data = await self._read(self._reader.part(video_id, name, number, part))
        return [] if data is None else [data]

    def _is_cut(self, video_id: str, name: str, number: int) -> bool:
        """Whether a segment begins with a discontinuity: no hint of the one before it can have meant it."""
        fold = self._broadcasts.get(video_id)
        rendition = fold.renditions.get(name) if fold is not None else None
        before, segment = (rendition.segment(number - 1), rendition.segment(number)) if rendition else (None, None)
        return before is not None and segment is not None and before.epoch != segment.epoch

    async def _is_there(self, video_id: str, name: str, number: int, part: int) -> bool:
        """Whether a part is stored, once it was waited for if it is about to come."""
        fold = self._broadcasts.get(video_id)
        rendition = fold.renditions.get(name) if fold is not None else None
        known = rendition is not None and rendition.has_part(number, part)
        if fold is not None and rendition is not None and not known and _is_awaited(fold, rendition, number, part):
            await self._wait(fold, name, (number, part), HINT_WAIT_S)
            known = rendition.has_part(number, part)
            if not known and _is_awaited(fold, rendition, number, part):
                raise _not_in_time(f"part {part} of segment {number}", HINT_WAIT_S)
        return known or part < await self._catalogue.parts_of(video_id, name, number)

    async def _whole(self, video_id: str, name: str, number: int) -> list[bytes]:
        """A complete segment's parts; empty where it is not complete, is a gap, or is no longer stored."""
        parts = await self._catalogue.parts_of(video_id, name, number)
        return await self._read(self._reader.segment(video_id, name, number, parts)) or []

    async def _read(self, reading: Awaitable[T]) -> T:
        try:
            return await reading
        except BadSegmentNameError as error:
            raise not_found(str(error), "no_media") from error
        except (SegmentStoreError, RecordingsError, CmafError) as error:
            raise Problem(503, "store", str(error), headers={"Retry-After": "1"}) from error

    def _target(self, fold: VideoFold) -> int:
        assert fold.video is not None
        return target_s(fold.video)

    def _part_target_ms(self, fold: VideoFold) -> int:
        assert fold.video is not None
        return fold.video.part_target_ms

    async def _send_playlist(self, request: Request, send: Send, body: Body, max_age_s: int) -> None:
        await send_text(send, request, body, PLAYLIST_TYPE, max_age_s)


def _is_awaited(fold: VideoFold, rendition: RenditionFold, number: int, part: int) -> bool:
    return fold.video is not None and not fold.has_ended(rendition) and _is_hinted(rendition, number, part)


def _is_hinted(rendition: RenditionFold, number: int, part: int) -> bool:
    """Whether a part is the next one, or near enough that another gateway may have hinted it."""
    at, count = rendition.following
    return (number == at and part <= count + HINT_LEAD_PARTS) or (number == at + 1 and part == 0 and count > 0)


def _kind(rendition: str) -> bytes:
    return b"audio/mp4" if rendition == "audio" else b"video/mp4"


def _not_in_time(what: str, timeout_s: float) -> Problem:
    detail = f"{what} did not come within {timeout_s:.0f} s; the publisher may be away"
    return Problem(503, "not_in_time", detail, headers={"Retry-After": "1"})


def _no_media(scope: Scope) -> Problem:
    return not_found(f"{scope['path'][:200]} is neither listed nor about to be", "no_media")
