"""An address is verified by the token that was sent to it, once and in time, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stores.email_verifications import EmailVerifications
from stores.sql import open_engine
from stores.users import User, Users
from tests.stores.sql_databases import empty_database


@dataclass
class Database:
    engine: AsyncEngine
    users: Users
    ann: User
    now_ms: int = 1_000_000

    def __post_init__(self) -> None:
        self.tokens = EmailVerifications(self.engine, lambda: self.now_ms)

    async def is_verified(self) -> bool:
        return (await self.users.known("ann")).email_verified


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    settings = await empty_database(request, tmp_path)
    async with open_engine(settings.sql_url) as engine:
        users = Users(engine)
        yield Database(engine, users, await users.create("ann", "hash", email="ann@example.org"))


async def test_a_token_verifies_the_address_once_and_is_kept_as_a_hash(database: Database) -> None:
    assert not await database.is_verified()
    token = await database.tokens.new(database.ann, 1_000)
    async with database.engine.connect() as connection:
        kept = [tuple(row) for row in await connection.execute(text("SELECT * FROM email_verifications"))]
    assert len(kept) == 1
    assert token not in str(kept)
    verified = await database.tokens.verify(token)
    assert verified is not None
    assert (verified.id, verified.email_verified) == (database.ann.id, True)
    assert await database.is_verified()
    assert await database.tokens.verify(token) is None


async def test_a_token_is_over_in_time_and_with_the_next_one(database: Database) -> None:
    first = await database.tokens.new(database.ann, 1_000)
    second = await database.tokens.new(database.ann, 1_000)
    assert await database.tokens.verify(first) is None
    database.now_ms += 1_000
    assert await database.tokens.verify(second) is None
    assert await database.tokens.verify("lv_unknown") is None
    assert not await database.is_verified()


async def test_a_token_of_an_earlier_address_verifies_nothing(database: Database) -> None:
    token = await database.tokens.new(database.ann, 1_000)
    await database.users.set_profile(database.ann.number, email="new@example.org")
    assert await database.tokens.verify(token) is None
    assert not await database.is_verified()


async def test_another_address_has_to_be_verified_anew_and_the_same_one_has_not(database: Database) -> None:
    assert await database.tokens.verify(await database.tokens.new(database.ann, 1_000))
    same = await database.users.set_profile(database.ann.number, email="ann@example.org", colour="#aabbcc")
    assert same.email_verified
    other = await database.users.set_profile(database.ann.number, email="new@example.org")
    assert (other.email, other.email_verified) == ("new@example.org", False)
    none = await database.users.create("ben", None, email="", email_verified=True)
    assert not none.email_verified, "there is no address that could be verified"
