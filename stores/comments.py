"""The comments of a video in Cassandra, read: by number, newest, older, newer; by id, thread, author, clock; as they are now.

The feed is cut into buckets of `BUCKET` numbers, one partition each. Numbers are dense over comments and changes, so a
page is nearly always one query, and two at a border. `comment_heads` tells where the feed ends. `stores/comment_writes.py`
says how all of it is written.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.comment_state import CommentNow, Entry, as_told_now
from schemas.events import Change, CommentAccepted, CommentChanged
from stores.cassandra import Cassandra, Row

BUCKET: Final = 10_000
INDEX_BUCKET: Final = 100_000
CLOCK_BUCKET_MS: Final = 60_000
MAX_LIMIT: Final = 1_000
MAX_PINS: Final = 100
MAX_SEQ: Final = 2**53
MAX_HEADS: Final = 10_000
"""Videos of which a store remembers where their feed ended."""
SHARDS: Final = 32
MINUTES_AT_ONCE: Final = 8
MAX_MINUTES: Final = 240
"""So many minutes one page of `by_clock` looks through at most."""

# ruff: noqa: S608  (the statements below are put together of constants only)
_FACTS: Final = (
    "video_id, seq, channel, comment_id, user_id, name, text, parent_id, root_id, submitted_ms, media_ms, source_offset"
)
_NOW: Final = "role, approved_by, colour, hidden, removed, edited_ms, pinned"
_SELECT: Final = f"SELECT {_FACTS}, {_NOW} FROM $keyspace.comments WHERE video_id = ? AND bucket = ?"
_BEFORE: Final = f"{_SELECT} AND seq < ? ORDER BY seq DESC LIMIT ?"
_AFTER: Final = f"{_SELECT} AND seq > ? ORDER BY seq ASC LIMIT ?"
_THESE: Final = f"{_SELECT} AND seq IN ?"
_CHANGES: Final = (
    "SELECT video_id, seq, channel, comment_id, comment_seq, user_id, change, text, changed_by, "
    "act_id, revision_id, comments, changed_ms, source_offset FROM $keyspace.comment_changes WHERE video_id = ? AND bucket = ? AND seq > ? LIMIT ?"
)
_HEAD: Final = "SELECT seq, shown FROM $keyspace.comment_heads WHERE video_id = ?"
_ID: Final = "SELECT seq FROM $keyspace.comment_ids WHERE video_id = ? AND shard = ? AND comment_id = ?"
_PINS: Final = (
    "SELECT comment_seq, pinned FROM $keyspace.comment_pins WHERE video_id = ? ORDER BY comment_seq DESC LIMIT ?"
)
_IN_THREAD: Final = "SELECT seq FROM $keyspace.replies WHERE video_id = ? AND root_id = ? AND bucket = ?"
_BY_AUTHOR: Final = "SELECT seq FROM $keyspace.comments_by_author WHERE video_id = ? AND user_id = ? AND bucket = ?"
_NEWER: Final = " AND seq > ? ORDER BY seq ASC LIMIT ?"
_OLDER: Final = " AND seq < ? ORDER BY seq DESC LIMIT ?"
_BY_CLOCK: Final = "SELECT at_ms, seq FROM $keyspace.comments_by_clock WHERE video_id = ? AND clock = ? AND bucket = ?"
_LATER: Final = " AND (at_ms, seq) > (?, ?) AND (at_ms) < (?) ORDER BY at_ms ASC, seq ASC LIMIT ?"
_SOONER: Final = " AND (at_ms, seq) < (?, ?) AND (at_ms) >= (?) ORDER BY at_ms DESC, seq DESC LIMIT ?"
_LIKES: Final = (
    "SELECT comment_id, likes FROM $keyspace.comment_totals WHERE video_id = ? AND shard IN ? AND comment_id IN ?"
)


class Clock(StrEnum):
    """By which time comments are looked up: when they were written, or what their authors saw."""

    WRITTEN = "written"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A place in the order by time: between two comments of one millisecond the number decides."""

    at_ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class ClockPage:
    """Comments of a range of time with their places; `reached`: so far was looked, up to the range's end or a full page."""

    comments: list[tuple[Moment, CommentNow]]
    reached: Moment


def shard_of(name: str) -> int:
    """The shard of a user or comment id in the tables that have one."""
    return zlib.crc32(name.encode()) % SHARDS


class CommentStore:
    """The comments of all videos. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra
        self._heads: OrderedDict[str, int] = OrderedDict()

    async def head(self, video_id: str) -> int:
        """The highest number of a video's feed, 0 if it has none."""
        rows = await self._cassandra.rows(_HEAD, (video_id,))
        head = int(rows[0].seq) if rows else 0
        self._heads[video_id] = head
        self._heads.move_to_end(video_id)
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)
        return head

    def _least_head(self, video_id: str) -> int:
        """What the head was: it only rises, and so it mostly says already in which bucket it is."""
        return self._heads.get(video_id, 0)

    async def shown(self, video_id: str) -> int:
        """How many comments of a video are shown; where that was not written yet, its highest number."""
        rows = await self._cassandra.rows(_HEAD, (video_id,))
        return int(rows[0].seq if rows[0].shown is None else rows[0].shown) if rows else 0

    # -- by number

    async def latest(self, video_id: str, limit: int) -> list[CommentNow]:
        """The newest `limit` (1 to `MAX_LIMIT`) comments, oldest first."""
        return await self.before(video_id, MAX_SEQ, limit)

    async def before(self, video_id: str, seq: int, limit: int) -> list[CommentNow]:
        """The `limit` (1 to `MAX_LIMIT`) comments just before number `seq`, oldest first."""
        _check(limit)
        probably = min(seq - 1, self._least_head(video_id)) // BUCKET
        head, (reached, found) = await asyncio.gather(
            self.head(video_id), self._whole(_BEFORE, (video_id, max(0, probably)), seq, limit)
        )
        begin = min(seq - 1, head) // BUCKET
        if begin != probably:
            reached, found = seq, []
        for bucket in range(begin - (begin == probably), -1, -1):
            if len(found) == limit:
                break
            reached, rows = await self._whole(_BEFORE, (video_id, bucket), reached, limit - len(found))
            found += rows
        return found[::-1]

    async def after(self, video_id: str, seq: int, limit: int) -> list[CommentNow]:
        """The `limit` (1 to `MAX_LIMIT`) comments just after number `seq`, oldest first."""
        _check(limit)
        return await self._after(video_id, seq, limit, self.head(video_id))

    async def _after(self, video_id: str, seq: int, limit: int, head: Awaitable[int]) -> list[CommentNow]:
        seq = max(0, seq)
        begin = (seq + 1) // BUCKET
        end, (seq, found) = await asyncio.gather(head, self._whole(_AFTER, (video_id, begin), seq, limit))
        for bucket in range(begin + 1, end // BUCKET + 1):
            if len(found) == limit:
                break
            seq, rows = await self._whole(_AFTER, (video_id, bucket), seq, limit - len(found))
            found += rows
        return found

    async def _whole(self, cql: str, partition: tuple[str, int], seq: int, limit: int) -> tuple[int, list[CommentNow]]:
        """From one bucket, and the number that was reached; rows that only changes have written yet do not count."""
        found: list[CommentNow] = []
        while len(found) < limit:
            asked = limit - len(found)
            rows = await self._rows(cql, (*partition, seq), asked)
            found += map(_comment, filter(_is_whole, rows))
            seq = rows[-1].seq if rows else seq
            if len(rows) < asked:
                break
        return seq, found

    async def entries(self, video_id: str, seq: int, limit: int) -> list[Entry]:
        """What has the next numbers after `seq`: comments as they are now, and changes; at most `limit`."""
        _check(limit)
        head = asyncio.ensure_future(self.head(video_id))
        comments, changes = await asyncio.gather(
            self._after(video_id, seq, limit, head), self._changes_after(video_id, seq, limit, head)
        )
        either: list[Entry] = [*comments, *changes]
        merged = sorted(either, key=lambda entry: entry.seq)[:limit]
        about = {entry.comment_seq for entry in merged if isinstance(entry, CommentChanged)}
        now = {comment.seq: comment for comment in await self.these(video_id, about)}
        return [
            as_told_now(entry, now.get(entry.comment_seq)) if isinstance(entry, CommentChanged) else entry
            for entry in merged
        ]

    async def newest_entries(self, video_id: str, limit: int) -> list[Entry]:
        """What has the newest `limit` numbers, oldest first."""
        return await self.entries(video_id, await self.head(video_id) - limit, limit)

    async def _changes_after(self, video_id: str, seq: int, limit: int, head: Awaitable[int]) -> list[CommentChanged]:
        seq = max(0, seq)
        begin = (seq + 1) // BUCKET
        end, found = await asyncio.gather(head, self._rows(_CHANGES, (video_id, begin, seq), limit))
        for bucket in range(begin + 1, end // BUCKET + 1):
            if len(found) == limit:
                break
            found += await self._rows(_CHANGES, (video_id, bucket, seq), limit - len(found))
        return list(map(_change, found))

    async def every(self, video_id: str) -> AsyncIterator[CommentNow]:
        """All comments of a video, oldest first, in pages."""
        page = await self.after(video_id, 0, MAX_LIMIT)
        while page:
            for comment in page:
                yield comment
            page = await self.after(video_id, page[-1].seq, MAX_LIMIT)

    # -- by what leads to a number

    async def these(self, video_id: str, numbers: Iterable[int]) -> list[CommentNow]:
        """The comments of these numbers (at most `MAX_LIMIT`), in order; those that are not there are left out."""
        by_bucket: dict[int, list[int]] = {}
        for seq in sorted(set(numbers)):
            by_bucket.setdefault(seq // BUCKET, []).append(seq)
        asked = [self._rows(_THESE, (video_id, b, wanted), None) for b, wanted in by_bucket.items()]
        rows = [row for page in await asyncio.gather(*asked) for row in page]
        return sorted(map(_comment, filter(_is_whole, rows)), key=lambda comment: comment.seq)

    async def find(self, video_id: str, comment_id: str) -> CommentNow | None:
        """A comment by its id."""
        rows = await self._cassandra.rows(_ID, (video_id, shard_of(comment_id), comment_id))
        found = await self.these(video_id, (row.seq for row in rows))
        return found[0] if found else None

    async def pinned(self, video_id: str) -> list[CommentNow]:
        """The comments that are pinned, of the newest `MAX_PINS` that ever were, oldest first."""
        rows = await self._rows(_PINS, (video_id,), MAX_PINS)
        return [c for c in await self.these(video_id, (row.comment_seq for row in rows if row.pinned)) if c.pinned]

    async def replies(
        self, video_id: str, root_id: str, limit: int, *, after: int | None = 0, before: int | None = None
    ) -> list[CommentNow]:
        """A page of a thread: the first `limit` above `after`, or, where that is None, the last below `before`; in order."""
        return await self._indexed(_IN_THREAD, (video_id, root_id), limit, after, before)

    async def by_author(
        self, video_id: str, user_id: str, limit: int, *, after: int | None = None, before: int | None = None
    ) -> list[CommentNow]:
        """A page of what a user wrote; as `replies`."""
        return await self._indexed(_BY_AUTHOR, (video_id, user_id), limit, after, before)

    async def _indexed(
        self, cql: str, key: tuple[str, str], limit: int, after: int | None, before: int | None
    ) -> list[CommentNow]:
        _check(limit)
        if after is not None:
            seq, order, step = max(0, after), _NEWER, 1
            probably = (seq + 1) // INDEX_BUCKET
        else:
            seq, order, step = MAX_SEQ if before is None else before, _OLDER, -1
            probably = max(0, min(seq - 1, self._least_head(key[0])) // INDEX_BUCKET)
        head, rows = await asyncio.gather(self.head(key[0]), self._rows(cql + order, (*key, probably, seq), limit))
        begin = probably if step > 0 else min(seq - 1, head) // INDEX_BUCKET
        found = [row.seq for row in rows] if begin == probably else []
        end = head // INDEX_BUCKET + 1 if step > 0 else -1
        for bucket in range(begin + step * (begin == probably), end, step):
            if len(found) == limit:
                break
            found += [row.seq for row in await self._rows(cql + order, (*key, bucket, seq), limit - len(found))]
        return await self.these(key[0], found)

    # -- by time

    async def by_clock(
        self, video_id: str, clock: Clock, start: Moment, end: Moment, limit: int, *, backwards: bool = False
    ) -> ClockPage:
        """A page of the comments between two moments, both exclusive, in order from `start`, or from `end` if `backwards`.

        Of a range without comments no more than `MAX_MINUTES` are looked through; the page's `reached` says how far.
        """
        _check(limit)
        found: list[Moment] = []
        first, last = start.at_ms // CLOCK_BUCKET_MS, end.at_ms // CLOCK_BUCKET_MS
        minutes = range(last, first - 1, -1) if backwards else range(first, last + 1)
        looked = minutes[:MAX_MINUTES]
        for at in range(0, len(looked), MINUTES_AT_ONCE):
            asked = [
                self._minute(video_id, clock, minute, (start, end), limit, backwards=backwards)
                for minute in looked[at : at + MINUTES_AT_ONCE]
            ]
            found += [moment for page in await asyncio.gather(*asked) for moment in page]
            if len(found) >= limit:
                found = found[:limit]
                return ClockPage(await self._placed(video_id, found), found[-1])
        end_reached = len(looked) == len(minutes) or not looked
        edge = looked[-1] * CLOCK_BUCKET_MS if looked else 0
        stopped = Moment(edge, -1) if backwards else Moment(edge + CLOCK_BUCKET_MS, -1)
        return ClockPage(await self._placed(video_id, found), (start if backwards else end) if end_reached else stopped)

    async def _minute(
        self, video_id: str, clock: Clock, minute: int, between: tuple[Moment, Moment], limit: int, *, backwards: bool
    ) -> list[Moment]:
        start, end = between
        if backwards:
            cql, values = _BY_CLOCK + _SOONER, (end.at_ms, end.seq, start.at_ms)
        else:
            cql, values = _BY_CLOCK + _LATER, (start.at_ms, start.seq, end.at_ms + 1)
        rows = await self._rows(cql, (video_id, clock.value, minute, *values), limit)
        return [moment for row in rows if start < (moment := Moment(row.at_ms, row.seq)) < end]

    async def _placed(self, video_id: str, moments: Sequence[Moment]) -> list[tuple[Moment, CommentNow]]:
        comments = {comment.seq: comment for comment in await self.these(video_id, (m.seq for m in moments))}
        return [(moment, comments[moment.seq]) for moment in moments if moment.seq in comments]

    async def likes(self, video_id: str, comment_ids: Sequence[str]) -> dict[str, int]:
        """How many users like each of at most `MAX_LIMIT` comments; those without a like are left out."""
        _check(len(comment_ids) or 1)
        if not comment_ids:
            return {}
        shards = sorted({shard_of(comment_id) for comment_id in comment_ids})
        rows = await self._cassandra.rows(_LIKES, (video_id, shards, list(comment_ids)), limit=MAX_LIMIT)
        return {row.comment_id: row.likes for row in rows if row.likes}

    async def _rows(self, cql: str, values: tuple[Any, ...], limit: int | None) -> list[Row]:
        if limit is None:
            return await self._cassandra.rows(cql, values, limit=MAX_LIMIT)
        return await self._cassandra.rows(cql, (*values, limit), limit=limit)


def _check(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"expected a limit of 1 to {MAX_LIMIT}, found {limit}")


def _is_whole(row: Row) -> bool:
    """Whether the comment itself was written; a change may come before it."""
    return row.comment_id is not None


def _comment(row: Row) -> CommentNow:
    accepted = CommentAccepted(
        video_id=row.video_id,
        channel=row.channel,
        seq=row.seq,
        comment_id=row.comment_id,
        user_id=row.user_id,
        name=row.name,
        text=row.text or "",
        parent_id=row.parent_id,
        root_id=row.root_id,
        submitted_ms=row.submitted_ms,
        media_ms=row.media_ms,
        source_offset=row.source_offset,
        role=row.role or "",
        approved_by=row.approved_by or "",
        colour=row.colour or "",
    )
    return CommentNow(accepted, accepted.text, bool(row.hidden), bool(row.removed), row.edited_ms, bool(row.pinned))


def _change(row: Row) -> CommentChanged:
    facts = dict(row._asdict())
    by = facts.pop("changed_by")
    return CommentChanged(**facts | {"change": Change(row.change), "by": by})
