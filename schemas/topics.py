"""The topics: what is on them, how they are keyed, spread, kept and bounded."""

from dataclasses import dataclass
from enum import StrEnum
from math import gcd
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
MIB: Final = 1024 * 1024


class Cleanup(StrEnum):
    """Kafka's cleanup.policy."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        name: without the cluster's prefix.
        key: what the record key is.
        events: names of the events on it; empty: the format is private to one agent.
        cleanup: Kafka's cleanup.policy.
        retention_ms: how long a record stays, ms; None for compacted topics.
        max_message_bytes: Kafka's max.message.bytes.
        partitions: fixed number; None: the cluster's setting.
        also: names of events that are on it as well, and whose own topic, by which their schema is named, is another.
    """

    name: str
    key: str
    events: tuple[str, ...]
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int | None = None
    max_message_bytes: int = MIB
    partitions: int | None = None
    also: tuple[str, ...] = ()


FORGETTING: Final = ("VideoForgotten",)
MEDIA_SOURCE: Final = Topic(
    "media.source",
    "video_id/gop",
    ("MediaChunk", "GopClosed"),
    retention_ms=6 * HOUR_MS,
    max_message_bytes=8 * MIB + 256 * 1024,
)
MEDIA_GOPS: Final = Topic("media.gops", "video_id", ("GopOpened",), Cleanup.COMPACT)
MEDIA_PARTS: Final = Topic(
    "media.parts", "video_id", ("PartReady", "SegmentClosed", "CaptionsFound"), retention_ms=DAY_MS
)
VIDEOS: Final = Topic("videos", "video_id", ("VideoChanged",), Cleanup.COMPACT, partitions=1)
VIDEOS_SETTINGS: Final = Topic(
    "videos.settings",
    "video_id",
    ("VideoSettingsChanged", "VideoRemoved", "VideoForgotten"),
    Cleanup.COMPACT,
    partitions=1,
)
RECORDINGS: Final = Topic("recordings", "video_id", ("SegmentArchived",), retention_ms=7 * DAY_MS)
VIDEOS_CAPTIONS: Final = Topic("videos.captions", "video_id/language", ("CaptionsUploaded",), Cleanup.COMPACT)
COMMENTS_SUBMITTED: Final = Topic(
    "comments.submitted",
    "video_id",
    ("CommentSubmitted", "CommentRevised", "ModerationOrdered"),
    retention_ms=7 * DAY_MS,
    also=FORGETTING,
)
COMMENTS_FEED: Final = Topic(
    "comments.feed", "video_id", ("CommentAccepted", "CommentChanged"), retention_ms=30 * DAY_MS
)
COMMENTS_REJECTED: Final = Topic("comments.rejected", "video_id", ("CommentRejected",), retention_ms=7 * DAY_MS)
COMMENTS_REVIEW: Final = Topic("comments.review", "video_id", ("CommentHeld",), retention_ms=7 * DAY_MS)
MODERATION: Final = Topic("moderation", "channel", ("ModerationActed",), retention_ms=365 * DAY_MS)
CHANNELS_RULES: Final = Topic("channels.rules", "channel", ("RulesChanged",), Cleanup.COMPACT, partitions=1)
COMMENTS_STATE: Final = Topic("comments.state", "state row", (), Cleanup.COMPACT)
REACTIONS: Final = Topic(
    "reactions",
    "video_id",
    ("ReactionsRecorded", "PollOpened", "PollClosed", "ReactionsCounted"),
    retention_ms=7 * DAY_MS,
    also=FORGETTING,
)
REACTIONS_PLACED: Final = Topic("reactions.placed", "video_id", ("ReactionsPlaced",), retention_ms=30 * DAY_MS)
REACTIONS_STATE: Final = Topic("reactions.state", "state row", (), Cleanup.COMPACT)
TOTALS: Final = Topic("totals", "video_id or video_id/poll_id", ("TotalsChanged", "PollChanged"), Cleanup.COMPACT)
PRESENCE: Final = Topic("presence", "video_id", ("PresenceRecorded",), retention_ms=DAY_MS, also=FORGETTING)
VIEWERS_STATE: Final = Topic("viewers.state", "state row", (), Cleanup.COMPACT)
VIEWERS: Final = Topic("viewers", "video_id", ("ViewersChanged",), Cleanup.COMPACT)
ADS_CUES: Final = Topic("ads.cues", "video_id", ("CueRequested",), retention_ms=30 * DAY_MS, also=FORGETTING)
ADS_BREAKS: Final = Topic("ads.breaks", "video_id", ("CueDecided", "BreakPlanned"), retention_ms=30 * DAY_MS)
CUES_STATE: Final = Topic("cues.state", "state row", (), Cleanup.COMPACT)
MEDIA_JOBS: Final = Topic(
    "media.jobs", "video_id", ("RenditionRequested", "TaskFinished"), retention_ms=30 * DAY_MS, also=FORGETTING
)
MEDIA_TASKS: Final = Topic("media.tasks", "video_id/rendition/task", ("TranscodeTask",), retention_ms=7 * DAY_MS)
MEDIA_RENDITIONS: Final = Topic("media.renditions", "video_id/rendition", ("RenditionChanged",), Cleanup.COMPACT)
JOBS_STATE: Final = Topic("jobs.state", "state row", (), Cleanup.COMPACT)
INGEST_HEALTH: Final = Topic("ingest.health", "channel", ("IngestMeasured",), retention_ms=DAY_MS)
DEAD_LETTERS: Final = Topic(
    "dead.letters",
    "source topic",
    ("DeadLetter", "DeadLetterReplayed"),
    retention_ms=30 * DAY_MS,
    max_message_bytes=9 * MIB,
    partitions=1,
)

ALL_TOPICS: Final = (
    MEDIA_SOURCE,
    MEDIA_GOPS,
    MEDIA_PARTS,
    VIDEOS,
    VIDEOS_SETTINGS,
    RECORDINGS,
    VIDEOS_CAPTIONS,
    COMMENTS_SUBMITTED,
    COMMENTS_FEED,
    COMMENTS_REJECTED,
    COMMENTS_REVIEW,
    MODERATION,
    CHANNELS_RULES,
    COMMENTS_STATE,
    REACTIONS,
    REACTIONS_PLACED,
    REACTIONS_STATE,
    TOTALS,
    PRESENCE,
    VIEWERS_STATE,
    VIEWERS,
    ADS_CUES,
    ADS_BREAKS,
    CUES_STATE,
    MEDIA_JOBS,
    MEDIA_TASKS,
    MEDIA_RENDITIONS,
    JOBS_STATE,
    INGEST_HEALTH,
    DEAD_LETTERS,
)


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: as the default partitioner of the Java client (murmur2), so that other tools agree."""
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def source_partition(video_id: str, gop: int, partitions: int) -> int:
    """The partition of a GOP on `media.source`: one GOP stays together, the next goes to another.

    The stride is odd and about half of `partitions`, and coprime to it: Faust gives workers contiguous ranges, so that
    consecutive GOPs alternate between two workers and reach every partition.
    """
    return (partition_of(video_id, partitions) + _stride(partitions) * gop) % partitions


def share_partition(video_id: str, share: int, partitions: int) -> int:
    """The partition of a share of a hot video's reactions; share 0 is the video's own. Neighbours are far apart, as GOPs."""
    return source_partition(video_id, share, partitions)


def _stride(partitions: int) -> int:
    stride = partitions // 2 + 1
    while gcd(stride, partitions) != 1:
        stride += 1
    return stride


def _murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, seed 0x9747b28c, as org.apache.kafka.common.utils.Utils.murmur2."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
