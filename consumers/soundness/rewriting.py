"""Which writes make the rows again that a video's index lacks or has wrong. Pure.

The writes are those of the consumers, with their write times, so that a repeat changes nothing. Where somebody deleted a
row, or wrote into it by hand, his later time wins over them for ever: then the same writes are given again with a time
of now, in their own order. Only the rows that a finding names are treated so.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from consumers.projections.table import ProjectionError, writes_of_event
from consumers.soundness.facts import Key
from consumers.soundness.findings import INDEX, ROW_OF_OBJECT, Finding, Thing
from schemas.events import (
    CommentAccepted,
    CommentChanged,
    Event,
    PartReady,
    PollChanged,
    RenditionChanged,
    SegmentArchived,
    SegmentClosed,
    TaskFinished,
    TotalsChanged,
    VideoChanged,
    VideoSettingsChanged,
)
from stores.cassandra import Write

Row = tuple[Thing, Key | str | int]
"""A row that a finding names: of which kind, and which one."""

TABLES: Final = {
    Thing.SEGMENT_ROW: "segments",
    Thing.RENDITION_ROW: "renditions",
    Thing.VIDEO_ROW: "videos",
    Thing.COMMENT_ROW: "comments",
    Thing.CHANGE_ROW: "comment_changes",
    Thing.HEAD_ROW: "comment_heads",
    Thing.TOTALS_ROW: "totals",
    Thing.POLL_ROW: "polls",
}


def row_of(finding: Finding) -> Row | None:
    """The row that a finding is about; None for what is no row, and for rows that nothing mends."""
    if finding.thing not in TABLES or finding.mends not in {INDEX, ROW_OF_OBJECT}:
        return None
    match finding.thing:
        case Thing.SEGMENT_ROW:
            assert finding.key is not None
            return finding.thing, finding.key
        case Thing.COMMENT_ROW | Thing.CHANGE_ROW | Thing.HEAD_ROW:
            return finding.thing, int(finding.name.rpartition(" ")[2])
        case Thing.RENDITION_ROW | Thing.POLL_ROW:
            return finding.thing, finding.name
    return finding.thing, ""


@dataclass(slots=True)
class Rewriting:
    """The writes of the rows that are wanted, as far as the events of the video were given, in the order of the log."""

    wanted: Collection[Row]
    writes: dict[Row, list[Write]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take the next event of the video."""
        for row in _rows_of(event):
            if row in self.wanted:
                if row[0] in {Thing.TOTALS_ROW, Thing.POLL_ROW, Thing.HEAD_ROW}:
                    self.writes[row] = []  # absolute values: the latest stays
                self.writes.setdefault(row, []).extend(writes_of_event(event))


def every_write(events: Iterable[Event]) -> Iterator[Write]:
    """What the consumers would write of some events; of those that have no rows nothing."""
    for event in events:
        try:
            yield from writes_of_event(event)
        except ProjectionError:
            continue


def later(row: Row, writes: Sequence[Write], now_us: int) -> list[Write]:
    """The writes of a row itself, in the order of their write times, with times from `now_us` on."""
    mine = sorted((write for write in writes if _is_of(row, write)), key=write_time_us)
    return [_at(write, max(now_us + place, write_time_us(write))) for place, write in enumerate(mine)]


def write_time_us(write: Write) -> int:
    """The write time that a write says."""
    time_us = write.values[_time_index(write)]
    assert isinstance(time_us, int)
    return time_us


def _time_index(write: Write) -> int:
    return write.cql[: write.cql.index("TIMESTAMP ?")].count("?")


def _at(write: Write, time_us: int) -> Write:
    at = _time_index(write)
    values = (*write.values[:at], time_us, *write.values[at + 1 :])
    return replace(write, values=values, replaces_at=None if write.replaces_at is None else time_us)


def _is_of(row: Row, write: Write) -> bool:
    """Whether a write is of the row itself, and not of the ways to it, or of another segment of the same task."""
    thing, which = row
    if write.partition[0] != TABLES[thing]:
        return False
    if thing is Thing.SEGMENT_ROW:
        return write.values[-1] == which[1] if isinstance(which, tuple) else False
    return True


def _rows_of(event: Event) -> tuple[Row, ...]:
    """The rows that an event writes into."""
    rows = _ROWS.get(type(event))
    return rows(event) if rows is not None else ()


def _of_part(event: PartReady) -> tuple[Row, ...]:
    segment = _of_segment(event)
    return segment if event.info is None else (*segment, (Thing.RENDITION_ROW, event.rendition))


def _of_segment(event: PartReady | SegmentClosed | SegmentArchived) -> tuple[Row, ...]:
    return ((Thing.SEGMENT_ROW, (event.rendition, event.segment)),)


def _of_change(event: CommentChanged) -> tuple[Row, ...]:
    return (
        (Thing.COMMENT_ROW, event.comment_seq),
        (Thing.CHANGE_ROW, event.seq),
        (Thing.HEAD_ROW, event.seq),
    )


_ROWS: Final[dict[type[Event], Callable[[Any], tuple[Row, ...]]]] = {
    PartReady: _of_part,
    SegmentClosed: _of_segment,
    SegmentArchived: _of_segment,
    TaskFinished: lambda e: tuple((Thing.SEGMENT_ROW, (e.rendition, made.segment)) for made in e.segments),
    RenditionChanged: lambda e: ((Thing.RENDITION_ROW, e.rendition),),
    VideoChanged: lambda _: ((Thing.VIDEO_ROW, ""),),
    VideoSettingsChanged: lambda _: ((Thing.VIDEO_ROW, ""),),
    CommentAccepted: lambda e: ((Thing.COMMENT_ROW, e.seq), (Thing.HEAD_ROW, e.seq)),
    CommentChanged: _of_change,
    TotalsChanged: lambda _: ((Thing.TOTALS_ROW, ""),),
    PollChanged: lambda e: ((Thing.POLL_ROW, e.poll_id),),
}
