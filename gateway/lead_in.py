"""What the playlist of a rendition lists: its own segments and, where it has none, those of another rendition, or gaps.

Theory. A rung that a larger source brought has no media before that. All playlists of a video begin at about the same time,
so that a client that goes to another rendition finds the same place in it: something must stand there. Gaps would do by the
letter, but players that meet nothing else where they begin stand still. So an epoch of which a rendition has nothing is
borrowed: another rendition's segments, with their own EXT-X-MAP, under their own addresses. Every epoch begins with a
discontinuity, in every rendition, and there the pictures may change. Within an epoch nothing is mixed: what is lost there
stays a gap.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.hls import Segment
from media.hls_multivariant import video_range
from media.ladder import SOURCE
from schemas.events import Track, TrackInfo


def on_demand(fold: VideoFold, rendition: RenditionFold) -> Sequence[Segment]:
    """The segments of a rendition of a video that is over, from where the first rendition of the same track begins."""
    led_in = _led_in(rendition, fold.listed)
    if rendition.track is not Track.VIDEO or not any(segment.gap for segment in led_in):
        return led_in
    found: list[Segment] = []
    for _, run in groupby(led_in, key=lambda segment: segment.epoch):
        of_epoch = list(run)
        missing = all(segment.gap for segment in of_epoch)
        found += _borrowed(rendition, fold.listed, of_epoch) if missing else of_epoch
    return found


def live(fold: VideoFold, rendition: RenditionFold, known: dict[int, Segment] | None = None) -> Sequence[Segment]:
    """The segments of a rendition that goes on, from where the source begins that brought it.

    The source has had those segments whole from before the rendition began: the playlist's start only moves forward, and no
    other segment ever stands there. `known` are those that were made for it before; others are put into it.
    """
    segments, source = tuple(rendition.segments), fold.renditions.get(SOURCE)
    if not segments or source is None or rendition.brought_at != segments[0].number:
        return segments
    known = known if known is not None else {}
    missing = [segment for segment in source.segments if segment.number < segments[0].number]
    if missing and len(known) > 2 * len(missing):
        known.clear()
    for segment in missing:
        if segment.number not in known:
            known[segment.number] = _of_source(segment, source, rendition)
    return (*(known[segment.number] for segment in missing), *segments)


def shown(fold: VideoFold, rendition: RenditionFold) -> Sequence[Segment]:
    """The segments that clients which begin now are offered: on demand once the rendition is over, else live."""
    return on_demand(fold, rendition) if fold.has_ended(rendition) else live(fold, rendition)


def lenders(fold: VideoFold, segments: Iterable[Segment]) -> list[TrackInfo]:
    """What those segments are that are another rendition's."""
    borrowed = dict.fromkeys((s.borrowed_from, s.init_uri) for s in segments if s.borrowed_from)
    found = (_info(fold.renditions[name], init) for name, init in borrowed)
    return [info for info in found if info is not None]


def _led_in(rendition: RenditionFold, others: Iterable[RenditionFold]) -> Sequence[Segment]:
    """The segments of a rendition, and gaps before them from where the first one of the same track begins."""
    segments = tuple(rendition.segments)
    if not segments:
        return segments
    same = [other for other in others if other.track is rendition.track and other.segments]
    earliest = min(same, key=lambda other: other.segments[0].number, default=rendition)
    missing = [segment for segment in earliest.segments if segment.number < segments[0].number]
    return (*(_gap(segment, segments[0]) for segment in missing), *segments)


def _borrowed(rendition: RenditionFold, others: Sequence[RenditionFold], gaps: Sequence[Segment]) -> Sequence[Segment]:
    """The segments of an epoch from the rendition that has most of them: the next lower one, else the next higher."""
    best = min(_lenders(rendition, others, gaps), default=None)
    if best is None:
        return gaps
    lender = next(other for other in others if other.name == best[-1])
    media = {segment.number: segment for segment in _media(lender, gaps)}
    init = next(iter(media.values())).init_uri
    found = (media.get(gap.number) or replace(gap, init_uri=init) for gap in gaps)
    return [replace(segment, borrowed_from=lender.name, parts=()) for segment in found]


def _lenders(
    rendition: RenditionFold, others: Iterable[RenditionFold], gaps: Sequence[Segment]
) -> Iterator[tuple[int, bool, int, str]]:
    """How well each of the other renditions suits, the least is the best, with its name."""
    wanted = _area(rendition.info)
    for other in others:
        media = _media(other, gaps)
        info = _info(other, media[0].init_uri) if media else None
        if all(segment.independent for segment in media) and _is_alike(info, rendition.info):
            area = _area(info)
            yield len(gaps) - len(media), area > wanted, abs(area - wanted), other.name


def _media(rendition: RenditionFold, gaps: Sequence[Segment]) -> list[Segment]:
    """What a rendition has of the segments of an epoch."""
    found = (rendition.segment(gap.number) for gap in gaps)
    return [s for s in found if s is not None and s.closed and not s.gap and s.epoch == gaps[0].epoch]


def _of_source(there: Segment, source: RenditionFold, rendition: RenditionFold) -> Segment:
    """A segment of the source in a playlist of a rendition that began in a later epoch; a gap where it would not do."""
    first = rendition.segments[0]
    earlier = there.epoch < first.epoch and _is_alike(_info(source, there.init_uri), rendition.info)
    if not earlier:
        return _gap(there, first)
    if there.gap or not there.independent:
        there = replace(_gap(there, first), init_uri=there.init_uri)
    return replace(there, borrowed_from=source.name, parts=())


def _is_alike(one: TrackInfo | None, other: TrackInfo | None) -> bool:
    """Whether who plays the one plays the other, too: of the same codec, and as many bits deep."""
    if one is None or other is None:
        return False
    return one.codecs[:4] == other.codecs[:4] and video_range(one.codecs) == video_range(other.codecs)


def _info(rendition: RenditionFold, init: str) -> TrackInfo | None:
    return rendition.infos.get(init) or rendition.info


def _area(info: TrackInfo | None) -> int:
    return info.width * info.height if info is not None else 0


def _gap(there: Segment, first: Segment) -> Segment:
    """A segment of another rendition as a gap of the one whose first segment is `first`."""
    scale = first.timescale
    dts, end = (ticks * scale // there.timescale for ticks in (there.dts, there.dts + there.duration))
    gap = replace(
        there, dts=dts, duration=max(1, end - dts), timescale=scale, init_uri=first.init_uri, independent=True
    )
    return replace(gap, parts=(), part_count=0, size=0, keyframe_size=0, gap=True)
