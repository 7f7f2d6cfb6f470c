"""The Cassandra session against a real node, and the grouping of writes."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.cassandra import (
    BATCH_BYTES,
    BATCH_ROWS,
    Cassandra,
    CassandraAwayError,
    CassandraRefusedError,
    Write,
    apply_schema,
    batches,
    schema_statements,
)
from stores.settings import Settings, load_settings

INSERT = "INSERT INTO $keyspace.likes (video_id, shard, user_id, comment_id, liked, at_ms) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
SELECT = "SELECT user_id, liked, at_ms FROM $keyspace.likes WHERE video_id = ? AND shard = 0"


def like(video: str, user: str, at_ms: int = 5, *, liked: bool = True) -> Write:
    return Write(INSERT, (video, 0, user, "", liked, at_ms, at_ms), ("likes", video, 0))


@pytest.mark.integration
async def test_the_schema_may_be_applied_again_and_keeps_the_rows(
    session: Cassandra, video: str, keyspace: Settings
) -> None:
    await session.write([like(video, "a")])
    await asyncio.to_thread(apply_schema, keyspace)
    assert [row.user_id for row in await session.rows(SELECT, (video,))] == ["a"]


@pytest.mark.integration
async def test_many_writes_are_all_there_and_pages_join_without_loss(session: Cassandra, video: str) -> None:
    users = [f"u{n:04d}" for n in range(950)]
    await session.write([like(video, user) for user in users])
    assert [row.user_id async for row in session.every_row(SELECT, (video,), page_rows=100)] == users
    assert [row.user_id for row in await session.rows(SELECT, (video,), limit=7)] == users[:7]


@pytest.mark.integration
async def test_an_older_write_that_comes_late_changes_nothing(session: Cassandra, video: str) -> None:
    await session.write([like(video, "a", 20, liked=False)])
    await session.write([like(video, "a", 10, liked=True)])
    assert [(row.liked, row.at_ms) for row in await session.rows(SELECT, (video,))] == [(False, 20)]


@pytest.mark.integration
async def test_none_leaves_a_column_as_it_is(session: Cassandra, video: str) -> None:
    await session.write([like(video, "a", 10)])
    await session.write([Write(INSERT, (video, 0, "a", "", None, 20, 20), ("likes", video, 0))])
    assert [(row.liked, row.at_ms) for row in await session.rows(SELECT, (video,))] == [(True, 20)]


@pytest.mark.integration
async def test_a_value_that_does_not_fit_is_refused_and_the_session_goes_on(session: Cassandra, video: str) -> None:
    with pytest.raises(CassandraRefusedError):
        await session.write([Write(INSERT, (video, 0, "a", "", True, "no number", 1), ("likes", video, 0))])
    with pytest.raises(CassandraRefusedError):
        await session.write([like(video, "a", 2**63)])
    with pytest.raises(CassandraRefusedError, match="65535"):
        await session.write([like("v" * 70_000, "a")])
    with pytest.raises(CassandraRefusedError, match="no_such_table"):
        await session.rows("SELECT * FROM $keyspace.no_such_table")
    await session.write([like(video, "a")])
    assert len(await session.rows(SELECT, (video,))) == 1


@pytest.mark.integration
async def test_a_cancelled_query_disturbs_no_other(session: Cassandra, video: str) -> None:
    await session.write([like(video, "a")])
    cancelled = asyncio.create_task(session.rows(SELECT, (video,)))
    others = [asyncio.create_task(session.rows(SELECT, (video,))) for _ in range(20)]
    await asyncio.sleep(0)  # lets each of them ask
    cancelled.cancel()
    assert [len(rows) for rows in await asyncio.gather(*others)] == [1] * 20
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_node_that_does_not_answer_is_named(unused_tcp_port_factory: Callable[[], int]) -> None:
    port = unused_tcp_port_factory()
    settings = load_settings(cassandra_port=port)
    with pytest.raises(CassandraAwayError, match=f"127.0.0.1 port {port} does not answer"):
        async with Cassandra.open(settings):
            pass
    with pytest.raises(CassandraAwayError, match="is it up"):
        await asyncio.to_thread(apply_schema, settings)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20_000)), max_size=400))
def test_batches_keep_every_write_within_one_partition_and_bounds(sizes: list[tuple[int, int]]) -> None:
    writes = [Write("INSERT", ("x" * size, n), ("t", partition)) for n, (partition, size) in enumerate(sizes)]
    made = list(batches(writes))
    assert sorted((w for batch in made for w in batch), key=lambda w: w.values[1]) == writes
    for batch in made:
        assert len({w.partition for w in batch}) == 1
        assert 1 <= len(batch) <= BATCH_ROWS
        assert len(batch) == 1 or sum(len(w.values[0]) for w in batch) <= BATCH_BYTES


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5))))
def test_of_writes_that_replace_each_other_only_the_latest_is_sent(times: list[tuple[int, int]]) -> None:
    writes = [Write("INSERT", (n,), ("head", video), time) for n, (video, time) in enumerate(times)]
    sent = {write.partition: write.replaces_at for batch in batches(writes) for write in batch}
    assert sent == {("head", video): max(t for v, t in times if v == video) for video, _ in times}
    assert sum(map(len, batches(writes))) == len(sent)


def test_the_schema_fills_in_keyspace_and_replication_and_can_always_be_repeated() -> None:
    statements = schema_statements(load_settings(cassandra_keyspace="other", replication=3))
    assert "'replication_factor': 3" in statements[0]
    assert all(" IF NOT EXISTS " in statement and " other" in statement for statement in statements)
    assert not any("$" in statement or "--" in statement or "counter" in statement for statement in statements)
