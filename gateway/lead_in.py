"""Renditions of a finished video that began later than others, such as those that a larger picture brought: as gaps."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.rendition_fold import RenditionFold
from media.hls import Segment


def led_in(rendition: RenditionFold, others: Iterable[RenditionFold]) -> Sequence[Segment]:
    """The segments of a rendition, and before them gaps from where the first rendition of the same track begins.

    On demand all playlists start at the same time: a client that goes to another rendition finds the same place in it.
    """
    segments = tuple(rendition.segments)
    if not segments:
        return segments
    same = [other for other in others if other.track is rendition.track and other.segments]
    earliest = min(same, key=lambda other: other.segments[0].number, default=rendition)
    missing = [segment for segment in earliest.segments if segment.number < segments[0].number]
    return (*(_gap(segment, segments[0]) for segment in missing), *segments)


def _gap(there: Segment, first: Segment) -> Segment:
    """A segment of another rendition as a gap of the one whose first segment is `first`."""
    scale = first.timescale
    dts, end = (ticks * scale // there.timescale for ticks in (there.dts, there.dts + there.duration))
    gap = replace(
        there, dts=dts, duration=max(1, end - dts), timescale=scale, init_uri=first.init_uri, independent=True
    )
    return replace(gap, parts=(), part_count=0, size=0, keyframe_size=0, gap=True)
