"""A segment index made of a tape's events, as the consumers write it and the gateway reads it back."""

from collections import defaultdict
from collections.abc import Iterable

from schemas.events import PartReady, SegmentClosed
from stores.segment_index import IndexedRendition, IndexedSegment
from tests.gateway.tape import Media


def indexed(events: Iterable[Media]) -> tuple[list[IndexedRendition], dict[str, list[IndexedSegment]]]:
    """Renditions and rows; later events of the same part replace nothing, for they are the same."""
    parts: dict[str, dict[int, dict[int, PartReady]]] = defaultdict(lambda: defaultdict(dict))
    counts: dict[tuple[str, int], int] = {}
    renditions: dict[str, IndexedRendition] = {}
    for event in events:
        if isinstance(event, SegmentClosed):
            counts[event.rendition, event.segment] = max(event.parts, counts.get((event.rendition, event.segment), 0))
        else:
            parts[event.rendition][event.segment][event.part] = event
            if event.info is not None:
                renditions[event.rendition] = IndexedRendition(event.rendition, event.track, event.info)
    rows: dict[str, list[IndexedSegment]] = {}
    for name in renditions:
        numbers = set(parts[name]) | {number for rendition, number in counts if rendition == name}
        rows[name] = [_row(n, parts[name].get(n, {}), counts.get((name, n))) for n in sorted(numbers)]
    return sorted(renditions.values(), key=lambda found: found.name), rows


def _row(number: int, parts: dict[int, PartReady], count: int | None) -> IndexedSegment:
    there: list[PartReady] = []
    while (part := parts.get(len(there))) is not None:
        there.append(part)
    some = next(iter(parts.values()), None)
    return IndexedSegment(
        number=number,
        epoch=some.epoch if some else 0,
        timescale=some.timescale if some else 0,
        init=some.init.rpartition("/")[2] if some else "",
        start_ms=there[0].captured_ms if there else 0,
        dts=there[0].dts if there else 0,
        duration=sum(part.duration for part in there),
        size=sum(part.size for part in there),
        independent=bool(there and there[0].independent),
        parts=len(there),
        part_count=count,
        keyframe_size=there[0].keyframe_size if there else 0,
        epoch_ms=some.epoch_ms if some and some.epoch_ms >= 0 else None,
    )
