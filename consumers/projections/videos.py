"""`videos` and `videos.settings` → the video's document, by id and in its channel's list.

An ingest repeats what it was told at the start with every change, so what an owner chose is written with a time that is
later than every `VideoChanged` will ever be: a choice wins over all of them, and the newest choice over older ones.
"""

from typing import Final

from schemas.events import VideoChanged, VideoRemoved, VideoSettingsChanged, VideoState
from stores.cassandra import Write

CHOICES_US: Final = 10**18
"""Added to the write time of a choice: thirty thousand years of microseconds."""

INSERT_VIDEO: Final = (
    "INSERT INTO $keyspace.videos (video_id, channel, title, state, started_ms, changed_ms, ended_ms, last_segment, "
    "part_target_ms, segment_max_ms, audio, video, keep_days, visibility, origin, tags, description) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_IN_CHANNEL: Final = (
    "INSERT INTO $keyspace.videos_by_channel (channel, video_id, title, state, started_ms, ended_ms, keep_days, "
    "visibility, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
CHOOSE_FOR_VIDEO: Final = (
    "INSERT INTO $keyspace.videos (video_id, title, keep_days, visibility, tags, description) VALUES (?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
CHOOSE_IN_CHANNEL: Final = (
    "INSERT INTO $keyspace.videos_by_channel (channel, video_id, title, keep_days, visibility) VALUES (?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
REMOVE_VIDEO: Final = "INSERT INTO $keyspace.videos (video_id, removed_ms) VALUES (?, ?) USING TIMESTAMP ?"
REMOVE_IN_CHANNEL: Final = (
    "INSERT INTO $keyspace.videos_by_channel (channel, video_id, removed_ms) VALUES (?, ?, ?) USING TIMESTAMP ?"
)
Value = str | int | None | tuple[str, ...]
_RANK: Final = {VideoState.LIVE: 0, VideoState.INTERRUPTED: 1, VideoState.ENDED: 2}


def video_writes(event: VideoChanged) -> tuple[Write, ...]:
    """The whole state; the write time is that of the change; of two in one millisecond the end stays."""
    e, time_us = event, event.changed_ms * 1_000 + _RANK[event.state]
    times = (e.started_ms, e.changed_ms, e.ended_ms)
    playing = (e.last_segment, e.part_target_ms, e.segment_max_ms, e.audio, e.video)
    kept = (e.keep_days, e.visibility.value, e.origin.value)
    document = (e.video_id, e.channel, e.title, e.state.value, *times, *playing, *kept, *_about(e), time_us)
    listed = (e.channel, e.video_id, e.title, e.state.value, e.started_ms, e.ended_ms, *kept, time_us)
    return _both(INSERT_VIDEO, document, INSERT_IN_CHANNEL, listed)


def choice_writes(event: VideoSettingsChanged) -> tuple[Write, ...]:
    """What the owner chose, over whatever the ingest says."""
    e, time_us = event, event.changed_ms * 1_000 + CHOICES_US
    chosen = (e.title, e.keep_days, e.visibility.value)
    document, listed = (e.video_id, *chosen, *_about(e), time_us), (e.channel, e.video_id, *chosen, time_us)
    return _both(CHOOSE_FOR_VIDEO, document, CHOOSE_IN_CHANNEL, listed)


def _about(event: VideoChanged | VideoSettingsChanged) -> tuple[tuple[str, ...], str]:
    return event.tags, event.description


def removal_writes(event: VideoRemoved) -> tuple[Write, ...]:
    """A mark: who lists videos passes over those that have it, until their rows are cleared (`consumers.forgetting`)."""
    e, at = event, (event.removed_ms, event.removed_ms * 1_000)
    return _both(REMOVE_VIDEO, (e.video_id, *at), REMOVE_IN_CHANNEL, (e.channel, e.video_id, *at))


def _both(document: str, values: tuple[Value, ...], in_channel: str, listed: tuple[Value, ...]) -> tuple[Write, Write]:
    """The same for the document and the list; the first value of each is its partition."""
    return (
        Write(document, values, ("videos", str(values[0]))),
        Write(in_channel, listed, ("videos_by_channel", str(listed[0]))),
    )
