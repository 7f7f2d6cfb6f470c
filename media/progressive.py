"""One MP4 file with its index in front, made of CMAF fragments without touching a sample (ISO/IEC 14496-12).

Theory. The file is `ftyp`, `moov`, `mdat`. The sample tables of `moov` come from the fragments' `trun` boxes, so all of them
are read once before the first byte goes out (`TrackTable.add`); the bytes of the samples are read again while the file is
sent (`payload`). Media is laid out segment by segment, the tracks in turn, so that a player that reads from the start has
both.

Decode times stay as they are within an epoch, and epochs follow one another without a gap (`epoch_shifts`). The table of
durations is made of the distance from each sample to the next: what is missing in between lasts as long as the picture
before it. Where a track starts later than the other, or both are cut in front, an edit list says so, to the tick.
"""

import math
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import add
from typing import Final, Literal

from media.boxes import Box, CmafError, FieldReader, box, child, descend, full_box, iter_boxes
from media.cmaf import Chunk, parse_chunk, split_chunks

MOVIE_TIMESCALE: Final = 90_000
MAX_SAMPLES: Final = 20_000_000
REORDERED: Final = 32
"""The first picture that is shown is among so many."""

MDAT_HEAD_BYTES: Final = 16

_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_FTYP: Final = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom", b"iso2", b"iso6", b"mp41")


@dataclass(frozen=True, slots=True)
class Span:
    """Where an epoch lies in one track: media time of its start and its end, seconds."""

    epoch: int
    start_s: Fraction
    end_s: Fraction


@dataclass(frozen=True, slots=True)
class Header:
    """What an init segment says of its track that goes into the file unchanged."""

    timescale: int
    size: bytes
    handler: bytes
    media_header: bytes
    entry: bytes
    kind: Literal["video", "audio"]


def epoch_shifts(spans: Iterable[Span]) -> dict[int, Fraction]:
    """What to add to media times, in seconds, so that the first epoch starts at 0 and each next one where the last ended.

    Both tracks of an epoch are shifted alike, so that they stay together.
    """
    shifts: dict[int, Fraction] = {}
    at = Fraction(0)
    ordered = sorted(spans, key=lambda span: span.epoch)
    for epoch, group in groupby(ordered, key=lambda span: span.epoch):
        of_epoch = list(group)
        start = min(span.start_s for span in of_epoch)
        shifts[epoch] = at - start
        at += max(span.end_s for span in of_epoch) - start
    return shifts


def read_chunks(data: bytes) -> list[Chunk]:
    """The CMAF chunks of a segment, in order.

    Raises:
        CmafError: it holds something else.
    """
    return [parse_chunk(chunk) for chunk in split_chunks(data)]


def payload(chunks: Sequence[Chunk]) -> bytes:
    """The bytes of all samples."""
    return b"".join(sample.data for chunk in chunks for sample in chunk.samples)


def read_header(init: bytes) -> Header:
    """The parts of an init segment.

    Raises:
        CmafError: it is none.
    """
    top = {found.kind: found for found in iter_boxes(init)}
    if b"moov" not in top:
        raise CmafError(f"expected a moov box, found {', '.join(b.name for b in top.values()) or 'nothing'}")
    trak = child(init, top[b"moov"], b"trak")
    head, mdia = child(init, trak, b"tkhd"), child(init, trak, b"mdia")
    hdlr, minf = child(init, mdia, b"hdlr"), child(init, mdia, b"minf")
    kind: Literal["video", "audio"] = "video" if init[hdlr.start + 8 : hdlr.start + 12] == b"vide" else "audio"
    entries = list(iter_boxes(init, (table := descend(init, minf, b"stbl", b"stsd")).start + 8, table.end))
    if len(entries) != 1:
        raise CmafError(f"expected one sample entry, found {len(entries)}")
    return Header(
        timescale=_timescale(init, child(init, mdia, b"mdhd")),
        size=init[head.end - 8 : head.end],
        handler=_whole(init, hdlr),
        media_header=_whole(init, child(init, minf, b"vmhd" if kind == "video" else b"smhd")),
        entry=_whole(init, entries[0]),
        kind=kind,
    )


def _timescale(data: bytes, inside: Box) -> int:
    read = FieldReader(data, inside)
    version, _ = read.version_and_flags()
    read.take(16 if version else 8)
    timescale = read.uint(4)
    if not timescale:
        raise CmafError("timescale 0, expected one above it")
    return timescale


def _whole(data: bytes, found: Box) -> bytes:
    return data[found.begin : found.end]


class TrackTable:
    """The samples of one track, in order; about 20 bytes each."""

    def __init__(self, header: Header) -> None:
        self.kind: Final = header.kind
        self.timescale: Final = header.timescale
        self._headers = [header]
        self._sizes = array("I")
        self._times = array("q")
        self._offsets = array("i")
        self._sync = array("I")
        self._runs: list[tuple[int, int]] = []
        self._end = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, header: Header, shift_s: Fraction, chunks: Sequence[Chunk]) -> int:
        """Take the samples of one segment, and give how many bytes they have.

        Args:
            header: of its init segment.
            shift_s: what is added to its media times.
            chunks: as `read_chunks` gives them.

        Raises:
            CmafError: there are too many samples.
        """
        if header not in self._headers:
            self._headers.append(header)
        scale = Fraction(self.timescale, header.timescale)
        first, size = len(self), 0
        for sample in (sample for chunk in chunks for sample in chunk.samples):
            at = round(sample.dts * scale + shift_s * self.timescale)
            self._times.append(max(at, self._times[-1] + 1 if self._times else at))
            self._end = self._times[-1] + round(sample.duration * scale)
            self._offsets.append(round(sample.cts_offset * scale))
            if sample.keyframe:
                self._sync.append(len(self._sizes) + 1)
            self._sizes.append(len(sample.data))
            size += len(sample.data)
        if len(self) > MAX_SAMPLES:
            raise CmafError(f"expected at most {MAX_SAMPLES} samples in a file")
        self._runs.append((len(self) - first, self._headers.index(header) + 1))
        return size

    @property
    def start_s(self) -> Fraction:
        """When its first sample is shown."""
        return Fraction(min(map(add, self._times[:REORDERED], self._offsets[:REORDERED])), self.timescale)

    @property
    def end_s(self) -> Fraction:
        """When its last sample is over."""
        return Fraction(self._end, self.timescale)

    @property
    def _shown_size(self) -> bytes:
        """The largest of its pictures, at which all are shown."""
        return max((header.size for header in self._headers), key=lambda size: math.prod(struct.unpack(">II", size)))

    def trak(self, number: int, start_s: Fraction, end_s: Fraction, places: Sequence[int]) -> bytes:
        """The `trak` box of what is shown from `start_s` to `end_s`; `places` are the bytes where each segment begins."""
        head, duration = self._headers[0], self._end - self._times[0]
        edits = self._edits(start_s, end_s)
        shown = sum(length for length, _ in edits)
        sound = head.kind == "audio"
        tkhd = full_box(
            b"tkhd", 1, 3, bytes(16), struct.pack(">IIQ", number, 0, shown), bytes(8),
            struct.pack(">HHHH", 0, 0, 0x100 if sound else 0, 0), _MATRIX, self._shown_size,
        )  # fmt: skip
        entries = struct.pack(">I", len(edits)) + b"".join(struct.pack(">Qqi", *edit, 0x10000) for edit in edits)
        mdhd = full_box(b"mdhd", 1, 0, bytes(16), struct.pack(">IQHH", self.timescale, duration, 0x55C4, 0))
        dinf = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
        minf = box(b"minf", head.media_header, dinf, self._stbl(places))
        return box(
            b"trak", tkhd, box(b"edts", full_box(b"elst", 1, 0, entries)), box(b"mdia", mdhd, head.handler, minf)
        )

    def _edits(self, start_s: Fraction, end_s: Fraction) -> list[tuple[int, int]]:
        """(length in movie ticks, media time): an empty one until the track begins, then what is shown."""
        begins = self.start_s
        first = max(start_s, begins)
        edits = []
        if begins > start_s:
            edits.append((round((min(begins, end_s) - start_s) * MOVIE_TIMESCALE), -1))
        last = min(end_s, self.end_s)
        if last > first:
            media_time = round(first * self.timescale) - self._times[0]
            edits.append((round((last - first) * MOVIE_TIMESCALE), media_time))
        return edits

    def _stbl(self, places: Sequence[int]) -> bytes:
        entries = b"".join(header.entry for header in self._headers)
        tables = [
            full_box(b"stsd", 0, 0, struct.pack(">I", len(self._headers)), entries),
            full_box(b"stts", 0, 0, *_run_lengths(self._durations(), ">II")),
        ]
        if any(self._offsets):
            tables.append(full_box(b"ctts", 1, 0, *_run_lengths(self._offsets, ">Ii")))
        if len(self._sync) != len(self):
            tables.append(full_box(b"stss", 0, 0, struct.pack(">I", len(self._sync)), _big(self._sync)))
        tables.append(full_box(b"stsc", 0, 0, *self._chunk_runs()))
        tables.append(full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(self)), _big(self._sizes)))
        tables.append(full_box(b"co64", 0, 0, struct.pack(">I", len(places)), struct.pack(f">{len(places)}Q", *places)))
        return box(b"stbl", *tables)

    def _durations(self) -> Iterable[int]:
        times = self._times
        yield from (times[i + 1] - times[i] for i in range(len(times) - 1))
        yield self._end - times[-1]

    def _chunk_runs(self) -> tuple[bytes, ...]:
        rows = [
            struct.pack(">III", index + 1, count, entry)
            for index, (count, entry) in enumerate(self._runs)
            if index == 0 or self._runs[index - 1] != (count, entry)
        ]
        return struct.pack(">I", len(rows)), *rows


def movie(tracks: Mapping[str, TrackTable], order: Sequence[tuple[str, int]], cut: tuple[Fraction, Fraction]) -> bytes:
    """The bytes of a file up to its first sample.

    Args:
        tracks: by any name, each with at least one sample.
        order: (track, bytes) of the segments, as their samples follow one another.
        cut: from when to when it is shown, seconds of the shifted media time.
    """
    size = sum(count for _, count in order)
    head_bytes = len(_head(tracks, order, cut, 0, size))
    return _head(tracks, order, cut, head_bytes, size)


def _head(
    tracks: Mapping[str, TrackTable],
    order: Sequence[tuple[str, int]],
    cut: tuple[Fraction, Fraction],
    at: int,
    size: int,
) -> bytes:
    places: dict[str, list[int]] = {name: [] for name in tracks}
    for name, count in order:
        places[name].append(at)
        at += count
    start_s, end_s = cut
    traks = [table.trak(index + 1, start_s, end_s, places[name]) for index, (name, table) in enumerate(tracks.items())]
    length = round((min(end_s, max(table.end_s for table in tracks.values())) - start_s) * MOVIE_TIMESCALE)
    mvhd = full_box(
        b"mvhd", 1, 0, bytes(16), struct.pack(">IQIH", MOVIE_TIMESCALE, max(0, length), 0x10000, 0x100), bytes(10),
        _MATRIX, bytes(24), struct.pack(">I", len(tracks) + 1),
    )  # fmt: skip
    mdat = struct.pack(">I4sQ", 1, b"mdat", MDAT_HEAD_BYTES + size)
    return b"".join((_FTYP, box(b"moov", mvhd, *traks), mdat))


def _run_lengths(values: Iterable[int], row: str) -> tuple[bytes, ...]:
    rows = [struct.pack(row, sum(1 for _ in group), value) for value, group in groupby(values)]
    return struct.pack(">I", len(rows)), *rows


def _big(values: "array[int]") -> bytes:
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped.tobytes()
