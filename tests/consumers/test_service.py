"""The consumers on a real Kafka and a real Cassandra: what was on the log is in the tables, once, whatever happens."""

import asyncio
import dataclasses
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from consumers.cassandra_writer import GROUP
from consumers.service import run_consumers
from logcast.stack.probes import http_ok
from schemas import codec
from schemas.events import DeadLetter, SegmentClosed
from schemas.topics import COMMENTS_FEED, DEAD_LETTERS, MEDIA_PARTS, TOTALS, partition_of
from stores.cassandra import Cassandra
from stores.comments import CommentStore
from stores.kafka import producer_config, read_to_end
from stores.settings import Settings
from tests.conftest import free_ports
from tests.consumers.broadcast import Broadcast, joined, publish, stored, write_times
from tests.consumers.gate import Gate
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration
DEADLINE_S = 90.0


@pytest.fixture
def video() -> str:
    return secrets.token_hex(10)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """The consumers in this process, stopped in order in the end; if they fail, so does the test, at once."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_consumers(settings, stop))
        yield
        stop.set()


async def until_stored(session: Cassandra, broadcast: Broadcast) -> None:
    """Waits until all rows are as they must be; which ones are not, if they never are."""
    expected = broadcast.rows()

    async def at_the_end() -> bool:
        return await CommentStore(session).head(broadcast.video_id) == broadcast.head

    await eventually_async(at_the_end, DEADLINE_S, "the last comment")

    async def complete() -> bool:
        return await stored(session, broadcast.video_id) == expected

    try:
        await eventually_async(complete, DEADLINE_S, "a table that is complete")
    except AssertionError:
        found = await stored(session, broadcast.video_id)
        assert {table: rows for table, rows in found.items() if rows != expected[table]} == {}
        raise


async def test_everything_on_the_log_is_in_the_tables_and_again_changes_no_row(
    system: Settings, session: Cassandra, video: str
) -> None:
    broadcast = Broadcast(video, comments=600)
    await publish(system, broadcast.events())
    async with running(system):
        await eventually_async(lambda: http_ok(system.health_port_consumers), DEADLINE_S)
        await until_stored(session, broadcast)
        before = await write_times(session, video)
        marker = dataclasses.replace(broadcast, video_id=secrets.token_hex(10), comments=1)
        await publish(system, [*broadcast.events(), *joined(marker)])
        await until_stored(session, marker)
        await until_group_is_done(system)
    assert await stored(session, video) == broadcast.rows()
    assert await write_times(session, video) == before


async def test_what_was_committed_is_not_taken_again_after_a_restart(
    system: Settings, session: Cassandra, video: str
) -> None:
    broadcast = Broadcast(video, comments=20)
    await publish(system, broadcast.events())
    async with running(system):
        await until_stored(session, broadcast)
    assert await committed(system) >= sum(1 for topic, _ in broadcast.events())
    second = Broadcast(secrets.token_hex(10), comments=20)
    async with running(system):
        await publish(system, second.events())
        await until_stored(session, second)


STARTER = """
import asyncio, json, sys
from consumers.service import run_consumers
from stores.settings import load_settings
asyncio.run(run_consumers(load_settings(**json.loads(sys.argv[1])), asyncio.Event()))
"""


async def started(settings: Settings) -> asyncio.subprocess.Process:
    """The consumers as a process of their own."""
    options = settings.model_dump_json(exclude={"admin_token", "guest_secret", "segment_dir"})
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, options, stdout=sys.stderr, cwd=settings.data_dir, env=os.environ | ROOT_ON_PATH
    )


ROOT_ON_PATH = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


async def test_killed_in_the_middle_and_started_again_nothing_is_missing_or_doubled(
    system: Settings, session: Cassandra, video: str
) -> None:
    broadcast = Broadcast(video, comments=12_000, segments=200)
    await publish(system, broadcast.events())
    store = CommentStore(session)
    for least in (1, 3_000):
        process = await started(system)

        async def moved(least: int = least) -> bool:
            return await store.head(video) >= least

        await eventually_async(moved, DEADLINE_S, f"comment {least}")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert await stored(session, video) != broadcast.rows(), "killed too late to be in the middle"
    process = await started(system)
    try:
        await until_stored(session, broadcast)
    finally:
        process.terminate()
        await process.wait()
    every = [comment.seq async for comment in store.every(video)]
    assert every == list(range(1, 12_001))


async def test_while_cassandra_is_away_the_writer_waits_and_then_writes_all(
    system: Settings, session: Cassandra, video: str
) -> None:
    (port,) = free_ports(1)
    behind = system.model_copy(update={"cassandra_hosts": "127.0.0.1", "cassandra_port": port})
    health = system.health_port_consumers
    first, second = Broadcast(video, comments=50), Broadcast(secrets.token_hex(10), comments=50)
    async with Gate(port, system.cassandra_hosts, system.cassandra_port) as gate, running(behind):
        await eventually_async(lambda: http_ok(health, "/healthz"), DEADLINE_S)
        assert not await http_ok(health, "/readyz")
        await publish(system, first.events())
        await gate.open()
        await until_stored(session, first)
        await eventually_async(lambda: http_ok(health, "/readyz"), DEADLINE_S)
        await gate.shut()
        await publish(system, second.events())
        await eventually_async(lambda: _is_unready(health), DEADLINE_S)
        await gate.open()
        await until_stored(session, second)
        await eventually_async(lambda: http_ok(health, "/readyz"), DEADLINE_S)


async def test_a_table_that_was_dropped_is_made_again_and_costs_no_record(
    topics: Settings, drop_keyspace: Callable[[str], None], video: str
) -> None:
    (port,) = free_ports(1)
    alone = topics.model_copy(update={"health_port_consumers": port})
    first, second = Broadcast(video, comments=5), Broadcast(secrets.token_hex(10), comments=5)
    async with running(alone):
        await eventually_async(lambda: http_ok(port), DEADLINE_S)
        async with Cassandra.open(alone) as session:
            await publish(alone, first.events())
            await until_stored(session, first)
            await session.rows("DROP TABLE $keyspace.segments")
            await publish(alone, second.events())
            await until_group_is_done(alone)
            await until_stored(session, second)
    assert await asyncio.to_thread(dead_letters, alone, 0) == []
    await asyncio.to_thread(drop_keyspace, alone.cassandra_keyspace)


async def _is_unready(port: int) -> bool:
    return not await http_ok(port, "/readyz")


async def test_records_that_can_never_be_written_become_dead_letters_and_the_rest_goes_on(
    system: Settings, session: Cassandra, video: str
) -> None:
    broadcast = Broadcast(video, comments=30)
    too_long = dataclasses.replace(broadcast, video_id="v" * 70_000).comment(1)
    closed = SegmentClosed(video_id=video, channel="ann", rendition="source", gop=0, segment=0, parts=1)
    bad = {
        COMMENTS_FEED.name: [b"no avro", b"", codec.encode(too_long), codec.encode(closed)],
        TOTALS.name: [b"\0\0\0\0\x63rest"],
    }
    await asyncio.to_thread(put_raw, system, video, bad)
    await publish(system, broadcast.events())
    await asyncio.to_thread(put_raw, system, video, {MEDIA_PARTS.name: [None]})
    async with running(system):
        await until_stored(session, broadcast)
        letters = await eventually_async(
            lambda: asyncio.to_thread(dead_letters, system, 5), DEADLINE_S, "five dead letters"
        )
    assert {letter.topic: letter.app for letter in letters} == {COMMENTS_FEED.name: GROUP, TOTALS.name: GROUP}
    assert sorted(letter.value or b"" for letter in letters) == sorted(
        value for values in bad.values() for value in values
    )
    causes = {letter.value: letter.cause for letter in letters}
    assert "expected a record in the Confluent wire format" in causes[b"no avro"]
    assert "schema id 99 is not in the registry" in causes[b"\0\0\0\0\x63rest"]
    assert (
        "expected CommentAccepted or CommentChanged on comments.feed, found SegmentClosed"
        in causes[codec.encode(closed)]
    )
    assert "Cassandra refuses" in causes[codec.encode(too_long)]


def put_raw(settings: Settings, key: str, values: dict[str, list[bytes]] | dict[str, list[None]]) -> None:
    """Bytes on the log that no correct writer makes."""
    from confluent_kafka import Producer

    producer = Producer(producer_config(settings, "test"))
    for topic, some in values.items():
        for value in some:
            partition = partition_of(key, settings.partitions)
            producer.produce(settings.topic(topic), value, key.encode(), partition=partition)
    assert producer.flush(30) == 0


def dead_letters(settings: Settings, count: int) -> list[DeadLetter]:
    """The dead letters, once there are so many."""
    values = [message.value() for message in read_to_end(settings, DEAD_LETTERS, "test")]
    letters = [codec.decode(value) for value in values if value is not None]
    assert all(isinstance(letter, DeadLetter) for letter in letters)
    assert len(letters) <= count
    return letters if len(letters) == count else []  # type: ignore[return-value]


async def committed(settings: Settings) -> int:
    """How many records the group has done, all partitions together."""
    return await asyncio.to_thread(_committed, settings, behind=False)


async def until_group_is_done(settings: Settings) -> None:
    """Waits until the group has committed to the end of the log."""

    async def done() -> bool:
        return await asyncio.to_thread(_committed, settings, behind=True) == 0

    await eventually_async(done, DEADLINE_S, "a group that is level with the log")


def _committed(settings: Settings, *, behind: bool) -> int:
    from confluent_kafka import Consumer, TopicPartition

    from consumers.projections.table import TOPICS
    from stores.kafka import consumer_config

    consumer = Consumer(consumer_config(settings, "test", GROUP))
    try:
        partitions = [
            TopicPartition(settings.topic(topic.name), partition)
            for topic in TOPICS
            for partition in range(topic.partitions or settings.partitions)
        ]
        at = {(p.topic, p.partition): max(0, p.offset) for p in consumer.committed(partitions, timeout=10)}
        if not behind:
            return sum(at.values())
        return sum(consumer.get_watermark_offsets(p, timeout=10)[1] - at[p.topic, p.partition] for p in partitions)
    finally:
        consumer.close()
