"""What Cassandra's index says of a video: its document, its renditions, its segments, its breaks.

The consumers write it (`consumers/projections`); here it is read. A row of `segments` is a segment as far as it came:
each part added itself, so a row may be incomplete while its parts are on their way, and for ever where some were lost.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from schemas.events import BreakPlanned, Origin, Track, TrackInfo, VideoChanged, VideoState, Visibility
from schemas.video_settings import NOT_KEPT
from stores.cassandra import Cassandra, Row

BUCKET: Final = 1_000
PAGE_ROWS: Final = 200
"""Rows of segments have a map of parts each: small pages leave the event loop to others."""

_VIDEO: Final = (
    "SELECT video_id, channel, title, state, started_ms, changed_ms, ended_ms, last_segment, part_target_ms, "
    "segment_max_ms, audio, video, keep_days, visibility, origin, tags, description, removed_ms FROM $keyspace.videos WHERE video_id = ?"
)
_RENDITIONS: Final = (
    "SELECT rendition, track, codecs, width, height, frame_rate, sample_rate, channels FROM $keyspace.renditions "
    "WHERE video_id = ?"
)
_SEGMENTS: Final = (
    "SELECT segment, epoch, epoch_ms, timescale, init, parts, part_count, missing FROM $keyspace.segments "
    "WHERE video_id = ? AND rendition = ? AND bucket = ? AND segment >= ? AND segment <= ?"
)
_BEFORE: Final = (
    "SELECT segment, epoch, epoch_ms, timescale, init, parts, part_count, missing FROM $keyspace.segments "
    "WHERE video_id = ? AND rendition = ? AND bucket = ? AND segment < ? ORDER BY segment DESC"
)
_BREAKS: Final = (
    "SELECT video_id, channel, break_id, accepted, segment, start_ms, media_time_ms, duration_ms, requested_ms "
    "FROM $keyspace.breaks WHERE video_id = ?"
)
_OF_CHANNEL: Final = "SELECT video_id FROM $keyspace.videos_by_channel WHERE channel = ? LIMIT ?"


@dataclass(frozen=True, slots=True)
class IndexedRendition:
    """What a rendition is; `info` is that of its newest segment."""

    name: str
    track: Track
    info: TrackInfo


@dataclass(frozen=True, slots=True)
class IndexedSegment:
    """A segment as far as it is indexed.

    Attributes:
        number: of the segment.
        epoch: discontinuity count.
        timescale: ticks per second; 0 where no part came.
        init: file name of its init segment, `init-HASH.mp4`.
        start_ms: wall clock of its first presented sample.
        dts: decode time of its first sample, ticks.
        duration: of the parts from 0 up to the first that is missing, ticks.
        size: bytes of the same parts.
        independent: it starts with a sync sample.
        parts: how many parts there are from 0 up to the first that is missing.
        keyframe_size: bytes from its start to the end of its first sample, an IDR picture; 0 where there is none.
        epoch_ms: media time at which its epoch began; None where its parts did not tell it.
        part_count: how many there should be; 0: the segment is lost, or was recorded with gaps; None: nobody said so yet.
    """

    number: int
    epoch: int
    timescale: int
    init: str
    start_ms: int
    dts: int
    duration: int
    size: int
    independent: bool
    parts: int
    part_count: int | None
    keyframe_size: int = 0
    epoch_ms: int | None = None

    @property
    def complete(self) -> bool:
        """All its parts are there; a lost segment is not complete."""
        return bool(self.part_count) and self.parts == self.part_count

    @property
    def settled(self) -> bool:
        """Nothing of it is awaited: it is complete, or known to be lost."""
        return self.complete or self.part_count == 0


class SegmentIndex:
    """Reads the index. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def video(self, video_id: str) -> VideoChanged | None:
        """A video as it holds; None when it never was, or was removed."""
        rows = await self._cassandra.rows(_VIDEO, (video_id,), limit=1)
        return _video(rows[0]) if rows and rows[0].channel is not None and rows[0].removed_ms is None else None

    async def videos_of(self, channel: str, limit: int = 20) -> list[str]:
        """The ids of a channel's newest videos, newest first."""
        return [row.video_id for row in await self._cassandra.rows(_OF_CHANNEL, (channel, limit), limit=limit)]

    async def renditions(self, video_id: str) -> list[IndexedRendition]:
        """The renditions of a video that ever had a part, by name."""
        rows = await self._cassandra.rows(_RENDITIONS, (video_id,))
        return sorted((_rendition(row) for row in rows if row.track is not None), key=lambda found: found.name)

    async def segments(self, video_id: str, rendition: str, first: int, last: int) -> AsyncIterator[IndexedSegment]:
        """The segments `first` to `last` of a rendition that are in the index, in order."""
        for bucket in range(first // BUCKET, last // BUCKET + 1):
            asked = video_id, rendition, bucket, first, last
            async for row in self._cassandra.every_row(_SEGMENTS, asked, page_rows=PAGE_ROWS):
                yield _segment(row)

    async def segments_before(self, video_id: str, rendition: str, number: int) -> AsyncIterator[IndexedSegment]:
        """The segments of a rendition before `number` that are in the index, the last one first."""
        for bucket in range((number - 1) // BUCKET, -1, -1):
            asked = video_id, rendition, bucket, number
            async for row in self._cassandra.every_row(_BEFORE, asked, page_rows=PAGE_ROWS):
                yield _segment(row)

    async def breaks(self, video_id: str) -> list[BreakPlanned]:
        """The breaks of a video that took place."""
        rows = await self._cassandra.rows(_BREAKS, (video_id,))
        return [_break(row) for row in rows if row.start_ms is not None]


def _video(row: Row) -> VideoChanged:
    return VideoChanged(
        video_id=row.video_id,
        channel=row.channel,
        title=row.title or "",
        state=VideoState(row.state),
        started_ms=row.started_ms,
        changed_ms=row.changed_ms,
        ended_ms=row.ended_ms,
        last_segment=row.last_segment,
        part_target_ms=row.part_target_ms,
        segment_max_ms=row.segment_max_ms,
        audio=row.audio,
        video=row.video,
        keep_days=row.keep_days or NOT_KEPT,
        visibility=Visibility(row.visibility or Visibility.PUBLIC),
        origin=Origin(row.origin or Origin.LIVE),
        tags=tuple(row.tags or ()),
        description=row.description or "",
    )


def _rendition(row: Row) -> IndexedRendition:
    info = TrackInfo(
        codecs=row.codecs,
        width=row.width,
        height=row.height,
        frame_rate=row.frame_rate,
        sample_rate=row.sample_rate,
        channels=row.channels,
    )
    return IndexedRendition(row.rendition, Track(row.track), info)


def _segment(row: Row) -> IndexedSegment:
    parts = row.parts or {}
    there: list[Any] = []
    while (part := parts.get(len(there))) is not None:
        there.append(part)
    first = there[0] if there else None
    return IndexedSegment(
        number=row.segment,
        epoch=row.epoch or 0,
        timescale=row.timescale or 0,
        init=(row.init or "").rpartition("/")[2],
        start_ms=first.captured_ms if first else 0,
        dts=first.dts if first else 0,
        duration=sum(part.duration for part in there),
        size=sum(part.size for part in there),
        independent=bool(first and first.independent),
        parts=len(there),
        part_count=0 if row.missing else row.part_count,
        keyframe_size=(first.keyframe_size or 0) if first else 0,
        epoch_ms=row.epoch_ms,
    )


def _break(row: Row) -> BreakPlanned:
    values = row._asdict()
    del values["accepted"]
    return BreakPlanned(**values)
