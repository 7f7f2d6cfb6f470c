"""Takes the log out into Cassandra: records in, writes out, offsets committed after the writes.

A batch that is given again writes the same rows again, so a crash at any point loses and doubles nothing. While
Cassandra is away the writer holds its place and tries again; it never passes a record over. A record that can never be
written goes to `dead.letters` with the cause and its bytes, and the rest goes on.
"""

import asyncio
import logging
from collections import Counter as Count
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import Counter, Histogram

from consumers.projections.table import ProjectionError, writes_of_record
from schemas.dead_letter import record_headers
from schemas.events import DeadLetter
from schemas.topics import DEAD_LETTERS
from stores.cassandra import Cassandra, CassandraAwayError, CassandraRefusedError, Write
from stores.kafka import EventProducer
from stores.log_group import LogGroup, RawRecord

log = logging.getLogger(__name__)

GROUP: Final = "logcast-cassandra"
MAX_CAUSE: Final = 1_000
FIRST_RETRY_S: Final = 0.25
MAX_RETRY_S: Final = 5.0

RECORDS = Counter("logcast_cassandra_records_total", "Records whose writes are in Cassandra", ["topic"])
LETTERS = Counter("logcast_cassandra_dead_letters_total", "Records that could not be written", ["topic"])
RETRIES = Counter("logcast_cassandra_retries_total", "Batches that were tried again, for Cassandra was away")
WRITE_SECONDS = Histogram("logcast_cassandra_write_seconds", "Time until a batch of records was in Cassandra")

Planned = tuple[RawRecord, tuple[Write, ...]]
Unfit = tuple[RawRecord, str]


def plan(records: Sequence[RawRecord]) -> tuple[list[Planned], list[Unfit]]:
    """The writes of each record, and the records that have none, with the cause."""
    planned: list[Planned] = []
    unfit: list[Unfit] = []
    for record in records:
        try:
            planned.append((record, writes_of_record(record)))
        except ProjectionError as error:
            unfit.append((record, str(error)))
    return planned, unfit


class CassandraWriter:
    """Runs until it is told to stop. `mend_schema` makes missing tables (blocking, runs in a thread)."""

    def __init__(
        self,
        group: LogGroup,
        cassandra: Cassandra,
        producer: EventProducer,
        mend_schema: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._group = group
        self._cassandra = cassandra
        self._producer = producer
        self._mend_schema = mend_schema
        self._now_ms = now_ms
        self.writes_succeed = True

    async def run(self, stop: asyncio.Event) -> None:
        """Take, write, commit, until `stop` is set.

        Raises:
            LogError: the log cannot be read any more; start anew.
            CassandraRefusedError: the tables are missing and cannot be made.
        """
        while not stop.is_set():
            records = await self._group.take()
            if records and await self._handle(records, stop):
                await self._group.commit(records)

    async def _handle(self, records: list[RawRecord], stop: asyncio.Event) -> bool:
        """Write a batch; False: told to stop before it was done."""
        planned, unfit = plan(records)
        with WRITE_SECONDS.time():
            if not await self._write(planned, unfit, stop):
                return False
        for letter, cause in unfit:
            await self._bury(letter, cause)
        for topic, count in Count(record.topic for record, _ in planned).items():
            RECORDS.labels(topic).inc(count)
        return True

    async def _write(self, planned: list[Planned], unfit: list[Unfit], stop: asyncio.Event) -> bool:
        """Write all together; if something is refused, one by one, to find what it is (added to `unfit`)."""
        try:
            return await self._persist([write for _, writes in planned for write in writes], stop)
        except CassandraRefusedError as error:
            log.warning("a batch was refused, its records follow one by one: %s", error)
        await asyncio.to_thread(self._mend_schema)
        for record, writes in planned:
            try:
                if not await self._persist(writes, stop):
                    return False
            except CassandraRefusedError as error:
                unfit.append((record, str(error)))
        return True

    async def _persist(self, writes: Sequence[Write], stop: asyncio.Event) -> bool:
        """Write, and try again while Cassandra is away; False: told to stop."""
        delay_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                await self._cassandra.write(writes)
            except CassandraAwayError as error:
                RETRIES.inc()
                self.writes_succeed = False
                log.warning("the writes wait, next try in %.1f s: %s", delay_s, error)
                await self._group.hold(delay_s)
                delay_s = min(2 * delay_s, MAX_RETRY_S)
            else:
                self.writes_succeed = True
                return True
        return False

    async def _bury(self, record: RawRecord, cause: str) -> None:
        LETTERS.labels(record.topic).inc()
        log.error("%s/%d@%d cannot be written: %s", record.topic, record.partition, record.offset, cause)
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            app=GROUP,
            cause=cause[:MAX_CAUSE],
            failed_ms=self._now_ms(),
            key=record.key,
            value=record.value,
            headers=record_headers(record.headers),
            written_ms=record.timestamp_ms,
        )
        await self._producer.deliver(DEAD_LETTERS, record.topic, letter)
