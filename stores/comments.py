"""The comments of a video in Cassandra: how they are written, and read by number, newest, older, newer, by thread.

The feed is cut into buckets of `BUCKET` numbers, one partition each. Numbers are dense, so a page is nearly always one
query, and two at a border. `comment_heads` tells where the feed ends. Whatever the direction, a page comes oldest first.
"""

import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from schemas.events import CommentAccepted
from stores.cassandra import Cassandra, Row, Write

BUCKET: Final = 10_000
REPLIES_BUCKET: Final = 100_000
MAX_LIMIT: Final = 1_000
SHARDS: Final = 32

# ruff: noqa: S608  (the statements below are put together of constants only)
_COLUMNS: Final = (
    "seq, channel, comment_id, user_id, name, text, parent_id, root_id, submitted_ms, media_ms, source_offset"
)
INSERT_COMMENT: Final = (
    f"INSERT INTO $keyspace.comments (video_id, bucket, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)
INSERT_REPLY: Final = (
    "INSERT INTO $keyspace.replies (video_id, root_id, bucket, seq, channel, comment_id, user_id, name, text, parent_id, "
    "submitted_ms, media_ms, source_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_HEAD: Final = "INSERT INTO $keyspace.comment_heads (video_id, seq) VALUES (?, ?) USING TIMESTAMP ?"

_SELECT: Final = f"SELECT video_id, {_COLUMNS} FROM $keyspace.comments WHERE video_id = ? AND bucket = ?"
_BEFORE: Final = f"{_SELECT} AND seq < ? ORDER BY seq DESC LIMIT ?"
_AFTER: Final = f"{_SELECT} AND seq > ? ORDER BY seq ASC LIMIT ?"
_REPLIES: Final = f"SELECT video_id, {_COLUMNS} FROM $keyspace.replies WHERE video_id = ? AND root_id = ? AND bucket = ? AND seq > ? LIMIT ?"
_HEAD: Final = "SELECT seq FROM $keyspace.comment_heads WHERE video_id = ?"
_LIKES: Final = (
    "SELECT comment_id, likes FROM $keyspace.comment_totals WHERE video_id = ? AND shard = ? AND comment_id IN ?"
)


def shard_of(name: str) -> int:
    """The shard of a user or comment id in the tables that have one."""
    return zlib.crc32(name.encode()) % SHARDS


def comment_writes(event: CommentAccepted) -> tuple[Write, ...]:
    """What an accepted comment writes: its row in the feed, in its thread if it is a reply, and the feed's end."""
    e, bucket, time_us = event, event.seq // BUCKET, event.submitted_ms * 1_000
    text = (e.seq, e.channel, e.comment_id, e.user_id, e.name, e.text, e.parent_id)
    rest = (e.submitted_ms, e.media_ms, e.source_offset, time_us)
    feed = Write(INSERT_COMMENT, (e.video_id, bucket, *text, e.root_id, *rest), ("comments", e.video_id, bucket))
    head = Write(INSERT_HEAD, (e.video_id, e.seq, e.seq), ("comment_heads", e.video_id), e.seq)
    if e.root_id is None:
        return feed, head
    thread = e.video_id, e.root_id, e.seq // REPLIES_BUCKET
    return feed, head, Write(INSERT_REPLY, (*thread, *text, *rest), ("replies", *thread))


class CommentStore:
    """The comments of all videos. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def append(self, events: Iterable[CommentAccepted]) -> None:
        """Write comments; the same ones again change nothing."""
        await self._cassandra.write([write for event in events for write in comment_writes(event)])

    async def head(self, video_id: str) -> int:
        """The highest number of a video's feed, 0 if it has no comments."""
        rows = await self._cassandra.rows(_HEAD, (video_id,))
        return int(rows[0].seq) if rows else 0

    async def latest(self, video_id: str, limit: int) -> list[CommentAccepted]:
        """The newest `limit` (1 to `MAX_LIMIT`) comments, oldest first."""
        return await self.before(video_id, await self.head(video_id) + 1, limit)

    async def before(self, video_id: str, seq: int, limit: int) -> list[CommentAccepted]:
        """The `limit` (1 to `MAX_LIMIT`) comments just before number `seq`, oldest first."""
        _check(limit)
        seq = min(seq, await self.head(video_id) + 1)
        found: list[Row] = []
        for bucket in range((seq - 1) // BUCKET, -1, -1):
            found += await self._rows(_BEFORE, (video_id, bucket, seq), limit - len(found))
            if len(found) == limit:
                break
        return [_comment(row) for row in reversed(found)]

    async def after(self, video_id: str, seq: int, limit: int) -> list[CommentAccepted]:
        """The `limit` (1 to `MAX_LIMIT`) comments just after number `seq`, oldest first."""
        _check(limit)
        seq = max(0, seq)
        found: list[Row] = []
        for bucket in range((seq + 1) // BUCKET, await self.head(video_id) // BUCKET + 1):
            found += await self._rows(_AFTER, (video_id, bucket, seq), limit - len(found))
            if len(found) == limit:
                break
        return [_comment(row) for row in found]

    async def replies(self, video_id: str, root_id: str, limit: int, after: int = 0) -> list[CommentAccepted]:
        """The first `limit` (1 to `MAX_LIMIT`) replies of a thread with a number above `after`, oldest first."""
        _check(limit)
        after = max(0, after)
        found: list[Row] = []
        for bucket in range((after + 1) // REPLIES_BUCKET, await self.head(video_id) // REPLIES_BUCKET + 1):
            found += await self._rows(_REPLIES, (video_id, root_id, bucket, after), limit - len(found))
            if len(found) == limit:
                break
        return [_comment(row) for row in found]

    async def every(self, video_id: str) -> AsyncIterator[CommentAccepted]:
        """All comments of a video, oldest first, in pages."""
        page = await self.after(video_id, 0, MAX_LIMIT)
        while page:
            for comment in page:
                yield comment
            page = await self.after(video_id, page[-1].seq, MAX_LIMIT)

    async def likes(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, int]:
        """How many users like each of at most `MAX_LIMIT` comments; those without a like are left out."""
        _check(len(comment_ids) or 1)
        by_shard: dict[int, list[str]] = {}
        for comment_id in comment_ids:
            by_shard.setdefault(shard_of(comment_id), []).append(comment_id)
        found: dict[str, int] = {}
        for shard, ids in by_shard.items():
            rows = await self._cassandra.rows(_LIKES, (video_id, shard, ids))
            found |= {row.comment_id: row.likes for row in rows if row.likes}
        return found

    async def _rows(self, cql: str, values: tuple[Any, ...], limit: int) -> list[Row]:
        return await self._cassandra.rows(cql, (*values, limit), limit=limit)


def _check(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"expected a limit of 1 to {MAX_LIMIT}, found {limit}")


def _comment(row: Row) -> CommentAccepted:
    return CommentAccepted(**row._asdict())
