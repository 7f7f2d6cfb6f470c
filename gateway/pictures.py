"""Stills, sprite sheets and posters of videos: read, decoded, encoded, and kept in memory while they are asked for.

A picture is made once however many ask for it at the same time (`gateway.memory_cache`), in a few threads
(`gateway.picture_pool`), from the smallest rendition that is large enough.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from av.video.frame import VideoFrame

from gateway.frame_request import FrameRequest
from gateway.memory_cache import MemoryCache
from gateway.moments import (
    EPSILON_S,
    Moment,
    Piece,
    by_width,
    end_s,
    has_settled,
    moment_at,
    pictured,
    run_from_keyframe,
    span_of,
    start_s,
    width_of,
)
from gateway.picture_pool import PicturePool
from gateway.problems import Problem, not_found
from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.boxes import CmafError
from media.hls import Segment
from media.offsets import OffsetError, is_from_end, place_of
from media.pictures import FLAT_DEVIATION, PictureError, deviation, picture_at
from media.stills import JPEG, StillError, encode_still, sheet
from media.thumbnails import COLUMNS, ROWS, TILE_HEIGHT, TILE_WIDTH, tile_times
from stores.recordings import RecordingsError
from stores.segments import SegmentStoreError

log = logging.getLogger(__name__)

T = TypeVar("T")

TOLERANCE_S: Final = 0.25
"""An offset so far past either end means that end: players round."""

POSTER_WIDTH: Final = 640
POSTER_STAYS: Final = 30
"""Segments that a live window moves on by before another poster is looked for."""

POSTER_LOOKS: Final = (0, 1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90)
"""Segments that are looked at for a poster, until one shows something."""


class SegmentReader(Protocol):
    """Where the bytes come from: `gateway.segment_reader`."""

    async def part(self, video_id: str, rendition: str, segment: int, part: int) -> bytes | None:
        """One part; None where it is not stored."""

    async def segment(self, video_id: str, rendition: str, segment: int, parts: int) -> list[bytes] | None:
        """A whole segment of so many parts, in pieces; None where it is not stored."""

    async def init(self, name: str) -> bytes | None:
        """An init segment by its whole name; None where it is not stored."""


class SheetStore(Protocol):
    """Where sheets of kept videos stay: `stores.recordings`. It is removed with the video."""

    async def get(self, name: str) -> bytes | None:
        """The bytes of an object; None where there is none."""

    async def put(self, name: str, data: bytes) -> None:
        """Store an object."""


@dataclass(frozen=True, slots=True)
class Still:
    """A file, and whether what it shows can still change."""

    data: bytes
    settled: bool


class Pictures:
    """Makes pictures of folded videos. What is not there is a 404 that says so, too much work a 503."""

    def __init__(
        self,
        segments: SegmentReader,
        memory: MemoryCache[bytes],
        pool: PicturePool,
        recordings: Callable[[], SheetStore | None] = lambda: None,
    ) -> None:
        self._segments = segments
        self._memory = memory
        self._pool = pool
        self._recordings = recordings

    async def still(self, fold: VideoFold, asked: FrameRequest, kind: str, widest: int) -> Still:
        """The picture that a request asks for, as a file of type `kind`.

        Args:
            fold: of the video.
            asked: offset, width and whether exactly.
            kind: one of `media.stills.KINDS`.
            widest: pixels across that the viewer's device has use for.

        Raises:
            Problem: 404, 416 or 503.
        """
        at_s = media_time(fold, pictured(fold), asked.offset)
        for rendition in by_width(pictured(fold), min(asked.width or widest, widest)):
            moment = moment_in(fold, rendition, at_s, asked)
            if moment is None:
                continue
            data = await self._still(fold, moment, asked, kind)
            if data is not None:
                return Still(data, moment.settled)
        raise no_picture(fold, "no picture is stored for this offset")

    async def sheet(self, fold: VideoFold, number: int, tiles: int, every_s: int) -> bytes:
        """Sprite sheet `number` with its first `tiles` tiles, as JPEG. Errors as `still`."""
        for rendition in by_width(pictured(fold), TILE_WIDTH):
            key = ("sheet", fold.video_id, rendition.name, number, tiles, every_s)
            times = tile_times(number, tiles, every_s)
            make = partial(self._made_sheet, fold, rendition, times, every_s)
            if has_settled(fold) and fold.video is not None and fold.video.keep_days != 0:
                make = partial(self._kept, f"{fold.video_id}/sprites/{number:08d}-{every_s}.jpg", make)
            data = await self._memory.get(key, make)
            if data is not None:
                return data
        raise no_picture(fold, f"no picture is stored for sheet {number}")

    async def poster(self, fold: VideoFold, width: int) -> Still:
        """The first keyframe that shows something, as JPEG. Errors as `still`."""
        settled = has_settled(fold)
        for rendition in by_width(pictured(fold), width):
            first = rendition.segments[0].number // POSTER_STAYS  # the window of a live video moves on
            key = ("poster", fold.video_id, rendition.name, first, settled, width)
            data = await self._memory.get(key, partial(self._made_poster, fold, rendition, width))
            if data is not None:
                return Still(data, settled)
        raise no_picture(fold, "no picture of it is stored")

    async def read(self, fold: VideoFold, rendition: RenditionFold, piece: Piece) -> list[bytes] | None:
        """The bytes of a piece; None where they are not stored.

        Raises:
            Problem: 503, the store cannot be read.
        """
        video_id, name = fold.video_id, rendition.name
        if piece.parts:
            return await _stored(self._segments.segment(video_id, name, piece.segment, piece.parts))
        part = await _stored(self._segments.part(video_id, name, piece.segment, piece.part))
        return None if part is None else [part]

    async def init(self, fold: VideoFold, rendition: RenditionFold, uri: str) -> bytes | None:
        """An init segment that a rendition's playlist names. Errors as `read`."""
        return await _stored(self._segments.init(f"{fold.video_id}/{rendition.name}/{uri}"))

    async def _still(self, fold: VideoFold, moment: Moment, asked: FrameRequest, kind: str) -> bytes | None:
        """A still, by what its bytes depend on: viewers of the live edge share one, whatever they call it."""
        single = len(moment.pieces) == 1 and not asked.exact
        at_ms = 0 if single and not moment.pieces[0].parts else round(moment.at_s * 1000)
        width = min(asked.width or width_of(moment.rendition), width_of(moment.rendition))
        key = ("still", fold.video_id, moment.rendition.name, moment.pieces, at_ms, asked.exact, kind, width)
        return await self._memory.get(key, partial(self._made_still, fold, moment, kind, width, asked.exact))

    async def _made_still(self, fold: VideoFold, moment: Moment, kind: str, width: int, exact: bool) -> bytes | None:
        found = await self._read_all(fold, moment.rendition, moment.init, moment.pieces)
        if found is None:
            return None
        init, media = found

        def make() -> bytes:
            return encode_still(picture_at(init, media, moment.at_s, exact=exact).frame, kind, width)

        return await self._run(make)

    async def _kept(self, name: str, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """What the recordings of a kept video hold under a name, else what is made, which they get.

        Without them it is made all the same: they only spare the work.
        """
        recordings = self._recordings()
        if recordings is None:
            return await make()
        try:
            found = await recordings.get(name)
        except RecordingsError as error:
            log.warning("%s is made again: %s", name, error)
            return await make()
        if found is not None:
            return found
        made = await make()
        if made is not None:
            try:
                await recordings.put(name, made)
            except RecordingsError as error:
                log.warning("%s will be made again: %s", name, error)
        return made

    async def _made_sheet(
        self, fold: VideoFold, rendition: RenditionFold, times: Sequence[float], every_s: int
    ) -> bytes | None:
        segments = list(rendition.segments)
        keys = [_keyframe_for(segments, at_s, every_s) for at_s in times]
        wanted = dict.fromkeys(segment for segment in keys if segment is not None)
        read = await asyncio.gather(*(self._keyframe(fold, rendition, segment) for segment in wanted))
        stored = dict(zip(wanted, read, strict=True))
        media = [None if segment is None else stored[segment] for segment in keys]
        return await self._run(partial(_sheet, media)) if any(media) else None

    async def _made_poster(self, fold: VideoFold, rendition: RenditionFold, width: int) -> bytes | None:
        best: tuple[float, VideoFrame] | None = None
        segments = list(rendition.segments)
        for index in POSTER_LOOKS:
            segment = segments[index] if index < len(segments) else None
            usable = segment is not None and segment.independent and not segment.gap
            media = await self._keyframe(fold, rendition, segment) if segment is not None and usable else None
            looked = await self._run(partial(_looked, media)) if media is not None else None
            if looked is not None and (best is None or looked[0] > best[0]):
                best = looked
            if best is not None and best[0] >= FLAT_DEVIATION:
                break
        return await self._run(partial(encode_still, best[1], JPEG, width)) if best is not None else None

    async def _keyframe(
        self, fold: VideoFold, rendition: RenditionFold, segment: Segment
    ) -> tuple[bytes, list[bytes]] | None:
        """Init segment and first part of a segment that begins with a keyframe."""
        piece = Piece(segment.number)
        return await self._read_all(fold, rendition, segment.init_uri, [piece])

    async def _read_all(
        self, fold: VideoFold, rendition: RenditionFold, uri: str, pieces: Sequence[Piece]
    ) -> tuple[bytes, list[bytes]] | None:
        init = await self.init(fold, rendition, uri)
        read = await asyncio.gather(*(self.read(fold, rendition, piece) for piece in pieces))
        media = [data for found in read if found is not None for data in found]
        return None if init is None or any(found is None for found in read) else (init, media)

    async def _run(self, make: Callable[[], T]) -> T | None:
        """In a thread; None where the bytes hold no picture."""
        try:
            return await self._pool.run(make)
        except (PictureError, StillError):
            return None


def media_time(fold: VideoFold, renditions: Sequence[RenditionFold], offset: float | None) -> float:
    """Media time of an offset in any of the renditions; without one the live edge, or the start of what is over.

    Raises:
        Problem: 404, there is nothing; 416, it is outside, with the range that there is.
    """
    if not renditions:
        raise no_picture(fold, "it has no pictures")
    start, end = span_of(renditions)
    if offset is None:
        return start if has_settled(fold) else end
    try:
        return place_of(offset, start, end, TOLERANCE_S)
    except OffsetError as error:
        available = {"start": round(start, 3), "end": round(end, 3)}
        raise Problem(416, "outside", f"{error}; choose one inside", extra={"available": available}) from error


def moment_in(fold: VideoFold, rendition: RenditionFold, at_s: float, asked: FrameRequest) -> Moment | None:
    """Where a media time is in a rendition; None where it is not, so that another one may have it.

    A rendition that is a little behind the others has its own live edge; only an exact offset from the start is no edge.
    """
    start, end = span_of([rendition])
    precise = asked.exact and asked.offset is not None and not is_from_end(asked.offset)
    if at_s < start - TOLERANCE_S or (precise and at_s > end + TOLERANCE_S):
        return None
    return moment_at(fold, rendition, min(max(at_s, start), end), exact=asked.exact)


def no_picture(fold: VideoFold, why: str) -> Problem:
    """A 404 of a video that has no picture here."""
    return not_found(f"video {fold.video_id}: {why}; it may be a gap, sound only, or no longer kept", "no_picture")


def _keyframe_for(segments: Sequence[Segment], begin_s: float, every_s: int) -> Segment | None:
    """The segment whose first picture stands for a tile's time; None where none of that time can be had."""
    at_s = max(begin_s, start_s(segments[0]))
    index = bisect_right(segments, at_s + EPSILON_S, key=start_s) - 1
    if at_s >= min(begin_s + every_s, end_s(segments[index])):
        return None
    return next(iter(run_from_keyframe(segments, index)), None)


def _sheet(media: Sequence[tuple[bytes, list[bytes]] | None]) -> bytes:
    """Decode each keyframe once; a broken one stays black."""
    frames: dict[int, VideoFrame | None] = {}
    for found in media:
        if found is not None and id(found) not in frames:
            try:
                frames[id(found)] = picture_at(*found, 0.0, exact=False).frame
            except PictureError:
                frames[id(found)] = None
    tiles = [None if found is None else frames[id(found)] for found in media]
    return sheet(tiles, COLUMNS, ROWS, TILE_WIDTH, TILE_HEIGHT)


def _looked(media: tuple[bytes, list[bytes]]) -> tuple[float, VideoFrame]:
    frame = picture_at(*media, 0.0, exact=False).frame
    return deviation(frame), frame


async def _stored(reading: Awaitable[T]) -> T:
    try:
        return await reading
    except (SegmentStoreError, RecordingsError, CmafError) as error:
        raise Problem(503, "store", str(error), headers={"Retry-After": "1"}) from error
