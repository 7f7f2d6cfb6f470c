"""Fold of the captions that one video's source carries: raw ones by segment in, cues by segment and track out.

Segments are decoded in their order when the video's own segment is complete, with the decoder's state going on from one
to the next; so every gateway that reads the same events has the same cues. Beside that a second decoder cuts at each
part, for who plays close to the live edge. Only what a playlist lists, and as much before it, is remembered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from media.captions.cues import Cue
from media.captions.decoder import TRACKS, CaptionDecoder
from media.captions.sei import CaptionPicture
from media.hls import Part, Segment
from schemas.events import CaptionsFound

MAX_WAITING: Final = 1_000
"""Segments whose captions may wait for their end; beyond, the oldest are let go."""

MAX_PARTS: Final = 500
LEAST_KEPT: Final = 100
FIRST: Final = TRACKS[0]
PARTS_KEPT: Final = 12
"""Segments whose parts are remembered; playlists list those of fewer."""

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
        tracks: those that text came on so far, such as `cc1`, and `cc1` where the source has a place for it.
        version: rises with every segment that was decoded.
    """

    def __init__(self, first: int = 0) -> None:
        self.tracks: tuple[str, ...] = ()
        self.version = 0
        self._decoder = CaptionDecoder()
        self._announced = False
        self._next = first
        self._raw: dict[int, dict[int, CaptionsFound]] = {}
        self._decoded: dict[int, TextSegment] = {}
        self._part_decoder = CaptionDecoder()
        self._parts: dict[int, list[TextSegment]] = {}

    def found(self, event: CaptionsFound, *, whole: bool = False) -> None:
        """Remember the captions of a part until its segment is complete; the first of a part wins.

        `whole`: all of a recorded video comes before its segments, which are then bounded already.
        """
        if not event.pictures:
            self._announced = True
            self.tracks = self._tracks()
        if event.segment < self._next or event.timescale <= 0 or not event.pictures:
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
            self._decode_parts(segments[index])
            if not segments[index].closed:
                break
            self._decode(segments[index])
        self._forget(len(segments))

    def segment(self, number: int) -> TextSegment | None:
        """The cues of a segment that was decoded."""
        return self._decoded.get(number)

    def cues(self, track: str) -> list[Cue]:
        """All cues of a track that are remembered, in their order."""
        return [cue for found in self._decoded.values() for cue in found.cues.get(track, ())]

    def part(self, number: int, part: int) -> TextSegment | None:
        """The cues of a part that was decoded lately."""
        parts = self._parts.get(number, [])
        return parts[part] if part < len(parts) else None

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        pieces = [*self._decoded.values(), *(piece for parts in self._parts.values() for piece in parts)]
        cues = [cue for found in pieces for track in found.cues.values() for cue in track]
        waiting = sum(len(parts) for parts in self._raw.values())
        return sum(CUE_BYTES + len(cue.text) for cue in cues) + CUE_BYTES * (waiting + len(pieces) + 1)

    def _decode(self, segment: Segment) -> None:
        start_ms, end_ms = span_ms(segment)
        events = self._raw.pop(segment.number, {}).values()
        cues = self._decoder.cut(_pictures(events), _timescale(events, segment), end_ms)
        self._decoded[segment.number] = TextSegment(start_ms, end_ms, cues)
        self._next = segment.number + 1
        self.tracks = self._tracks()
        self.version += 1

    def _decode_parts(self, segment: Segment) -> None:
        """Decode the parts that are new; a segment whose parts nobody lists any more in one piece."""
        events, parts = self._raw.get(segment.number, {}), self._parts.setdefault(segment.number, [])
        for part in segment.parts[len(parts) :]:
            mine = [event for number, event in events.items() if number == len(parts)]
            start_ms, end_ms = span_ms(part)
            cues = self._part_decoder.cut(_pictures(mine), _timescale(mine, segment), end_ms)
            parts.append(TextSegment(start_ms, end_ms, cues))
        if segment.closed and len(parts) < segment.part_count:
            rest = [event for number, event in events.items() if number >= len(parts)]
            self._part_decoder.cut(_pictures(rest), _timescale(rest, segment), span_ms(segment)[1])
        self.tracks = self._tracks()

    def _tracks(self) -> tuple[str, ...]:
        heard = self._part_decoder.tracks or self._decoder.tracks
        return (FIRST, *heard) if self._announced and FIRST not in heard else heard

    def _forget(self, listed: int) -> None:
        for number in [number for number in self._raw if number < self._next]:
            del self._raw[number]
        keep = max(LEAST_KEPT, 2 * listed)
        while len(self._decoded) > keep:
            del self._decoded[next(iter(self._decoded))]
        while len(self._parts) > PARTS_KEPT:
            del self._parts[next(iter(self._parts))]


def span_ms(piece: Segment | Part) -> tuple[int, int]:
    """Where a segment or part starts and ends in media time, in ms."""
    start, end = piece.dts, piece.dts + piece.duration
    return start * 1000 // piece.timescale, end * 1000 // piece.timescale


def _pictures(events: Iterable[CaptionsFound]) -> list[CaptionPicture]:
    return [CaptionPicture(picture.pts, picture.data) for event in events for picture in event.pictures]


def _timescale(events: Iterable[CaptionsFound], segment: Segment) -> int:
    return next((event.timescale for event in events), segment.timescale)
