"""Events of made-up videos, as the workers would write them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schemas.events import BreakPlanned, PartReady, SegmentClosed, Track, TrackInfo, VideoChanged, VideoState
from schemas.ids import new_video_id
from stores.segments import part_name

START_MS = 1_700_000_000_000
VIDEO = new_video_id(START_MS, bytes(range(7)))
VIDEO_SCALE = 90_000
AUDIO_RATE = 48_000

Media = PartReady | SegmentClosed


def data_of(name: str) -> bytes:
    """Bytes that differ from part to part."""
    return hashlib.sha256(name.encode()).digest() * 20


@dataclass(frozen=True)
class Tape:
    """A rendition whose segments all have parts of 250 ms; segment s has `counts[s]` parts.

    `epochs` names the segments that begin a new epoch.
    """

    counts: Sequence[int]
    rendition: str = "source"
    video_id: str = VIDEO
    epochs: frozenset[int] = field(default_factory=frozenset)
    part_ms: int = 250
    long_gop: bool = False

    @property
    def track(self) -> Track:
        return Track.AUDIO if self.rendition == "audio" else Track.VIDEO

    @property
    def scale(self) -> int:
        return AUDIO_RATE if self.track is Track.AUDIO else VIDEO_SCALE

    def start_ms(self, segment: int, part: int = 0) -> int:
        """Media time at which a part starts."""
        return (sum(self.counts[:segment]) + part) * self.part_ms

    def part(self, segment: int, part: int) -> PartReady:
        name = part_name(self.video_id, self.rendition, segment, part)
        epoch = sum(1 for first in self.epochs if first <= segment)
        start_ms = self.start_ms(segment, part)
        info = TrackInfo(codecs="avc1.64001f", width=1280, height=720, frame_rate=30.0, sample_rate=0, channels=0)
        if self.track is Track.AUDIO:
            info = TrackInfo(codecs="mp4a.40.2", width=0, height=0, frame_rate=0.0, sample_rate=AUDIO_RATE, channels=2)
        return PartReady(
            video_id=self.video_id,
            channel="ann",
            rendition=self.rendition,
            track=self.track,
            gop=segment,
            segment=segment,
            part=part,
            epoch=epoch,
            dts=start_ms * self.scale // 1000,
            duration=self.part_ms * self.scale // 1000,
            timescale=self.scale,
            independent=self.track is Track.AUDIO or (part == 0 and not self.long_gop),
            frames=8,
            captured_ms=START_MS + start_ms,
            received_ms=START_MS + start_ms + 300,
            name=name,
            size=len(data_of(name)),
            sha256=hashlib.sha256(data_of(name)).digest(),
            init=f"{self.video_id}/{self.rendition}/init-{epoch:012x}.mp4",
            info=info if part == 0 else None,
        )

    def closed(self, segment: int, parts: int | None = None) -> SegmentClosed:
        return SegmentClosed(
            video_id=self.video_id,
            channel="ann",
            rendition=self.rendition,
            gop=segment,
            segment=segment,
            parts=self.counts[segment] if parts is None else parts,
        )

    def segment(self, number: int) -> list[Media]:
        """All events of one segment."""
        return [*(self.part(number, part) for part in range(self.counts[number])), self.closed(number)]

    def events(self, first: int = 0, end: int | None = None) -> Iterator[Media]:
        for number in range(first, len(self.counts) if end is None else end):
            yield from self.segment(number)


def video(
    state: VideoState = VideoState.LIVE,
    *,
    video_id: str = VIDEO,
    channel: str = "ann",
    last_segment: int = -1,
    ended_ms: int | None = None,
    audio: bool = False,
    segment_max_ms: int = 2_000,
) -> VideoChanged:
    """A state of a video."""
    return VideoChanged(
        video_id=video_id,
        channel=channel,
        title="A title",
        state=state,
        started_ms=START_MS,
        changed_ms=START_MS,
        ended_ms=ended_ms,
        last_segment=last_segment,
        part_target_ms=250,
        segment_max_ms=segment_max_ms,
        audio=audio,
        video=True,
    )


def planned(segment: int, start_ms: int, duration_ms: int = 3_000, break_id: str = "b" * 20) -> BreakPlanned:
    """A break that starts with a segment."""
    return BreakPlanned(
        video_id=VIDEO,
        channel="ann",
        break_id=break_id,
        segment=segment,
        start_ms=START_MS + start_ms,
        media_time_ms=start_ms,
        duration_ms=duration_ms,
        requested_ms=START_MS,
    )
