"""CMAF chunks: one `moof` and its `mdat` for a run of samples of one track (ISO/IEC 23000-19, 7.3.2.3).

Writing is deterministic: the same samples give the same bytes, whatever came before. Fields that all samples share
are written once, as defaults.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from media.boxes import Box, CmafError, FieldReader, box, child, full_box, iter_boxes
from media.cmaf_init import InitInfo, audio_init, parse_init, video_init

__all__ = [
    "Chunk",
    "CmafError",
    "InitInfo",
    "ProducerTime",
    "Sample",
    "audio_init",
    "keyframe_end",
    "parse_chunk",
    "parse_init",
    "produced_ms",
    "producer_time",
    "sequence_number",
    "split_chunks",
    "video_init",
    "write_chunk",
]

MAX_CHUNK_BYTES = 64 << 20
MAX_SAMPLES = 4096
MAX_SEGMENT_BOXES = 4096
MAX_TIME = (1 << 63) - 1

_SYNC = 0x02000000  # sample_depends_on 2: needs no other
_NON_SYNC = 0x01010000  # sample_depends_on 1, sample_is_non_sync_sample
_NON_SYNC_BIT = 0x00010000
_BASE_IS_MOOF = 0x020000
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_DURATION, _SIZE, _FLAGS, _CTS = 0x100, 0x200, 0x400, 0x800
_NTP_EPOCH_MS = 2_208_988_800_000
_PRFT_BYTES = 24  # version and flags, track, NTP time, media time
_REAL_TIME_OUTPUT = 24  # prft: when the encoder put it out, in real time
_KNOWN = frozenset((b"styp", b"prft", b"emsg", b"sidx", b"free", b"moof", b"mdat"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit. `dts`, `cts_offset` and `duration` in ticks of the track; it is shown at dts + cts_offset."""

    data: bytes = field(repr=False)
    dts: int
    cts_offset: int
    duration: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A CMAF chunk that was read."""

    track_id: int
    sequence: int
    base_decode_time: int
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        """Ticks from the first sample's decode time to the end of the last."""
        return sum(sample.duration for sample in self.samples)


@dataclass(frozen=True, slots=True)
class ProducerTime:
    """A producer reference time (`prft`): the sample at `media_time` ticks was captured at `wall_ms` since 1970."""

    wall_ms: int
    media_time: int


def sequence_number(segment: int, part: int) -> int:
    """A `mfhd` number that rises along a track and depends on nothing but the chunk's own place."""
    return (segment << 10 | min(part, 1023)) + 1 & 0xFFFFFFFF


def write_chunk(
    track_id: int,
    sequence: int,
    samples: Sequence[Sample],
    *,
    segment_start: bool = False,
    produced: ProducerTime | None = None,
) -> bytes:
    """The bytes of a chunk; `segment_start` puts a `styp` and `produced` a `prft` before it.

    Samples must follow one another without gap; CmafError otherwise, or beyond MAX_SAMPLES or MAX_CHUNK_BYTES.
    """
    _check(samples)
    payload = b"".join(sample.data for sample in samples)
    size = len(_moof(track_id, sequence, samples, 0))
    moof = _moof(track_id, sequence, samples, size + 8)
    styp = box(b"styp", b"msdh", bytes(4), b"msdh", b"cmfs") if segment_start else b""
    prft = producer_time(track_id, produced) if produced else b""
    return b"".join((styp, prft, moof, struct.pack(">I4s", 8 + len(payload), b"mdat"), payload))


def producer_time(track_id: int, produced: ProducerTime) -> bytes:
    """A `prft` box (ISO/IEC 14496-12, 8.16.5); its wall clock is in NTP's format."""
    seconds, ms = divmod(produced.wall_ms + _NTP_EPOCH_MS, 1000)
    ntp = (seconds & 0xFFFFFFFF) << 32 | (ms << 32) // 1000
    return full_box(b"prft", 1, _REAL_TIME_OUTPUT, struct.pack(">IQQ", track_id, ntp, produced.media_time))


def produced_ms(data: bytes) -> int | None:
    """The wall clock that the first `prft` box says, ms since 1970; None where there is none."""
    for found in iter_boxes(data):
        if found.kind == b"prft" and found.end - found.start >= _PRFT_BYTES:
            (ntp,) = struct.unpack_from(">Q", data, found.start + 8)
            ms = ((ntp & 0xFFFFFFFF) * 1000 + 0xFFFFFFFF) >> 32
            return int((ntp >> 32) * 1000 + ms - _NTP_EPOCH_MS)
    return None


def _check(samples: Sequence[Sample]) -> None:
    if not 0 < len(samples) <= MAX_SAMPLES:
        raise CmafError(f"chunk of {len(samples)} samples, expected 1 to {MAX_SAMPLES}")
    size = sum(len(sample.data) for sample in samples)
    if size > MAX_CHUNK_BYTES:
        raise CmafError(f"chunk of {size} bytes, expected at most {MAX_CHUNK_BYTES}")
    due = samples[0].dts
    for sample in samples:
        if sample.dts != due or not 0 <= due <= MAX_TIME:
            raise CmafError(f"sample at {sample.dts}, expected {due}: each begins where the one before it ends")
        if not 0 <= sample.duration < 1 << 32 or not -(1 << 31) <= sample.cts_offset < 1 << 31:
            raise CmafError(f"sample duration {sample.duration} and offset {sample.cts_offset}, expected 32 bits each")
        due += sample.duration


def _moof(track_id: int, sequence: int, samples: Sequence[Sample], data_offset: int) -> bytes:
    defaults, per_run, first_flags = _layout(samples)
    rows = b"".join(_row(sample, per_run) for sample in samples)
    first = struct.pack(">I", first_flags) if per_run & _FIRST_FLAGS else b""
    run = full_box(b"trun", 1, per_run, struct.pack(">Ii", len(samples), data_offset), first, rows)
    head = full_box(
        b"tfhd", 0, _BASE_IS_MOOF | sum(defaults),
        struct.pack(">I", track_id), *(struct.pack(">I", defaults[flag]) for flag in sorted(defaults)),
    )  # fmt: skip
    time = full_box(b"tfdt", 1, 0, struct.pack(">Q", samples[0].dts))
    return box(b"moof", full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)), box(b"traf", head, time, run))


def _layout(samples: Sequence[Sample]) -> tuple[dict[int, int], int, int]:
    """(tfhd defaults by flag, trun flags, first sample's flags): what is shared is a default."""
    defaults: dict[int, int] = {}
    per_run, first_flags = _DATA_OFFSET | _SIZE, 0
    if len({sample.duration for sample in samples}) == 1:
        defaults[0x8] = samples[0].duration
    else:
        per_run |= _DURATION
    kinds = [_flags(sample) for sample in samples]
    rest = set(kinds[1:])
    if len(rest) > 1:
        per_run |= _FLAGS
    else:
        defaults[0x20] = kinds[-1]
        if kinds[0] != kinds[-1]:
            per_run |= _FIRST_FLAGS
            first_flags = kinds[0]
    if any(sample.cts_offset for sample in samples):
        per_run |= _CTS
    return defaults, per_run, first_flags


def _flags(sample: Sample) -> int:
    return _SYNC if sample.keyframe else _NON_SYNC


def _row(sample: Sample, per_run: int) -> bytes:
    fields = [sample.duration] if per_run & _DURATION else []
    fields.append(len(sample.data))
    if per_run & _FLAGS:
        fields.append(_flags(sample))
    if per_run & _CTS:
        fields.append(sample.cts_offset & 0xFFFFFFFF)
    return struct.pack(f">{len(fields)}I", *fields)


def parse_chunk(data: bytes) -> Chunk:
    """Read one chunk of one track; CmafError unless it is whole, within the limits, and consistent.

    Boxes that may stand before the `moof` (styp, prft, emsg, sidx, free) are passed over.
    """
    track_id, sequence, base, run, start, mdat = _open_chunk(data)
    return Chunk(track_id, sequence, base, run.samples(base, start, mdat))


def keyframe_end(data: bytes) -> int:
    """How many bytes of a chunk reach to the end of its first sample: what an I-frame playlist lists of it.

    CmafError as for `parse_chunk`.
    """
    _, _, base, run, start, mdat = _open_chunk(data)
    return start + len(run.samples(base, start, mdat)[0].data)


def _open_chunk(data: bytes) -> tuple[int, int, int, "_Run", int, Box]:
    """(track id, sequence number, decode time, run, first byte of its samples, mdat) of a chunk."""
    if len(data) > MAX_CHUNK_BYTES + (1 << 20):
        raise CmafError(f"chunk of {len(data)} bytes, expected at most {MAX_CHUNK_BYTES + (1 << 20)}")
    top = list(iter_boxes(data))
    strange = [found.name for found in top if found.kind not in _KNOWN]
    moofs, mdats = ([found for found in top if found.kind == kind] for kind in (b"moof", b"mdat"))
    if strange or len(moofs) != 1 or len(mdats) != 1:
        raise CmafError(f"expected one moof and one mdat, found {', '.join(found.name for found in top) or 'nothing'}")
    sequence = FieldReader(data, child(data, moofs[0], b"mfhd"))
    sequence.version_and_flags()
    traf = child(data, moofs[0], b"traf")
    track_id, defaults = _track_defaults(data, child(data, traf, b"tfhd"))
    base = _decode_time(data, child(data, traf, b"tfdt"))
    run = _Run(data, child(data, traf, b"trun"), defaults)
    return track_id, sequence.uint(4), base, run, moofs[0].begin + run.data_offset, mdats[0]


def split_chunks(data: bytes) -> list[bytes]:
    """The chunks of a segment, in order; what stands before a `moof` (styp, prft, …) goes with it.

    CmafError unless it is whole chunks and nothing else.
    """
    chunks, begin = [], 0
    for found in iter_boxes(data, limit=MAX_SEGMENT_BOXES):
        if found.kind not in _KNOWN:
            raise CmafError(f"expected chunks, found a box {found.name!r}")
        if found.kind == b"mdat":
            chunks.append(data[begin : found.end])
            begin = found.end
    if begin != len(data) or not chunks:
        raise CmafError(f"expected whole chunks, found {len(chunks)} and {len(data) - begin} bytes more")
    return chunks


def _track_defaults(data: bytes, inside: Box) -> tuple[int, dict[int, int]]:
    read = FieldReader(data, inside)
    _, flags = read.version_and_flags()
    track_id = read.uint(4)
    if flags & 0x1 or not flags & _BASE_IS_MOOF:
        raise CmafError(f"tfhd flags {flags:#08x}, expected default-base-is-moof and no base data offset")
    if flags & 0x2:
        read.uint(4)
    return track_id, {flag: read.uint(4) for flag in (0x8, 0x10, 0x20) if flags & flag}


def _decode_time(data: bytes, inside: Box) -> int:
    read = FieldReader(data, inside)
    version, _ = read.version_and_flags()
    return read.uint(8 if version else 4)


class _Run:
    """A `trun` being read."""

    def __init__(self, data: bytes, inside: Box, defaults: dict[int, int]) -> None:
        self._data = data
        self._read = FieldReader(data, inside)
        self._defaults = defaults
        self._version, self._flags = self._read.version_and_flags()
        self._count = self._read.uint(4)
        if not 0 < self._count <= MAX_SAMPLES:
            raise CmafError(f"trun of {self._count} samples, expected 1 to {MAX_SAMPLES}")
        if not self._flags & _DATA_OFFSET:
            raise CmafError("trun without a data offset, expected one")
        self.data_offset = self._read.int32()
        self._first_flags = self._read.uint(4) if self._flags & _FIRST_FLAGS else None

    def samples(self, dts: int, at: int, mdat: Box) -> tuple[Sample, ...]:
        """The samples from decode time `dts` and byte `at`; all their bytes must lie in `mdat`."""
        if at < mdat.start:
            raise CmafError(f"sample data at byte {at}, expected it in the mdat at {mdat.start} to {mdat.end}")
        found = []
        for index in range(self._count):
            duration = self._field(_DURATION, 0x8, "duration")
            size = self._field(_SIZE, 0x10, "size")
            flags = self._sample_flags(index)
            offset = self._cts_offset()
            if at + size > mdat.end:
                raise CmafError(f"sample {index} of {size} bytes at byte {at} passes the end of the mdat at {mdat.end}")
            found.append(Sample(self._data[at : at + size], dts, offset, duration, not flags & _NON_SYNC_BIT))
            at += size
            dts += duration
        if dts > MAX_TIME:
            raise CmafError(f"decode times up to {dts}, expected at most {MAX_TIME}")
        return tuple(found)

    def _field(self, flag: int, default: int, name: str) -> int:
        if self._flags & flag:
            return self._read.uint(4)
        if default not in self._defaults:
            raise CmafError(f"sample {name} neither in the trun nor a default in the tfhd")
        return self._defaults[default]

    def _sample_flags(self, index: int) -> int:
        own = self._read.uint(4) if self._flags & _FLAGS else self._defaults.get(0x20, 0)
        return self._first_flags if index == 0 and self._first_flags is not None else own

    def _cts_offset(self) -> int:
        if not self._flags & _CTS:
            return 0
        return self._read.int32() if self._version else self._read.uint(4)
