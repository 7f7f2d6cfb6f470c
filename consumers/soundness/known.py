"""Which segments of a video there must be, and what each place says of them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from consumers.soundness.facts import AUDIO, SOURCE, Expected, Facts, Key, LoggedSegment, expected
from stores.segment_rows import SegmentRow

SEGMENT_FILE: Final = re.compile(r"([0-9]{8,12})\.m4s")
DERIVED: Final = frozenset({"sprites"})
"""Folders of pictures, which are made again when somebody asks."""


@dataclass(frozen=True, slots=True)
class Known:
    """A segment with what each place says of it; `awaited`: what is on the log of it is too young to be judged."""

    key: Key
    logged: LoggedSegment | None
    row: SegmentRow | None
    must: Expected | None
    awaited: bool


def segments_of(facts: Facts) -> list[Known]:
    """Every segment that there must be, by rendition and number: those that somebody knows, and those between them."""
    logged, rows = facts.logged.segments, facts.indexed.segments
    keys: dict[str, set[int]] = {}
    for rendition, number in (*logged, *rows, *_recorded_keys(facts)):
        keys.setdefault(rendition, set()).add(number)
    found = []
    for rendition in sorted(keys):
        for number in _range(facts, rendition, keys[rendition]):
            key = rendition, number
            told, row = logged.get(key), rows.get(key)
            awaited = told is not None and not facts.patience.settled(told.told_ms)
            found.append(Known(key, told, row, expected(key, told, row), awaited))
    return found


def _range(facts: Facts, rendition: str, known: set[int]) -> range:
    """A rendition may begin later than the video, and end before it; `source` and `audio` of an ended one do not."""
    first, last, video = min(known), max(known), facts.video
    whole = (rendition == SOURCE and video.video) or (rendition == AUDIO and video.audio and not video.video)
    if whole and video.ended_ms is not None:
        first, last = 0, max(last, video.last_segment)
    return range(first, last + 1)


def _recorded_keys(facts: Facts) -> Iterator[Key]:
    for name in facts.stored.cold:
        _, rendition, file = name.split("/", 2)
        if (found := SEGMENT_FILE.fullmatch(file)) and rendition not in DERIVED:
            number = int(found[1])
            if facts.video.ended_ms is None or number <= facts.video.last_segment:
                yield rendition, number
