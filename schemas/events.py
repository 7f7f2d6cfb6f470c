"""The events on the log, one frozen dataclass each; `avro/*.avsc` says what every field means.

Fields and their order are those of the newest schema version of the same name (a test holds them together).
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Track(StrEnum):
    """Kind of media of a chunk or rendition."""

    VIDEO = "video"
    AUDIO = "audio"


class VideoState(StrEnum):
    """Life of a video: live → (interrupted → live)* → ended."""

    LIVE = "live"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Visibility(StrEnum):
    """Who may watch a video: all and it is listed; who has the address; who has a signed link, or owns it."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Origin(StrEnum):
    """Where a video came from."""

    LIVE = "live"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChunk:
    """One CMAF chunk of one track, as the streamer sent it (topic `media.source`)."""

    video_id: str
    channel: str
    track: Track
    gop: int
    segment: int
    part: int
    index: int
    epoch: int
    dts: int
    duration: int
    timescale: int
    independent: bool
    frames: int
    captured_ms: int
    received_ms: int
    codecs: str
    width: int
    height: int
    frame_rate: float
    sample_rate: int
    channels: int
    init: bytes | None = field(default=None, repr=False)
    data: bytes = field(repr=False)
    part_target_ms: int = 0
    epoch_ms: int = -1
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GopClosed:
    """No more chunks of a GOP will come (topic `media.source`); -1 chunks: unknown, its ingest died."""

    video_id: str
    channel: str
    gop: int
    first_segment: int
    last_segment: int
    video_chunks: int
    audio_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GopOpened:
    """A GOP begins, or an overlong one goes on in a further segment (topic `media.gops`); written before its chunks."""

    video_id: str
    channel: str
    gop: int
    segment: int
    epoch: int
    media_time_ms: int
    captured_ms: int
    ladder_below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """What a rendition is, for CODECS, RESOLUTION, FRAME-RATE."""

    codecs: str
    width: int
    height: int
    frame_rate: float
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReady:
    """A part of a rendition is in the segment store (topic `media.parts`)."""

    video_id: str
    channel: str
    rendition: str
    track: Track
    gop: int
    segment: int
    part: int
    epoch: int
    dts: int
    duration: int
    timescale: int
    independent: bool
    frames: int
    captured_ms: int
    received_ms: int
    name: str
    size: int
    sha256: bytes
    init: str
    info: TrackInfo | None = None
    part_target_ms: int = 0
    keyframe_size: int = 0
    epoch_ms: int = -1
    encoder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed:
    """A segment of a rendition is complete with `parts` parts; 0: it is lost (topic `media.parts`)."""

    video_id: str
    channel: str
    rendition: str
    gop: int
    segment: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoChanged:
    """The state of a video, whole, at each change (topic `videos`)."""

    video_id: str
    channel: str
    title: str
    state: VideoState
    started_ms: int
    changed_ms: int
    ended_ms: int | None = None
    last_segment: int
    part_target_ms: int
    segment_max_ms: int
    audio: bool
    video: bool
    keep_days: int = 0
    visibility: Visibility = Visibility.PUBLIC
    origin: Origin = Origin.LIVE
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettingsChanged:
    """The owner chose how a video is kept and shown; wins over what `VideoChanged` says (topic `videos.settings`)."""

    video_id: str
    channel: str
    title: str
    keep_days: int
    visibility: Visibility
    changed_ms: int
    changed_by: str
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentSubmitted:
    """A viewer wrote a comment; not yet checked (topic `comments.submitted`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    submitted_ms: int
    media_ms: int | None = None
    gateway_id: str
    role: str = ""
    address: str = ""
    screened: str = ""
    screened_reason: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentAccepted:
    """A comment passed the checks and has its number (topic `comments.feed`)."""

    video_id: str
    channel: str
    seq: int
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    root_id: str | None = None
    submitted_ms: int
    media_ms: int | None = None
    source_offset: int
    role: str = ""
    comments: int = 0
    approved_by: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRejected:
    """A comment did not pass the checks (topic `comments.rejected`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    reason: str
    message: str
    submitted_ms: int
    source_offset: int
    revision_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRevised:
    """The writer of a comment wants it changed, or gone (`text` None); not yet checked (topic `comments.submitted`)."""

    video_id: str
    channel: str
    revision_id: str
    comment_id: str
    user_id: str
    name: str
    text: str | None = None
    submitted_ms: int
    gateway_id: str
    role: str
    address: str


class Change(StrEnum):
    """What became of a comment; removed: by its writer, for good."""

    EDITED = "edited"
    REMOVED = "removed"
    HIDDEN = "hidden"
    SHOWN = "shown"
    PINNED = "pinned"
    UNPINNED = "unpinned"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentChanged:
    """A comment of the feed is not as it was (topic `comments.feed`, numbered together with the comments)."""

    video_id: str
    channel: str
    seq: int
    comment_id: str
    comment_seq: int
    user_id: str
    change: Change
    text: str | None = None
    by: str
    act_id: str
    revision_id: str
    comments: int
    changed_ms: int
    source_offset: int


class Queued(StrEnum):
    """Whether a comment waits for a moderator, or how it left the queue; withdrawn: by its writer."""

    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentHeld:
    """A comment waits for a moderator, or does not wait any more; nobody else sees it (topic `comments.review`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    reason: str
    message: str
    note: str
    role: str
    submitted_ms: int
    media_ms: int | None = None
    source_offset: int
    state: Queued = Queued.WAITING
    revision_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """What comments of a channel must keep to; the defaults are those of a channel that chose nothing."""

    slow_mode_ms: int = 0
    who: str = "everyone"
    first_review: bool = False
    links: str = "allow"
    max_length: int = 500
    duplicate_ms: int = 30_000
    flood: int = 0
    blocked: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()


class Act(StrEnum):
    """What a moderator does: to a comment, to a user, to an address, to the rules. Most have one that takes it back."""

    HIDE = "hide"
    SHOW = "show"
    PIN = "pin"
    UNPIN = "unpin"
    APPROVE = "approve"
    DECLINE = "decline"
    TIMEOUT = "timeout"
    UNTIMEOUT = "untimeout"
    BAN = "ban"
    UNBAN = "unban"
    HIDE_USER = "hide_user"
    SHOW_USER = "show_user"
    BAN_ADDRESS = "ban_address"
    UNBAN_ADDRESS = "unban_address"
    RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationActed:
    """A moderator did something: the log of who did what (topic `moderation`)."""

    act_id: str
    channel: str
    video_id: str
    kind: Act
    comment_id: str
    user_id: str
    address: str
    until_ms: int
    reason: str
    rules: ChannelRules | None = None
    by: str
    by_name: str
    undoes: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationOrdered:
    """An act on its way to who judges comments (topic `comments.submitted`).

    It is in the partition of its video; of a whole channel (`video_id` empty) in every partition.
    """

    video_id: str
    channel: str
    act: ModerationActed


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged:
    """The rules of a channel, whole, at each change (topic `channels.rules`)."""

    channel: str
    rules: ChannelRules
    changed_ms: int
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """One user wants a video (`comment_id` None) or a comment liked, or not any more."""

    user_id: str
    comment_id: str | None = None
    liked: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A reaction that repeats: a heart, a clap."""

    user_id: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What a user wants to have voted in a poll: the number of an option, or nothing any more."""

    user_id: str
    poll_id: str
    option: int | None = None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsRecorded:
    """What one gateway received for one video within some 20 ms (topic `reactions`).

    Of a hot video the reactions go to other partitions than its own, too: `share` is then where they went and `home` the
    video's own.
    """

    video_id: str
    channel: str
    gateway_id: str
    batch: int
    recorded_ms: int
    likes: tuple[Like, ...]
    reactions: tuple[Reaction, ...]
    votes: tuple[Vote, ...] = ()
    home: int = -1
    share: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsChanged:
    """Totals of a video, absolute, as of an offset of `reactions` (topic `totals`)."""

    video_id: str
    channel: str
    as_of_offset: int
    as_of_ms: int
    likes: int
    reactions: dict[str, int]
    comment_likes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CueRequested:
    """The streamer asks for a break (topic `ads.cues`)."""

    video_id: str
    channel: str
    cue_id: str
    duration_ms: int
    requested_ms: int
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CueDecided:
    """The planner took a cue, or says why not (topic `ads.breaks`)."""

    video_id: str
    channel: str
    cue_id: str
    accepted: bool
    reason: str
    message: str
    source_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakPlanned:
    """A break has its place: it starts with a segment (topic `ads.breaks`)."""

    video_id: str
    channel: str
    break_id: str
    segment: int
    start_ms: int
    media_time_ms: int
    duration_ms: int
    requested_ms: int


class JobState(StrEnum):
    """Life of a requested rendition: running → done | failed."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionRequested:
    """Somebody wants a rendition that a kept video does not have (topic `media.jobs`)."""

    video_id: str
    channel: str
    rendition: str
    height: int
    bitrate_bps: int
    starts: tuple[int, ...]
    last_segment: int
    requested_ms: int
    requested_by: str
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeTask:
    """One GOP of a kept video is to be transcoded into one rendition (topic `media.tasks`)."""

    video_id: str
    channel: str
    rendition: str
    height: int
    bitrate_bps: int
    task: int
    first_segment: int
    last_segment: int
    requested_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """A part of a segment that a task made."""

    dts: int
    duration: int
    size: int
    frames: int
    independent: bool
    captured_ms: int
    keyframe_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSegment:
    """A segment that a task made; no parts: it could not be made."""

    segment: int
    epoch: int
    epoch_ms: int
    timescale: int
    init: str
    parts: tuple[MadePart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished:
    """A task is done, and its segments are in the cold store (topic `media.jobs`)."""

    video_id: str
    channel: str
    rendition: str
    task: int
    segments: tuple[MadeSegment, ...]
    info: TrackInfo | None = None
    problem: str
    finished_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionChanged:
    """How far a requested rendition is, whole, at each change (topic `media.renditions`)."""

    video_id: str
    channel: str
    rendition: str
    height: int
    bitrate_bps: int
    state: JobState
    tasks: int
    finished: int
    lost: int
    info: TrackInfo | None = None
    requested_ms: int
    requested_by: str
    changed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be processed, with the cause and its bytes (topic `dead.letters`)."""

    topic: str
    partition: int
    offset: int
    app: str
    cause: str
    failed_ms: int
    key: bytes | None = None
    value: bytes | None = field(default=None, repr=False)


class CaptionKind(StrEnum):
    """What a text is for: captions tell sounds too, for who cannot hear; subtitles are speech only."""

    CAPTIONS = "captions"
    SUBTITLES = "subtitles"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCaptions:
    """The caption bytes of one picture."""

    pts: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsFound:
    """A source chunk carries captions (topic `media.parts`); written before the PartReady of the same part.

    Without pictures: the source has a place for captions, which is empty now.
    """

    video_id: str
    channel: str
    gop: int
    segment: int
    part: int
    epoch: int
    timescale: int
    pictures: tuple[PictureCaptions, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsUploaded:
    """The owner gave a video captions in a language, or took them away: text is empty (topic `videos.captions`)."""

    video_id: str
    channel: str
    language: str
    label: str
    kind: CaptionKind
    text: str = field(repr=False)
    uploaded_ms: int
    uploaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentArchived:
    """A closed segment is in the cold store, but for the `missing` parts (topic `recordings`)."""

    video_id: str
    channel: str
    rendition: str
    segment: int
    size: int
    missing: tuple[int, ...]
    archived_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRemoved:
    """The recording of a video is gone, for good (topic `videos.settings`, where it replaces what was chosen)."""

    video_id: str
    channel: str
    title: str
    reason: str
    files: int
    size: int
    removed_ms: int
    removed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpened:
    """Viewers are asked something (topic `reactions`)."""

    video_id: str
    channel: str
    poll_id: str
    question: str
    options: tuple[str, ...]
    opened_ms: int
    opened_by: str
    closes_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClosed:
    """Somebody closed a poll; votes that come after it on the log do not count (topic `reactions`)."""

    video_id: str
    channel: str
    poll_id: str
    closed_ms: int
    closed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsCounted:
    """What one partition counted of a hot video's reactions: a share of its totals, absolute (topic `reactions`)."""

    video_id: str
    channel: str
    share: int
    as_of_offset: int
    as_of_ms: int
    reactions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollChanged:
    """A poll and its votes, absolute, as of an offset of `reactions` (topic `totals`, key video_id/poll_id)."""

    video_id: str
    channel: str
    poll_id: str
    question: str
    options: tuple[str, ...]
    opened_ms: int
    opened_by: str
    closes_ms: int | None = None
    closed_ms: int | None = None
    votes: tuple[int, ...]
    as_of_offset: int
    as_of_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceRecorded:
    """How many watch one video through one gateway, and who came since the last time (topic `presence`).

    `joined` holds 8 bytes a viewer: a keyed hash, the same on every gateway.
    """

    video_id: str
    channel: str
    gateway_id: str
    recorded_ms: int
    viewers: int
    joined: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewersChanged:
    """Viewers of a video over all gateways: now, most at a time, different ones (topic `viewers`)."""

    video_id: str
    channel: str
    viewers: int
    peak: int
    peak_ms: int
    unique: int
    as_of_offset: int
    as_of_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestMeasured:
    """How a publisher's stream arrives, every few seconds and once when it has gone (topic `ingest.health`)."""

    video_id: str
    channel: str
    connected_ms: int
    measured_ms: int
    span_ms: int
    left: bool
    problem: str
    encoder: str
    video_bytes: int
    audio_bytes: int
    video_frames: int
    audio_frames: int
    media_ms: int
    keyframe_ms: int
    since_keyframe_ms: int
    silence_ms: int
    width: int
    height: int
    frame_rate: float
    video_codecs: str
    audio_codecs: str
    sample_rate: int
    channels: int
    reordered: bool
    left_out: int
    silence_inserted: int
    leaps: int
    held_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMoment:
    """Reactions by kind of who saw a moment of the video; `at_ms`: wall clock of its first picture."""

    at_ms: int
    reactions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsPlaced:
    """Where in a video people reacted, as one gateway heard within a second (topic `reactions.placed`)."""

    video_id: str
    channel: str
    gateway_id: str
    number: int
    recorded_ms: int
    moments: tuple[PlacedMoment, ...]


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
    | CaptionsFound
    | CaptionsUploaded
    | SegmentArchived
    | VideoRemoved
    | PollOpened
    | PollClosed
    | ReactionsCounted
    | PollChanged
    | PresenceRecorded
    | ViewersChanged
    | IngestMeasured
    | ReactionsPlaced
)
