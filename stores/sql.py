"""The SQLAlchemy engine for both databases, SQLite and PostgreSQL, migrated when it is opened.

SQLite runs in WAL mode, so that readers never wait for the writer, with a busy timeout, so that the writers of several
processes wait for each other. A transaction that writes says so (`execution_options(writes=True)`) and starts with BEGIN
IMMEDIATE: one that starts as a reader and writes later may fail with SQLITE_BUSY_SNAPSHOT, which no timeout waits out
(https://www.sqlite.org/isolation.html).

PostgreSQL may stand still or be cut off with its connections open: connecting, waiting for a connection of the pool and every
statement have a limit. What passed it is a `TimeoutError`; its connection is thrown away, and the next one asks anew. A
migration has none: it may be long, and another starter's is waited for.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS: Final = 15_000
CONNECT_S: Final = 5.0
STATEMENT_S: Final = 10.0
MIGRATION_LOCK: Final = 0x6C6F6763617374
"""Key of PostgreSQL's advisory lock for migrations: "logcast" in ASCII."""

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class DatabaseError(Exception):
    """The SQL database cannot be used; says which one, what happened and what to do. No password is in it."""


@asynccontextmanager
async def open_engine(sql_url: str, *, statement_s: float = STATEMENT_S) -> AsyncIterator[AsyncEngine]:
    """An engine whose tables are those of this version; concurrent starters wait for the one that migrates.

    Args:
        sql_url: `sqlite:///…` or `postgresql://…`.
        statement_s: PostgreSQL's limit of one statement, in seconds.

    Raises:
        DatabaseError: the URL is none of ours, the server does not answer, or a newer version made the tables.
    """
    url = _async_url(sql_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url, statement_s)
    migrator = engine if engine.dialect.name == "sqlite" else _engine(url, None)
    try:
        try:
            await _migrate(migrator)
        finally:
            await migrator.dispose()
        yield engine
    finally:
        await engine.dispose()


def _async_url(sql_url: str) -> URL:
    try:
        url = make_url(sql_url)
    except ArgumentError as error:
        raise DatabaseError(
            "expected LOGCAST_DATABASE_URL to be an SQLAlchemy URL; it cannot be read as one"
        ) from error
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in _DRIVERS.values():
        raise DatabaseError(f"expected a URL of sqlite:// or postgresql://, found {url.drivername}://")
    return url


def _engine(url: URL, statement_s: float | None) -> AsyncEngine:
    limits: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        limits = {"pool_timeout": CONNECT_S, "connect_args": {"timeout": CONNECT_S, "command_timeout": statement_s}}
    try:
        engine = create_async_engine(url, pool_pre_ping=True, **limits)
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{url.drivername} needs the package {error.name}: pip install 'logcast[postgresql]'"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the sqlite3 module starts no transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


async def _migrate(engine: AsyncEngine) -> None:
    shown = engine.url.render_as_string(hide_password=True)
    try:
        if engine.dialect.name == "sqlite":
            await _set_wal(engine)
        async with engine.connect() as connection:
            if await connection.run_sync(_is_current):
                return
        async with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    except CommandError as error:
        raise DatabaseError(f"the tables in {shown} are of a newer version; upgrade Logcast ({error})") from error
    except (DBAPIError, OSError) as error:
        raise DatabaseError(
            f"cannot open the accounts in {shown}: {error}; is the server up, and is the URL in LOGCAST_DATABASE_URL right?"
        ) from error


async def _set_wal(engine: AsyncEngine) -> None:
    """Switch the file to WAL, for good; SQLite does not wait for its busy timeout here, so we do."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while True:
            try:
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.02)
            else:
                return


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("stores") / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _is_current(connection: Connection) -> bool:
    found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(_config()).get_heads())


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")
