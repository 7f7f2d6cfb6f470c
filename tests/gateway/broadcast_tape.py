"""A made-up broadcast with a publisher who leaves and returns: several renditions, several epochs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from schemas.events import PartReady, VideoChanged, VideoState
from tests.gateway.tape import START_MS, Media, Tape, video

STARTED_MS = START_MS - 400
"""The publisher was accepted so long before its first frame came."""

LIMITS = Limits(60_000, 1_000)


@dataclass(frozen=True)
class Stretch:
    """Media without a discontinuity: so many segments of so many parts of 250 ms, after `away_ms` of nothing.

    `late_ms` is what the wall clock has run ahead of media time meanwhile. `height` is that of the source.
    """

    segments: int
    parts: int = 8
    away_ms: int = 0
    late_ms: int = 0
    height: int = 720
    renditions: tuple[str, ...] = ("480p", "audio", "source")


@dataclass(frozen=True)
class BroadcastTape:
    """Stretches in a row, each an epoch."""

    stretches: Sequence[Stretch]
    audio: bool = True

    @property
    def last_segment(self) -> int:
        return sum(stretch.segments for stretch in self.stretches) - 1

    def video(self, state: VideoState = VideoState.LIVE) -> VideoChanged:
        ended = state is VideoState.ENDED
        last, ended_ms = (self.last_segment, START_MS + 600_000) if ended else (-1, None)
        told = video(state, audio=self.audio, last_segment=last, ended_ms=ended_ms)
        return replace(told, started_ms=STARTED_MS)

    def segment(self, number: int) -> list[Media]:
        """All events of a segment, rendition after rendition."""
        return [event for rendition in self._stretch(number)[1].renditions for event in self.of(rendition, number)]

    def of(self, rendition: str, number: int) -> list[Media]:
        """All events of one segment of a rendition."""
        counts = [stretch.parts for stretch in self.stretches for _ in range(stretch.segments)]
        epoch, stretch, away_ms, late_ms = self._stretch(number)
        began = sum(s.segments for s in self.stretches[:epoch])
        tape = Tape(counts, rendition)
        epoch_ms = tape.start_ms(began) + away_ms
        return [
            replace(
                event,
                dts=event.dts + away_ms * tape.scale // 1000,
                captured_ms=event.captured_ms + away_ms + late_ms,
                epoch=epoch,
                epoch_ms=epoch_ms,
                init=f"{event.video_id}/{rendition}/init-{epoch:012x}.mp4",
                info=replace(event.info, height=stretch.height) if event.info and rendition == "source" else event.info,
            )
            if isinstance(event, PartReady)
            else event
            for event in tape.segment(number)
        ]

    def events(self) -> Iterator[Media]:
        for number in range(self.last_segment + 1):
            yield from self.segment(number)

    def fold(self, limits: Limits = LIMITS) -> VideoFold:
        """A fold that knows the video and nothing of its media."""
        fold = VideoFold(self.video().video_id, limits)
        fold.state(self.video())
        return fold

    def folded(self, limits: Limits = LIMITS, *, ended: bool = False) -> VideoFold:
        """A fold of all of it."""
        fold = self.fold(limits)
        for event in self.events():
            apply(fold, event)
        if ended:
            fold.state(self.video(VideoState.ENDED))
        return fold

    def _stretch(self, number: int) -> tuple[int, Stretch, int, int]:
        """(epoch, stretch, ms of nothing up to it, ms of delay up to it) of a segment."""
        away_ms = late_ms = first = 0
        for epoch, stretch in enumerate(self.stretches):
            away_ms, late_ms = away_ms + stretch.away_ms, late_ms + stretch.late_ms
            first += stretch.segments
            if number < first:
                return epoch, stretch, away_ms, late_ms
        raise IndexError(number)


def apply(fold: VideoFold, event: Media) -> None:
    """Fold one event."""
    if isinstance(event, PartReady):
        fold.part(event)
    else:
        fold.closed(event)
