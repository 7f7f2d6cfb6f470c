"""`totals` → the polls of a video with their votes."""

from typing import Final

from schemas.events import PollChanged
from stores.cassandra import Write

INSERT: Final = (
    "INSERT INTO $keyspace.polls (video_id, poll_id, channel, question, options, votes, opened_ms, opened_by, closes_ms, "
    "closed_ms, as_of_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)


def poll_writes(event: PollChanged) -> tuple[Write, ...]:
    """The whole poll, absolute; the write time is the offset up to which it is counted, so that the latest stays."""
    e = event
    asked = (e.video_id, e.poll_id, e.channel, e.question, list(e.options), list(e.votes))
    times = (e.opened_ms, e.opened_by, e.closes_ms, e.closed_ms, e.as_of_offset, e.as_of_offset)
    return (Write(INSERT, (*asked, *times), ("polls", e.video_id)),)
