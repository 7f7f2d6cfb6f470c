"""`media.parts` and `recordings` → the segment index.

Each part adds itself to its segment's row, and the closing event tells how many there are; nothing is collected in
between. So there is no state to lose: after a crash in the middle of a segment the rest of its parts join the same row.
"""

from typing import Final

from schemas.events import PartReady, SegmentArchived, SegmentClosed
from stores.cassandra import Write

BUCKET: Final = 1_000
_WHERE: Final = "WHERE video_id = ? AND rendition = ? AND bucket = ? AND segment = ?"
ADD_PART: Final = (
    "UPDATE $keyspace.segments USING TIMESTAMP ? SET channel = ?, track = ?, gop = ?, epoch = ?, timescale = ?, "  # noqa: S608  (constants only)
    f"init = ?, epoch_ms = ?, parts[?] = ? {_WHERE}"
)
CLOSE: Final = f"UPDATE $keyspace.segments USING TIMESTAMP ? SET part_count = ? {_WHERE}"  # noqa: S608
ARCHIVE: Final = f"UPDATE $keyspace.segments USING TIMESTAMP ? SET archived_size = ?, missing = ? {_WHERE}"  # noqa: S608
INSERT_RENDITION: Final = (
    "INSERT INTO $keyspace.renditions (video_id, rendition, track, codecs, width, height, frame_rate, sample_rate, "
    "channels, timescale) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)


def segment_writes(event: PartReady | SegmentClosed) -> tuple[Write, ...]:
    """What a part, or the end of a segment, adds to the segment's row; a part 0 also describes its rendition."""
    if isinstance(event, SegmentClosed):
        row = _row(event)
        return (Write(CLOSE, (event.parts, event.parts, *row), ("segments", *row[:3])),)
    return _part(event), *_rendition(event)


def archive_writes(event: SegmentArchived) -> tuple[Write, ...]:
    """The segment's object in the cold store: its size, and the parts that are gaps in it."""
    row = _row(event)
    values = (event.archived_ms * 1_000, event.size, list(event.missing), *row)
    return (Write(ARCHIVE, values, ("segments", *row[:3])),)


def _row(event: PartReady | SegmentClosed | SegmentArchived) -> tuple[str, str, int, int]:
    return event.video_id, event.rendition, event.segment // BUCKET, event.segment


def _part(event: PartReady) -> Write:
    e, row = event, _row(event)
    part = (e.dts, e.duration, e.size, e.frames, e.independent, e.captured_ms, e.keyframe_size)
    epoch_ms = e.epoch_ms if e.epoch_ms >= 0 else None
    values = (_time_us(e), e.channel, e.track.value, e.gop, e.epoch, e.timescale, e.init, epoch_ms, e.part, part, *row)
    return Write(ADD_PART, values, ("segments", *row[:3]))


def _rendition(event: PartReady) -> tuple[Write, ...]:
    e, info = event, event.info
    if info is None:
        return ()
    described = (info.codecs, info.width, info.height, info.frame_rate, info.sample_rate, info.channels)
    values = (e.video_id, e.rendition, e.track.value, *described, e.timescale, _time_us(e))
    return (Write(INSERT_RENDITION, values, ("renditions", e.video_id)),)


def _time_us(event: PartReady) -> int:
    return event.captured_ms * 1_000
