"""Videos of real H.264 whose pictures carry their numbers, as events and bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from av.video.frame import VideoFrame

from schemas.events import MediaChunk, PartReady, SegmentClosed, Track, TrackInfo
from stores.segments import init_name, part_name
from tests.gateway.tape import VIDEO
from tests.processors.gops import Clip, make_gops, mark

FPS = 30


def level(frame: VideoFrame) -> int:
    """The grey level of the mark that tells a picture's number."""
    grey = frame.to_ndarray(format="gray")
    return int(grey[2 : frame.height // 6, 2 : frame.width // 6].mean())


def shows(frame: VideoFrame, n: int) -> bool:
    """Whether a picture carries the mark of picture `n` (of eight that are told apart)."""
    return abs(level(frame) - mark(n)) < 14


@dataclass(frozen=True)
class Reel:
    """One rendition: a GOP of a second is a segment, of parts of 200 ms. Segments are counted from 0, whatever their number."""

    rendition: str = "source"
    clip: Clip = field(default_factory=lambda: Clip(width=320, height=180, gops=4, gop_frames=30, part_frames=6))
    video_id: str = VIDEO

    @property
    def segments(self) -> int:
        """How many there are."""
        return self.clip.gops

    @cached_property
    def init(self) -> tuple[str, bytes]:
        """Name and bytes of the init segment."""
        data = make_gops(self.clip)[0].video[0].init
        assert data is not None
        return init_name(self.video_id, self.rendition, data), data

    def chunks(self, segment: int) -> list[MediaChunk]:
        """The source's chunks of a segment."""
        return make_gops(self.clip)[segment].video

    def parts(self, segment: int, count: int | None = None) -> list[PartReady]:
        """Events of the parts of a segment, the first `count` of them."""
        return [self._part(chunk) for chunk in self.chunks(segment)[:count]]

    def closed(self, segment: int) -> SegmentClosed:
        """The end of a segment."""
        count = len(self.chunks(segment))
        return SegmentClosed(
            video_id=self.video_id,
            channel="ann",
            rendition=self.rendition,
            gop=segment + self.clip.first_gop,
            segment=segment + self.clip.first_gop,
            parts=count,
        )

    def events(self, numbers: Sequence[int] | None = None) -> Iterator[PartReady | SegmentClosed]:
        """All events of these segments (None: of all)."""
        for number in range(self.segments) if numbers is None else numbers:
            yield from self.parts(number)
            yield self.closed(number)

    @cached_property
    def stored(self) -> dict[str, bytes]:
        """The bytes by name."""
        name, data = self.init
        every = (chunk for number in range(self.segments) for chunk in self.chunks(number))
        return {name: data} | {self._name(chunk): chunk.data for chunk in every}

    def _name(self, chunk: MediaChunk) -> str:
        return part_name(self.video_id, self.rendition, chunk.segment, chunk.part)

    def _part(self, chunk: MediaChunk) -> PartReady:
        info = TrackInfo(
            codecs=chunk.codecs, width=chunk.width, height=chunk.height, frame_rate=chunk.frame_rate,
            sample_rate=0, channels=0,
        )  # fmt: skip
        return PartReady(
            video_id=self.video_id,
            channel="ann",
            rendition=self.rendition,
            track=Track.VIDEO,
            gop=chunk.gop,
            segment=chunk.segment,
            part=chunk.part,
            epoch=0,
            dts=chunk.dts,
            duration=chunk.duration,
            timescale=chunk.timescale,
            independent=chunk.independent,
            frames=chunk.frames,
            captured_ms=chunk.captured_ms,
            received_ms=chunk.received_ms,
            name=self._name(chunk),
            size=len(chunk.data),
            sha256=bytes(32),
            init=self.init[0],
            info=info if chunk.part == 0 else None,
        )
