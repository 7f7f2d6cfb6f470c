"""The SQL database out and in again, the same for SQLite and PostgreSQL: one consistent read, one transaction to write.

A line is a row by column names; bytes are `{"base64": …}`.

Errors: `DatabaseError`.
"""

from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stores.backup_files import packed, unpacked
from stores.sql import DatabaseError
from stores.sql_tables import metadata

ROWS: Final = 1_000


async def revision(engine: AsyncEngine) -> str:
    """Of the tables."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda one: MigrationContext.configure(one).get_current_revision() or "")


async def rows(engine: AsyncEngine) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
    """Every row of every table with the table's name, all as of one moment; tables that others refer to come first."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    async with engine.execution_options(**level).connect() as connection:
        for table in metadata.sorted_tables:
            async for row in await connection.stream(select(table), execution_options={"yield_per": ROWS}):
                yield table.name, {str(name): _plain(value) for name, value in row._mapping.items()}  # noqa: SLF001  (its public name)


async def is_empty(engine: AsyncEngine) -> bool:
    """Whether no table has a row."""
    async with engine.connect() as connection:
        return not any([await connection.scalar(select(func.count()).select_from(t)) for t in metadata.sorted_tables])


async def replace_all(engine: AsyncEngine, found: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Make the tables hold these rows and no others, all or nothing.

    Raises:
        DatabaseError: rows of tables or columns that this version does not have.
    """
    by_table: dict[str, list[dict[str, Any]]] = {table.name: [] for table in metadata.sorted_tables}
    for name, values in found:
        table = metadata.tables.get(name)
        if table is None or values.keys() - table.columns.keys():
            raise DatabaseError(f"the backup's table {name} is of a newer version; upgrade Logcast")
        by_table[name].append({column: _revived(value) for column, value in values.items()})
    try:
        async with engine.execution_options(writes=True).begin() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
            for table in metadata.sorted_tables:
                for start in range(0, len(by_table[table.name]), ROWS):
                    await connection.execute(insert(table), by_table[table.name][start : start + ROWS])
                await _go_on_numbering(connection, table)
    except DBAPIError as error:
        raise DatabaseError(f"cannot restore the accounts: {error.orig}") from error


async def _go_on_numbering(connection: AsyncConnection, table: Table) -> None:
    """PostgreSQL gives numbers from a sequence, which does not know of rows that came with theirs."""
    column = table.autoincrement_column
    if connection.dialect.name == "postgresql" and column is not None:
        values = {"table": table.name, "column": column.name}
        await connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
            values | {"last": await connection.scalar(select(func.coalesce(func.max(column), 1)))},
        )


def _plain(value: Any) -> Any:
    return {"base64": packed(bytes(value))} if isinstance(value, bytes | memoryview) else value


def _revived(value: Any) -> Any:
    return unpacked(value["base64"]) if isinstance(value, dict) else value
