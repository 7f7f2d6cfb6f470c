"""Which channels share whom they ban, and which use whose list. On the engine of `stores/sql.py`.

The bans themselves are acts on the log (`gateway/block_lists.py`); here is only who wants them.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stores.accounts import NoSuchChannel
from stores.sql_tables import channels_table, shared_block_lists_table, used_block_lists_table

MAX_USED: Final = 20
"""Lists that a channel uses."""
MAX_USERS: Final = 200
"""Channels that use one list."""


class BlockListError(Exception):
    """A list cannot be used; the message says why."""


class BlockLists:
    """The table of lists. Safe to share among tasks."""

    def __init__(self, engine: AsyncEngine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms

    async def share(self, channel: str, *, shared: bool) -> None:
        """Let others use a channel's bans, or not any more: who used them then uses them no longer.

        Raises:
            NoSuchChannel: there is none.
        """
        async with self._engine.execution_options(writes=True).begin() as connection:
            mine = await _id_of(connection, channel)
            await connection.execute(
                delete(shared_block_lists_table).where(shared_block_lists_table.c.channel_id == mine)
            )
            if shared:
                values = {"channel_id": mine, "since_ms": self._now_ms()}
                await connection.execute(insert(shared_block_lists_table).values(values))
            else:
                await connection.execute(
                    delete(used_block_lists_table).where(used_block_lists_table.c.source_id == mine)
                )

    async def shares(self, channel: str) -> bool:
        """Whether a channel shares its bans."""
        query = select(shared_block_lists_table.c.since_ms).join(channels_table).where(channels_table.c.name == channel)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def use(self, channel: str, source: str) -> bool:
        """Use another's list; False: it did already.

        Raises:
            BlockListError: it is not shared, is one's own, or there are too many.
            NoSuchChannel: there is no such channel.
        """
        try:
            async with self._engine.execution_options(writes=True).begin() as connection:
                mine, theirs = await _id_of(connection, channel), await _id_of(connection, source)
                table = used_block_lists_table.c
                if mine == theirs:
                    raise BlockListError("a channel has its own bans anyway")
                shared = select(shared_block_lists_table).where(shared_block_lists_table.c.channel_id == theirs)
                if (await connection.execute(shared)).one_or_none() is None:
                    raise BlockListError(f"channel {source} does not share its bans")
                used = len((await connection.execute(select(table.source_id).where(table.channel_id == mine))).all())
                users = len((await connection.execute(select(table.channel_id).where(table.source_id == theirs))).all())
                if used >= MAX_USED or users >= MAX_USERS:
                    raise BlockListError(
                        f"a channel uses at most {MAX_USED} lists, and a list is used by at most {MAX_USERS}"
                    )
                values = {"channel_id": mine, "source_id": theirs, "since_ms": self._now_ms()}
                await connection.execute(insert(used_block_lists_table).values(values))
        except IntegrityError:
            return False
        return True

    async def leave(self, channel: str, source: str) -> bool:
        """Use a list no longer; False: it did not."""
        async with self._engine.execution_options(writes=True).begin() as connection:
            mine, theirs = await _id_of(connection, channel), await _id_of(connection, source)
            table = used_block_lists_table.c
            done = await connection.execute(
                delete(used_block_lists_table).where(table.channel_id == mine, table.source_id == theirs)
            )
        return bool(done.rowcount)

    async def used_by(self, channel: str) -> list[str]:
        """The channels whose lists a channel uses, by name."""
        return await self._names(
            _joined(used_block_lists_table.c.source_id, used_block_lists_table.c.channel_id, channel)
        )

    async def users_of(self, source: str) -> list[str]:
        """The channels that use a list, by name."""
        return await self._names(
            _joined(used_block_lists_table.c.channel_id, used_block_lists_table.c.source_id, source)
        )

    async def _names(self, query: Select[tuple[str]]) -> list[str]:
        async with self._engine.connect() as connection:
            return [row.name for row in await connection.execute(query)]


def _joined(wanted: object, given: object, channel: str) -> Select[tuple[str]]:
    other = channels_table.alias("other")
    return (
        select(channels_table.c.name)
        .join(used_block_lists_table, wanted == channels_table.c.id)
        .join(other, given == other.c.id)
        .where(other.c.name == channel)
        .order_by(channels_table.c.name)
    )


async def _id_of(connection: AsyncConnection, channel: str) -> int:
    query = select(channels_table.c.id).where(channels_table.c.name == channel)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NoSuchChannel(f"there is no channel {channel[:40]!r}")
    return int(row.id)
