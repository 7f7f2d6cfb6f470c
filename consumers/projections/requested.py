"""What was made on request (`media.jobs`, `media.renditions`) → the segment index."""

from consumers.projections.segments import ADD_PART, ARCHIVE, BUCKET, CLOSE, INSERT_RENDITION
from schemas.events import JobState, MadePart, MadeSegment, RenditionChanged, TaskFinished, Track
from stores.cassandra import Write

Row = tuple[str, str, int, int]


def made_writes(event: TaskFinished) -> tuple[Write, ...]:
    """What the segments of a finished task add; write times as for parts, so that a repeat changes nothing."""
    return tuple(
        write
        for segment in event.segments
        for write in segment_writes_of(
            event.video_id, event.channel, event.rendition, Track.VIDEO, segment, event.finished_ms
        )
    )


def requested_writes(event: RenditionChanged) -> tuple[Write, ...]:
    """A requested rendition is one of the video's when all of it is there."""
    info = event.info
    if event.state is not JobState.DONE or info is None:
        return ()
    described = (info.codecs, info.width, info.height, info.frame_rate, info.sample_rate, info.channels)
    values = (event.video_id, event.rendition, Track.VIDEO.value, *described, None, event.changed_ms * 1_000)
    return (Write(INSERT_RENDITION, values, ("renditions", event.video_id)),)


def segment_writes_of(
    video_id: str, channel: str, rendition: str, track: Track, segment: MadeSegment, stored_ms: int
) -> tuple[Write, ...]:
    """The whole row of a segment whose object was stored at `stored_ms`; of one without parts, that it is lost."""
    row = video_id, rendition, segment.segment // BUCKET, segment.segment
    parts = [_part(channel, track, segment, number, part, row) for number, part in enumerate(segment.parts)]
    closed = Write(CLOSE, (len(parts), len(parts), *row), ("segments", *row[:3]))
    if not parts:
        return (closed,)
    nothing_missing: list[int] = []
    stored = stored_ms * 1_000, sum(part.size for part in segment.parts), nothing_missing, *row
    return *parts, closed, Write(ARCHIVE, stored, ("segments", *row[:3]))


def _part(channel: str, track: Track, segment: MadeSegment, number: int, part: MadePart, row: Row) -> Write:
    epoch_ms = segment.epoch_ms if segment.epoch_ms >= 0 else None
    p, shape = part, (segment.epoch, segment.timescale, segment.init, epoch_ms)
    value = (p.dts, p.duration, p.size, p.frames, p.independent, p.captured_ms, p.keyframe_size)
    values = (p.captured_ms * 1_000, channel, track.value, None, *shape, number, value, *row)
    return Write(ADD_PART, values, ("segments", *row[:3]))
