"""H.265 as it lies in MP4 and FLV: hvcC and length-prefixed access units (ISO/IEC 14496-15, 8.3; ITU-T H.265).

A picture from which decoding can begin is an IRAP picture: IDR, BLA or CRA (clause 3). Behind a CRA or BLA picture may come
leading pictures that cannot be decoded when one begins there (RASL); players and decoders leave them out.
"""

from dataclasses import dataclass, field

from media.h264 import MAX_AVCC_BYTES, H264Error, nal_units
from media.h264_sps import MAX_SPS_BYTES
from media.h265_sps import NAL_SPS, H265Error, Sps, parse_sps

__all__ = ["H265Error", "HevcConfig", "NalType", "Sps", "is_irap", "parse_hvcc", "parse_sps"]

MAX_ARRAYS = 16
_HEAD_BYTES = 23
_LENGTH_SIZE_AT = 21


class NalType:
    """The `nal_unit_type` values that matter here (table 7-1)."""

    BLA_W_LP = 16
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    LAST_IRAP = 23
    VPS = 32
    SPS = NAL_SPS
    PPS = 34


@dataclass(frozen=True, slots=True)
class HevcConfig:
    """An HEVCDecoderConfigurationRecord: `length_size` bytes before each NAL unit; `record` is its bytes."""

    length_size: int
    sps: bytes = field(repr=False)
    record: bytes = field(repr=False)
    picture: Sps = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", parse_sps(self.sps))

    @property
    def codecs(self) -> str:
        """The RFC 6381 name (ISO/IEC 14496-15, annex E.3), such as `hvc1.1.6.L93.90`."""
        profile = self.picture.profile_tier_level
        space = ("", "A", "B", "C")[profile[0] >> 6]
        compatible = int(f"{int.from_bytes(profile[1:5], 'big'):032b}"[::-1], 2)
        tier = "H" if profile[0] & 0x20 else "L"
        constraints = "".join(f".{byte:X}" for byte in profile[5:11].rstrip(b"\0"))
        return f"hvc1.{space}{profile[0] & 31}.{compatible:X}.{tier}{profile[11]}{constraints}"

    def with_four_byte_lengths(self) -> "HevcConfig":
        """The same configuration for access units whose NAL unit lengths have 4 bytes."""
        at = _LENGTH_SIZE_AT
        record = self.record[:at] + bytes((self.record[at] | 3,)) + self.record[at + 1 :]
        return HevcConfig(4, self.sps, record)


def parse_hvcc(data: bytes) -> HevcConfig:
    """Read an hvcC (8.3.3.1); H265Error when it is cut short or its parameter sets cannot be read."""
    if not _HEAD_BYTES <= len(data) <= MAX_AVCC_BYTES:
        raise H265Error(f"hvcC of {len(data)} bytes, expected {_HEAD_BYTES} to {MAX_AVCC_BYTES}")
    if data[0] != 1:
        raise H265Error(f"hvcC version {data[0]}, expected 1")
    length_size = (data[_LENGTH_SIZE_AT] & 3) + 1
    if length_size == 3:
        raise H265Error("hvcC: NAL unit lengths of 3 bytes, expected 1, 2 or 4")
    sets = _parameter_sets(data)
    for kind in (NalType.VPS, NalType.SPS, NalType.PPS):
        if not sets.get(kind):
            raise H265Error(f"hvcC without a parameter set of type {kind}, expected VPS, SPS and PPS")
    return HevcConfig(length_size, sets[NalType.SPS][0], data)


def _parameter_sets(data: bytes) -> dict[int, list[bytes]]:
    """NAL units by type."""
    at, found = _HEAD_BYTES, dict[int, list[bytes]]()
    if data[at - 1] > MAX_ARRAYS:
        raise H265Error(f"hvcC of {data[at - 1]} arrays, expected at most {MAX_ARRAYS}")
    for _ in range(data[at - 1]):
        head = data[at : at + 3]
        if len(head) < 3:
            raise H265Error(f"hvcC: expected an array at byte {at}, found the end")
        at += 3
        for _ in range(int.from_bytes(head[1:], "big")):
            size = int.from_bytes(data[at : at + 2], "big")
            nal = data[at + 2 : at + 2 + size]
            if not 2 < size <= MAX_SPS_BYTES or len(nal) != size:
                raise H265Error(f"hvcC: NAL unit of {size} bytes at byte {at}, found {len(nal)}, limit {MAX_SPS_BYTES}")
            if nal[0] >> 1 & 63 != head[0] & 63:
                raise H265Error(f"hvcC: NAL unit of type {nal[0] >> 1 & 63} at byte {at}, expected {head[0] & 63}")
            found.setdefault(head[0] & 63, []).append(nal)
            at += 2 + size
    return found


def is_irap(data: bytes) -> bool:
    """Whether a 4-byte length-prefixed access unit is an IRAP picture; H265Error when it is malformed."""
    try:
        kinds = {nal[0] >> 1 & 63 for nal in nal_units(data)}
    except H264Error as problem:
        raise H265Error(str(problem)) from problem
    return any(NalType.BLA_W_LP <= kind <= NalType.LAST_IRAP for kind in kinds)
