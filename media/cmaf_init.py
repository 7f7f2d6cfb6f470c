"""CMAF headers (initialization segments): `ftyp` and `moov` of one H.264, H.265, AV1 or AAC track, written and read.

Those of text are only written (ISO/IEC 14496-30).

Presentation times need no edit list: the first sample of a fragment is shown at its own decode time, and later ones
have signed composition offsets (the `cmf2` brand of ISO/IEC 23000-19). The same configuration gives the same bytes.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

from media.aac import AudioConfig, parse_audio_config
from media.av1 import Av1Config, parse_av1c
from media.boxes import Box, CmafError, FieldReader, box, child, descend, full_box, iter_boxes
from media.errors import MediaError
from media.h264 import AvcConfig, build_avcc, parse_avcc
from media.h265 import HevcConfig, parse_hvcc

VIDEO_TRACK_ID = 1
AUDIO_TRACK_ID = 2
TEXT_TRACK_ID = 3
TEXT_TIMESCALE = 1000
VIDEO_TIMESCALE = 90_000
MAX_INIT_BYTES = 65_536

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED_LANGUAGE = 0x55C4
_AAC_OBJECT_TYPE_INDICATION = 0x40
_AUDIO_STREAM = 0x15
_ES, _DECODER_CONFIG, _DECODER_SPECIFIC, _SL_CONFIG = 3, 4, 5, 6
_VISUAL_ENTRY_BYTES, _AUDIO_ENTRY_BYTES = 78, 28

_HANDLERS = {
    b"vide": (b"VideoHandler\0", full_box(b"vmhd", 0, 1, bytes(8))),
    b"soun": (b"SoundHandler\0", full_box(b"smhd", 0, 0, bytes(4))),
    b"text": (b"TextHandler\0", full_box(b"nmhd", 0, 0)),
}
"""What a track's handler is called, and its media header."""

VideoConfig = AvcConfig | HevcConfig | Av1Config
"""The decoder configuration of a video codec."""

_VISUAL_ENTRIES = {b"avc1": b"avcC", b"hvc1": b"hvcC", b"hev1": b"hvcC", b"av01": b"av1C"}


@dataclass(frozen=True, slots=True)
class InitInfo:
    """What a CMAF header says of its one track.

    `timescale` is ticks per second. `config` is the avcC, hvcC, av1C or AudioSpecificConfig. `width` and `height` are 0
    for audio, as is `display_width`, in square samples; `sample_rate` (Hz, out of the decoder) and `channels` are 0 for
    video. `codecs` is the RFC 6381 name.
    """

    kind: Literal["video", "audio"]
    track_id: int
    timescale: int
    codecs: str
    config: bytes = field(repr=False)
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    display_width: int = 0


def video_init(config: VideoConfig, *, timescale: int = VIDEO_TIMESCALE) -> bytes:
    """The CMAF header of a video track; NAL units, if it has any, have lengths of `config.length_size` bytes."""
    return _header(VIDEO_TRACK_ID, timescale, b"vide", _visual_entry(config), _display_size(config))


def audio_init(asc: bytes) -> bytes:
    """The CMAF header of an AAC track with this AudioSpecificConfig; its timescale is the core's sample rate."""
    config = parse_audio_config(asc)
    return _header(AUDIO_TRACK_ID, config.core_rate_hz, b"soun", _audio_entry(config, asc), (0, 0))


def text_init() -> bytes:
    """The CMAF header of a WebVTT track: of every one the same, for its cues say how they look themselves."""
    entry = box(b"wvtt", bytes(6), b"\0\1", box(b"vttC", b"WEBVTT"))
    return _header(TEXT_TRACK_ID, TEXT_TIMESCALE, b"text", entry, (0, 0))


def _header(track_id: int, timescale: int, handler: bytes, entry: bytes, size: tuple[int, int]) -> bytes:
    sound = handler == b"soun"
    movie = full_box(
        b"mvhd", 0, 0, struct.pack(">4I", 0, 0, 1000, 0), struct.pack(">IHHII", 0x10000, 0x100, 0, 0, 0),
        _MATRIX, bytes(24), struct.pack(">I", track_id + 1),
    )  # fmt: skip
    track = full_box(
        b"tkhd", 0, 3, struct.pack(">5I", 0, 0, track_id, 0, 0), bytes(8),
        struct.pack(">4H", 0, 0, 0x100 if sound else 0, 0), _MATRIX, struct.pack(">II", size[0] << 16, size[1] << 16),
    )  # fmt: skip
    media = full_box(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, timescale, 0, _UNDETERMINED_LANGUAGE, 0))
    name, kind = _HANDLERS[handler]
    handled = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name)
    here = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    table = box(
        b"stbl", full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry), full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)), full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)),
    )  # fmt: skip
    trak = box(b"trak", track, box(b"mdia", media, handled, box(b"minf", kind, here, table)))
    extends = box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">5I", track_id, 1, 0, 0, 0)))
    brands = box(b"ftyp", b"iso6", bytes(4), b"iso6", b"cmfc", b"cwvt" if handler == b"text" else b"cmf2")
    return brands + box(b"moov", movie, trak, extends)


def _visual_entry(config: VideoConfig) -> bytes:
    picture = config.picture
    across, down = picture.sample_aspect
    shape = box(b"pasp", struct.pack(">II", across, down)) if (across, down) != (1, 1) else b""
    kind, record = _record(config)
    return box(
        kind, bytes(6), b"\0\1", bytes(16), struct.pack(">HH", picture.width, picture.height),
        struct.pack(">II", 0x480000, 0x480000), bytes(4), b"\0\1", bytes(32), struct.pack(">Hh", 24, -1),
        box(_VISUAL_ENTRIES[kind], record), shape,
    )  # fmt: skip


def _record(config: VideoConfig) -> tuple[bytes, bytes]:
    """(sample entry, decoder configuration record)."""
    if isinstance(config, AvcConfig):
        return b"avc1", build_avcc(config)
    return b"hvc1" if isinstance(config, HevcConfig) else b"av01", config.record


def parse_record(kind: bytes, record: bytes) -> VideoConfig:
    """Read the avcC, hvcC or av1C of a sample entry of this kind; a MediaError when it is malformed."""
    if kind == b"avc1":
        return parse_avcc(record)
    return parse_av1c(record) if kind == b"av01" else parse_hvcc(record)


def _display_size(config: VideoConfig) -> tuple[int, int]:
    return min(config.picture.display_width, 0xFFFF), config.picture.height


def _audio_entry(config: AudioConfig, asc: bytes) -> bytes:
    decoder = bytes((_AAC_OBJECT_TYPE_INDICATION, _AUDIO_STREAM)) + bytes(3 + 4 + 4)
    specific = _descriptor(_DECODER_SPECIFIC, asc)
    stream = _descriptor(_ES, bytes(3), _descriptor(_DECODER_CONFIG, decoder, specific), _descriptor(_SL_CONFIG, b"\2"))
    rate = config.core_rate_hz if config.core_rate_hz <= 0xFFFF else 0  # a 16.16 number: 0 where it does not fit
    return box(
        b"mp4a", bytes(6), b"\0\1", bytes(8), struct.pack(">4HI", config.channels, 16, 0, 0, rate << 16),
        full_box(b"esds", 0, 0, stream),
    )  # fmt: skip


def _descriptor(tag: int, *parts: bytes) -> bytes:
    """An MPEG-4 descriptor (ISO/IEC 14496-1, 8.3.3) with its length in four bytes."""
    payload = b"".join(parts)
    size = len(payload)
    return bytes((tag, 0x80 | size >> 21 & 127, 0x80 | size >> 14 & 127, 0x80 | size >> 7 & 127, size & 127)) + payload


def parse_init(data: bytes) -> InitInfo:
    """Read the CMAF header of one H.264, H.265, AV1 or AAC track; CmafError for anything else."""
    if len(data) > MAX_INIT_BYTES:
        raise CmafError(f"CMAF header of {len(data)} bytes, expected at most {MAX_INIT_BYTES}")
    top = {found.kind: found for found in iter_boxes(data)}
    if b"moov" not in top:
        raise CmafError(f"expected a 'moov' box, found {', '.join(b.name for b in top.values()) or 'nothing'}")
    trak = child(data, top[b"moov"], b"trak")
    mdia = child(data, trak, b"mdia")
    track_id, timescale = _number(data, child(data, trak, b"tkhd")), _number(data, child(data, mdia, b"mdhd"))
    if not track_id or not timescale:
        raise CmafError(f"track id {track_id} and timescale {timescale}, expected both above 0")
    table = descend(data, mdia, b"minf", b"stbl", b"stsd")
    entries = list(iter_boxes(data, table.start + 8, table.end)) if table.end - table.start >= 8 else []
    if len(entries) != 1:
        raise CmafError(f"expected one sample entry, found {len(entries)}")
    try:
        return _track(data, entries[0], track_id, timescale)
    except CmafError:
        raise
    except MediaError as problem:
        raise CmafError(f"sample entry {entries[0].name}: {problem}") from problem


def _number(data: bytes, inside: Box) -> int:
    """The track id of a tkhd or the timescale of an mdhd: both lie behind two times."""
    read = FieldReader(data, inside)
    version, _ = read.version_and_flags()
    read.take(16 if version else 8)
    return read.uint(4)


def _track(data: bytes, entry: Box, track_id: int, timescale: int) -> InitInfo:
    if entry.kind in _VISUAL_ENTRIES:
        inner = child(data, entry, _VISUAL_ENTRIES[entry.kind], _VISUAL_ENTRY_BYTES)
        record = data[inner.start : inner.end]
        config = parse_record(entry.kind, record)
        size, display_width = (config.picture.width, config.picture.height), config.picture.display_width
        return InitInfo("video", track_id, timescale, config.codecs, record, *size, display_width=display_width)
    if entry.kind == b"mp4a":
        asc = _specific_config(data, child(data, entry, b"esds", _AUDIO_ENTRY_BYTES))
        audio = parse_audio_config(asc)
        rate = audio.sample_rate_hz
        return InitInfo("audio", track_id, timescale, audio.codecs, asc, sample_rate=rate, channels=audio.channels)
    raise CmafError(f"sample entry {entry.name!r}, expected 'avc1', 'hvc1', 'av01' or 'mp4a'")


def _specific_config(data: bytes, inside: Box) -> bytes:
    """The DecoderSpecificInfo of an esds: past the heads of the descriptors that hold it."""
    read = FieldReader(data, inside)
    read.version_and_flags()
    for tag, head in ((_ES, 3), (_DECODER_CONFIG, 13)):
        _descriptor_size(read, tag)
        read.take(head)
    return read.take(_descriptor_size(read, _DECODER_SPECIFIC))


def _descriptor_size(read: FieldReader, tag: int) -> int:
    found = read.uint(1)
    if found != tag:
        raise CmafError(f"esds: descriptor {found}, expected {tag}")
    size = 0
    for _ in range(4):
        byte = read.uint(1)
        size = size << 7 | byte & 127
        if not byte & 128:
            return size
    raise CmafError("esds: a descriptor length of more than four bytes")
