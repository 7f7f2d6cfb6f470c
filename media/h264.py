"""H.264 as it lies in MP4 and FLV: avcC, length-prefixed access units, Annex B (ISO/IEC 14496-15, ITU-T H.264 annex B)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from media.h264_sps import MAX_SPS_BYTES, PROFILES_WITH_CHROMA, H264Error, Sps, parse_sps

__all__ = [
    "AvcConfig",
    "H264Error",
    "NalType",
    "Sps",
    "access_unit",
    "annex_b",
    "annex_b_nals",
    "avc_config",
    "build_avcc",
    "is_idr",
    "nal_units",
    "parse_avcc",
    "parse_sps",
    "with_four_byte_lengths",
]

MAX_NALS = 4096
MAX_AVCC_BYTES = 16_384
_START_CODE = re.compile(b"\0\0\1")


class NalType:
    """The `nal_unit_type` values that matter here (table 7-1)."""

    SLICE = 1
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    DELIMITER = 9
    SPS_EXTENSION = 13


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """An AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3): `length_size` bytes before each NAL unit."""

    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    sps_extensions: tuple[bytes, ...] = ()
    picture: Sps = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not self.sps or not self.pps:
            raise H264Error(f"avcC with {len(self.sps)} SPS and {len(self.pps)} PPS, expected at least one of each")
        object.__setattr__(self, "picture", parse_sps(self.sps[0]))

    @property
    def codecs(self) -> str:
        """The RFC 6381 name: `avc1.` and profile, constraints and level in hexadecimal."""
        return f"avc1.{self.sps[0][1:4].hex()}"


def parse_avcc(data: bytes) -> AvcConfig:
    """Read an avcC; H264Error when it is cut short or its parameter sets cannot be read."""
    if not 7 <= len(data) <= MAX_AVCC_BYTES:
        raise H264Error(f"avcC of {len(data)} bytes, expected 7 to {MAX_AVCC_BYTES}")
    if data[0] != 1:
        raise H264Error(f"avcC version {data[0]}, expected 1")
    length_size = (data[4] & 3) + 1
    if length_size == 3:
        raise H264Error("avcC: NAL unit lengths of 3 bytes, expected 1, 2 or 4")
    sps, at = _parameter_sets(data, 6, data[5] & 31, NalType.SPS)
    if at >= len(data):
        raise H264Error(f"avcC: expected a count of PPS at byte {at}, found the end")
    pps, at = _parameter_sets(data, at + 1, data[at], NalType.PPS)
    extensions: tuple[bytes, ...] = ()
    if data[1] in PROFILES_WITH_CHROMA and len(data) >= at + 4:
        extensions, at = _parameter_sets(data, at + 4, data[at + 3], NalType.SPS_EXTENSION)
    return AvcConfig(length_size, sps, pps, extensions)


def _parameter_sets(data: bytes, at: int, count: int, kind: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    for _ in range(count):
        size = int.from_bytes(data[at : at + 2], "big")
        nal = data[at + 2 : at + 2 + size]
        if not 0 < size <= MAX_SPS_BYTES or len(nal) != size:
            raise H264Error(
                f"avcC: parameter set of {size} bytes at byte {at}, found {len(nal)}, limit {MAX_SPS_BYTES}"
            )
        if nal[0] & 31 != kind:
            raise H264Error(f"avcC: NAL unit of type {nal[0] & 31} at byte {at}, expected {kind}")
        found.append(nal)
        at += 2 + size
    return tuple(found), at


def build_avcc(config: AvcConfig) -> bytes:
    """The bytes of an avcC; the high profiles get their chroma fields (5.3.3.1.2)."""
    first = config.sps[0]
    parts = [bytes((1, *first[1:4], 0xFC | (config.length_size - 1), 0xE0 | len(config.sps)))]
    parts += [_sized(nal) for nal in config.sps]
    parts += [bytes((len(config.pps),)), *(_sized(nal) for nal in config.pps)]
    if first[1] in PROFILES_WITH_CHROMA:
        picture = config.picture
        depths = (0xF8 | (picture.bit_depth_luma - 8), 0xF8 | (picture.bit_depth_chroma - 8))
        parts += [bytes((0xFC | picture.chroma_format, *depths, len(config.sps_extensions)))]
        parts += [_sized(nal) for nal in config.sps_extensions]
    return b"".join(parts)


def _sized(nal: bytes) -> bytes:
    return len(nal).to_bytes(2, "big") + nal


def avc_config(stream: bytes) -> AvcConfig:
    """The configuration from the SPS and PPS in Annex B bytes (an encoder's extradata), for 4-byte lengths."""
    sets: dict[int, list[bytes]] = {NalType.SPS: [], NalType.PPS: [], NalType.SPS_EXTENSION: []}
    for nal in annex_b_nals(stream):
        kept = sets.get(nal[0] & 31)
        if kept is not None and nal not in kept:
            kept.append(nal)
    return AvcConfig(
        4, tuple(sets[NalType.SPS]), tuple(sets[NalType.PPS]), sps_extensions=tuple(sets[NalType.SPS_EXTENSION])
    )


def nal_units(data: bytes, length_size: int = 4) -> Iterator[bytes]:
    """The NAL units of a length-prefixed access unit; H264Error unless they fill it exactly."""
    at, count = 0, 0
    while at < len(data):
        start = at + length_size
        size = int.from_bytes(data[at:start], "big")
        at = start + size
        count += 1
        if not size or at > len(data):
            raise H264Error(f"NAL unit of {size} bytes at byte {start} of an access unit of {len(data)}")
        if count > MAX_NALS:
            raise H264Error(f"access unit of more than {MAX_NALS} NAL units")
        yield data[start:at]


def is_idr(data: bytes, length_size: int = 4) -> bool:
    """Whether a length-prefixed access unit is an IDR picture: decoding can begin here. Reads every NAL header."""
    kinds = {nal[0] & 31 for nal in nal_units(data, length_size)}
    return NalType.IDR in kinds


def annex_b_nals(stream: bytes) -> Iterator[bytes]:
    """The NAL units between start codes (annex B.1), without trailing zeros; H264Error when there are too many."""
    starts = [found.end() for found in _START_CODE.finditer(stream)]
    if len(starts) > MAX_NALS:
        raise H264Error(f"byte stream of {len(starts)} NAL units, expected at most {MAX_NALS}")
    ends = [start - 3 for start in starts[1:]] + [len(stream)]
    for start, end in zip(starts, ends, strict=False):
        nal = stream[start:end].rstrip(b"\0")
        if nal:
            yield nal


def access_unit(nals: Iterable[bytes]) -> bytes:
    """NAL units with 4-byte lengths before them, as MP4 holds them."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def annex_b(data: bytes, config: AvcConfig | None = None) -> bytes:
    """A 4-byte length-prefixed access unit as Annex B, behind the parameter sets of `config` where it is given."""
    sets = (*config.sps, *config.pps) if config else ()
    return b"".join(b"\0\0\0\1" + nal for nal in (*sets, *nal_units(data)))


def with_four_byte_lengths(data: bytes, length_size: int) -> bytes:
    """The same access unit with lengths of 4 bytes."""
    return data if length_size == 4 else access_unit(nal_units(data, length_size))
