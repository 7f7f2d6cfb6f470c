"""`ads.breaks` → one row a cue: what was decided, and where its break is."""

from typing import Final

from schemas.events import BreakPlanned, CueDecided
from stores.cassandra import Write

INSERT_DECISION: Final = (
    "INSERT INTO $keyspace.breaks (video_id, break_id, channel, accepted, reason, message) VALUES (?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
INSERT_PLAN: Final = (
    "INSERT INTO $keyspace.breaks (video_id, break_id, channel, segment, start_ms, media_time_ms, duration_ms, "
    "requested_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)


def break_writes(event: CueDecided | BreakPlanned) -> tuple[Write, ...]:
    """The columns that the event knows, in the row of its cue."""
    e = event
    if isinstance(e, CueDecided):
        decided = (e.video_id, e.cue_id, e.channel, e.accepted, e.reason, e.message, e.source_offset)
        return (Write(INSERT_DECISION, decided, ("breaks", e.video_id)),)
    place = (e.segment, e.start_ms, e.media_time_ms, e.duration_ms, e.requested_ms)
    values = (e.video_id, e.break_id, e.channel, *place, e.requested_ms * 1_000)
    return (Write(INSERT_PLAN, values, ("breaks", e.video_id)),)
