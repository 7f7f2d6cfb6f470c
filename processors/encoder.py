"""Scales and encodes the pictures of one GOP into one rendition.

The output depends on the input alone: one thread, no clock, no scene detection, a fresh encoder each GOP. So a GOP that
is done twice, by any worker, gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

from media.cmaf import ProducerTime, Sample, sequence_number, video_init, write_chunk
from media.cmaf_init import VIDEO_TRACK_ID
from media.h264 import AvcConfig, NalType, access_unit, annex_b_nals, avc_config
from media.ladder import Rendition
from processors.encoder_identity import encoder_identity
from processors.gop_plan import GopPlan, PlannedPart
from schemas.events import TrackInfo

_NEVER: Final = 1_000_000
_KEPT: Final = frozenset({NalType.SLICE, NalType.IDR})
"""Of the encoder's NAL units the slices alone: parameter sets are in the init segment, x264's 700 bytes of SEI tell
nobody anything."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and its number within the GOP; `idr`: a segment starts with it."""

    number: int
    frame: VideoFrame
    idr: bool


@dataclass(frozen=True, slots=True)
class MadePart:
    """A part of a rendition, ready for the store.

    Attributes:
        planned: the part of the source that it corresponds to.
        init: the init segment that it needs.
        independent: it starts with an IDR picture.
        frames: how many samples are in it.
        encoder: what made it, as `processors.encoder_identity` has it.
    """

    rendition: str
    planned: PlannedPart
    data: bytes = field(repr=False)
    init: bytes = field(repr=False)
    info: TrackInfo
    independent: bool
    frames: int
    encoder: str


class RenditionEncoder:
    """One rendition of one GOP. Not for several threads at a time; `scale` and `encode` may run in different ones."""

    def __init__(self, rendition: Rendition, plan: GopPlan, preset: str) -> None:
        self.rendition = rendition
        self._plan = plan
        self._preset = preset
        self._scaler = VideoReformatter()
        self._context: VideoCodecContext | None = None
        self._config: AvcConfig | None = None
        self._init = b""
        self._identity = ""
        self._waiting: list[tuple[int, bytes, bool]] = []
        self._next_part = 0

    def scale(self, pictures: Iterable[Picture]) -> list[Picture]:
        """The pictures in the rendition's size, 8-bit 4:2:0, limited range.

        While it runs it changes colour fields of the source frames: never for two renditions of one GOP at a time.
        """
        width, height = self.rendition.width, self.rendition.height
        return [
            Picture(
                picture.number,
                self._scaler.reformat(
                    picture.frame,
                    width=width,
                    height=height,
                    format="yuv420p",
                    dst_color_range=ColorRange.MPEG,
                    threads=1,
                ),
                picture.idr,
            )
            for picture in pictures
        ]

    def encode(self, scaled: Sequence[Picture], *, done: int) -> list[MadePart]:
        """Encode pictures, and give the parts that are complete.

        Args:
            scaled: the next pictures, by number.
            done: no picture with a lower number will come.
        """
        for picture in scaled:
            self._waiting.append((picture.number, *self._encoded(picture)))
        made = []
        while self._next_part < len(self._plan) and self._plan[self._next_part].end <= done:
            part = self._part(self._plan[self._next_part])
            made += [part] if part else []
            self._next_part += 1
        return made

    def _encoded(self, picture: Picture) -> tuple[bytes, bool]:
        frame = picture.frame
        context = self._context or self._open(frame)
        frame.time_base = context.time_base
        frame.pts = self._plan.place(picture.number).pts
        frame.pict_type = PictureType.I if picture.idr else PictureType.NONE
        packets = context.encode(frame)
        if len(packets) != 1:
            raise av.FFmpegError(0, f"x264 gave {len(packets)} packets for one picture, expected 1 (zerolatency)")
        nals = list(annex_b_nals(bytes(packets[0])))
        self._identity = self._identity or encoder_identity(nals)
        kept = [nal for nal in nals if nal[0] & 31 in _KEPT]
        return access_unit(kept), bool(packets[0].is_keyframe)

    def _part(self, planned: PlannedPart) -> MadePart | None:
        """The part of the pictures that wait for it; None when all of them were lost."""
        count = sum(1 for number, *_ in self._waiting if number < planned.end)
        mine, self._waiting = self._waiting[:count], self._waiting[count:]
        if not mine:
            return None
        samples = self._samples(planned, mine)
        chunk = planned.chunk
        number = sequence_number(chunk.segment, chunk.part)
        produced = ProducerTime(chunk.captured_ms, samples[0].dts) if chunk.part == 0 else None
        assert self._config is not None
        return MadePart(
            rendition=self.rendition.name,
            planned=planned,
            data=write_chunk(VIDEO_TRACK_ID, number, samples, segment_start=chunk.part == 0, produced=produced),
            init=self._init,
            info=TrackInfo(
                codecs=self._config.codecs,
                width=self.rendition.width,
                height=self.rendition.height,
                frame_rate=chunk.frame_rate,
                sample_rate=0,
                channels=0,
            ),
            independent=mine[0][2],
            frames=len(samples),
            encoder=self._identity,
        )

    def _samples(self, planned: PlannedPart, mine: Sequence[tuple[int, bytes, bool]]) -> list[Sample]:
        """The samples on the source's decode grid; a lost picture's time goes to the one before it."""
        starts = [planned.first, *(number for number, *_ in mine[1:]), planned.end]
        samples = []
        for (number, data, keyframe), start, end in zip(mine, starts, starts[1:], strict=False):
            dts = self._plan.place(start).dts
            duration = sum(self._plan.place(n).duration for n in range(start, end))
            samples.append(Sample(data, dts, self._plan.place(number).pts - dts, duration, keyframe))
        return samples

    def _open(self, first: VideoFrame) -> VideoCodecContext:
        """An encoder with the colours of the first picture."""
        rendition, chunk = self.rendition, self._plan[0].chunk
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = rendition.width, rendition.height, "yuv420p"
        context.time_base = Fraction(1, chunk.timescale)
        context.framerate = Fraction(chunk.frame_rate or 30).limit_denominator(1001)
        context.bit_rate = rendition.video_bitrate_bps
        context.gop_size = _NEVER
        context.thread_count = 1
        context.flags |= Flags.global_header | Flags.closed_gop
        context.color_range, context.colorspace = ColorRange.MPEG, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        peak, buffer = rendition.max_rate_bps // 1000, rendition.buffer_bits // 1000
        context.options = {
            "preset": self._preset,
            "tune": "zerolatency",
            "profile": "main",
            "forced-idr": "1",
            "x264-params": f"scenecut=0:bframes=0:sliced-threads=0:vbv-maxrate={peak}:vbv-bufsize={buffer}",
        }
        context.open()
        self._context = context
        self._config = avc_config(bytes(context.extradata or b""))
        self._init = video_init(self._config, timescale=chunk.timescale)
        return context
