"""`videos` → the video's document, by id and in its channel's list."""

from typing import Final

from schemas.events import VideoChanged, VideoState
from stores.cassandra import Write

INSERT_VIDEO: Final = (
    "INSERT INTO $keyspace.videos (video_id, channel, title, state, started_ms, changed_ms, ended_ms, last_segment, "
    "part_target_ms, segment_max_ms, audio, video) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_IN_CHANNEL: Final = (
    "INSERT INTO $keyspace.videos_by_channel (channel, video_id, title, state, started_ms, ended_ms) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
_RANK: Final = {VideoState.LIVE: 0, VideoState.INTERRUPTED: 1, VideoState.ENDED: 2}


def video_writes(event: VideoChanged) -> tuple[Write, ...]:
    """The whole state; the write time is that of the change; of two in one millisecond the end stays."""
    e, time_us = event, event.changed_ms * 1_000 + _RANK[event.state]
    times = (e.started_ms, e.changed_ms, e.ended_ms)
    playing = (e.last_segment, e.part_target_ms, e.segment_max_ms, e.audio, e.video)
    document = (e.video_id, e.channel, e.title, e.state.value, *times, *playing, time_us)
    listed = (e.channel, e.video_id, e.title, e.state.value, e.started_ms, e.ended_ms, time_us)
    return Write(INSERT_VIDEO, document, ("videos", e.video_id)), Write(
        INSERT_IN_CHANNEL, listed, ("videos_by_channel", e.channel)
    )
