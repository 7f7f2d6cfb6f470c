"""What is over leaves the SQL database, and nothing else does, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stores import sql_expiry
from stores.email_verifications import EmailVerifications
from stores.sessions import USED_KEPT_MS, SessionOver, Sessions
from stores.sql import open_engine
from stores.sql_expiry import MARGIN_MS, forget_expired
from stores.users import User, Users
from tests.stores.sql_databases import empty_database

LIFETIME_MS = 30 * 24 * 3_600_000
TABLES = ("sessions", "refresh_tokens", "password_resets", "email_verifications")


@dataclass
class Database:
    engine: AsyncEngine
    ann: User
    now_ms: int = 1_000_000

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.engine, LIFETIME_MS, lambda: self.now_ms)
        self.verifications = EmailVerifications(self.engine, lambda: self.now_ms)

    async def rows(self) -> dict[str, int]:
        async with self.engine.connect() as connection:
            counts = {
                table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
                for table in TABLES
            }
        return {table: rows for table, rows in counts.items() if rows}


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    settings = await empty_database(request, tmp_path)
    async with open_engine(settings.sql_url) as engine:
        yield Database(engine, await Users(engine).create("ann", "hash", email="ann@example.org"))


async def test_what_is_over_goes_and_what_opens_something_stays(database: Database) -> None:
    sessions = database.sessions
    ended = await sessions.start(database.ann, "", "")
    used = await sessions.rotate((await sessions.start(database.ann, "", "")).refresh_token)
    await sessions.new_reset(database.ann.number, 1_000)
    await database.verifications.new(database.ann, 1_000)
    await sessions.revoke(database.ann.number, ended.session_id)
    assert await forget_expired(database.engine, database.now_ms) == {}, "nothing is over, or not for long"
    database.now_ms += MARGIN_MS + 1_001
    removed = await forget_expired(database.engine, database.now_ms)
    assert removed == {"sessions": 1, "refresh_tokens": 1, "password_resets": 1, "email_verifications": 1}
    assert await database.rows() == {"sessions": 1, "refresh_tokens": 2}
    with pytest.raises(SessionOver):
        await sessions.rotate(ended.refresh_token)
    assert (await sessions.rotate(used.refresh_token)).session_id == used.session_id


async def test_an_expired_session_goes_with_its_tokens_and_a_used_token_after_its_time(database: Database) -> None:
    sessions = database.sessions
    opened = await sessions.start(database.ann, "", "")
    opened = await sessions.rotate(opened.refresh_token)
    database.now_ms += USED_KEPT_MS + 2
    assert await forget_expired(database.engine, database.now_ms) == {"refresh_tokens": 1}
    database.now_ms += LIFETIME_MS + MARGIN_MS
    assert await forget_expired(database.engine, database.now_ms) == {"refresh_tokens": 1, "sessions": 1}
    assert await database.rows() == {}


async def test_many_go_in_small_transactions_and_several_may_clean_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_expiry, "MOST_AT_ONCE", 4)
    for _ in range(21):
        await database.sessions.start(database.ann, "", "")
    database.now_ms += LIFETIME_MS + MARGIN_MS + 1
    each = await asyncio.gather(*(forget_expired(database.engine, database.now_ms) for _ in range(3)))
    assert sum(one["sessions"] for one in each) == 21
    assert await database.rows() == {}
