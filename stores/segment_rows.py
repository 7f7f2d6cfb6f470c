"""Rows of the segment index as they are written, part by part: for who compares them with the log and the recordings.

Players read the index by `stores/segment_index.py`, which gives of a row only what can be played.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from stores.cassandra import Cassandra, Row
from stores.segment_index import BUCKET, PAGE_ROWS

_ROWS: Final = (
    "SELECT segment, epoch, timescale, init, parts, part_count, archived_size, missing FROM $keyspace.segments "
    "WHERE video_id = ? AND rendition = ? AND bucket = ?"
)


@dataclass(frozen=True, slots=True)
class IndexedPart:
    """A part in the index: decode time and duration in ticks, bytes."""

    dts: int
    duration: int
    size: int


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A row of `segments`.

    Attributes:
        init: name of its init segment, `VIDEO/RENDITION/init-HASH.mp4`; empty where no part came.
        parts: by number.
        part_count: how many there should be; 0: the segment is lost; None: nobody said so yet.
        archived_size: bytes of its object in the cold store; 0: there is none; None: nobody said so yet.
        missing: parts that are gaps in its object.
    """

    number: int
    epoch: int
    timescale: int
    init: str
    parts: dict[int, IndexedPart]
    part_count: int | None
    archived_size: int | None
    missing: tuple[int, ...]


async def segment_rows(cassandra: Cassandra, video_id: str, rendition: str, last: int) -> AsyncIterator[SegmentRow]:
    """The rows of a rendition in order, up to the bucket of segment `last`.

    Raises:
        CassandraError.
    """
    for bucket in range(max(0, last) // BUCKET + 1):
        async for row in cassandra.every_row(_ROWS, (video_id, rendition, bucket), page_rows=PAGE_ROWS):
            yield _segment(row)


def _segment(row: Row) -> SegmentRow:
    parts = {number: IndexedPart(part.dts, part.duration, part.size) for number, part in (row.parts or {}).items()}
    return SegmentRow(
        number=row.segment,
        epoch=row.epoch or 0,
        timescale=row.timescale or 0,
        init=row.init or "",
        parts=parts,
        part_count=row.part_count,
        archived_size=row.archived_size,
        missing=tuple(row.missing or ()),
    )
