"""What comments and their changes write into Cassandra: rows that are the same in whatever order, and however often.

One row a comment, in `comments`, holds what it is now; the other tables only lead to its number. An acceptance writes what
never changes, at the time of its event. Each change writes the columns that it is about, at the time `seq` of the change:
of two changes of one column the later number stays, whichever was written last, and one that comes before its comment
waits in the row for it. The text is written by both kinds; its write times are so far apart that an edit always wins
over what was accepted, and a removal over every edit.
"""

from typing import Final

from schemas.events import Change, CommentAccepted, CommentChanged
from stores.cassandra import Write
from stores.comments import BUCKET, CLOCK_BUCKET_MS, INDEX_BUCKET, Clock, shard_of

EDITED: Final = 10**18
"""Added to the write time of an edited text: later than every acceptance."""
REMOVED: Final = 2 * 10**18
"""The same for a removed text: later than every edit."""
FIRST_STAYS: Final = 10**15
"""Write times of `comment_ids` fall from here with the number: should an id come twice, the first comment keeps it."""

INSERT_COMMENT: Final = (
    "INSERT INTO $keyspace.comments (video_id, bucket, seq, channel, comment_id, user_id, name, text, parent_id, root_id, "
    "submitted_ms, media_ms, source_offset, role, approved_by, colour) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
INSERT_HEAD: Final = "INSERT INTO $keyspace.comment_heads (video_id, seq, shown) VALUES (?, ?, ?) USING TIMESTAMP ?"
INSERT_ID: Final = (
    "INSERT INTO $keyspace.comment_ids (video_id, shard, comment_id, seq) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_BY_AUTHOR: Final = (
    "INSERT INTO $keyspace.comments_by_author (video_id, user_id, bucket, seq) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_BY_CLOCK: Final = (
    "INSERT INTO $keyspace.comments_by_clock (video_id, clock, bucket, at_ms, seq) VALUES (?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
INSERT_REPLY: Final = "INSERT INTO $keyspace.replies (video_id, root_id, bucket, seq, comment_id) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
INSERT_CHANGE: Final = (
    "INSERT INTO $keyspace.comment_changes (video_id, bucket, seq, channel, comment_id, comment_seq, user_id, change, text, "
    "changed_by, act_id, revision_id, comments, changed_ms, source_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
INSERT_PIN: Final = (
    "INSERT INTO $keyspace.comment_pins (video_id, comment_seq, pinned) VALUES (?, ?, ?) USING TIMESTAMP ?"
)
_ROW: Final = "INSERT INTO $keyspace.comments (video_id, bucket, seq"
SET_TEXT: Final = f"{_ROW}, text) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
SET_EDITED: Final = f"{_ROW}, edited_ms) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
SET_HIDDEN: Final = f"{_ROW}, hidden) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
SET_REMOVED: Final = f"{_ROW}, removed) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
SET_PINNED: Final = f"{_ROW}, pinned) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"


def comment_writes(event: CommentAccepted) -> tuple[Write, ...]:
    """What an accepted comment writes: its row in the feed, the ways to it, and the feed's end."""
    e, bucket, time_us = event, event.seq // BUCKET, event.submitted_ms * 1_000
    said = (e.seq, e.channel, e.comment_id, e.user_id, e.name, e.text, e.parent_id, e.root_id)
    rest = (e.submitted_ms, e.media_ms, e.source_offset, e.role or None, e.approved_by or None, e.colour or None)
    feed = Write(INSERT_COMMENT, (e.video_id, bucket, *said, *rest, time_us), ("comments", e.video_id, bucket))
    return feed, _head(e.video_id, e.seq, e.comments or e.seq), *_ways(e, time_us)


def change_writes(event: CommentChanged) -> tuple[Write, ...]:
    """What a change writes: its own row, what it is about in the comment's row, and the feed's end."""
    e, bucket = event, event.seq // BUCKET
    what = (e.seq, e.channel, e.comment_id, e.comment_seq, e.user_id, e.change.value, e.text, e.by)
    rest = (e.act_id, e.revision_id, e.comments, e.changed_ms, e.source_offset)
    values = (e.video_id, bucket, *what, *rest, e.changed_ms * 1_000)
    change = Write(INSERT_CHANGE, values, ("comment_changes", e.video_id, bucket))
    return change, _head(e.video_id, e.seq, e.comments), *_columns(e)


def _head(video_id: str, seq: int, shown: int) -> Write:
    return Write(INSERT_HEAD, (video_id, seq, shown, seq), ("comment_heads", video_id), seq)


def _ways(event: CommentAccepted, time_us: int) -> list[Write]:
    e, v, index, shard = event, event.video_id, event.seq // INDEX_BUCKET, shard_of(event.comment_id)
    by_id = (v, shard, e.comment_id, e.seq, FIRST_STAYS - e.seq)
    ways = [
        Write(INSERT_ID, by_id, ("comment_ids", v, shard)),
        Write(INSERT_BY_AUTHOR, (v, e.user_id, index, e.seq, time_us), ("comments_by_author", v, e.user_id, index)),
        _by_clock(e, Clock.WRITTEN, e.submitted_ms, time_us),
        _by_clock(e, Clock.MEDIA, e.submitted_ms if e.media_ms is None else e.media_ms, time_us),
    ]
    if e.root_id is not None:
        values = (v, e.root_id, index, e.seq, e.comment_id, time_us)
        ways.append(Write(INSERT_REPLY, values, ("replies", v, e.root_id, index)))
    return ways


def _by_clock(event: CommentAccepted, clock: Clock, at_ms: int, time_us: int) -> Write:
    partition = (event.video_id, clock.value, at_ms // CLOCK_BUCKET_MS)
    return Write(INSERT_BY_CLOCK, (*partition, at_ms, event.seq, time_us), ("comments_by_clock", *partition))


def _columns(event: CommentChanged) -> list[Write]:
    e = event
    match e.change:
        case Change.EDITED:
            return [_set(e, SET_TEXT, e.text or "", EDITED + e.seq), _set(e, SET_EDITED, e.changed_ms, e.seq)]
        case Change.REMOVED:
            return [_set(e, SET_TEXT, "", REMOVED + e.seq), _set(e, SET_REMOVED, True, e.seq)]
        case Change.HIDDEN | Change.SHOWN:
            return [_set(e, SET_HIDDEN, e.change is Change.HIDDEN, e.seq)]
        case Change.PINNED | Change.UNPINNED:
            pinned = e.change is Change.PINNED
            pin = Write(INSERT_PIN, (e.video_id, e.comment_seq, pinned, e.seq), ("comment_pins", e.video_id))
            return [_set(e, SET_PINNED, pinned, e.seq), pin]


def _set(event: CommentChanged, cql: str, value: str | int | bool, time: int) -> Write:
    row = (event.video_id, event.comment_seq // BUCKET, event.comment_seq)
    return Write(cql, (*row, value, time), ("comments", *row[:2]))
