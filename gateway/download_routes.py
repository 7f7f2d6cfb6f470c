"""`GET /v1/videos/VIDEO/download`: a finished video, or a range of any, as one MP4 file that was not encoded again."""

import asyncio
import logging
from fractions import Fraction
from typing import Final
from urllib.parse import parse_qsl, quote

from starlette.routing import BaseRoute, Route
from starlette.types import Scope, Send

from gateway.answers import OPEN_TO_ALL, RawHeaders, Request, byte_range, send_message
from gateway.downloads import Cut, Downloads, Layout, NothingToSendError, span_of
from gateway.media_access import MediaAccess, media_access
from gateway.media_routes import Media
from gateway.memory_cache import MemoryCache
from gateway.problems import Problem, not_found
from gateway.segment_reader import SegmentReader
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from media.boxes import CmafError
from media.offsets import OffsetError, parse_offset, place_of
from schemas.events import VideoChanged, VideoState
from stores.recordings import RecordingsError
from stores.segments import BadSegmentNameError, SegmentStoreError

log = logging.getLogger(__name__)

READ_BYTES: Final = 16 * 1024 * 1024
"""Memory of what downloads have read: two that run side by side share it, and viewers keep theirs."""

MAX_QUERY_BYTES: Final = 500
MAX_FIELDS: Final = 10
AGE_S: Final = 60


def install(state: GatewayState) -> list[BaseRoute]:
    """The route of downloads."""
    media = media_access(state)
    memory = MemoryCache[bytes]("download-media", READ_BYTES, len)
    reader = SegmentReader(memory, state.segments)
    return [Route("/v1/videos/{video}/download", Media(DownloadRoutes(media, reader).download))]


class DownloadRoutes:
    """Answers with files."""

    def __init__(self, media: MediaAccess, reader: SegmentReader) -> None:
        self._media = media
        self._reader = reader
        self._downloads = Downloads(reader)

    async def download(self, scope: Scope, request: Request, send: Send) -> None:
        """The file: 200, 206 or 304; its length is known before its first byte."""
        self._reader.cold = self._media.reader.cold
        query = _query(scope)
        fold, video = await find_video(self._media, scope["path_params"]["video"])
        cut = cut_of(fold, query.get("start"), query.get("end"))
        if cut is None and video.state is not VideoState.ENDED:
            raise Problem(
                409,
                "still_live",
                f"video {video.video_id} is still live: give start and end, or wait until it has ended",
            )
        try:
            layout = await self._downloads.layout(fold, query.get("rendition", ""), cut)
        except NothingToSendError as error:
            raise not_found(str(error), "no_media") from error
        except (SegmentStoreError, RecordingsError, CmafError, BadSegmentNameError) as error:
            raise Problem(503, "store", str(error), headers={"Retry-After": "2"}) from error
        await self._send(send, request, layout, video)

    async def _send(self, send: Send, request: Request, layout: Layout, video: VideoChanged) -> None:
        headers: RawHeaders = [
            *OPEN_TO_ALL,
            (b"content-type", b"audio/mp4" if layout.audio_only else b"video/mp4"),
            (b"cache-control", f"public, max-age={AGE_S}".encode()),
            (b"etag", f'"{layout.etag}"'.encode()),
            (b"accept-ranges", b"bytes"),
            (b"content-disposition", _disposition(video, layout).encode()),
        ]
        if request.has(layout.etag):
            await send_message(send, 304, headers)
            return
        status, span = 200, (0, layout.size)
        asked = request.header(b"range")
        if asked and request.header(b"if-range") in ("", f'"{layout.etag}"'):
            try:
                found = byte_range(asked, layout.size)
            except IndexError:
                refused = (b"content-range", f"bytes */{layout.size}".encode())
                await send_message(send, 416, [*OPEN_TO_ALL, refused])
                return
            if found is not None:
                status, span = 206, found
                headers.append((b"content-range", f"bytes {span[0]}-{span[1] - 1}/{layout.size}".encode()))
        headers.append((b"content-length", str(span[1] - span[0]).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if request.method != "HEAD":
            async for piece in self._downloads.bytes_of(layout, *span):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # between two segments others have their turn
        await send({"type": "http.response.body", "body": b""})


async def find_video(media: MediaAccess, video_id: str) -> tuple[VideoFold, VideoChanged]:
    """A video as far back as it can be had, and its state.

    Raises:
        Problem: 404, there is no such video, or nothing of it is stored; 503, the index does not answer.
    """
    video = await media.catalogue.state(video_id)
    if video is None:
        raise not_found(f"there is no video {video_id[:40]!r}", "no_such_video")
    fold = await media.catalogue.fold(video_id)
    if fold is None or fold.video is None or not fold.listed:
        raise not_found(f"nothing of video {video_id} is stored here (any more)", "no_media")
    if video.state is not VideoState.ENDED:
        fold, _ = await media.catalogue.further_back(fold, 1 << 30)
    elif not all(map(fold.has_ended, fold.listed)):
        raise Problem(
            503, "not_whole", f"the end of video {video_id} is on its way; ask again", headers={"Retry-After": "2"}
        )
    return fold, fold.video or video


def cut_of(fold: VideoFold, start: str | None, end: str | None) -> Cut | None:
    """The range that is asked for; None: all of it.

    Raises:
        Problem: 400, it is no range, or lies outside the video.
    """
    if start is None and end is None:
        return None
    first, last = span_of(fold)
    try:
        begins = place_of(parse_offset(start), first, last, 0.5) if start is not None else first
        ends = place_of(parse_offset(end), first, last, 0.5) if end is not None else last
    except OffsetError as error:
        raise Problem(400, "bad_range", str(error)) from error
    if ends <= begins:
        raise Problem(400, "bad_range", f"expected end after start, found {begins:.3f} to {ends:.3f} s")
    return Cut(Fraction(round(begins * 1000), 1000), Fraction(round(ends * 1000), 1000))


def _query(scope: Scope) -> dict[str, str]:
    raw: bytes = scope["query_string"]
    fields = raw.decode("latin-1").split("&")
    if len(raw) > MAX_QUERY_BYTES or len(fields) > MAX_FIELDS:
        raise Problem(400, "bad_query", f"expected at most {MAX_FIELDS} parameters, {MAX_QUERY_BYTES} bytes")
    return dict(parse_qsl("&".join(fields)))


def _disposition(video: VideoChanged, layout: Layout) -> str:
    """A name for the file (RFC 6266): of the title in UTF-8, and a plain one for old clients."""
    ending = "m4a" if layout.audio_only else "mp4"
    title = quote((video.title or video.channel)[:100], safe="")
    return f"attachment; filename=\"{video.video_id}.{ending}\"; filename*=UTF-8''{title}.{ending}"
