"""The consumers: the log into Cassandra, whole segments into the cold store, and the hot store kept small."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from consumers.cassandra_writer import FIRST_RETRY_S, GROUP, MAX_RETRY_S, CassandraWriter
from consumers.hot_janitor import HotJanitor
from consumers.projections.table import TOPICS
from consumers.recording import Recording, record
from consumers.stopping import stops_within
from stores.cassandra import Cassandra, CassandraAwayError, apply_schema
from stores.health import HealthServer
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer
from stores.log_group import LogGroup
from stores.settings import Settings

log = logging.getLogger(__name__)


async def run_consumers(settings: Settings, stop: asyncio.Event) -> None:
    """Write and clean until `stop` is set, then finish the batch under way and leave the group.

    Cassandra may be away, at the start as well: the process waits for it and is not ready meanwhile. A kill at any
    moment is harmless: what was not committed is written again, to the same rows.

    Raises:
        ExceptionGroup: of `LogError` when the log cannot be read any more, `CassandraRefusedError` when the tables are
            not there and cannot be made.
        OSError: the port of the health server is taken.
    """
    running, recording = _Running(), Recording()
    janitor = HotJanitor(open_segment_store(settings), settings.hot_retention_s, time.time)
    async with (
        HealthServer(settings.bind_host, settings.health_port_consumers, lambda: running.checks() | recording.checks()),
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(janitor.run(stop), name="hot-janitor")
        tasks.create_task(_write_log(settings, stop, running), name="cassandra-writer")
        tasks.create_task(record(settings, stop, recording, lambda: running.cassandra), name="recording")


@dataclass(slots=True)
class _Running:
    """What has been opened so far."""

    group: LogGroup | None = None
    writer: CassandraWriter | None = None
    cassandra: Cassandra | None = None

    def checks(self) -> dict[str, bool]:
        return {
            "cassandra": self.writer is not None and self.writer.writes_succeed,
            "log": self.group is not None and self.group.joined,
        }


async def _write_log(settings: Settings, stop: asyncio.Event, running: _Running) -> None:
    async with AsyncExitStack() as stack:
        cassandra = await _open_when_up(settings, stop, stack)
        if cassandra is None:
            return
        producer = await stack.enter_async_context(EventProducer(settings, "consumers"))
        group = await stack.enter_async_context(LogGroup(settings, "consumers", GROUP, TOPICS))
        writer = CassandraWriter(group, cassandra, producer, partial(apply_schema, settings), _now_ms)
        running.group, running.writer, running.cassandra = group, writer, cassandra
        await writer.run(stop)


async def _open_when_up(settings: Settings, stop: asyncio.Event, stack: AsyncExitStack) -> Cassandra | None:
    """A session, with the tables there; None if told to stop before Cassandra was up."""
    delay_s = FIRST_RETRY_S
    while not stop.is_set():
        try:
            await asyncio.to_thread(apply_schema, settings)
            return await stack.enter_async_context(Cassandra.open(settings))
        except CassandraAwayError as error:
            log.warning("waiting for Cassandra, next try in %.1f s: %s", delay_s, error)
        await stops_within(stop, delay_s)
        delay_s = min(2 * delay_s, MAX_RETRY_S)
    return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
