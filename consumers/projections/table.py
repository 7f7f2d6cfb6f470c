"""Which topics are written into Cassandra, and the one way from a record to its writes."""

from collections.abc import Callable
from typing import Any, Final

from consumers.projections.breaks import break_writes
from consumers.projections.likes import like_writes
from consumers.projections.polls import poll_writes
from consumers.projections.requested import made_writes, requested_writes
from consumers.projections.segments import archive_writes, segment_writes
from consumers.projections.totals import totals_writes
from consumers.projections.videos import choice_writes, removal_writes, video_writes
from consumers.projections.viewers import viewers_writes
from consumers.projections.votes import vote_writes
from schemas import codec
from schemas.events import (
    BreakPlanned,
    CaptionsFound,
    CaptionsUploaded,
    CommentAccepted,
    CommentChanged,
    CueDecided,
    Event,
    ModerationActed,
    PartReady,
    PollChanged,
    PollClosed,
    PollOpened,
    ReactionsCounted,
    ReactionsPlaced,
    ReactionsRecorded,
    RenditionChanged,
    RenditionRequested,
    SegmentArchived,
    SegmentClosed,
    TaskFinished,
    TotalsChanged,
    VideoChanged,
    VideoForgotten,
    VideoRemoved,
    VideoSettingsChanged,
    ViewersChanged,
)
from schemas.topics import (
    ADS_BREAKS,
    COMMENTS_FEED,
    MEDIA_JOBS,
    MEDIA_PARTS,
    MEDIA_RENDITIONS,
    MODERATION,
    REACTIONS,
    REACTIONS_PLACED,
    RECORDINGS,
    TOTALS,
    VIDEOS,
    VIDEOS_CAPTIONS,
    VIDEOS_SETTINGS,
    VIEWERS,
)
from stores.captions import caption_writes
from stores.cassandra import Write
from stores.comment_writes import change_writes, comment_writes
from stores.log_group import RawRecord
from stores.moderation import act_writes
from stores.reaction_bursts import moment_writes, place_writes

TOPICS: Final = (
    COMMENTS_FEED,
    TOTALS,
    REACTIONS,
    REACTIONS_PLACED,
    MEDIA_PARTS,
    MEDIA_JOBS,
    MEDIA_RENDITIONS,
    RECORDINGS,
    VIDEOS,
    VIDEOS_SETTINGS,
    ADS_BREAKS,
    VIDEOS_CAPTIONS,
    VIEWERS,
    MODERATION,
)

_EVENTS: Final = {topic.name: topic.events + topic.also for topic in TOPICS}
_WRITERS: Final[dict[type[Event], Callable[[Any], tuple[Write, ...]]]] = {
    PartReady: segment_writes,
    SegmentClosed: segment_writes,
    CaptionsFound: caption_writes,
    CaptionsUploaded: caption_writes,
    TaskFinished: made_writes,
    RenditionChanged: requested_writes,
    RenditionRequested: lambda _: (),
    CommentAccepted: comment_writes,
    CommentChanged: change_writes,
    ReactionsRecorded: lambda event: (*like_writes(event), *vote_writes(event)),
    PollOpened: lambda _: (),  # what becomes of it is on `totals`
    PollClosed: lambda _: (),
    ReactionsCounted: lambda _: (),
    ReactionsPlaced: place_writes,
    TotalsChanged: lambda event: (*totals_writes(event), *moment_writes(event)),
    PollChanged: poll_writes,
    ViewersChanged: viewers_writes,
    VideoChanged: video_writes,
    VideoSettingsChanged: choice_writes,
    VideoRemoved: removal_writes,
    VideoForgotten: lambda _: (),  # its rows are cleared by `consumers.forgetting`, which must read to know them
    SegmentArchived: archive_writes,
    CueDecided: break_writes,
    BreakPlanned: break_writes,
    ModerationActed: act_writes,
}


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


def writes_of_event(event: Event) -> tuple[Write, ...]:
    """What an event writes.

    Raises:
        ProjectionError: events of this kind are not kept in Cassandra.
    """
    writer = _WRITERS.get(type(event))
    if writer is None:
        raise ProjectionError(f"{type(event).__name__} is not kept in Cassandra")
    return writer(event)
