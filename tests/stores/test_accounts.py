"""The accounts, held to the same promises on SQLite and on PostgreSQL."""

import asyncio
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from schemas.events import Visibility
from schemas.ids import CHANNEL_NAME
from stores.accounts import (
    STREAM_KEY,
    Accounts,
    BadChannelName,
    BadKeepDays,
    BadTitle,
    ChannelExists,
    NoSuchChannel,
    checked_name,
    hash_of_key,
    new_stream_key,
)
from stores.settings import Settings, load_settings
from stores.sql import DatabaseError, open_engine
from stores.sql_tables import metadata
from tests.stores.sql_databases import empty_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def where(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty database of either kind."""
    return await empty_database(request, tmp_path)


@pytest.fixture
async def accounts(where: Settings) -> AsyncIterator[Accounts]:
    async with Accounts.open(where) as accounts:
        yield accounts


async def test_a_new_channel_is_found_by_name_by_key_and_in_the_list(accounts: Accounts) -> None:
    new = await accounts.create_channel("ann", "Ann paints")
    assert (new.channel.name, new.channel.title) == ("ann", "Ann paints")
    assert await accounts.channel("ann") == new.channel
    assert await accounts.channel_of_key(new.stream_key) == new.channel
    assert await accounts.channels() == [new.channel]


async def test_channels_are_listed_by_name_and_a_title_defaults_to_the_name(accounts: Accounts) -> None:
    for name in ("zoe", "bob", "0-first"):
        await accounts.create_channel(name)
    assert [(c.name, c.title) for c in await accounts.channels()] == [(n, n) for n in ("0-first", "bob", "zoe")]


async def test_a_second_channel_of_the_same_name_is_refused_and_changes_nothing(accounts: Accounts) -> None:
    first = await accounts.create_channel("ann", "first")
    with pytest.raises(ChannelExists, match="there is a channel 'ann' already"):
        await accounts.create_channel("ann", "second")
    assert await accounts.channels() == [first.channel]
    assert await accounts.channel_of_key(first.stream_key) == first.channel


async def test_a_rotated_key_replaces_the_old_one_at_once(accounts: Accounts) -> None:
    old = await accounts.create_channel("ann")
    other = await accounts.create_channel("bob")
    new = await accounts.rotate_key("ann")
    assert new.stream_key != old.stream_key
    assert await accounts.channel_of_key(old.stream_key) is None
    assert await accounts.channel_of_key(new.stream_key) == old.channel
    assert await accounts.channel_of_key(other.stream_key) == other.channel


async def test_rotating_the_key_of_no_channel_says_so(accounts: Accounts) -> None:
    with pytest.raises(NoSuchChannel, match="no channel 'nobody'"):
        await accounts.rotate_key("nobody")


async def test_what_a_channel_chose_is_kept_and_what_it_did_not_name_stays(accounts: Accounts) -> None:
    await accounts.create_channel("ann", "Ann paints")
    other = (await accounts.create_channel("bob")).channel
    changed = await accounts.set_channel("ann", keep_days=30)
    assert (changed.title, changed.keep_days, changed.visibility) == ("Ann paints", 30, Visibility.PUBLIC)
    changed = await accounts.set_channel("ann", tags=["oil", "still life"], description="Every day.")
    assert (changed.tags, changed.description) == (("oil", "still life"), "Every day.")
    assert (await accounts.set_channel("ann", tags=[])).tags == ()
    changed = await accounts.set_channel("ann", title="Ann", visibility=Visibility.PRIVATE)
    assert (changed.title, changed.keep_days, changed.visibility) == ("Ann", 30, Visibility.PRIVATE)
    assert await accounts.channel("ann") == changed
    assert await accounts.channel("bob") == other
    assert (other.keep_days, other.visibility) == (None, Visibility.PUBLIC)


async def test_a_channel_that_is_not_there_has_no_choice_and_a_wrong_one_is_refused(accounts: Accounts) -> None:
    with pytest.raises(NoSuchChannel, match="no channel 'nobody'"):
        await accounts.set_channel("nobody", keep_days=1)
    new = await accounts.create_channel("ann")
    for days in (-2, 36_501):
        with pytest.raises(BadKeepDays, match=r"from 0 \(not kept\) to 36500, or -1"):
            await accounts.set_channel("ann", keep_days=days)
    assert await accounts.channel("ann") == new.channel


OLD_TABLES = """
CREATE TABLE channels (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE, title VARCHAR(200) NOT NULL,
  created_ms BIGINT NOT NULL);
CREATE TABLE stream_keys (id INTEGER PRIMARY KEY, channel_id INTEGER NOT NULL REFERENCES channels (id),
  sha256 VARCHAR(64) NOT NULL UNIQUE, created_ms BIGINT NOT NULL, revoked_ms BIGINT);
CREATE INDEX ix_stream_keys_channel_id ON stream_keys (channel_id);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO channels VALUES (1, 'ann', 'Ann paints', 5);
"""


async def test_a_database_of_the_version_before_is_brought_up_to_this_one(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "accounts.sqlite3")
    connection.executescript(OLD_TABLES)
    connection.close()
    async with Accounts.open(load_settings(data_dir=tmp_path)) as accounts:
        channel = await accounts.channel("ann")
        assert channel is not None
        assert (channel.title, channel.keep_days, channel.visibility) == ("Ann paints", None, Visibility.PUBLIC)
        assert (await accounts.set_channel("ann", keep_days=0)).keep_days == 0


@pytest.mark.parametrize("key", ["", "lc_", "lc_" + "0" * 32, "lc_" + "0" * 33, "x" * 10_000, "lc_' OR 1=1 --", "\0"])
async def test_a_wrong_key_opens_nothing(accounts: Accounts, key: str) -> None:
    await accounts.create_channel("ann")
    assert await accounts.channel_of_key(key) is None


@pytest.mark.parametrize("name", ["a", "", "Ann", "-ann", "ann bob", "a" * 41, "ann\n", "änn", "ann/../bob"])
async def test_a_name_of_another_form_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(BadChannelName, match="expected a channel name of 2 to 40"):
        await accounts.create_channel(name)
    assert await accounts.channels() == []


@pytest.mark.parametrize("title", ["x" * 201, "two\nlines", "nul\0"])
async def test_a_title_that_a_page_cannot_show_is_refused(accounts: Accounts, title: str) -> None:
    with pytest.raises(BadTitle, match="at most 200 printable characters"):
        await accounts.create_channel("ann", title)


async def test_the_key_itself_is_neither_stored_nor_shown(
    accounts: Accounts, where: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    new = await accounts.create_channel("ann")
    await accounts.channel_of_key(new.stream_key)
    async with open_engine(where.sql_url) as engine, engine.connect() as connection:
        stored = [tuple(row) for row in await connection.execute(text("SELECT * FROM stream_keys"))]
    assert hash_of_key(new.stream_key) in stored[0]
    assert new.stream_key not in repr((stored, new)) + caplog.text


async def test_what_was_made_is_there_after_opening_again(where: Settings) -> None:
    async with Accounts.open(where) as accounts:
        new = await accounts.create_channel("ann")
    async with Accounts.open(where) as accounts:
        assert await accounts.channel_of_key(new.stream_key) == new.channel


async def test_the_migrations_make_exactly_the_tables_of_the_code(where: Settings) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with open_engine(where.sql_url) as engine, engine.connect() as connection:
        difference = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert difference == []


async def test_tables_of_a_newer_version_are_refused(where: Settings) -> None:
    async with open_engine(where.sql_url) as engine, engine.execution_options(writes=True).begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer version; upgrade Logcast"):
        async with Accounts.open(where):
            pass


STARTER = """
import asyncio, sys
from stores.accounts import Accounts
from stores.settings import load_settings

async def main(data_dir, url, name):
    async with Accounts.open(load_settings(data_dir=data_dir, database_url=url or None)) as accounts:
        for n in range(8):
            await accounts.create_channel(f"{name}-{n}")
            await accounts.rotate_key(f"{name}-{n}")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_start_at_once_migrate_once_and_write_side_by_side(where: Settings) -> None:
    starters = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", STARTER, where.data_dir, where.database_url, name, stderr=asyncio.subprocess.PIPE
        )
        for name in ("one", "two", "three")
    ]
    for starter in starters:
        _, errors = await asyncio.wait_for(starter.communicate(), 60)
        assert starter.returncode == 0, errors.decode()
    async with Accounts.open(where) as accounts:
        assert len(await accounts.channels()) == 24


async def test_two_rotations_at_once_leave_one_working_key(accounts: Accounts) -> None:
    await accounts.create_channel("ann")
    rotated = await asyncio.gather(*(accounts.rotate_key("ann") for _ in range(8)))
    working = [await accounts.channel_of_key(new.stream_key) for new in rotated]
    assert sum(channel is not None for channel in working) == 1


async def test_sqlite_is_kept_in_wal_mode(tmp_path: Path) -> None:
    async with Accounts.open(load_settings(data_dir=tmp_path)):
        with sqlite3.connect(tmp_path / "accounts.sqlite3") as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:hidden@127.0.0.1:1/x", r"cannot open the accounts in postgresql\+asyncpg://u:\*\*\*@127"),
        ("mysql://u:hidden@h/x", "expected a URL of sqlite:// or postgresql://, found mysql://"),
        ("no url: hidden", "cannot be read as one"),
    ],
)
async def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        async with Accounts.open(load_settings(database_url=url)):
            pass
    assert "hidden" not in str(caught.value)


@given(st.binary(min_size=20, max_size=20))
def test_a_key_is_a_bijection_of_its_random_bytes(random: bytes) -> None:
    key = new_stream_key(random)
    assert STREAM_KEY.fullmatch(key)
    number = 0
    for character in key.removeprefix("lc_"):
        number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(character)
    assert number.to_bytes(20, "big") == random


@given(st.from_regex(CHANNEL_NAME, fullmatch=True))
def test_every_name_of_the_form_is_taken(name: str) -> None:
    assert checked_name(name) == name
