"""From segments as the log tells them to the Periods of an MPD: what is listed, since when, and under which numbers.

Theory. An epoch of the log is a Period: inside one, clocks and codec configurations are continuous. Its id is the
epoch's number, its origin the media time at which the epoch began, and its start the wall clock of that moment, counted
from the start of the video (`availabilityStartTime`); so any gateway finds the same from any part of the epoch. What is
on demand has no wall clock: its Periods follow one another without the times in which nobody published.

A Period is shown once every rendition that belongs to it has a segment: players fix what they may choose from when they
see a Period first. Which ones belong to it is known when the first of them has a segment there: those that were in an
earlier one by then. So what was shown once is shown ever after, whatever comes late. Listed are complete segments; the open one, whose length nobody knows yet, may be asked for by its
number. Lost segments stay in the timeline, for `$Number$` counts its entries; the server gives other content for them
(5.3.9.7).
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Final

from media.dash import Period, Shape, Span, Track
from media.hls import Segment

PATIENCE_SEGMENTS: Final = 3
"""A Period is shown without a rendition that is so many segments behind."""

HEADROOM: Final = 1.2
GRAIN: Final = 1.15
"""Bandwidths are rounded up to powers of this, so that they rarely change."""

MAX_LAG: Final = 50
"""A rendition so many segments behind does not count for publishTime."""

_RUNG: Final = re.compile(r"([0-9]+)p")


@dataclass(frozen=True, slots=True)
class Joined:
    """The first whole segment that a rendition had in an epoch: after how many events it came, and its number."""

    order: int
    number: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """What is known of a rendition.

    Attributes:
        name: such as `source`, `480p`, `audio`.
        audio: it is sound.
        shapes: what it is, by its segments' `init_uri`.
        segments: dense in `number`; only the last may be open.
        nominal_bits: what its encoder was told, bits per second; 0 where there is none.
        joined: by epoch; epochs that are not there are long past.
    """

    name: str
    audio: bool
    shapes: Mapping[str, Shape]
    segments: Sequence[Segment]
    nominal_bits: int = 0
    joined: Mapping[int, Joined] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """What renditions have of one epoch, by name; renditions without a segment in it are not there."""

    number: int
    segments: Mapping[str, Sequence[Segment]]

    @property
    def closed(self) -> dict[str, list[Segment]]:
        """The complete ones; renditions without one are not there."""
        closed = {name: [s for s in run if s.closed] for name, run in self.segments.items()}
        return {name: run for name, run in closed.items() if run}


def live_periods(
    renditions: Sequence[Rendition], started_ms: int, origins: Mapping[int, int], expected: Collection[str] = ()
) -> list[Period]:
    """The Periods of a video that goes on.

    Args:
        renditions: all of them.
        started_ms: wall clock that presentation time 0 stands for.
        origins: media time in ms at which each epoch began; the first one begins at 0.
        expected: names of the renditions that the first epoch should have.
    """
    found: list[Period] = []
    for epoch in _epochs(renditions):
        if _leaves(renditions, epoch.number):
            continue
        tracks = _tracks(renditions, epoch)
        if not _is_complete(renditions, epoch.number, tracks, expected):
            break
        origin_ms = 0 if epoch.number == 0 else origins.get(epoch.number, _first_ms(epoch))
        wall_ms = _wall_offset_ms(epoch) + origin_ms
        period = Period(str(epoch.number), wall_ms - started_ms, None, origin_ms, wall_ms, _enterable(tracks))
        if found:
            found[-1] = replace(found[-1], duration_ms=period.start_ms - found[-1].start_ms)
        found.append(period)
    return found


def recorded_periods(renditions: Sequence[Rendition]) -> list[Period]:
    """The Periods of a video to which nothing will be added, one right after the other."""
    found: list[Period] = []
    start_ms = 0
    for epoch in _epochs(renditions):
        tracks = _tracks(renditions, epoch)
        if tracks:
            origin_ms = _first_ms(epoch)
            duration_ms = max(math.ceil(_end_ms(track)) for track in tracks) - origin_ms
            wall_ms = _wall_offset_ms(epoch) + origin_ms
            found.append(Period(str(epoch.number), start_ms, duration_ms, origin_ms, wall_ms, _enterable(tracks)))
            start_ms += duration_ms
    return found


def published_us(renditions: Sequence[Rendition]) -> int:
    """The publishTime of a live video, µs since 1970: later for every segment that a rendition adds (5.3.1.2).

    The wall clock at which the newest complete segment with media began, and some µs for how far each rendition has come.
    There must be a complete segment.
    """
    epochs = [(_wall_offset_ms(epoch), _closed(epoch)) for epoch in _epochs(renditions) if epoch.closed]
    with_media = [(offset_ms, media) for offset_ms, run in epochs if (media := [s for s in run if not s.gap])]
    every = [(offset_ms, segment) for offset_ms, run in with_media or epochs for segment in run]
    newest_ms = max(offset_ms + segment.dts * 1000 // segment.timescale for offset_ms, segment in every)
    return newest_ms * 1000 + _steps(renditions, max(segment.number for _, segment in every))


def _closed(epoch: _Epoch) -> list[Segment]:
    return [segment for run in epoch.closed.values() for segment in run]


def _steps(renditions: Sequence[Rendition], newest: int) -> int:
    """A small number that rises with each complete segment of a rendition, as long as `newest` stays the newest."""
    closed = ([s for s in islice(reversed(r.segments), 2) if s.closed][:1] for r in renditions)
    return sum(max(0, MAX_LAG + last.number - newest) for last in chain.from_iterable(closed))


def _epochs(renditions: Sequence[Rendition]) -> list[_Epoch]:
    numbers = sorted({segment.epoch for rendition in renditions for segment in rendition.segments})
    return [
        _Epoch(number, {r.name: mine for r in renditions if (mine := [s for s in r.segments if s.epoch == number])})
        for number in numbers
    ]


def _tracks(renditions: Sequence[Rendition], epoch: _Epoch) -> tuple[Track, ...]:
    """What each rendition lists of an epoch: its complete segments."""
    closed = epoch.closed
    found = (_track(rendition, closed[rendition.name]) for rendition in renditions if rendition.name in closed)
    return tuple(track for track in found if track is not None)


def _enterable(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Without a source that cannot be entered at every segment, where transcoded renditions can."""
    others = [track for track in tracks if not track.audio and track.name != "source" and track.independent]
    if others:
        return tuple(track for track in tracks if track.audio or track.independent)
    return tuple(tracks)


def _track(rendition: Rendition, segments: Sequence[Segment]) -> Track | None:
    media = [segment for segment in segments if not segment.gap]
    shape = next((rendition.shapes[s.init_uri] for s in media if s.init_uri in rendition.shapes), None)
    if shape is None:
        return None
    return Track(
        name=rendition.name,
        audio=rendition.audio,
        shape=shape,
        init_uri=media[0].init_uri,
        bandwidth=_bandwidth(media, rendition.nominal_bits),
        timescale=media[0].timescale,
        first_number=segments[0].number,
        spans=_spans(segments),
        independent=all(segment.independent for segment in media),
    )


def _spans(segments: Sequence[Segment]) -> tuple[Span, ...]:
    """Lost segments have the length of another rendition's, so they may reach over what follows them: they end there."""
    found: list[Span] = []
    limit: float = math.inf
    for segment in reversed(segments):
        start, end = segment.dts, segment.dts + segment.duration
        if segment.gap and end > limit:
            end = int(limit)
            start = min(start, end - 1)
        found.append(Span(start, end - start, segment.gap))
        limit = start
    return tuple(reversed(found))


def _bandwidth(segments: Sequence[Segment], nominal_bits: int) -> int:
    """Bits per second that carry every segment within its own length, and so every run of them (5.3.5.2)."""
    peak = max((8 * s.size / s.duration_s for s in segments if s.duration), default=0.0)
    wanted = max(HEADROOM * peak, HEADROOM * nominal_bits, 1000)
    return math.ceil(GRAIN ** math.ceil(math.log(wanted, GRAIN)) / 1000) * 1000


def _leaves(renditions: Sequence[Rendition], epoch: int) -> bool:
    """Whether an epoch has left the window of a rendition: who is far behind does not bring it back."""
    return any(epoch in r.joined and r.segments[0].epoch > epoch for r in renditions if r.segments)


def _is_complete(
    renditions: Sequence[Rendition], epoch: int, tracks: Sequence[Track], expected: Collection[str]
) -> bool:
    """Whether every rendition that is wanted in an epoch has a segment there, as far as it can come of this source.

    What has been complete stays so, whatever comes: nothing that was listed vanishes.
    """
    began = [r.joined[epoch] for r in renditions if epoch in r.joined]
    if tracks and not began:
        return True
    ends = (track.first_number + len(track.spans) for track in tracks)
    if tracks and max(ends) - min(first.number for first in began) >= PATIENCE_SEGMENTS:
        return True
    since = min((first.order for first in began), default=0)
    before = {r.name for r in renditions if any(e < epoch and at.order < since for e, at in r.joined.items())}
    height = next((track.shape.height for track in tracks if track.name == "source"), 0)
    wanted = {name for name in before.union(expected) if _belongs(name, height)}
    return bool(tracks) and wanted <= {r.name for r in renditions if epoch in r.joined}


def _belongs(name: str, source_height: int) -> bool:
    """Whether a rendition is made of a source of this height: a rung below it, or the source itself."""
    rung = _RUNG.fullmatch(name)
    return rung is None or int(rung[1]) < source_height or not source_height


def _wall_offset_ms(epoch: _Epoch) -> int:
    """Wall clock minus media time: the same for every segment of an epoch (`media.timeline.Anchor`)."""
    every = [s for name in sorted(epoch.segments) for s in epoch.segments[name]]
    media = [segment for segment in every if not segment.gap] or every
    return min(segment.start_ms - segment.dts * 1000 // segment.timescale for segment in media)


def _first_ms(epoch: _Epoch) -> int:
    """Media time of the first thing that is listed of an epoch."""
    firsts = [segments[0] for segments in epoch.segments.values()]
    return min(first.dts * 1000 // first.timescale for first in firsts)


def _end_ms(track: Track) -> float:
    last = track.spans[-1]
    return (last.dts + last.duration) * 1000 / track.timescale
