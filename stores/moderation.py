"""What moderators did, in Cassandra: written as it comes, read newest first. Nothing of it is ever changed.

An act id sorts by time (`schemas.ids.new_video_id`), so acts lie in buckets of 30 days of their ids: a page is one query,
or some more where little was done.
"""

from collections.abc import AsyncIterator
from typing import Final

from schemas.codec import decode, encode
from schemas.events import ModerationActed
from schemas.ids import ALPHABET
from stores.cassandra import Cassandra, Write

BUCKET_MS: Final = 30 * 24 * 3_600_000
MAX_BUCKETS: Final = 14
"""How far back a page looks: the log keeps acts for a year as well."""

INSERT: Final = (
    "INSERT INTO $keyspace.moderation_acts (channel, bucket, act_id, act) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
)
_PAGE: Final = "SELECT act FROM $keyspace.moderation_acts WHERE channel = ? AND bucket = ? AND act_id < ? ORDER BY act_id DESC LIMIT ?"


def time_of(act_id: str) -> int:
    """When an act was, by its id: wall clock, ms since 1970."""
    found = 0
    for letter in act_id[:10]:
        found = found << 5 | max(ALPHABET.find(letter), 0)
    return found


def act_writes(act: ModerationActed) -> tuple[Write, ...]:
    """What an act writes: itself, whole, as it is on the log."""
    bucket = time_of(act.act_id) // BUCKET_MS
    values = (act.channel, bucket, act.act_id, encode(act), act.at_ms * 1_000)
    return (Write(INSERT, values, ("moderation_acts", act.channel, bucket)),)


class ActStore:
    """The acts of all channels. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def before(self, channel: str, act_id: str, limit: int) -> list[ModerationActed]:
        """The acts of a channel before one, newest first."""
        found: list[ModerationActed] = []
        async for act in self._back(channel, act_id, limit):
            found.append(act)
            if len(found) == limit:
                break
        return found

    async def _back(self, channel: str, act_id: str, limit: int) -> AsyncIterator[ModerationActed]:
        newest = time_of(act_id) // BUCKET_MS
        for bucket in range(newest, max(-1, newest - MAX_BUCKETS), -1):
            for row in await self._cassandra.rows(_PAGE, (channel, bucket, act_id, limit)):
                act = decode(bytes(row.act))
                assert isinstance(act, ModerationActed)
                yield act
