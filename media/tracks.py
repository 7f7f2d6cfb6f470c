"""One track on its way out: what it is (`TrackFormat`), and the numbering of its chunks (`TrackWriter`)."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from media import av1
from media.aac import parse_audio_config, silent_frame
from media.cmaf import ProducerTime, Sample, audio_init, sequence_number, video_init, write_chunk
from media.cmaf_init import AUDIO_TRACK_ID, VIDEO_TIMESCALE, VIDEO_TRACK_ID, VideoConfig, parse_record
from media.h264 import AvcConfig, is_idr, with_four_byte_lengths
from media.h265 import HevcConfig, is_irap
from media.packaged import Chunk, Output, PackagerSettings, SegmentEnded, StartPosition, Track
from media.parts import PartBuilder
from media.timeline import Anchor

VideoCodec = Literal["avc1", "hvc1", "av01"]
"""H.264, H.265 and AV1, as their sample entries are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFormat:
    """A codec configuration and what follows from it.

    `codec` is that of video. `length_size` is the size of NAL unit lengths as they come in (they leave with 4). `frame_length` is in samples,
    `silence` a silent frame, both for audio.
    """

    track: Track
    track_id: int
    timescale: int
    config: bytes = field(repr=False)
    init: bytes = field(repr=False)
    codecs: str
    width: int = 0
    height: int = 0
    codec: VideoCodec = "avc1"
    announced_rate: Fraction | None = None
    length_size: int = 4
    sample_rate: int = 0
    channels: int = 0
    frame_length: int = 0
    silence: bytes | None = None

    @property
    def ladder_below(self) -> int:
        """Rungs whose shorter side is below this suit the picture; H.264 of its own size, where it is in another codec."""
        return min(self.width, self.height) + (self.codec != "avc1")

    def sample(self, data: bytes) -> tuple[bytes, bool]:
        """An access unit as it goes out, and whether decoding can begin there; a MediaError when it is malformed."""
        if self.codec == "av01":
            return av1.sample(data)
        data = with_four_byte_lengths(data, self.length_size)
        return data, is_irap(data) if self.codec == "hvc1" else is_idr(data)


def video_format(record: bytes, codec: VideoCodec = "avc1") -> TrackFormat:
    """The format that an avcC, hvcC or av1C describes; a MediaError when it cannot be read."""
    config = parse_record(codec.encode(), record)
    return TrackFormat(
        track="video",
        track_id=VIDEO_TRACK_ID,
        timescale=VIDEO_TIMESCALE,
        config=record,
        init=video_init(_outgoing(config)),
        codecs=config.codecs,
        codec=codec,
        width=config.picture.display_width,
        height=config.picture.height,
        announced_rate=config.picture.frame_rate,
        length_size=4 if isinstance(config, av1.Av1Config) else config.length_size,
    )


def _outgoing(config: VideoConfig) -> VideoConfig:
    """The configuration of access units as they go out: with NAL unit lengths of 4 bytes."""
    if isinstance(config, HevcConfig):
        return config.with_four_byte_lengths()
    return AvcConfig(4, config.sps, config.pps, config.sps_extensions) if isinstance(config, AvcConfig) else config


def audio_format(asc: bytes) -> TrackFormat:
    """The format that an AudioSpecificConfig describes; AacError when it cannot be read."""
    config = parse_audio_config(asc)
    return TrackFormat(
        track="audio",
        track_id=AUDIO_TRACK_ID,
        timescale=config.core_rate_hz,
        config=asc,
        init=audio_init(asc),
        codecs=config.codecs,
        sample_rate=config.sample_rate_hz,
        channels=config.channels,
        frame_length=config.frame_length,
        silence=silent_frame(config),
    )


class TrackWriter:
    """Makes chunks of samples and numbers them: `part` within a segment, `index` within a GOP.

    It keeps its part target over epochs, as long as the format stays.
    """

    def __init__(self, shape: TrackFormat, settings: PackagerSettings) -> None:
        video = shape.track == "video"
        self.format = shape
        self.gop = 0
        self.segment = 0
        self.chunks = 0
        self.end = 0
        self._parts = PartBuilder(
            shape.timescale,
            settings.part_target_ms,
            settings.max_chunk_bytes,
            announced=shape.announced_rate,
            video=video,
        )
        self._part = 0
        self._segment_ticks = 0
        self._start = StartPosition()
        self._anchor = Anchor(0, 0)

    @property
    def part_target_ms(self) -> int:
        """The part target to advertise for this track."""
        return self._parts.target_ms

    @property
    def segment_ms(self) -> float:
        """How long the open segment is, in chunks written."""
        return self._segment_ticks * 1000 / self.format.timescale

    def begin(self, start: StartPosition, anchor: Anchor) -> None:
        """Start an epoch."""
        self._start = start
        self._anchor = anchor
        self._parts.begin()

    def open_gop(self, gop: int, segment: int) -> None:
        """Number what follows from a GOP's start."""
        self.gop = gop
        self.chunks = 0
        self.open_segment(segment)

    def open_segment(self, segment: int) -> None:
        """Number what follows from a segment's start."""
        self.segment = segment
        self._part = 0
        self._segment_ticks = 0

    def add(self, sample: Sample) -> list[tuple[Sample, ...]]:
        """The parts that this sample completes; they are to be given to `write`."""
        return self._parts.add(sample)

    def flush(self) -> list[tuple[Sample, ...]]:
        """What is left of a part; to be given to `write`."""
        return self._parts.flush()

    def write(self, samples: tuple[Sample, ...]) -> Chunk:
        """The next chunk."""
        shape = self.format
        first, last = samples[0], samples[-1]
        self.end = last.dts + last.duration
        captured_ms = self._anchor.wall_ms(first.dts * 1000 // shape.timescale)
        chunk = Chunk(
            track=shape.track,
            gop=self.gop,
            segment=self.segment,
            part=self._part,
            index=self.chunks,
            epoch=self._start.epoch,
            dts=first.dts,
            duration=self.end - first.dts,
            timescale=shape.timescale,
            independent=first.keyframe,
            frames=len(samples),
            captured_ms=captured_ms,
            part_target_ms=self.part_target_ms,
            epoch_ms=self._start.media_time_ms,
            codecs=shape.codecs,
            width=shape.width,
            height=shape.height,
            frame_rate=self._parts.frame_rate if shape.track == "video" else 0.0,
            sample_rate=shape.sample_rate,
            channels=shape.channels,
            ladder_below=self._start.ladder_below,
            init=None if self.chunks else shape.init,
            data=write_chunk(
                shape.track_id,
                sequence_number(self.segment, self._part),
                samples,
                segment_start=self._part == 0,
                produced=ProducerTime(captured_ms, first.dts) if self._part == 0 else None,
            ),
        )
        self._part += 1
        self.chunks += 1
        self._segment_ticks += chunk.duration
        return chunk

    def ended(self) -> SegmentEnded:
        """That the open segment is complete as it is."""
        return SegmentEnded(
            track=self.format.track, gop=self.gop, segment=self.segment, parts=self._part, duration=self._segment_ticks
        )

    def end_segment(self) -> list[Output]:
        """The rest of the open segment, and that it ended."""
        rest: list[Output] = [self.write(part) for part in self.flush()]
        return [*rest, self.ended()]
