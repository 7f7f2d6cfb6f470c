"""Sessions end when they should and not before, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stores.sessions import (
    RACE_MS,
    USED_KEPT_MS,
    Opened,
    RefreshRaced,
    SessionOver,
    Sessions,
    TokenReused,
    hash_of_token,
)
from stores.sql import open_engine
from stores.users import User, Users
from tests.stores.sql_databases import empty_database

LIFETIME_MS = 30 * 24 * 3_600_000


@dataclass
class Database:
    engine: AsyncEngine
    users: Users
    ann: User
    now_ms: int = 1_000_000

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.engine, LIFETIME_MS, lambda: self.now_ms)

    async def live(self) -> list[str]:
        return [session.id for session in await self.sessions.of_user(self.ann.number)]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    settings = await empty_database(request, tmp_path)
    async with open_engine(settings.sql_url) as engine:
        users = Users(engine)
        yield Database(engine, users, await users.create("ann", "hash"))


async def test_a_session_goes_on_by_tokens_that_each_work_once(database: Database) -> None:
    sessions = database.sessions
    first = await sessions.start(database.ann, "x" * 500, "where")
    second = await sessions.rotate(first.refresh_token)
    third = await sessions.rotate(second.refresh_token)
    assert first.session_id == second.session_id == third.session_id
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    (session,) = await sessions.of_user(database.ann.number)
    assert (session.id, session.device, session.address) == (first.session_id, "x" * 200, "where")
    assert await sessions.user(first.session_id) == database.ann


async def test_a_token_that_comes_again_ends_the_whole_session(database: Database) -> None:
    sessions = database.sessions
    stolen = await sessions.start(database.ann, "", "")
    other = await sessions.start(database.ann, "", "")
    current = await sessions.rotate(stolen.refresh_token)
    database.now_ms += RACE_MS + 1
    with pytest.raises(TokenReused, match="its session was ended"):
        await sessions.rotate(stolen.refresh_token)
    with pytest.raises(SessionOver):
        await sessions.rotate(current.refresh_token)
    assert await database.live() == [other.session_id]
    assert await sessions.user(current.session_id) is None


async def test_two_tabs_that_refresh_at_once_stay_logged_in_and_only_one_gets_a_token(database: Database) -> None:
    sessions = database.sessions
    opened = await sessions.start(database.ann, "", "")
    for _ in range(3):
        done = await asyncio.gather(*(sessions.rotate(opened.refresh_token) for _ in range(4)), return_exceptions=True)
        given = [one for one in done if isinstance(one, Opened)]
        assert len(given) == 1
        assert sum(isinstance(one, RefreshRaced) for one in done) == 3
        opened = given[0]


async def test_the_token_before_the_last_is_no_race(database: Database) -> None:
    sessions = database.sessions
    first = await sessions.start(database.ann, "", "")
    await sessions.rotate((await sessions.rotate(first.refresh_token)).refresh_token)
    database.now_ms += 1
    with pytest.raises(TokenReused):
        await sessions.rotate(first.refresh_token)


async def test_an_unused_session_ends_and_a_used_one_goes_on(database: Database) -> None:
    sessions = database.sessions
    unused, used = await sessions.start(database.ann, "", ""), await sessions.start(database.ann, "", "")
    database.now_ms += LIFETIME_MS - 1
    used = await sessions.rotate(used.refresh_token)
    database.now_ms += 1
    with pytest.raises(SessionOver):
        await sessions.rotate(unused.refresh_token)
    assert await database.live() == [used.session_id]
    database.now_ms += 1
    await sessions.start(database.ann, "", "")
    async with database.engine.connect() as connection:
        kept = {row.id for row in await connection.execute(text("SELECT id FROM sessions"))}
    assert unused.session_id not in kept, "what is over is forgotten"


async def test_long_used_tokens_are_forgotten_and_open_nothing(database: Database) -> None:
    sessions = database.sessions
    first = await sessions.start(database.ann, "", "")
    second = await sessions.rotate(first.refresh_token)
    database.now_ms += USED_KEPT_MS + 2
    third = await sessions.rotate(second.refresh_token)
    with pytest.raises(SessionOver):
        await sessions.rotate(first.refresh_token)
    assert await database.live() == [third.session_id]


async def test_one_ends_ones_own_sessions_and_nobody_elses(database: Database) -> None:
    sessions = database.sessions
    ben = await database.users.create("ben", None)
    mine = [await sessions.start(database.ann, "", "") for _ in range(3)]
    his = await sessions.start(ben, "", "")
    assert not await sessions.revoke(database.ann.number, his.session_id)
    assert await sessions.revoke(database.ann.number, mine[0].session_id)
    assert not await sessions.revoke(database.ann.number, mine[0].session_id)
    assert await sessions.revoke_all(database.ann.number, besides=mine[1].session_id) == 1
    assert await database.live() == [mine[1].session_id]
    await sessions.revoke_token(mine[1].refresh_token)
    await sessions.revoke_token("lr_nobodys' OR 1=1")
    assert await database.live() == []
    assert await sessions.user(his.session_id) == ben


async def test_a_reset_works_once_until_its_time_and_ends_every_session(database: Database) -> None:
    sessions, number = database.sessions, database.ann.number
    await sessions.start(database.ann, "", "")
    void = await sessions.new_reset(number, 1_000)
    token = await sessions.new_reset(number, 1_000)
    assert [await sessions.resets(one) for one in (void, token, "lp_x")] == [False, True, False]
    assert await sessions.reset(void, "bad") is None
    taken = await asyncio.gather(*(sessions.reset(token, f"new {n}") for n in range(4)))
    assert sorted(map(str, taken)) == sorted([database.ann.id, "None", "None", "None"])
    found = await database.users.password_hash("ann")
    assert found is not None
    assert str(found[1]).startswith("new ")
    assert await database.live() == []
    late = await sessions.new_reset(number, 1_000)
    database.now_ms += 1_000
    assert await sessions.reset(late, "late") is None


async def test_no_token_is_stored_or_shown(database: Database) -> None:
    opened = await database.sessions.start(database.ann, "", "")
    reset = await database.sessions.new_reset(database.ann.number, 1_000)
    async with database.engine.connect() as connection:
        tables = ("sessions", "refresh_tokens", "password_resets")
        stored = repr([list(await connection.execute(text(f"SELECT * FROM {table}"))) for table in tables])
    assert hash_of_token(opened.refresh_token) in stored
    assert hash_of_token(reset) in stored
    assert opened.refresh_token not in stored + repr(opened)
    assert reset not in stored
