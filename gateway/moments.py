"""Where in the folds of a video a moment is: the rendition to take, and the segments of it that must be read."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.devices import Offer, Wish, chosen
from media.hls import Part, Segment
from media.pictures import DECODERS
from schemas.events import Track, VideoState

EPSILON_S: Final = 0.0005
MEASURED: Final = 10
"""A rendition needs as many bits per second as its newest segments."""

MOST_SEGMENTS: Final = 60
"""So many segments back a keyframe is looked for: more than the longest GOP has."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to be read: a whole segment of `parts` parts, or (`parts` 0) its part number `part`."""

    segment: int
    parts: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a rendition.

    Attributes:
        rendition: of the video.
        at_s: media time in seconds.
        init: name of the init segment of all the pieces.
        pieces: to be read, in order; the first begins with a keyframe.
        settled: nothing that is still to come can change the picture.
    """

    rendition: RenditionFold
    at_s: float
    init: str
    pieces: tuple[Piece, ...]
    settled: bool


def start_s(segment: Segment) -> float:
    """Media time of a segment's first sample."""
    return segment.dts / segment.timescale


def part_start_s(part: Part) -> float:
    """Media time of a part's first sample."""
    return part.dts / part.timescale


def end_s(segment: Segment) -> float:
    """Media time at which a segment ends; of its parts so far while it is open."""
    return (segment.dts + segment.duration) / segment.timescale


def span_of(renditions: Sequence[RenditionFold]) -> tuple[float, float]:
    """Media time from which and up to which any of the renditions, all of which have segments, can be had."""
    return min(start_s(r.segments[0]) for r in renditions), max(end_s(r.segments[-1]) for r in renditions)


def pictured(fold: VideoFold) -> list[RenditionFold]:
    """The renditions that pictures can be taken from, the narrowest first."""
    found = [
        rendition
        for rendition in fold.listed
        if rendition.track is Track.VIDEO
        and rendition.info is not None
        and rendition.info.codecs.partition(".")[0] in DECODERS
    ]
    return sorted(found, key=lambda rendition: (width_of(rendition), rendition.name))


def width_of(rendition: RenditionFold) -> int:
    """Pixels across; 0 while it is not known."""
    return rendition.info.width if rendition.info is not None else 0


def by_width(renditions: Sequence[RenditionFold], width: int) -> list[RenditionFold]:
    """The smallest rendition that is at least so wide, then the others by how little they miss it."""
    return sorted(renditions, key=lambda r: (width_of(r) < width, abs(width_of(r) - width)))


def suiting(renditions: Sequence[RenditionFold], wish: Wish) -> list[RenditionFold]:
    """Those that suit a client's device, the one to begin with first; none for a device without a picture."""
    by_name = {rendition.name: rendition for rendition in renditions}
    return [by_name[offer.name] for offer in chosen([_offer(rendition) for rendition in renditions], wish)]


def moment_at(fold: VideoFold, rendition: RenditionFold, at_s: float, *, exact: bool) -> Moment | None:
    """Where a media time is in a rendition; None where there is no media: a gap, or no keyframe before it."""
    segments = list(rendition.segments)
    index = max(0, bisect_right(segments, at_s + EPSILON_S, key=start_s) - 1)
    run = run_from_keyframe(segments, index)
    if not run:
        return None
    following = segments[index + 1] if index + 1 < len(segments) else None
    settled = has_settled(fold) or (following is not None and following.closed)
    pieces = _exactly(run, at_s) if exact else _nearest(run, following, at_s)
    return Moment(rendition, at_s, run[0].init_uri, pieces, settled)


def run_from_keyframe(segments: Sequence[Segment], index: int) -> list[Segment]:
    """The segments from the last one that begins with a keyframe up to `index`; empty where a gap is between."""
    found: list[Segment] = []
    for segment in reversed(segments[max(0, index - MOST_SEGMENTS + 1) : index + 1]):
        if segment.gap or not segment.part_count or (found and segment.init_uri != found[-1].init_uri):
            return []
        found.append(segment)
        if segment.independent:
            return found[::-1]
    return []


def has_settled(fold: VideoFold) -> bool:
    """Whether a video is over and whole: nothing of it changes any more."""
    ended = fold.video is not None and fold.video.state is VideoState.ENDED
    return ended and all(fold.has_ended(rendition) for rendition in fold.listed)


def _offer(rendition: RenditionFold) -> Offer:
    info = rendition.info
    assert info is not None
    newest = [s for s in islice(reversed(rendition.segments), MEASURED) if s.closed and not s.gap]
    lasts_s = sum(segment.duration_s for segment in newest)
    bits = 8 * sum(segment.size for segment in newest) / lasts_s if lasts_s else 0.0
    return Offer(rendition.name, info.codecs, info.width, info.height, info.frame_rate, bits)


def _exactly(run: Sequence[Segment], at_s: float) -> tuple[Piece, ...]:
    """All from the keyframe to the part that is shown at a time; where parts are forgotten, the whole last segment.

    One part more: with B-frames a picture is decoded after some that are shown later.
    """
    *before, last = run
    if not last.parts:
        return tuple(_whole(segment) for segment in run)
    count = 1 + sum(1 for part in last.parts if part_start_s(part) <= at_s + EPSILON_S)
    parts = (Piece(last.number, part=index) for index in range(min(count, last.part_count)))
    return (*(_whole(segment) for segment in before), *parts)


def _nearest(run: Sequence[Segment], following: Segment | None, at_s: float) -> tuple[Piece, ...]:
    """What holds the keyframe that is nearest to a time: one part where the keyframes are known, else all around it."""
    usable = following is not None and following.independent and not following.gap and following.part_count > 0
    after = following if usable and following is not None and following.init_uri == run[0].init_uri else None
    known = [(abs(start_s(run[0]) - at_s), Piece(run[0].number))]
    if after is not None:
        known.append((abs(start_s(after) - at_s), Piece(after.number)))
    last = run[-1]
    if last.parts:
        inside = ((index, part) for index, part in enumerate(last.parts) if part.independent)
        known += [(abs(part_start_s(part) - at_s), Piece(last.number, part=n)) for n, part in inside]
        return (min(known, key=lambda one: one[0])[1],)
    around = [_whole(segment) for segment in run]
    return tuple([*around, known[1][1]] if after is not None and known[1][0] < known[0][0] else around)


def _whole(segment: Segment) -> Piece:
    return Piece(segment.number, segment.part_count)
