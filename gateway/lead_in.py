"""Renditions that began later than others, such as those that a larger source brought: with gaps before their start.

So all playlists of a video begin at about the same time: a client that goes to another rendition finds the same place in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.rendition_fold import RenditionFold
from media.hls import Segment


def led_in(rendition: RenditionFold, others: Iterable[RenditionFold]) -> Sequence[Segment]:
    """The segments of a finished rendition, and gaps before them from where the first one of the same track begins."""
    segments = tuple(rendition.segments)
    if not segments:
        return segments
    same = [other for other in others if other.track is rendition.track and other.segments]
    earliest = min(same, key=lambda other: other.segments[0].number, default=rendition)
    missing = [segment for segment in earliest.segments if segment.number < segments[0].number]
    return (*(_gap(segment, segments[0]) for segment in missing), *segments)


def led_in_live(
    rendition: RenditionFold, source: RenditionFold | None, known: dict[int, Segment] | None = None
) -> Sequence[Segment]:
    """The segments of a rendition that goes on, and gaps before them from where the source that brought it begins.

    The source has had those segments whole from before the rendition began, so the playlist's start only moves forward.
    `known` are the gaps that were made for it before; those that it does not have are put into it.
    """
    segments = tuple(rendition.segments)
    if not segments or source is None or rendition.brought_at != segments[0].number:
        return segments
    known = known if known is not None else {}
    missing = [segment for segment in source.segments if segment.number < segments[0].number]
    if missing and len(known) > 2 * len(missing):
        known.clear()
    for segment in missing:
        if segment.number not in known:
            known[segment.number] = _gap(segment, segments[0])
    return (*(known[segment.number] for segment in missing), *segments)


def _gap(there: Segment, first: Segment) -> Segment:
    """A segment of another rendition as a gap of the one whose first segment is `first`."""
    scale = first.timescale
    dts, end = (ticks * scale // there.timescale for ticks in (there.dts, there.dts + there.duration))
    gap = replace(
        there, dts=dts, duration=max(1, end - dts), timescale=scale, init_uri=first.init_uri, independent=True
    )
    return replace(gap, parts=(), part_count=0, size=0, keyframe_size=0, gap=True)
