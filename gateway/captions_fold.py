"""Fold of the captions that one video's source carries: raw ones by segment in, cues by segment and track out.

Segments are decoded in their order when the video's own segment is complete, with the decoder's state going on from one
to the next; so every gateway that reads the same events has the same cues. Only what a playlist lists, and as much
before it, is remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from media.captions.cues import Cue
from media.captions.decoder import CaptionDecoder
from media.captions.sei import CaptionPicture
from media.hls import Segment
from schemas.events import CaptionsFound

MAX_WAITING: Final = 1_000
"""Segments whose captions may wait for their end; beyond, the oldest are let go."""

MAX_PARTS: Final = 500
LEAST_KEPT: Final = 100
CUE_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class TextSegment:
    """The cues of a segment by track, and its place in media time."""

    start_ms: int
    end_ms: int
    cues: dict[str, tuple[Cue, ...]]


class CaptionsFold:
    """The captions of one video, from segment `first` on.

    Attributes:
        tracks: those that text came on so far, such as `cc1`.
        version: rises with every segment that was decoded.
    """

    def __init__(self, first: int = 0) -> None:
        self.tracks: tuple[str, ...] = ()
        self.version = 0
        self._decoder = CaptionDecoder()
        self._next = first
        self._raw: dict[int, dict[int, CaptionsFound]] = {}
        self._decoded: dict[int, TextSegment] = {}

    def found(self, event: CaptionsFound, *, whole: bool = False) -> None:
        """Remember the captions of a part until its segment is complete; the first of a part wins.

        `whole`: all of a recorded video comes before its segments, which are then bounded already.
        """
        if event.segment < self._next or event.timescale <= 0:
            return
        parts = self._raw.setdefault(event.segment, {})
        if len(parts) < MAX_PARTS:
            parts.setdefault(event.part, event)
        while len(self._raw) > MAX_WAITING and not whole:
            del self._raw[min(self._raw)]

    def advance(self, segments: Sequence[Segment]) -> None:
        """Decode the segments that are complete now; `segments` are dense in their numbers."""
        if not segments:
            return
        first = segments[0].number
        for index in range(max(0, self._next - first), len(segments)):
            if not segments[index].closed:
                break
            self._decode(segments[index])
        self._forget(len(segments))

    def segment(self, number: int) -> TextSegment | None:
        """The cues of a segment that was decoded."""
        return self._decoded.get(number)

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        cues = [cue for found in self._decoded.values() for track in found.cues.values() for cue in track]
        waiting = sum(len(parts) for parts in self._raw.values())
        return sum(CUE_BYTES + len(cue.text) for cue in cues) + CUE_BYTES * (waiting + len(self._decoded) + 1)

    def _decode(self, segment: Segment) -> None:
        start_ms, end_ms = span_ms(segment)
        events = self._raw.pop(segment.number, {})
        timescale = next((event.timescale for event in events.values()), segment.timescale)
        pictures = [CaptionPicture(p.pts, p.data) for event in events.values() for p in event.pictures]
        cues = self._decoder.segment(pictures, timescale, end_ms)
        self._decoded[segment.number] = TextSegment(start_ms, end_ms, cues)
        self._next = segment.number + 1
        self.tracks = self._decoder.tracks
        self.version += 1

    def _forget(self, listed: int) -> None:
        for number in [number for number in self._raw if number < self._next]:
            del self._raw[number]
        keep = max(LEAST_KEPT, 2 * listed)
        while len(self._decoded) > keep:
            del self._decoded[next(iter(self._decoded))]


def span_ms(segment: Segment) -> tuple[int, int]:
    """Where a segment starts and ends in media time, in ms."""
    start, end = segment.dts, segment.dts + segment.duration
    return start * 1000 // segment.timescale, end * 1000 // segment.timescale
