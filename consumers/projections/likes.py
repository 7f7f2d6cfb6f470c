"""`reactions` → likes per user; the hearts and claps are in `totals`, not here."""

from typing import Final

from schemas.events import Like, ReactionsRecorded
from schemas.ids import COMMENT_ID
from stores.cassandra import Write
from stores.comments import shard_of

MAX_USER_ID: Final = 64
VIDEO_ITSELF: Final = ""
INSERT: Final = (
    "INSERT INTO $keyspace.likes (video_id, shard, user_id, comment_id, liked, at_ms) VALUES (?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)


def like_writes(event: ReactionsRecorded) -> tuple[Write, ...]:
    """The last wish of each user for each target in a batch.

    The write time is that of the wish, then the batch's number: a batch that a gateway sends again, after later ones,
    changes nothing.
    """
    last = {(like.user_id, like.comment_id): like for like in event.likes if _has_form(like)}
    return tuple(_write(event, like) for like in last.values())


def _has_form(like: Like) -> bool:
    """Whether the ids have their form; the counter of likes passes others over, too."""
    return 0 < len(like.user_id) <= MAX_USER_ID and (
        like.comment_id is None or bool(COMMENT_ID.fullmatch(like.comment_id))
    )


def _write(event: ReactionsRecorded, like: Like) -> Write:
    shard = shard_of(like.user_id)
    time_us = like.at_ms * 1_000 + event.batch % 1_000
    values = event.video_id, shard, like.user_id, like.comment_id or VIDEO_ITSELF, like.liked, like.at_ms, time_us
    return Write(INSERT, values, ("likes", event.video_id, shard))
