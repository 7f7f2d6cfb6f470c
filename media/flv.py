"""Bodies of FLV audio and video tags, which are also the bodies of RTMP audio and video messages.

Legacy tags: Adobe Flash Video File Format Specification 10.1, E.4.2 (audio) and E.4.3 (video). Enhanced tags: Enhanced
RTMP v2, "Enhanced Audio" and "Enhanced Video": the first byte says so (bit 7 of video, sound format 9 of audio), and a
FourCC names the codec. Codec id 12 is HEVC in tags that look like AVC ones, as Chinese CDNs and cameras send it.

Whatever the bytes, nothing but `FlvError` is raised.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class FlvError(ValueError):
    """A tag body that cannot be read; the message says what was expected and found."""


class TagKind(Enum):
    """What a tag carries."""

    CONFIG = "config"
    """The decoder's configuration: avcC, hvcC, av1C, AudioSpecificConfig, Opus ID header."""
    FRAME = "frame"
    END = "end"
    """No more frames of this sequence."""
    METADATA = "metadata"
    """HDR information, channel layout, seek commands: nothing that a decoder is fed with."""


class VideoCodec(Enum):
    """Video codecs that have a name in FLV."""

    H264 = "h264"
    HEVC = "hevc"
    VVC = "vvc"
    AV1 = "av1"
    VP8 = "vp8"
    VP9 = "vp9"
    SORENSON_H263 = "flv1"
    SCREEN = "flashsv"
    SCREEN_2 = "flashsv2"
    VP6 = "vp6f"
    VP6_ALPHA = "vp6a"
    UNKNOWN = "unknown"


class AudioCodec(Enum):
    """Audio codecs that have a name in FLV."""

    AAC = "aac"
    MP3 = "mp3"
    OPUS = "opus"
    FLAC = "flac"
    AC3 = "ac3"
    EAC3 = "eac3"
    PCM = "pcm"
    ADPCM = "adpcm_swf"
    G711_A_LAW = "pcm_alaw"
    G711_MU_LAW = "pcm_mulaw"
    NELLYMOSER = "nellymoser"
    SPEEX = "speex"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VideoTag:
    """One video tag.

    `data` is what the kind says, in the codec's MP4 form (H.264 and HEVC frames: NAL units after their length).
    Presentation comes `composition_ms` after decoding. `codec_name` is the FourCC or `codec N`, for messages about codecs
    that are not known. `offset_ns` (0 to 999,999) refines the message's timestamp, `track_id` is 0 for the default track.
    """

    codec: VideoCodec
    kind: TagKind
    keyframe: bool
    composition_ms: int
    data: bytes
    codec_name: str
    offset_ns: int = 0
    track_id: int = 0


@dataclass(frozen=True, slots=True)
class AudioTag:
    """One audio tag; fields as in `VideoTag`.

    `sample_rate_hz` and `channels` are those of the tag's header. They are None for AAC and for enhanced tags, where only
    the configuration knows.
    """

    codec: AudioCodec
    kind: TagKind
    data: bytes
    codec_name: str
    sample_rate_hz: int | None = None
    channels: int | None = None
    offset_ns: int = 0
    track_id: int = 0


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """What `onMetaData` claims of a stream; None where it says nothing believable."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    video_kbps: float | None = None
    audio_kbps: float | None = None
    encoder: str | None = None


_VIDEO_IDS: Final = {
    2: VideoCodec.SORENSON_H263,
    3: VideoCodec.SCREEN,
    4: VideoCodec.VP6,
    5: VideoCodec.VP6_ALPHA,
    6: VideoCodec.SCREEN_2,
    7: VideoCodec.H264,
    12: VideoCodec.HEVC,
}
_VIDEO_FOURCCS: Final = {
    b"avc1": VideoCodec.H264,
    b"hvc1": VideoCodec.HEVC,
    b"vvc1": VideoCodec.VVC,
    b"av01": VideoCodec.AV1,
    b"vp08": VideoCodec.VP8,
    b"vp09": VideoCodec.VP9,
}
_WITH_COMPOSITION = frozenset({VideoCodec.H264, VideoCodec.HEVC, VideoCodec.VVC})
_AUDIO_IDS: Final = {
    0: AudioCodec.PCM,
    1: AudioCodec.ADPCM,
    2: AudioCodec.MP3,
    3: AudioCodec.PCM,
    4: AudioCodec.NELLYMOSER,
    5: AudioCodec.NELLYMOSER,
    6: AudioCodec.NELLYMOSER,
    7: AudioCodec.G711_A_LAW,
    8: AudioCodec.G711_MU_LAW,
    10: AudioCodec.AAC,
    11: AudioCodec.SPEEX,
    14: AudioCodec.MP3,
}
_AUDIO_FOURCCS: Final = {
    b"mp4a": AudioCodec.AAC,
    b".mp3": AudioCodec.MP3,
    b"Opus": AudioCodec.OPUS,
    b"fLaC": AudioCodec.FLAC,
    b"ac-3": AudioCodec.AC3,
    b"ec-3": AudioCodec.EAC3,
}
_FIXED_RATES: Final = {4: 16_000, 5: 8_000, 7: 8_000, 8: 8_000, 11: 16_000, 14: 8_000}
_RATES: Final = (5_512, 11_025, 22_050, 44_100)

_EX_HEADER, _AAC = 9, 10
_KEY_FRAMES = frozenset({1, 4})  # a key frame, and one "generated" by a server
_COMMAND_FRAME = 5
_LEGACY_KINDS: Final = (TagKind.CONFIG, TagKind.FRAME, TagKind.END)

_MOD_EX, _ONE_TRACK = 7, 0
_VIDEO_MULTITRACK, _AUDIO_MULTITRACK = 6, 5
_CODED_FRAMES = 1
_VIDEO_METADATA = 4
_VIDEO_KINDS: Final = {
    0: TagKind.CONFIG,
    1: TagKind.FRAME,
    2: TagKind.END,
    3: TagKind.FRAME,
    4: TagKind.METADATA,
    5: TagKind.CONFIG,
}
_AUDIO_KINDS: Final = {0: TagKind.CONFIG, 1: TagKind.FRAME, 2: TagKind.END, 4: TagKind.METADATA}


def parse_video(body: bytes) -> VideoTag:
    """Read the body of a video tag.

    Raises:
        FlvError: it is empty, ends early, or uses a packet type or several tracks that are not understood.
    """
    first = _Body(body, "video").byte()
    frame_type = first >> 4 & 7
    if first & 0x80:
        return _enhanced_video(body, frame_type)
    codec = _VIDEO_IDS.get(first & 15, VideoCodec.UNKNOWN)
    name, key = f"codec {first & 15}", frame_type in _KEY_FRAMES
    if frame_type == _COMMAND_FRAME:
        return VideoTag(codec, TagKind.METADATA, False, 0, body[1:], name)
    if codec not in _WITH_COMPOSITION:
        return VideoTag(codec, TagKind.FRAME, key, 0, body[1:], name)
    reader = _Body(body, "video", position=1)
    kind = _legacy_kind(reader.byte(), "AVC packet type", _LEGACY_KINDS)
    if kind is TagKind.END:
        return VideoTag(codec, kind, key, 0, b"", name)
    composition_ms = reader.signed24()
    return VideoTag(codec, kind, key, composition_ms if kind is TagKind.FRAME else 0, reader.rest(), name)


def parse_audio(body: bytes) -> AudioTag:
    """Read the body of an audio tag. An empty one means silence and is an END of no particular codec.

    Raises:
        FlvError: it ends early, or uses a packet type or several tracks that are not understood.
    """
    if not body:
        return AudioTag(AudioCodec.UNKNOWN, TagKind.END, b"", "silence")
    sound_format = body[0] >> 4
    if sound_format == _EX_HEADER:
        return _enhanced_audio(body)
    codec = _AUDIO_IDS.get(sound_format, AudioCodec.UNKNOWN)
    name = f"codec {sound_format}"
    if sound_format == _AAC:
        reader = _Body(body, "audio", position=1)
        kind = _legacy_kind(reader.byte(), "AAC packet type", _LEGACY_KINDS[:2])
        return AudioTag(codec, kind, reader.rest(), name)
    rate = _FIXED_RATES.get(sound_format, _RATES[body[0] >> 2 & 3])
    return AudioTag(codec, TagKind.FRAME, body[1:], name, sample_rate_hz=rate, channels=1 + (body[0] & 1))


def read_metadata(values: Mapping[str, object]) -> StreamMetadata:
    """Give the believable part of an `onMetaData` object (FLV E.5; E-RTMP v2, "Enhancing onMetaData")."""
    width, height = _number(values.get("width"), 16_384), _number(values.get("height"), 16_384)
    encoder = values.get("encoder")
    return StreamMetadata(
        width=round(width) or None if width else None,
        height=round(height) or None if height else None,
        frame_rate=_number(values.get("framerate"), 1_000),
        video_kbps=_number(values.get("videodatarate"), 1_000_000),
        audio_kbps=_number(values.get("audiodatarate"), 100_000),
        encoder=encoder[:128] or None if isinstance(encoder, str) else None,
    )


def _number(value: object, largest: float) -> float | None:
    """Give a positive, finite number up to `largest`; encoders write 0 for what they do not know."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 < value <= largest else None


def _legacy_kind(packet_type: int, what: str, kinds: tuple[TagKind, ...]) -> TagKind:
    if packet_type >= len(kinds):
        raise FlvError(f"found {what} {packet_type}, expected 0 to {len(kinds) - 1}")
    return kinds[packet_type]


def _enhanced_video(body: bytes, frame_type: int) -> VideoTag:
    reader = _Body(body, "video", position=1)
    packet_type, offset_ns = reader.past_extensions(body[0] & 15)
    if frame_type == _COMMAND_FRAME and packet_type != _VIDEO_METADATA:
        return VideoTag(VideoCodec.UNKNOWN, TagKind.METADATA, False, 0, reader.rest(), "command", offset_ns)
    packet_type, fourcc, track_id = reader.track(packet_type, _VIDEO_MULTITRACK)
    kind = _VIDEO_KINDS.get(packet_type)
    if kind is None:
        raise FlvError(f"found VideoPacketType {packet_type}, expected 0 to 5")
    codec = _VIDEO_FOURCCS.get(fourcc, VideoCodec.UNKNOWN)
    composed = packet_type == _CODED_FRAMES and codec in _WITH_COMPOSITION
    composition_ms = reader.signed24() if composed else 0
    keyframe = frame_type in _KEY_FRAMES and kind is not TagKind.METADATA
    return VideoTag(codec, kind, keyframe, composition_ms, reader.rest(), _readable(fourcc), offset_ns, track_id)


def _enhanced_audio(body: bytes) -> AudioTag:
    reader = _Body(body, "audio", position=1)
    packet_type, offset_ns = reader.past_extensions(body[0] & 15)
    packet_type, fourcc, track_id = reader.track(packet_type, _AUDIO_MULTITRACK)
    kind = _AUDIO_KINDS.get(packet_type)
    if kind is None:
        raise FlvError(f"found AudioPacketType {packet_type}, expected 0, 1, 2 or 4")
    codec = _AUDIO_FOURCCS.get(fourcc, AudioCodec.UNKNOWN)
    return AudioTag(codec, kind, reader.rest(), _readable(fourcc), offset_ns=offset_ns, track_id=track_id)


def _readable(fourcc: bytes) -> str:
    return fourcc.decode("ascii", "backslashreplace")


class _Body:
    """A position in the body of a tag."""

    __slots__ = ("_data", "_position", "_what")

    def __init__(self, data: bytes, what: str, *, position: int = 0) -> None:
        self._data = data
        self._what = what
        self._position = position

    def take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) < size:
            raise FlvError(
                f"{self._what} tag of {len(self._data)} bytes ends early: "
                f"read {len(taken)} bytes at offset {self._position}, expected {size}"
            )
        self._position += size
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def signed24(self) -> int:
        return int.from_bytes(self.take(3), "big", signed=True)

    def rest(self) -> bytes:
        return self._data[self._position :]

    def past_extensions(self, packet_type: int) -> tuple[int, int]:
        """Step over ModEx packets; give the packet type behind them, and the nanoseconds that one of them may add."""
        offset_ns = 0
        while packet_type == _MOD_EX:
            size = self.byte() + 1
            if size == 256:
                size = int.from_bytes(self.take(2), "big") + 1
            data = self.take(size)
            types = self.byte()
            packet_type = types & 15
            if types >> 4 == 0 and size >= 3:
                offset_ns = min(int.from_bytes(data[:3], "big"), 999_999)
        return packet_type, offset_ns

    def track(self, packet_type: int, multitrack: int) -> tuple[int, bytes, int]:
        """Read the FourCC, and the track header if there is one; give packet type, FourCC and track id."""
        if packet_type != multitrack:
            return packet_type, self.take(4), 0
        types = self.byte()
        if types >> 4 != _ONE_TRACK:
            raise FlvError(f"found multitrack type {types >> 4} in a {self._what} tag, expected 0: one track a message")
        fourcc = self.take(4)
        return types & 15, fourcc, self.byte()
