"""`viewers` → the latest figures of a video's viewers, and the last ones of each minute."""

from typing import Final

from schemas.events import ViewersChanged
from stores.cassandra import Write

MINUTE_MS: Final = 60_000
INSERT_LATEST: Final = (
    "INSERT INTO $keyspace.viewers (video_id, channel, viewers, peak, peak_ms, unique_viewers, as_of_offset, as_of_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_MINUTE: Final = (
    "INSERT INTO $keyspace.viewers_by_minute (video_id, minute, viewers, peak, peak_ms, unique_viewers, as_of_offset, "
    "as_of_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)


def viewers_writes(event: ViewersChanged) -> tuple[Write, ...]:
    """Absolute values; the write time is the offset up to which they count, so that the latest stay."""
    e = event
    figures = (e.viewers, e.peak, e.peak_ms, e.unique, e.as_of_offset, e.as_of_ms, e.as_of_offset)
    latest = Write(INSERT_LATEST, (e.video_id, e.channel, *figures), ("viewers", e.video_id), e.as_of_offset)
    minute = (e.video_id, e.as_of_ms // MINUTE_MS, *figures)
    return latest, Write(INSERT_MINUTE, minute, ("viewers_by_minute", e.video_id))
