"""AV1 as it lies in MP4 and FLV: av1C and temporal units of OBUs (AV1 specification; AV1 in ISOBMFF, 2.2 to 2.4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from media.bits import BitReader
from media.errors import MediaError

MAX_RECORD_BYTES = 16_384
MAX_OBUS = 4096
MAX_FRAME_RATE = 1000
_MAX_LEB_BYTES = 8
_KEY_FRAME = 0
_PROFESSIONAL = 2
_SELECT = 2


class Av1Error(MediaError):
    """AV1 bytes that cannot be read, or that exceed a limit."""


class ObuType:
    """The `obu_type` values that matter here (6.2.2)."""

    SEQUENCE_HEADER = 1
    TEMPORAL_DELIMITER = 2
    FRAME_HEADER = 3
    TILE_GROUP = 4
    FRAME = 6
    PADDING = 15


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence header says (5.5); `frame_rate` is frames per second, None where it is not said."""

    profile: int
    level: int
    high_tier: bool
    bit_depth: int
    width: int
    height: int
    frame_rate: Fraction | None = None
    still: bool = False

    @property
    def sample_aspect(self) -> tuple[int, int]:
        """Samples are square: a sequence header says nothing else."""
        return 1, 1

    @property
    def display_width(self) -> int:
        """Width in square samples."""
        return self.width


@dataclass(frozen=True, slots=True)
class Av1Config:
    """An AV1CodecConfigurationRecord; `record` is its bytes."""

    record: bytes = field(repr=False)
    picture: Sequence

    @property
    def codecs(self) -> str:
        """The codec parameter string (AV1 in ISOBMFF, section 5), such as `av01.0.04M.08`."""
        picture = self.picture
        tier = "H" if picture.high_tier else "M"
        return f"av01.{picture.profile}.{picture.level:02d}{tier}.{picture.bit_depth:02d}"


def parse_av1c(data: bytes) -> Av1Config:
    """Read an av1C; Av1Error when it is malformed or has no sequence header."""
    if not 4 < len(data) <= MAX_RECORD_BYTES:
        raise Av1Error(f"av1C of {len(data)} bytes, expected 5 to {MAX_RECORD_BYTES}: four and a sequence header")
    if data[0] != 0x81:
        raise Av1Error(f"av1C begins with {data[0]:#04x}, expected 0x81: marker and version 1")
    for kind, _, payload in obus(data[4:]):
        if kind == ObuType.SEQUENCE_HEADER:
            return Av1Config(data, parse_sequence_header(payload))
    raise Av1Error("av1C without a sequence header, expected one")


def obus(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(type, whole OBU, payload) of each OBU in a temporal unit; Av1Error unless they fill it.

    Only the last may do without a size (5.3.1); it is then given one.
    """
    at, count = 0, 0
    while at < len(data):
        head = data[at]
        start = at + (2 if head & 4 else 1)
        if head & 0x80 or start > len(data):
            raise Av1Error(f"OBU header {head:#04x} at byte {at} of {len(data)}, expected a forbidden bit of 0")
        size, begin = _leb128(data, start) if head & 2 else (len(data) - start, start)
        if begin + size > len(data):
            raise Av1Error(f"OBU of {size} bytes at byte {at}, found {len(data) - begin}")
        if (count := count + 1) > MAX_OBUS:
            raise Av1Error(f"temporal unit of more than {MAX_OBUS} OBUs")
        payload = data[begin : begin + size]
        whole = data[at : begin + size] if head & 2 else _sized(data[at:start], payload)
        yield head >> 3 & 15, whole, payload
        at = begin + size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends)."""
    value = 0
    for index, byte in enumerate(data[at : at + _MAX_LEB_BYTES]):
        value |= (byte & 127) << 7 * index
        if not byte & 128:
            return value, at + index + 1
    raise Av1Error(f"OBU size at byte {at} does not end within {_MAX_LEB_BYTES} bytes")


def _sized(header: bytes, payload: bytes) -> bytes:
    left, size = len(payload), bytearray()
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    size.append(left)
    return bytes((header[0] | 2, *header[1:], *size)) + payload


def sample(data: bytes) -> tuple[bytes, bool]:
    """A temporal unit as MP4 holds it, and whether decoding can begin there: its first frame is a shown key frame.

    Temporal delimiters, padding and tile lists are left out (AV1 in ISOBMFF, 2.4). Av1Error when it is malformed.
    """
    kept, key = [], None
    for kind, whole, payload in obus(data):
        if kind in (ObuType.TEMPORAL_DELIMITER, ObuType.PADDING):
            continue
        kept.append(whole)
        if kind in (ObuType.FRAME, ObuType.FRAME_HEADER) and key is None:
            key = bool(payload) and not payload[0] & 0x80 and payload[0] >> 5 & 3 == _KEY_FRAME and payload[0] & 16 > 0
    if key is None:
        raise Av1Error(f"temporal unit of {len(data)} bytes without a frame")
    return b"".join(kept), key


def parse_sequence_header(payload: bytes) -> Sequence:
    """Read the payload of a sequence header OBU (5.5.1); Av1Error when it is cut short."""
    read = BitReader(payload, "sequence header", Av1Error)
    profile, still, reduced = read.bits(3), read.flag(), read.flag()
    if profile > _PROFESSIONAL:
        raise Av1Error(f"sequence header: profile {profile} is reserved, expected 0 to 2")
    rate: Fraction | None = None
    if reduced:
        level, tier = read.bits(5), False
    else:
        rate, level, tier = _operating(read)
    width_bits, height_bits = read.bits(4) + 1, read.bits(4) + 1
    width, height = read.bits(width_bits) + 1, read.bits(height_bits) + 1
    _skip_tools(read, reduced=reduced)
    return Sequence(profile, level, tier, _bit_depth(read, profile), width, height, rate, still)


def _operating(read: BitReader) -> tuple[Fraction | None, int, bool]:
    """(frame rate, level, high tier) of the first operating point, and past all of them."""
    rate, delay_bits = None, 0
    if read.flag():
        rate = _timing(read)
        if read.flag():
            delay_bits = read.bits(5) + 1
            read.skip(32 + 5 + 5)  # num_units_in_decoding_tick, lengths of removal and presentation times
    delays = read.flag()
    points = []
    for _ in range(read.bits(5) + 1):
        read.skip(12)  # operating_point_idc
        level = read.bits(5)
        points.append((level, level > 7 and read.flag()))
        if delay_bits and read.flag():
            read.skip(2 * delay_bits + 1)
        if delays:
            read.skip(4 if read.flag() else 0)
    return rate, *points[0]


def _timing(read: BitReader) -> Fraction | None:
    """Frames per second, where all last equally long (5.5.3)."""
    units, scale = read.bits(32), read.bits(32)
    ticks = 1 + read.ue() if read.flag() else 0
    if not units or not ticks or not 0 < scale <= units * ticks * MAX_FRAME_RATE:
        return None
    return Fraction(scale, units * ticks)


def _skip_tools(read: BitReader, *, reduced: bool) -> None:
    """From the frame ids to the colours (5.5.1)."""
    if not reduced and read.flag():
        read.skip(7)  # lengths of frame ids
    read.skip(3)  # 128x128 superblocks, filter intra, intra edge filter
    if not reduced:
        read.skip(4)  # interintra, masked, warped motion, dual filter
        order = read.flag()
        if order:
            read.skip(2)  # joint compound, reference motion vectors
        screen = _SELECT if read.flag() else read.bits(1)
        if screen and not read.flag():
            read.skip(1)  # seq_force_integer_mv
        if order:
            read.skip(3)  # order_hint_bits_minus_1
    read.skip(3)  # superres, cdef, restoration


def _bit_depth(read: BitReader, profile: int) -> int:
    high = read.flag()
    twelve = profile == _PROFESSIONAL and high and read.flag()
    return 12 if twelve else 10 if high else 8
