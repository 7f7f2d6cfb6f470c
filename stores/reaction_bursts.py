"""Reactions by position of a video, and likes by time, in moments of a few seconds; for watching later.

Gateways say where people reacted (`ReactionsPlaced`); each such event is a row for each of its moments, and what came in
a moment is their sum: a repeat is the same row. Of likes the last totals of every moment in which they changed are kept,
absolute, and what came is the difference to the moment before.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from schemas.events import ReactionsPlaced, TotalsChanged
from stores.cassandra import Cassandra, Row, Write

MOMENT_MS: Final = 5_000
BUCKET: Final = 86_400_000 // MOMENT_MS
"""Moments of a day: a partition of likes."""
PLACES: Final = 120
"""Moments of ten minutes: a partition of reactions."""
MAX_RANGE_MS: Final = 3_600_000
MAX_MOMENT: Final = 2**53 // MOMENT_MS
KINDS: Final = frozenset({"heart", "clap", "laugh", "wow", "fire"})

INSERT: Final = (
    "INSERT INTO $keyspace.totals_by_moment (video_id, bucket, moment, likes, reactions, as_of_offset) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_PLACE: Final = (
    "INSERT INTO $keyspace.reactions_by_position (video_id, bucket, moment, gateway_id, number, reactions) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
_PLACED: Final = (
    "SELECT moment, reactions FROM $keyspace.reactions_by_position "
    "WHERE video_id = ? AND bucket = ? AND moment >= ? AND moment <= ?"
)
_BETWEEN: Final = (
    "SELECT moment, likes FROM $keyspace.totals_by_moment "
    "WHERE video_id = ? AND bucket = ? AND moment >= ? AND moment <= ?"
)
_BEFORE: Final = (
    "SELECT moment, likes FROM $keyspace.totals_by_moment "
    "WHERE video_id = ? AND bucket = ? AND moment < ? ORDER BY moment DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Burst:
    """What came to `MOMENT_MS` from `at_ms` on (wall clock of the picture): likes may be taken back, reactions not."""

    at_ms: int
    likes: int
    reactions: dict[str, int]


def moment_writes(event: TotalsChanged) -> tuple[Write, ...]:
    """The totals of the moment in which they are counted; the write time is the offset up to which they count."""
    moment = event.as_of_ms // MOMENT_MS
    partition = (event.video_id, moment // BUCKET)
    values = (*partition, moment, event.likes, dict(event.reactions), event.as_of_offset, event.as_of_offset)
    return (Write(INSERT, values, ("totals_by_moment", *partition)),)


def place_writes(event: ReactionsPlaced) -> tuple[Write, ...]:
    """A row for each moment in which somebody reacted."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for placed in event.moments:
        known = {kind: n for kind, n in placed.reactions.items() if kind in KINDS and 0 < n < 2**53}
        if known and 0 <= placed.at_ms // MOMENT_MS < MAX_MOMENT:
            counts[placed.at_ms // MOMENT_MS].update(known)
    return tuple(_place(event, moment, dict(counts[moment])) for moment in counts)


def _place(event: ReactionsPlaced, moment: int, reactions: dict[str, int]) -> Write:
    partition = (event.video_id, moment // PLACES)
    values = (*partition, moment, event.gateway_id, event.number, reactions, event.recorded_ms * 1_000)
    return Write(INSERT_PLACE, values, ("reactions_by_position", *partition))


class BurstStore:
    """The bursts of all videos. May raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def between(self, video_id: str, from_ms: int, to_ms: int) -> list[Burst]:
        """The bursts that begin in a range of at most `MAX_RANGE_MS`, in order; without those in which nothing came."""
        if not 0 <= to_ms - from_ms <= MAX_RANGE_MS:
            raise ValueError(f"expected a range of up to {MAX_RANGE_MS} ms, found {to_ms - from_ms}")
        first, last = -(-from_ms // MOMENT_MS), (to_ms - 1) // MOMENT_MS
        likes = await self._likes(video_id, first, last)
        reactions = await self._reactions(video_id, first, last)
        return [
            Burst(moment * MOMENT_MS, likes.get(moment, 0), dict(reactions.get(moment, {})))
            for moment in sorted(likes.keys() | reactions.keys())
        ]

    async def _reactions(self, video_id: str, first: int, last: int) -> dict[int, Counter[str]]:
        found: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for bucket in range(first // PLACES, last // PLACES + 1):
            async for row in self._cassandra.every_row(_PLACED, (video_id, bucket, first, last)):
                found[row.moment].update(dict(row.reactions or {}))
        return found

    async def _likes(self, video_id: str, first: int, last: int) -> dict[int, int]:
        """How many more likes there are than before, by moment, where that is not 0."""
        rows: list[Row] = []
        for bucket in range(first // BUCKET, last // BUCKET + 1):
            rows += await self._cassandra.rows(_BETWEEN, (video_id, bucket, first, last))
        before = await self._before(video_id, first) if rows else []
        standing = [before[0].likes if before else 0, *(row.likes for row in rows)]
        return {
            row.moment: now - was for row, was, now in zip(rows, standing, standing[1:], strict=False) if now != was
        }

    async def _before(self, video_id: str, moment: int) -> list[Row]:
        """The likes before; of a video that was quiet for more than a day they are taken for none."""
        for bucket in (moment // BUCKET, moment // BUCKET - 1):
            if found := await self._cassandra.rows(_BEFORE, (video_id, bucket, moment)):
                return found
        return []
