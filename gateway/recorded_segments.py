"""What the index says of a recorded video, as the segments of its playlists. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from media.hls import Segment
from schemas.events import Track, VideoChanged
from stores.segment_index import IndexedRendition, IndexedSegment

AUDIO_PATIENCE_MS: Final = 30_000
"""A microphone that is switched off ends the audio before the picture: nothing more will come of it."""

VIDEO_PATIENCE_MS: Final = 180_000
"""A rendition that has not reached the last segment so long after the end will not: its worker is gone."""

HOLE_PATIENCE_MS: Final = 60_000
"""What is missing before the last segment is on its way, or lost: so long after the end nobody waits for it any more."""

LOST_PATIENCE_MS: Final = 600_000
"""No rendition has the last segment: the ingest died before a chunk of it was on the log."""

SHORT: Final = 2
"""A rendition may end so many segments before the others."""

Rows = Mapping[str, Sequence[IndexedSegment]]


def is_whole(video: VideoChanged, renditions: Sequence[IndexedRendition], rows: Rows, now_ms: int) -> bool:
    """Whether the index holds an ended video to its last segment, so that its playlists may say that they are complete.

    The consumers may be behind when a video ends, at its end and in its midst: what is read while they write has the one
    row and not the other. Each rendition is waited for, but not for ever.
    """
    ended_for_ms = now_ms - video.changed_ms
    behind = [r for r in renditions if not _reaches(rows.get(r.name, ()), video.last_segment)]
    if not renditions or len(behind) == len(renditions):
        return bool(renditions) and ended_for_ms > LOST_PATIENCE_MS
    patience_ms = {Track.AUDIO: AUDIO_PATIENCE_MS, Track.VIDEO: VIDEO_PATIENCE_MS}
    if not all(ended_for_ms > patience_ms[rendition.track] for rendition in behind):
        return False
    epochs = {row.number: row.epoch for of in rows.values() for row in of if row.parts}
    patience_ms[Track.VIDEO] = HOLE_PATIENCE_MS
    return all(ended_for_ms > patience_ms[r.track] or not _has_hole(rows.get(r.name, ()), epochs) for r in renditions)


def _reaches(rows: Sequence[IndexedSegment], last: int) -> bool:
    return bool(rows) and rows[-1].number >= last and rows[-1].settled


def _has_hole(rows: Sequence[IndexedSegment], epochs: Mapping[int, int]) -> bool:
    """Whether something of a rendition may still come before its last segment: between its rows, in one, or before them.

    A rendition that began later than others did so with an epoch; `epochs` are those of all segments.
    """
    begun = [row for row in rows if row.parts]
    if not begun:
        return False
    first = begun[0]
    if epochs.get(first.number - 1) == first.epoch and not any(
        row.settled for row in rows if row.number < first.number
    ):
        return True
    told = [row for row in rows if row.number >= first.number]
    if told[-1].number - first.number >= len(told):
        return True
    return any(not row.settled and not _meets(row, after) for row, after in pairwise(told))


def recorded_segments(rows: Rows) -> dict[str, list[Segment]]:
    """The playlists of all renditions, by name, with their rows in order.

    What is incomplete is a gap as long as the same segment of another rendition or, where there is none, up to the next
    segment; one at the end of which nothing is there is left out. Parts are not listed.
    """
    whole = {name: _complete(of_rendition) for name, of_rendition in rows.items()}
    elsewhere: dict[int, Segment] = {}
    for name in sorted(whole):
        for number, segment in whole[name].items():
            elsewhere.setdefault(number, segment)
    return {name: _with_gaps(whole[name], rows[name], elsewhere) for name in rows}


def reaching_the_end(
    renditions: Sequence[IndexedRendition], segments: Mapping[str, list[Segment]]
) -> dict[str, list[Segment]]:
    """Without the pictures that end before others do, because their worker was lost: a player would stop there."""
    ends = {r.name: of[-1].number for r in renditions if r.track is Track.VIDEO and (of := segments.get(r.name))}
    last = max(ends.values(), default=0)
    return {name: of for name, of in segments.items() if ends.get(name, last) >= last - SHORT}


def _complete(rows: Sequence[IndexedSegment]) -> dict[int, Segment]:
    """The segments that have all their parts: the marker says how many, or the next one begins where they end."""
    found: dict[int, Segment] = {}
    for index, row in enumerate(rows):
        after = rows[index + 1] if index + 1 < len(rows) else None
        if row.complete or (row.part_count is None and _meets(row, after)):
            found[row.number] = _segment(row)
    return found


def _meets(row: IndexedSegment, after: IndexedSegment | None) -> bool:
    return (
        after is not None
        and row.parts > 0
        and after.parts > 0
        and after.number == row.number + 1
        and (row.dts + row.duration, row.timescale) == (after.dts, after.timescale)
    )


def _segment(row: IndexedSegment) -> Segment:
    times = row.start_ms, row.dts, row.duration, row.timescale
    segment = Segment(row.number, row.epoch, *times, row.init, row.independent, (), row.parts, row.size, closed=True)
    return replace(segment, keyframe_size=row.keyframe_size)


def epoch_origins(rows: Sequence[IndexedSegment]) -> dict[int, int]:
    """Media time in ms at which each epoch of a rendition began, as far as its parts told it."""
    return {row.epoch: row.epoch_ms for row in rows if row.epoch_ms is not None}


def _with_gaps(
    whole: Mapping[int, Segment], rows: Sequence[IndexedSegment], elsewhere: Mapping[int, Segment]
) -> list[Segment]:
    begun = [row for row in rows if row.parts]
    if not begun:
        return []
    known = {row.number: row for row in begun}
    starts = sorted(known)
    segments: list[Segment] = []
    for number in range(starts[0], rows[-1].number + 1):
        segment = whole.get(number) or _gap(number, known.get(number), segments, elsewhere.get(number))
        if segment is not None and segment.duration == 0:
            following = next((known[n] for n in starts if n > number), None)
            segment = _stretched(segment, following) if following else _ending(segment, known.get(number))
        if segment is None:
            break
        segments.append(segment)
    return segments


def _gap(number: int, row: IndexedSegment | None, before: Sequence[Segment], other: Segment | None) -> Segment | None:
    """A segment whose media is not all there, as long as `other` is; of no length yet where there is no other."""
    if row is not None:
        gap = replace(_segment(row), gap=True, duration=0)
    elif before:
        last = before[-1]
        start_ms, dts = last.start_ms + round(last.duration_s * 1000), last.dts + last.duration
        gap = replace(last, number=number, start_ms=start_ms, dts=dts, duration=0, independent=True)
        gap = replace(gap, part_count=0, size=0, keyframe_size=0, gap=True)
        if other is not None:
            gap = replace(gap, epoch=max(last.epoch, other.epoch), start_ms=max(last.start_ms + 1, other.start_ms))
    else:
        return None
    if other is None:
        return gap
    return replace(gap, duration=max(1, round(other.duration_s * gap.timescale)))


def _stretched(gap: Segment, following: IndexedSegment) -> Segment:
    """A gap that lasts until the next segment that is there; several missing ones share the time."""
    left = following.dts * gap.timescale // following.timescale - gap.dts
    return replace(gap, duration=max(1, left // (following.number - gap.number)))


def _ending(gap: Segment, row: IndexedSegment | None) -> Segment | None:
    """A gap at the end is as long as its parts that are there."""
    return replace(gap, duration=row.duration) if row is not None else None
