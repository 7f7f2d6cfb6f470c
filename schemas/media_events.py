"""Events of the media path: chunks, GOPs, parts, segments, and what keeps of them."""

from dataclasses import dataclass, field
from enum import StrEnum


class Track(StrEnum):
    """Kind of media of a chunk or rendition."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChunk:
    """One CMAF chunk of one track, as the streamer sent it (topic `media.source`)."""

    video_id: str
    channel: str
    track: Track
    gop: int
    segment: int
    part: int
    index: int
    epoch: int
    dts: int
    duration: int
    timescale: int
    independent: bool
    frames: int
    captured_ms: int
    received_ms: int
    codecs: str
    width: int
    height: int
    frame_rate: float
    sample_rate: int
    channels: int
    init: bytes | None = field(default=None, repr=False)
    data: bytes = field(repr=False)
    part_target_ms: int = 0
    epoch_ms: int = -1
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GopClosed:
    """No more chunks of a GOP will come (topic `media.source`); -1 chunks: unknown, its ingest died."""

    video_id: str
    channel: str
    gop: int
    first_segment: int
    last_segment: int
    video_chunks: int
    audio_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GopOpened:
    """A GOP begins, or an overlong one goes on in a further segment (topic `media.gops`); written before its chunks."""

    video_id: str
    channel: str
    gop: int
    segment: int
    epoch: int
    media_time_ms: int
    captured_ms: int
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """What a rendition is, for CODECS, RESOLUTION, FRAME-RATE."""

    codecs: str
    width: int
    height: int
    frame_rate: float
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReady:
    """A part of a rendition is in the segment store (topic `media.parts`)."""

    video_id: str
    channel: str
    rendition: str
    track: Track
    gop: int
    segment: int
    part: int
    epoch: int
    dts: int
    duration: int
    timescale: int
    independent: bool
    frames: int
    captured_ms: int
    received_ms: int
    name: str
    size: int
    sha256: bytes
    init: str
    info: TrackInfo | None = None
    part_target_ms: int = 0
    keyframe_size: int = 0
    epoch_ms: int = -1
    encoder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed:
    """A segment of a rendition is complete with `parts` parts; 0: it is lost (topic `media.parts`).

    `left_out`: it is not made now because the workers have no time for it.
    """

    video_id: str
    channel: str
    rendition: str
    gop: int
    segment: int
    parts: int
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentArchived:
    """A closed segment is in the cold store, but for the `missing` parts (topic `recordings`)."""

    video_id: str
    channel: str
    rendition: str
    segment: int
    size: int
    missing: tuple[int, ...]
    archived_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestMeasured:
    """How a publisher's stream arrives, every few seconds and once when it has gone (topic `ingest.health`)."""

    video_id: str
    channel: str
    connected_ms: int
    measured_ms: int
    span_ms: int
    left: bool
    problem: str
    encoder: str
    video_bytes: int
    audio_bytes: int
    video_frames: int
    audio_frames: int
    media_ms: int
    keyframe_ms: int
    since_keyframe_ms: int
    silence_ms: int
    width: int
    height: int
    frame_rate: float
    video_codecs: str
    audio_codecs: str
    sample_rate: int
    channels: int
    reordered: bool
    left_out: int
    silence_inserted: int
    leaps: int
    held_back: int
