"""Takes what is over out of the SQL database: sessions with their refresh tokens, password resets, verifications of mail.

Nothing that is over opens anything, so taking it away changes no answer. It stays `MARGIN_MS` longer: gateways whose clocks
differ a little agree by then that it is over, and none of them makes a session go on that another takes away.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Column, ColumnElement, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stores.sessions import USED_KEPT_MS
from stores.sql_tables import email_verifications_table, password_resets_table, refresh_tokens_table, sessions_table

MARGIN_MS: Final = 300_000
MOST_AT_ONCE: Final = 500
"""Rows of one transaction: who writes meanwhile waits for no more than that."""

_sessions, _tokens = sessions_table.c, refresh_tokens_table.c


async def forget_expired(engine: AsyncEngine, now_ms: int) -> Counter[str]:
    """Take away what is over; gives the number of rows by table. Several processes may do it at once."""
    before_ms = now_ms - MARGIN_MS
    removed: Counter[str] = Counter()
    over = (_sessions.expires_ms < before_ms) | (_sessions.revoked_ms < before_ms)
    while ids := await _some(engine, _sessions.id, over):
        async with engine.execution_options(writes=True).begin() as connection:
            removed["refresh_tokens"] += await _delete(connection, refresh_tokens_table, _tokens.session_id, ids)
            removed["sessions"] += await _delete(connection, sessions_table, _sessions.id, ids)
    for table, token, which in (
        (refresh_tokens_table, _tokens.sha256, _tokens.used_ms < now_ms - USED_KEPT_MS),
        (password_resets_table, password_resets_table.c.sha256, password_resets_table.c.expires_ms < before_ms),
        (
            email_verifications_table,
            email_verifications_table.c.sha256,
            email_verifications_table.c.expires_ms < before_ms,
        ),
    ):
        while ids := await _some(engine, token, which):
            async with engine.execution_options(writes=True).begin() as connection:
                removed[table.name] += await _delete(connection, table, token, ids)
    return +removed


async def _some(engine: AsyncEngine, key: Column[str], which: ColumnElement[bool]) -> list[str]:
    """The keys of some rows, read without a lock: mostly there are none, and nobody waits."""
    async with engine.connect() as connection:
        return list((await connection.execute(select(key).where(which).limit(MOST_AT_ONCE))).scalars())


async def _delete(connection: AsyncConnection, table: Table, key: Column[str], keys: Sequence[str]) -> int:
    return (await connection.execute(delete(table).where(key.in_(keys)))).rowcount
