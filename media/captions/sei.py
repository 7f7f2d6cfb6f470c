"""Caption bytes out of coded pictures: cc_data in SEI messages of H.264 and HEVC, and in metadata of AV1.

The way in: a CMAF chunk holds samples, a sample holds NAL units with a length before each, a NAL unit of type SEI holds
messages (ITU-T H.264 7.3.2.3.1, H.265 7.3.5), one kind of which is registered user data (H.264 D.1.6, ITU-T T.35). What
ATSC registered begins with `GA94` and holds cc_data (ATSC A/53 part 4, 6.2.3; CTA-708-E 4.3): triplets of one byte that
says what they are and two bytes of it. AV1 has the same user data in an OBU of metadata (AV1 specification, 6.7.2).

Nearly all sources have none of that, and the four letters tell: no zero among them, so no emulation prevention splits
them, and a chunk without them is never looked at closer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from media.av1 import obus
from media.cmaf import parse_chunk
from media.h264 import nal_units

IDENTIFIER: Final = b"GA94"
_REGISTERED: Final = b"\xb5\x00\x31" + IDENTIFIER + b"\x03"
"""Country USA, provider ATSC, `GA94`, user_data_type_code 3: cc_data."""

_T35: Final = 4
_H264_SEI: Final = 6
_HEVC_SEI: Final = (39, 40)
_AV1_METADATA: Final = 5
_CODECS: Final = ("avc1", "avc3", "hvc1", "hev1", "av01")
MAX_MESSAGES: Final = 64
MAX_PICTURE_BYTES: Final = 3 * 31 * 4
"""One cc_data holds at most 31 triplets; a picture with more than four of them is a mistake."""
MAX_CHUNK_BYTES: Final = 64 * 1024

TRIPLET: Final = 3
VALID: Final = 0x04
_NULL_PAIR: Final = b"\x80\x80"
_EMPTY: Final = b"\xfc" + _NULL_PAIR


@dataclass(frozen=True, slots=True)
class CaptionPicture:
    """The caption bytes of one picture: when it is shown, in ticks of its track, and whole triplets."""

    pts: int
    data: bytes


def chunk_captions(data: bytes, codecs: str) -> tuple[CaptionPicture, ...]:
    """The pictures of a CMAF chunk that carry captions, in the order in which they are shown, without padding.

    `codecs` is the track's RFC 6381 name: H.264 and HEVC with NAL unit lengths of 4 bytes, or AV1; others have none.

    Raises:
        MediaError: the chunk or a sample of it cannot be read.
    """
    kind = codecs[:4]
    if IDENTIFIER not in data or kind not in _CODECS:
        return ()
    found, room = [], MAX_CHUNK_BYTES
    for sample in parse_chunk(data).samples:
        triplets = picture_captions(sample.data, kind)[:room]
        room -= len(triplets)
        if triplets:
            found.append(CaptionPicture(sample.dts + sample.cts_offset, triplets))
    return tuple(sorted(found, key=lambda picture: picture.pts))


def announces_captions(data: bytes, codecs: str) -> bool:
    """Whether a CMAF chunk has a place for captions of CEA-608, whatever is in it now: encoders then fill it all the time."""
    return codecs[:4] in _CODECS and IDENTIFIER in data and _EMPTY in data


def picture_captions(sample: bytes, codec: str = "avc1") -> bytes:
    """The triplets of one access unit (or temporal unit), without padding; empty where it has none.

    Raises:
        MediaError: the NAL units, or OBUs, do not fill it.
    """
    if IDENTIFIER not in sample:
        return b""
    bodies = _in_av1(sample) if codec == "av01" else _in_nal_units(sample, hevc=codec[0] == "h")
    return b"".join(map(_cc_data, bodies))[: MAX_PICTURE_BYTES // TRIPLET * TRIPLET]


def _in_nal_units(sample: bytes, *, hevc: bool) -> Iterator[bytes]:
    """The bodies of all messages of registered user data."""
    for nal in nal_units(sample):
        is_sei = (nal[0] >> 1 & 63) in _HEVC_SEI if hevc else nal[0] & 31 == _H264_SEI
        if is_sei and IDENTIFIER in nal:
            yield from _registered(without_emulation_prevention(nal[2 if hevc else 1 :]))


def _in_av1(sample: bytes) -> Iterator[bytes]:
    """The same of a temporal unit: an OBU of metadata is its type, which takes one byte here, and the body."""
    for kind, _, payload in obus(sample):
        if kind == _AV1_METADATA and payload[:1] == bytes((_T35,)):
            yield payload[1:]


def without_emulation_prevention(payload: bytes) -> bytes:
    """An RBSP: the payload of a NAL unit without the 3 of each 0 0 3 (H.264 7.3.1)."""
    return payload.replace(b"\0\0\3", b"\0\0")


def _registered(rbsp: bytes) -> Iterator[bytes]:
    """The bodies of all messages of registered user data; ends where a message passes the end."""
    at = 0
    for _ in range(MAX_MESSAGES):
        if len(rbsp) - at < 2:
            return
        kind, at = _sum(rbsp, at)
        size, at = _sum(rbsp, at)
        if at + size > len(rbsp):
            return
        if kind == _T35:
            yield rbsp[at : at + size]
        at += size


def _sum(rbsp: bytes, at: int) -> tuple[int, int]:
    """A number in bytes of which all but the last are 255, and where it ends."""
    total = 0
    while at < len(rbsp):
        total += rbsp[at]
        at += 1
        if rbsp[at - 1] != 255:
            break
    return total, at


def _cc_data(body: bytes) -> bytes:
    """The triplets of a message, without those that say nothing."""
    head = len(_REGISTERED)
    if not body.startswith(_REGISTERED) or len(body) < head + 2 or not body[head] & 0x40:  # process_cc_data_flag
        return b""
    count, first = body[head] & 31, head + 2
    whole = min(count, (len(body) - first) // TRIPLET)
    triplets = (body[at : at + TRIPLET] for at in range(first, first + whole * TRIPLET, TRIPLET))
    return b"".join(triplet for triplet in triplets if not _is_padding(triplet))


def _is_padding(triplet: bytes) -> bool:
    """Not valid; or a pair of line 21 that holds two nulls with their parity."""
    line_21 = triplet[0] & 3 < 2
    return not triplet[0] & VALID or (line_21 and triplet[1:] in (_NULL_PAIR, b"\0\0"))
