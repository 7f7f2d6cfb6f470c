"""Totals, polls and viewers of a video in Cassandra, read as the consumers wrote them (`consumers/projections`)."""

from dataclasses import dataclass
from typing import Any, Final

from schemas.events import PollChanged, ViewersChanged
from stores.cassandra import Cassandra, Row

MINUTE_MS: Final = 60_000
MAX_MINUTES: Final = 1_440

_TOTALS: Final = "SELECT likes, reactions, as_of_ms FROM $keyspace.totals WHERE video_id = ?"
_MINUTES: Final = (
    "SELECT minute, likes, reactions FROM $keyspace.totals_by_minute WHERE video_id = ? AND minute >= ? AND minute < ? "
    "LIMIT ?"
)
_POLLS: Final = (
    "SELECT video_id, poll_id, channel, question, options, votes, opened_ms, opened_by, closes_ms, closed_ms, "
    "as_of_offset FROM $keyspace.polls WHERE video_id = ?"
)
_VIEWERS: Final = (
    "SELECT video_id, channel, viewers, peak, peak_ms, unique_viewers, as_of_offset, as_of_ms FROM $keyspace.viewers "
    "WHERE video_id = ?"
)
_VIEWER_MINUTES: Final = (
    "SELECT minute, viewers, peak, unique_viewers FROM $keyspace.viewers_by_minute WHERE video_id = ? AND minute >= ? "
    "AND minute < ? LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """The totals of a video, as of a wall clock."""

    likes: int
    reactions: dict[str, int]
    as_of_ms: int


class EngagementStore:
    """All videos. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self.cassandra = cassandra

    async def totals(self, video_id: str) -> Counted | None:
        """The latest totals; None: nobody ever liked it or reacted."""
        rows = await self.cassandra.rows(_TOTALS, (video_id,))
        return Counted(rows[0].likes, dict(rows[0].reactions or {}), rows[0].as_of_ms) if rows else None

    async def minutes(self, video_id: str, from_ms: int, to_ms: int, limit: int) -> list[dict[str, Any]]:
        """The totals at the end of each minute of a range in which they changed, oldest first."""
        rows = await self._range(_MINUTES, video_id, from_ms, to_ms, limit)
        return [
            {"minute_ms": row.minute * MINUTE_MS, "likes": row.likes, "reactions": dict(row.reactions or {})}
            for row in rows
        ]

    async def viewer_minutes(self, video_id: str, from_ms: int, to_ms: int, limit: int) -> list[dict[str, Any]]:
        """The viewers at the end of each minute of a range in which there were some, oldest first."""
        rows = await self._range(_VIEWER_MINUTES, video_id, from_ms, to_ms, limit)
        return [
            {"minute_ms": row.minute * MINUTE_MS, "n": row.viewers, "peak": row.peak, "unique": row.unique_viewers}
            for row in rows
        ]

    async def polls(self, video_id: str) -> list[PollChanged]:
        """The polls of a video, oldest first."""
        rows = await self.cassandra.rows(_POLLS, (video_id,))
        return sorted((_poll(row) for row in rows), key=lambda poll: (poll.opened_ms, poll.poll_id))

    async def viewers(self, video_id: str) -> ViewersChanged | None:
        """The latest figures; None: nobody ever watched it."""
        rows = await self.cassandra.rows(_VIEWERS, (video_id,))
        if not rows:
            return None
        values = rows[0]._asdict()
        return ViewersChanged(unique=values.pop("unique_viewers"), **values)

    async def _range(self, cql: str, video_id: str, from_ms: int, to_ms: int, limit: int) -> list[Row]:
        first, end = from_ms // MINUTE_MS, -(-to_ms // MINUTE_MS)
        return await self.cassandra.rows(cql, (video_id, first, end, limit), limit=limit)


def _poll(row: Row) -> PollChanged:
    values = row._asdict()
    options, votes = tuple(values.pop("options")), tuple(values.pop("votes"))
    return PollChanged(options=options, votes=votes, as_of_ms=values["opened_ms"], **values)
