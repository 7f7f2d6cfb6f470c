"""How many reactions came in each few seconds of a video, out of its totals as they stood then; for watching later.

Of every `MOMENT_MS` in which totals changed the last ones are kept, absolute: a repeat changes nothing, and what came in a
moment is the difference to the moment before.
"""

from dataclasses import dataclass
from typing import Final

from schemas.events import TotalsChanged
from stores.cassandra import Cassandra, Row, Write

MOMENT_MS: Final = 5_000
BUCKET: Final = 86_400_000 // MOMENT_MS
"""Moments of a day: a partition."""
MAX_RANGE_MS: Final = 3_600_000

INSERT: Final = (
    "INSERT INTO $keyspace.totals_by_moment (video_id, bucket, moment, likes, reactions, as_of_offset) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
_BETWEEN: Final = (
    "SELECT moment, likes, reactions FROM $keyspace.totals_by_moment "
    "WHERE video_id = ? AND bucket = ? AND moment >= ? AND moment <= ?"
)
_BEFORE: Final = (
    "SELECT moment, likes, reactions FROM $keyspace.totals_by_moment "
    "WHERE video_id = ? AND bucket = ? AND moment < ? ORDER BY moment DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Burst:
    """What came within `MOMENT_MS` from `at_ms` (wall clock) on: likes may be taken back, reactions not."""

    at_ms: int
    likes: int
    reactions: dict[str, int]


def moment_writes(event: TotalsChanged) -> tuple[Write, ...]:
    """The totals of the moment in which they are counted; the write time is the offset up to which they count."""
    moment = event.as_of_ms // MOMENT_MS
    partition = (event.video_id, moment // BUCKET)
    values = (*partition, moment, event.likes, dict(event.reactions), event.as_of_offset, event.as_of_offset)
    return (Write(INSERT, values, ("totals_by_moment", *partition)),)


class BurstStore:
    """The bursts of all videos. May raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def between(self, video_id: str, from_ms: int, to_ms: int) -> list[Burst]:
        """The bursts that begin in a range of at most `MAX_RANGE_MS`, in order; without those in which nothing came."""
        if not 0 <= to_ms - from_ms <= MAX_RANGE_MS:
            raise ValueError(f"expected a range of up to {MAX_RANGE_MS} ms, found {to_ms - from_ms}")
        first, last = -(-from_ms // MOMENT_MS), (to_ms - 1) // MOMENT_MS
        rows: list[Row] = []
        for bucket in range(first // BUCKET, last // BUCKET + 1):
            rows += await self._cassandra.rows(_BETWEEN, (video_id, bucket, first, last))
        before = await self._before(video_id, first) if rows else None
        return bursts_of([*before, *rows] if before else rows, begins=not before)

    async def _before(self, video_id: str, moment: int) -> list[Row]:
        """The totals before; of a video that was quiet for more than a day they are taken for none."""
        for bucket in (moment // BUCKET, moment // BUCKET - 1):
            if found := await self._cassandra.rows(_BEFORE, (video_id, bucket, moment)):
                return found
        return []


def bursts_of(rows: list[Row], *, begins: bool) -> list[Burst]:
    """The differences between totals; `begins`: there is nothing before the first ones."""
    found: list[Burst] = []
    likes, reactions = (0, {}) if begins or not rows else (rows[0].likes, dict(rows[0].reactions or {}))
    for row in rows if begins else rows[1:]:
        now = dict(row.reactions or {})
        more = {kind: count - reactions.get(kind, 0) for kind, count in now.items() if count > reactions.get(kind, 0)}
        if more or row.likes != likes:
            found.append(Burst(row.moment * MOMENT_MS, row.likes - likes, more))
        likes, reactions = row.likes, now
    return found
