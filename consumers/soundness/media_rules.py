"""What is the matter with the segments of a video: rows of the index, objects of the recording, hot parts. Pure."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from consumers.soundness.facts import AUDIO, SOURCE, Expected, Facts, Key, Part
from consumers.soundness.findings import (
    COLD_OR_SOURCE,
    HOT_OR_SOURCE,
    INDEX,
    NOTHING,
    REMAKE,
    REMOVE,
    ROW_OF_OBJECT,
    Finding,
    Is,
    Thing,
    numbers,
)
from consumers.soundness.known import DERIVED, SEGMENT_FILE, Known
from schemas.video_settings import NOT_KEPT
from stores.recordings import segment_name
from stores.segment_rows import SegmentRow
from stores.segments import part_name


def segment_findings(facts: Facts, one: Known) -> Iterator[Finding]:
    """Row, object and hot parts of one segment."""
    yield from _row(facts, one)
    name = segment_name(facts.video.video_id, *one.key)
    if one.must is None:
        yield from _gap(facts, one)
        return
    if facts.video.keep_days != NOT_KEPT:
        yield from _object(facts, one, one.must, name)
    yield from _hot_parts(facts, one)


def _gap(facts: Facts, one: Known) -> Iterator[Finding]:
    """A segment of which nobody has everything: a gap in the playlists, which a recording should not have."""
    rendition, number = one.key
    has_object = segment_name(facts.video.video_id, *one.key) in facts.stored.cold
    if facts.video.keep_days == NOT_KEPT or (one.logged is None and one.row is None and has_object):
        return  # nobody keeps it, or the row alone is missing, which is said
    if one.logged is None and one.row is None:
        said = "neither the log nor the index tells of it: a gap"
    elif _count(one) == 0:
        said = "it was lost while it was live: a gap"
    else:
        said = "some of its parts were never told: a gap"
    mends = REMAKE if rendition not in {SOURCE, AUDIO} else "its chunks, if the log still has them"
    yield Finding(Is.MISSING, Thing.SEGMENT, f"{rendition} {number}", said, mends, one.key)


def _count(one: Known) -> int | None:
    told = one.logged.part_count if one.logged is not None else None
    row = one.row.part_count if one.row is not None else None
    return max((count for count in (told, row) if count is not None), default=None)


def _row(facts: Facts, one: Known) -> Iterator[Finding]:
    """The segment's row in the index against the log; what the log does not have any more is not judged."""
    name, told, row = f"{one.key[0]} {one.key[1]}", one.logged, one.row
    if row is None:
        recorded = segment_name(facts.video.video_id, *one.key) in facts.stored.cold
        if told is not None and told.part_count is not None:
            yield Finding(Is.MISSING, Thing.SEGMENT_ROW, name, "the index does not know it", INDEX, one.key)
        elif recorded:
            said = "the index does not know it, and the log does not tell of it any more"
            yield Finding(Is.MISSING, Thing.SEGMENT_ROW, name, said, ROW_OF_OBJECT, one.key)
        return
    if told is None or told.part_count is None:
        return
    lacking = [n for n in range(told.part_count) if n in told.parts and n not in row.parts]
    if lacking:
        said = f"the index lacks {numbers('part', lacking)}"
        yield Finding(Is.MISSING, Thing.SEGMENT_ROW, name, said, INDEX, one.key)
    different = [n for n in range(told.part_count) if _differs(told.parts.get(n), row, n)]
    if different:
        said = f"size or time of {numbers('part', different)} is not that of the log"
        yield Finding(Is.WRONG, Thing.SEGMENT_ROW, name, said, INDEX, one.key)
    if row.part_count is None or row.part_count < told.part_count:
        said = f"the index says {_told(row.part_count)}, the log {told.part_count} parts"
        yield Finding(Is.WRONG, Thing.SEGMENT_ROW, name, said, INDEX, one.key)


def _told(count: int | None) -> str:
    return "nothing of its end" if count is None else f"{count} parts"


def _differs(part: Part | None, row: SegmentRow, number: int) -> bool:
    other = row.parts.get(number)
    if part is None or other is None:
        return False
    return (part.dts, part.duration, part.size) != (other.dts, other.duration, other.size)


def _object(facts: Facts, one: Known, must: Expected, name: str) -> Iterator[Finding]:
    size = facts.stored.cold.get(name)
    gaps = _gaps(facts, one)
    if size is None:
        yield Finding(Is.MISSING, Thing.OBJECT, name, "it is not in the recordings", HOT_OR_SOURCE, one.key)
    elif size != must.size:
        said = f"it has {size} bytes, its parts {must.size}"
        yield Finding(Is.WRONG, Thing.OBJECT, name, said, HOT_OR_SOURCE, one.key)
    elif gaps:
        said = f"{numbers('part', gaps)} of it {'is a gap' if len(gaps) == 1 else 'are gaps'}"
        yield Finding(Is.MISSING, Thing.OBJECT, name, said, HOT_OR_SOURCE, one.key)
    elif name in facts.stored.broken:
        yield Finding(Is.WRONG, Thing.OBJECT, name, facts.stored.broken[name], HOT_OR_SOURCE, one.key)


def _gaps(facts: Facts, one: Known) -> tuple[int, ...]:
    """Parts that are gaps in the object, as the newest word says."""
    told = facts.logged.archived.get(one.key)
    if told is not None:
        return told.missing
    return one.row.missing if one.row is not None else ()


def _hot_parts(facts: Facts, one: Known) -> Iterator[Finding]:
    told = one.logged
    if told is None or told.made or not facts.patience.is_hot(told.ready_ms):
        return
    for number, part in sorted(told.parts.items()):
        name = part_name(facts.video.video_id, *one.key, number)
        if name in facts.stored.hot and facts.stored.hot[name] != part.size:
            size = facts.stored.hot[name]
            what, said = (Is.MISSING, "it is not in the hot store")
            if size is not None:
                what, said = Is.WRONG, f"it has {size} bytes, expected {part.size}"
            yield Finding(what, Thing.PART, name, said, COLD_OR_SOURCE, one.key, number)


def init_findings(facts: Facts, judged: Iterable[Known]) -> Iterator[Finding]:
    """Every init segment that a segment needs, where the segment is."""
    kept = facts.video.keep_days != NOT_KEPT
    seen: set[str] = set()
    for one in judged:
        init = one.must.init if one.must is not None else ""
        if not init or init in seen:
            continue
        if kept and init not in facts.stored.cold:
            seen.add(init)
            said = "it is not in the recordings: its segments cannot be played"
            yield Finding(Is.MISSING, Thing.INIT, init, said, HOT_OR_SOURCE, one.key)
        elif init in facts.stored.broken:
            seen.add(init)
            yield Finding(Is.WRONG, Thing.INIT, init, facts.stored.broken[init], HOT_OR_SOURCE, one.key)


def order_findings(judged: Iterable[Known]) -> Iterator[Finding]:
    """Within an epoch each segment begins where the one before it ends, and so does each part."""
    wholes = [one.must for one in judged if one.must is not None]
    for must in wholes:
        for number, (before, after) in enumerate(pairwise(must.parts)):
            if before.dts + before.duration != after.dts:
                yield _breaks(must, f"part {number + 1} begins at {after.dts}", before.dts + before.duration)
    for first, second in pairwise(wholes):
        follows = first.key[0] == second.key[0] and first.key[1] + 1 == second.key[1]
        if follows and first.epoch == second.epoch and first.end != second.parts[0].dts:
            yield _breaks(second, f"it begins at {second.parts[0].dts}", first.end)


def _breaks(must: Expected, said: str, due: int) -> Finding:
    name = f"{must.key[0]} {must.key[1]}"
    sentence = f"{said}, expected {due} (1/{must.timescale} s), where what is before it ends"
    return Finding(Is.WRONG, Thing.SEGMENT, name, sentence, NOTHING, must.key)


def extra_findings(facts: Facts, known: set[Key]) -> Iterator[Finding]:
    """Objects that nothing names."""
    rows, told = facts.indexed.segments, facts.logged.segments
    inits = {row.init for row in rows.values()} | {segment.init for segment in told.values()}
    for name in sorted(facts.stored.cold):
        _, folder, file = name.split("/", 2)
        found = SEGMENT_FILE.fullmatch(file)
        if facts.removed:
            yield Finding(Is.EXTRA, Thing.OBJECT, name, "the recording of its video was removed", REMOVE)
        elif folder in DERIVED or name in inits or (found and (folder, int(found[1])) in known):
            continue
        else:
            yield Finding(Is.EXTRA, Thing.OBJECT, name, "neither the log nor the index names it", REMOVE)


def rendition_findings(facts: Facts, judged: Iterable[Known]) -> Iterator[Finding]:
    """Every rendition that the ladder made live has a row that says what it is; requested ones when they are done."""
    live = {one.key[0] for one in judged if one.logged is not None and one.logged.parts and not one.logged.made}
    for rendition in sorted(live - facts.indexed.renditions):
        yield Finding(Is.MISSING, Thing.RENDITION_ROW, rendition, "the index does not say what it is", INDEX)
