"""Events of ad breaks: asked for, decided, planned."""

from dataclasses import dataclass


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
