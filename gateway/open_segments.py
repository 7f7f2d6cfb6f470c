"""Segments that are not there as a whole: the open one, part by part as it is made, and what stands for a lost one.

Only DASH asks for these (ISO/IEC 23009-1, 5.3.9.2.2 and 5.3.9.7): players of low latency ask for a segment before its
end, and get it in HTTP chunks; and a SegmentTimeline counts lost segments, so that their addresses must give something.
HLS names its parts, and marks gaps.
"""

import asyncio
from typing import Final

from starlette.types import Send

from gateway.answers import FOREVER, OPEN_TO_ALL, RawHeaders, Request
from gateway.broadcasts import TooManyParkedError
from gateway.media_access import MediaAccess
from gateway.playlists import target_s
from gateway.problems import Problem
from gateway.rendition_fold import RenditionFold
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from media.boxes import box
from media.hls import Segment
from stores.recordings import RecordingsError
from stores.segments import SegmentStoreError

WAIT_TARGETS: Final = 3
LOST_AGE_S: Final = 60
NOTHING: Final = box(b"styp", b"msdh", bytes(4), b"msdh", b"cmfs") + box(b"free")
"""What stands for a segment of which no part is left: boxes without samples, which players append and jump over."""


class StoppingError(RuntimeError):
    """The gateway stops in the midst of a segment: the connection is cut, so that nobody takes it for whole."""


class OpenSegments:
    """Sends segments of live videos that `gateway.media_routes` cannot send as a whole."""

    def __init__(self, media: MediaAccess, state: GatewayState) -> None:
        self._broadcasts = media.broadcasts
        self._catalogue = media.catalogue
        self._reader = media.reader
        self._state = state

    async def send(self, video_id: str, name: str, number: int, kind: bytes, request: Request, send: Send) -> bool:
        """Answer where the segment is open, about to begin, or lost; False where it is none of these.

        Raises:
            Problem: 503, a store does not answer or too many wait.
        """
        fold = self._broadcasts.get(video_id)
        rendition = fold.renditions.get(name) if fold is not None else None
        if fold is None or fold.video is None or rendition is None:
            return False
        segment = rendition.segment(number)
        if segment is not None and segment.closed and segment.gap:
            if await self._catalogue.parts_of(video_id, name, number):
                return False  # it came after it was given up
            await self._send_lost(fold, rendition, segment, kind, request, send)
            return True
        if not _is_coming(fold, rendition, number):
            return False
        if not await self._reach(fold, rendition, number, 0):
            return False
        await self._send_open(fold, rendition, number, kind, request, send)
        return True

    async def _send_open(
        self, fold: VideoFold, rendition: RenditionFold, number: int, kind: bytes, request: Request, send: Send
    ) -> None:
        await _begin(send, kind, FOREVER)
        part = 0
        while request.method != "HEAD":
            if part < rendition.part_count(number):
                data = await self._part(fold, rendition, number, part)
                if data is None:
                    raise StoppingError(f"part {part} of segment {number} of {rendition.name} is not stored")
                await send({"type": "http.response.body", "body": data, "more_body": True})
                part += 1
            elif _is_done(rendition, number):
                break
            elif not await self._reach(fold, rendition, number, part) and not _is_done(rendition, number):
                raise StoppingError(f"segment {number} of {rendition.name} did not go on")
        await send({"type": "http.response.body", "body": b""})

    async def _send_lost(
        self, fold: VideoFold, rendition: RenditionFold, segment: Segment, kind: bytes, request: Request, send: Send
    ) -> None:
        """What is left of a lost segment, or boxes without samples."""
        parts = [await self._part(fold, rendition, segment.number, part) for part in range(segment.part_count)]
        data = b"".join(part for part in parts if part is not None) or NOTHING
        await _begin(send, kind, f"public, max-age={LOST_AGE_S}".encode(), length=len(data))
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else data})

    async def _part(self, fold: VideoFold, rendition: RenditionFold, number: int, part: int) -> bytes | None:
        try:
            return await self._reader.part(fold.video_id, rendition.name, number, part)
        except (SegmentStoreError, RecordingsError) as error:
            raise Problem(503, "store", str(error), headers={"Retry-After": "1"}) from error

    async def _reach(self, fold: VideoFold, rendition: RenditionFold, number: int, part: int) -> bool:
        """Wait for a part; False when it did not come in time, or will not come."""
        assert fold.video is not None
        deadline = asyncio.get_running_loop().time() + WAIT_TARGETS * target_s(fold.video)
        while part >= rendition.part_count(number) and not _is_done(rendition, number):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or fold.has_ended(rendition) or self._state.stopping.is_set():
                return False
            try:
                await self._broadcasts.wait(fold, rendition.name, (number, part), left)
            except TooManyParkedError as error:
                raise Problem(503, "overloaded", str(error), headers={"Retry-After": "2"}) from error
        return part < rendition.part_count(number)


def _is_coming(fold: VideoFold, rendition: RenditionFold, number: int) -> bool:
    """Whether a segment is the open one or the one after it."""
    at, count = rendition.following
    return not fold.has_ended(rendition) and (number == at or (number == at + 1 and count > 0))


def _is_done(rendition: RenditionFold, number: int) -> bool:
    """Whether no part will be added to a segment."""
    return rendition.finished or number < rendition.following[0]


async def _begin(send: Send, kind: bytes, caching: bytes, *, length: int | None = None) -> None:
    headers: RawHeaders = [*OPEN_TO_ALL, (b"content-type", kind), (b"cache-control", caching)]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
