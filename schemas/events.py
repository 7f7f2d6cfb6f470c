"""The events on the log, one frozen dataclass each; `avro/*.avsc` says what every field means.

Fields and their order are those of the newest schema version of the same name (a test holds them together). Each subject has
a module of its own; this one has all of them.
"""

from schemas.break_events import BreakPlanned, CueDecided, CueRequested
from schemas.caption_events import CaptionKind, CaptionsFound, CaptionsUploaded, PictureCaptions
from schemas.comment_events import (
    Change,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CommentRevised,
    CommentSubmitted,
    Queued,
)
from schemas.dead_letter import DeadLetter, DeadLetterReplayed, RecordHeader
from schemas.engagement_events import (
    Like,
    PlacedMoment,
    PollChanged,
    PollClosed,
    PollOpened,
    PresenceRecorded,
    Reaction,
    ReactionsCounted,
    ReactionsPlaced,
    ReactionsRecorded,
    TotalsChanged,
    ViewersChanged,
    Vote,
)
from schemas.media_events import (
    GopClosed,
    GopOpened,
    IngestMeasured,
    MediaChunk,
    PartReady,
    SegmentArchived,
    SegmentClosed,
    Track,
    TrackInfo,
)
from schemas.moderation_events import Act, ChannelRules, ModerationActed, ModerationOrdered, RulesChanged
from schemas.rendition_events import (
    JobState,
    MadePart,
    MadeSegment,
    RenditionChanged,
    RenditionRequested,
    TaskFinished,
    TranscodeTask,
)
from schemas.video_events import (
    Origin,
    VideoChanged,
    VideoForgotten,
    VideoRemoved,
    VideoSettingsChanged,
    VideoState,
    Visibility,
)

Event = (
    MediaChunk
    | GopClosed
    | GopOpened
    | PartReady
    | SegmentClosed
    | VideoChanged
    | VideoSettingsChanged
    | CommentSubmitted
    | CommentAccepted
    | CommentRejected
    | CommentRevised
    | CommentChanged
    | CommentHeld
    | ModerationActed
    | ModerationOrdered
    | RulesChanged
    | ReactionsRecorded
    | TotalsChanged
    | CueRequested
    | CueDecided
    | BreakPlanned
    | RenditionRequested
    | TranscodeTask
    | TaskFinished
    | RenditionChanged
    | DeadLetter
    | DeadLetterReplayed
    | CaptionsFound
    | CaptionsUploaded
    | SegmentArchived
    | VideoRemoved
    | VideoForgotten
    | PollOpened
    | PollClosed
    | ReactionsCounted
    | PollChanged
    | PresenceRecorded
    | ViewersChanged
    | IngestMeasured
    | ReactionsPlaced
)

__all__ = [
    "Act",
    "BreakPlanned",
    "CaptionKind",
    "CaptionsFound",
    "CaptionsUploaded",
    "Change",
    "ChannelRules",
    "CommentAccepted",
    "CommentChanged",
    "CommentHeld",
    "CommentRejected",
    "CommentRevised",
    "CommentSubmitted",
    "CueDecided",
    "CueRequested",
    "DeadLetter",
    "DeadLetterReplayed",
    "Event",
    "GopClosed",
    "GopOpened",
    "IngestMeasured",
    "JobState",
    "Like",
    "MadePart",
    "MadeSegment",
    "MediaChunk",
    "ModerationActed",
    "ModerationOrdered",
    "Origin",
    "PartReady",
    "PictureCaptions",
    "PlacedMoment",
    "PollChanged",
    "PollClosed",
    "PollOpened",
    "PresenceRecorded",
    "Queued",
    "Reaction",
    "ReactionsCounted",
    "ReactionsPlaced",
    "ReactionsRecorded",
    "RecordHeader",
    "RenditionChanged",
    "RenditionRequested",
    "RulesChanged",
    "SegmentArchived",
    "SegmentClosed",
    "TaskFinished",
    "TotalsChanged",
    "Track",
    "TrackInfo",
    "TranscodeTask",
    "VideoChanged",
    "VideoForgotten",
    "VideoRemoved",
    "VideoSettingsChanged",
    "VideoState",
    "ViewersChanged",
    "Visibility",
    "Vote",
]
