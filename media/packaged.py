"""What the packager is given and what it gives: settings, where to start, and its outputs as facts."""

from dataclasses import dataclass, field
from typing import Literal

from media.errors import MediaError

Track = Literal["video", "audio"]


class PackagerError(MediaError):
    """A setting or a frame that the packager refuses. Its state is as before: the caller may drop the frame and go on."""


@dataclass(frozen=True, slots=True)
class PackagerSettings:
    """Lengths in ms of media time, sizes in bytes.

    `part_target_ms` is what parts are wanted to last at most; audio that does not fill it, and video whose frames last
    longer, have another target (see `media.parts`). `segment_max_ms` may be passed by less than half a second, which
    EXT-X-TARGETDURATION rounds away, so that a GOP of just that length stays whole. `audio_wait_ms` bounds how long one track's frames wait
    for the other's. Audio alone starts after `lone_audio_wait_ms` where nothing says that video will come, and is cut every
    `lone_audio_gop_ms`.
    """

    part_target_ms: int = 200
    segment_min_ms: int = 1000
    segment_max_ms: int = 10_000
    max_chunk_bytes: int = 6 << 20
    audio_wait_ms: int = 1000
    lone_audio_wait_ms: int = 1000
    lone_audio_gop_ms: int = 2000

    def __post_init__(self) -> None:
        _within("part_target_ms", self.part_target_ms, 100, 500)
        _within("segment_min_ms", self.segment_min_ms, self.part_target_ms, 10_000)
        _within("segment_max_ms", self.segment_max_ms, 2 * self.segment_min_ms, 60_000)
        _within("max_chunk_bytes", self.max_chunk_bytes, 1 << 16, 64 << 20)
        _within("audio_wait_ms", self.audio_wait_ms, 0, 5000)
        _within("lone_audio_wait_ms", self.lone_audio_wait_ms, 0, 5000)
        _within("lone_audio_gop_ms", self.lone_audio_gop_ms, self.segment_min_ms, self.segment_max_ms)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise PackagerError(f"{name} is {value}, expected {low} to {high}")


@dataclass(frozen=True, slots=True)
class StartPosition:
    """Where numbers and media time go on: the first GOP, segment and epoch to be used, and where media time stands.

    `captured_ms` is the earliest wall clock time that may be given to the first frame (0: any). `ladder_below` is above
    the shorter side of every rung of the ladder that was made so far.
    """

    gop: int = 0
    segment: int = 0
    epoch: int = 0
    media_time_ms: int = 0
    captured_ms: int = 0
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GopOpened:
    """A unit of work begins, at `media_time_ms`, with segment `segment`."""

    gop: int
    segment: int
    epoch: int
    media_time_ms: int
    captured_ms: int
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One CMAF chunk of one track: a part.

    `part` counts within (track, segment), `index` within (track, gop). `dts` (the chunk's `tfdt`) and `duration` are in
    ticks of `timescale`. `independent`: the first frame can be decoded without any other. `captured_ms` is wall clock
    time at `dts`; it advances exactly with media time, whatever the network does. `init` is the CMAF header, on the
    first chunk of each track of a GOP. `part_target_ms` is the length that this track's parts keep to. `epoch_ms` is the
    media time at which the epoch began.
    """

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
    part_target_ms: int
    epoch_ms: int
    codecs: str
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    ladder_below: int = 0
    init: bytes | None = field(default=None, repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnded:
    """A track's segment is complete with `parts` parts, lasting `duration` ticks of the track; both may be 0."""

    track: Track
    gop: int
    segment: int
    parts: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GopClosed:
    """No more chunks of a GOP will come; it had this many."""

    gop: int
    first_segment: int
    last_segment: int
    video_chunks: int
    audio_chunks: int


Output = GopOpened | Chunk | SegmentEnded | GopClosed


@dataclass(slots=True)
class PackagerCounts:
    """Frames that were left out, and why; silence that was put in. For metrics."""

    video_before_config: int = 0
    video_before_idr: int = 0
    audio_before_config: int = 0
    audio_out_of_time: int = 0
    keyframes_without_idr: int = 0
    silence_inserted: int = 0
