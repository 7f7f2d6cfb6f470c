"""Which topics are written into Cassandra, and the one way from a record to its writes."""

from typing import Final

from consumers.projections.breaks import break_writes
from consumers.projections.likes import like_writes
from consumers.projections.segments import segment_writes
from consumers.projections.totals import totals_writes
from consumers.projections.videos import video_writes
from schemas import codec
from schemas.events import (
    BreakPlanned,
    CaptionsFound,
    CaptionsUploaded,
    CommentAccepted,
    CueDecided,
    Event,
    PartReady,
    ReactionsRecorded,
    SegmentClosed,
    TotalsChanged,
    VideoChanged,
)
from schemas.topics import ADS_BREAKS, COMMENTS_FEED, MEDIA_PARTS, REACTIONS, TOTALS, VIDEOS, VIDEOS_CAPTIONS
from stores.captions import caption_writes
from stores.cassandra import Write
from stores.comments import comment_writes
from stores.log_group import RawRecord

TOPICS: Final = (COMMENTS_FEED, TOTALS, REACTIONS, MEDIA_PARTS, VIDEOS, ADS_BREAKS, VIDEOS_CAPTIONS)
_EVENTS: Final = {topic.name: topic.events for topic in TOPICS}


class ProjectionError(ValueError):
    """A record that cannot be written into Cassandra, now or later; says what was expected and found."""


def writes_of_record(record: RawRecord) -> tuple[Write, ...]:
    """What a record of one of `TOPICS` writes; nothing for a tombstone.

    Raises:
        ProjectionError: it is not an event of its topic that this version can read.
    """
    if record.value is None:
        return ()
    try:
        event = codec.decode(record.value)
    except codec.CodecError as error:
        raise ProjectionError(str(error)) from error
    name = type(event).__name__
    if name not in _EVENTS[record.topic]:
        raise ProjectionError(f"expected {' or '.join(_EVENTS[record.topic])} on {record.topic}, found {name}")
    return writes_of_event(event)


def writes_of_event(event: Event) -> tuple[Write, ...]:  # noqa: PLR0911  (one for each kind)
    """What an event writes.

    Raises:
        ProjectionError: events of this kind are not kept in Cassandra.
    """
    match event:
        case PartReady() | SegmentClosed():
            return segment_writes(event)
        case CaptionsFound() | CaptionsUploaded():
            return caption_writes(event)
        case CommentAccepted():
            return comment_writes(event)
        case ReactionsRecorded():
            return like_writes(event)
        case TotalsChanged():
            return totals_writes(event)
        case VideoChanged():
            return video_writes(event)
        case CueDecided() | BreakPlanned():
            return break_writes(event)
        case _:
            raise ProjectionError(f"{type(event).__name__} is not kept in Cassandra")
