"""Events of videos as a whole: what they are, and what their owners chose."""

from dataclasses import dataclass
from enum import StrEnum


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
class VideoForgotten:
    """Whatever is kept only for a removed video goes.

    It is on the source topics of every fold that keeps something of a video, in the partitions that do, and at last on
    `videos.settings` in the place of `VideoRemoved`. What comes about the video until `until_ms` is passed over.
    """

    video_id: str
    channel: str
    removed_ms: int
    forgotten_ms: int
    until_ms: int
