"""What was made on request (`media.jobs`, `media.renditions`) → the segment index."""

from consumers.projections.segments import ADD_PART, ARCHIVE, BUCKET, CLOSE, INSERT_RENDITION
from schemas.events import JobState, MadePart, MadeSegment, RenditionChanged, TaskFinished, Track
from stores.cassandra import Write

Row = tuple[str, str, int, int]


def made_writes(event: TaskFinished) -> tuple[Write, ...]:
    """What the segments of a finished task add; write times as for parts, so that a repeat changes nothing."""
    return tuple(write for segment in event.segments for write in _segment(event, segment))


def requested_writes(event: RenditionChanged) -> tuple[Write, ...]:
    """A requested rendition is one of the video's when all of it is there."""
    info = event.info
    if event.state is not JobState.DONE or info is None:
        return ()
    described = (info.codecs, info.width, info.height, info.frame_rate, info.sample_rate, info.channels)
    values = (event.video_id, event.rendition, Track.VIDEO.value, *described, None, event.changed_ms * 1_000)
    return (Write(INSERT_RENDITION, values, ("renditions", event.video_id)),)


def _segment(event: TaskFinished, segment: MadeSegment) -> tuple[Write, ...]:
    row = event.video_id, event.rendition, segment.segment // BUCKET, segment.segment
    parts = [_part(event.channel, segment, number, part, row) for number, part in enumerate(segment.parts)]
    closed = Write(CLOSE, (len(parts), len(parts), *row), ("segments", *row[:3]))
    if not parts:
        return (closed,)
    nothing_missing: list[int] = []
    stored = event.finished_ms * 1_000, sum(part.size for part in segment.parts), nothing_missing, *row
    return *parts, closed, Write(ARCHIVE, stored, ("segments", *row[:3]))


def _part(channel: str, segment: MadeSegment, number: int, part: MadePart, row: Row) -> Write:
    epoch_ms = segment.epoch_ms if segment.epoch_ms >= 0 else None
    p, shape = part, (segment.epoch, segment.timescale, segment.init, epoch_ms)
    value = (p.dts, p.duration, p.size, p.frames, p.independent, p.captured_ms, p.keyframe_size)
    values = (p.captured_ms * 1_000, channel, Track.VIDEO.value, None, *shape, number, value, *row)
    return Write(ADD_PART, values, ("segments", *row[:3]))
