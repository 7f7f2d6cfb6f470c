"""`totals` → the latest totals of a video, the last ones of each minute, and the likes of its comments."""

from typing import Final

from schemas.events import TotalsChanged
from stores.cassandra import Write
from stores.comments import shard_of

MINUTE_MS: Final = 60_000
INSERT_TOTALS: Final = (
    "INSERT INTO $keyspace.totals (video_id, channel, likes, reactions, as_of_offset, as_of_ms) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_MINUTE: Final = (
    "INSERT INTO $keyspace.totals_by_minute (video_id, minute, likes, reactions, as_of_offset, as_of_ms) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_COMMENT: Final = (
    "INSERT INTO $keyspace.comment_totals (video_id, shard, comment_id, likes, as_of_offset) VALUES (?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)


def totals_writes(event: TotalsChanged) -> tuple[Write, ...]:
    """Absolute values; the write time is the offset up to which they count, so that the latest stay."""
    e, offset = event, event.as_of_offset
    counted = (e.likes, dict(e.reactions), offset, e.as_of_ms, offset)
    latest = Write(INSERT_TOTALS, (e.video_id, e.channel, *counted), ("totals", e.video_id), offset)
    minute = Write(INSERT_MINUTE, (e.video_id, e.as_of_ms // MINUTE_MS, *counted), ("totals_by_minute", e.video_id))
    return latest, minute, *(_comment(e, comment_id, likes) for comment_id, likes in e.comment_likes.items())


def _comment(event: TotalsChanged, comment_id: str, likes: int) -> Write:
    shard, offset = shard_of(comment_id), event.as_of_offset
    values = (event.video_id, shard, comment_id, likes, offset, offset)
    return Write(INSERT_COMMENT, values, ("comment_totals", event.video_id, shard))
