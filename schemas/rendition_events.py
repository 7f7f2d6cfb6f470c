"""Events of renditions on request: jobs, tasks, what was made."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.media_events import TrackInfo


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
