"""A video, or a range of it, as one file: laid out from the fragments first, then sent piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Final

from gateway.lead_in import shown
from gateway.memory_cache import MemoryCache
from gateway.rendition_fold import RenditionFold
from gateway.segment_reader import SegmentReader
from gateway.video_fold import VideoFold
from media.hls import Segment
from media.progressive import Header, Span, TrackTable, epoch_shifts, movie, payload, read_chunks, read_header
from schemas.events import Track

MAX_LAYOUTS: Final = 2
"""Files that are laid out at once: each reads all of its media."""

LAYOUTS_BYTES: Final = 64 * 1024 * 1024
PIECE_BYTES: Final = 128


class NothingToSendError(ValueError):
    """Nothing of the range is stored; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The samples of one segment."""

    rendition: str
    segment: int
    parts: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A file: the bytes before its first sample, and what follows."""

    video_id: str
    head: bytes = field(repr=False)
    pieces: tuple[Piece, ...] = field(repr=False)
    audio_only: bool

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.head) + sum(piece.size for piece in self.pieces)

    @property
    def etag(self) -> str:
        """Tells this file from every other: the index of a file is made of all its samples."""
        return blake2b(self.head, digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a video is wanted: media time in seconds from its start."""

    start_s: Fraction
    end_s: Fraction


def span_of(fold: VideoFold) -> tuple[float, float]:
    """Media time of the first and the last picture or sound of a fold that has something."""
    first = min(r.segments[0].dts / r.segments[0].timescale for r in fold.listed)
    ends = [s.dts / s.timescale + s.duration_s for r in fold.listed for s in list(r.segments)[-2:] if s.closed]
    return first, max(ends, default=first)


def chosen(fold: VideoFold, name: str) -> list[RenditionFold]:
    """The renditions of a file: the named one, the source or the largest where none is, and the audio with a picture.

    Raises:
        NothingToSendError: there is no such rendition.
    """
    videos = [r for r in fold.listed if r.track is Track.VIDEO]
    audio = fold.renditions.get("audio")
    if name:
        found = [r for r in fold.listed if r.name == name]
    else:
        largest = max(videos, key=lambda r: r.info.height if r.info else 0, default=None)
        found = [fold.renditions["source"]] if fold.renditions.get("source") in videos else [largest] if largest else []
        found = found or ([audio] if audio is not None and audio.segments else [])
    if not found:
        raise NothingToSendError(f"expected one of {', '.join(r.name for r in fold.listed)}, found {name!r:.40}")
    with_sound = found[0].track is Track.VIDEO and audio is not None and audio.segments
    return [found[0], audio] if with_sound and audio is not None else found


def wanted(segments: Sequence[Segment], cut: Cut) -> list[Segment]:
    """The segments (a list or tuple) that are shown in a cut, from the last before it that begins with a keyframe."""
    shown = [i for i, s in enumerate(segments) if s.closed and _end(s) > cut.start_s and _start(s) < cut.end_s]
    if not shown:
        return []
    first = shown[0]
    while first > 0 and not segments[first].independent and segments[first - 1].epoch == segments[first].epoch:
        first -= 1
    return [s for s in segments[first : shown[-1] + 1] if s.closed and not s.gap]


class Downloads:
    """Lays files out, and reads their bytes. The memory of what viewers play is not used for it."""

    def __init__(self, reader: SegmentReader) -> None:
        self._reader = reader
        self._layouts = MemoryCache[Layout]("downloads", LAYOUTS_BYTES, _layout_bytes)
        self._busy = asyncio.Semaphore(MAX_LAYOUTS)

    async def layout(self, fold: VideoFold, name: str, cut: Cut | None) -> Layout:
        """The file of a rendition (empty: the best) with its sound; `cut` None: all of it.

        Raises:
            NothingToSendError: no such rendition, or nothing of it is stored.
            CmafError: the stored media is broken.
            SegmentStoreError, RecordingsError: it cannot be read now.
        """
        renditions = chosen(fold, name)
        lists = {r.name: list(shown(fold, r)) for r in renditions}
        edges = tuple((name, of[0].number, of[-1].number, _lenders(of)) for name, of in lists.items())
        layout = await self._layouts.get((fold.video_id, edges, cut), lambda: self._made(fold.video_id, lists, cut))
        if layout is None:
            raise NothingToSendError(f"nothing of video {fold.video_id} is stored there any more")
        return layout

    async def bytes_of(self, layout: Layout, first: int, end: int) -> AsyncIterator[bytes]:
        """The bytes `first` up to `end` of a file.

        Raises:
            NothingToSendError: media has gone in the meantime.
        """
        if first < len(layout.head):
            yield layout.head[first:end]
        at = len(layout.head)
        for piece in layout.pieces:
            if at >= end:
                return
            if at + piece.size > first:
                data = await self._payload(layout.video_id, piece)
                yield data[max(0, first - at) : end - at]
            at += piece.size

    async def _payload(self, video_id: str, piece: Piece) -> bytes:
        data = await self._segment(video_id, piece.rendition, piece.segment, piece.parts)
        samples = payload(read_chunks(data)) if data is not None else b""
        if len(samples) != piece.size:
            raise NothingToSendError(f"segment {piece.segment} of {piece.rendition} has gone")
        return samples

    async def _segment(self, video_id: str, rendition: str, number: int, parts: int) -> bytes | None:
        pieces = await self._reader.segment(video_id, rendition, number, parts)
        return b"".join(pieces) if pieces is not None else None

    async def _made(self, video_id: str, lists: dict[str, list[Segment]], cut: Cut | None) -> Layout | None:
        async with self._busy:
            return await self._lay_out(video_id, lists, cut)

    async def _lay_out(self, video_id: str, lists: dict[str, list[Segment]], cut: Cut | None) -> Layout | None:
        everything = cut or Cut(Fraction(-1 << 40), Fraction(1 << 40))
        media = {name: wanted(segments, everything) for name, segments in lists.items()}
        shifts = epoch_shifts(span for segments in media.values() for span in _spans(segments))
        headers: dict[str, Header] = {}
        tables: dict[str, TrackTable] = {}
        pieces: list[Piece] = []
        sizes: list[tuple[str, int]] = []
        for number in sorted({s.number for segments in media.values() for s in segments}):
            for name, segments in media.items():
                segment = next((s for s in segments[_index(segments, number) :][:1] if s.number == number), None)
                if segment is None:
                    continue
                owner = segment.borrowed_from or name
                data = await self._segment(video_id, owner, number, segment.part_count)
                if data is None:
                    continue
                init_name = f"{video_id}/{owner}/{segment.init_uri}"
                header = headers.get(init_name)
                if header is None:
                    init = await self._reader.init(init_name)
                    if init is None:
                        continue
                    header = headers[init_name] = read_header(init)
                table = tables.setdefault(name, TrackTable(header))
                size = table.add(header, shifts[segment.epoch], read_chunks(data))
                pieces.append(Piece(owner, number, segment.part_count, size))
                sizes.append((name, size))
        if not tables:
            return None
        head = movie(tables, sizes, _shown(cut, media, shifts, tables))
        audio_only = all(table.kind == "audio" for table in tables.values())
        return Layout(video_id, head, tuple(pieces), audio_only)


def _shown(
    cut: Cut | None, media: dict[str, list[Segment]], shifts: dict[int, Fraction], tables: dict[str, TrackTable]
) -> tuple[Fraction, Fraction]:
    """From when to when the file is shown, on its own time line."""
    first, last = min(t.start_s for t in tables.values()), max(t.end_s for t in tables.values())
    if cut is None:
        return first, last
    inside = [s for segments in media.values() for s in segments if _end(s) > cut.start_s]
    opening = min(inside, key=lambda s: (s.epoch, _start(s)))
    closing = max(inside, key=lambda s: (s.epoch, _start(s)))
    return max(first, cut.start_s + shifts[opening.epoch]), min(last, cut.end_s + shifts[closing.epoch])


def _lenders(segments: Sequence[Segment]) -> frozenset[tuple[int, str]]:
    """Which epochs are another rendition's: that may change when one is made later."""
    return frozenset((s.epoch, s.borrowed_from) for s in segments if s.borrowed_from)


def _spans(segments: Sequence[Segment]) -> list[Span]:
    return [Span(s.epoch, _start(s), _end(s)) for s in segments]


def _index(segments: Sequence[Segment], number: int) -> int:
    """Where a segment is, or would be."""
    low, high = 0, len(segments)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if segments[middle].number < number else (low, middle)
    return low


def _start(segment: Segment) -> Fraction:
    return Fraction(segment.dts, segment.timescale)


def _end(segment: Segment) -> Fraction:
    return Fraction(segment.dts + segment.duration, segment.timescale)


def _layout_bytes(layout: Layout) -> int:
    return len(layout.head) + PIECE_BYTES * len(layout.pieces)
