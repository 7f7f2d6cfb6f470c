"""Which roles users were given on channels, and which channels they follow. On the engine of `stores/sql.py`.

Errors: of `stores.users`, and `LastOwner`; no channel is `stores.accounts.NoSuchChannel`.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.ids import CHANNEL_NAME, ChannelName
from stores.accounts import NoSuchChannel
from stores.roles import Role
from stores.sql_tables import channels_table, follows_table, roles_table, users_table
from stores.users import USER_ID, User, Users, UsersError, user_of

MAX_FOLLOWS: Final = 2_000


class LastOwner(UsersError):  # noqa: N818
    """A channel would be without an owner."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody was given on a channel."""

    user: User
    channel: ChannelName
    role: Role
    granted_ms: int
    granted_by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user is: everywhere (`admin`) and on one channel (`role`)."""

    admin: bool
    role: Role


class Memberships:
    """The roles and follows of the users. Safe to share among tasks; several processes may use one database at once."""

    def __init__(
        self, engine: AsyncEngine, users: Users, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._engine = engine
        self._users = users
        self._now_ms = now_ms

    async def standing(self, user_id: str, channel: str) -> Standing:
        """What a user is to a channel; a guest when there is no such user."""
        if USER_ID.fullmatch(user_id) is None or CHANNEL_NAME.fullmatch(channel) is None:
            return Standing(admin=False, role=Role.GUEST)
        async with self._engine.connect() as connection:
            row = (await connection.execute(_standing(user_id, channel))).one_or_none()
        if row is None:
            return Standing(admin=False, role=Role.GUEST)
        least = Role.VIEWER if row.since_ms is None else Role.FOLLOWER
        return Standing(row.admin, least if row.role is None else Role(row.role))

    async def grant(self, who: str, channel: str, role: Role, by: str) -> Grant:
        """Give a role; the one before is replaced.

        Raises:
            NoSuchUser, NoSuchChannel: there is none.
            LastOwner: the channel would be left without an owner.
        """
        user = await self._users.known(who)
        async with self._write() as connection:
            channel_id = await _channel_id(connection, channel)
            await _leave_an_owner(connection, user.number, channel_id, role)
            await connection.execute(_without(roles_table, user.number, channel_id))
            grant = Grant(user, ChannelName(channel), role, self._now_ms(), by)
            values = {"user_number": user.number, "channel_id": channel_id, "role": role.value}
            granted = {"granted_ms": grant.granted_ms, "granted_by": by}
            await connection.execute(insert(roles_table).values(values | granted))
        return grant

    async def withdraw(self, who: str, channel: str) -> None:
        """Take a role away; none is as good.

        Raises:
            NoSuchUser, NoSuchChannel: there is none.
            LastOwner: the channel would be left without an owner.
        """
        user = await self._users.known(who)
        async with self._write() as connection:
            channel_id = await _channel_id(connection, channel)
            await _leave_an_owner(connection, user.number, channel_id, None)
            await connection.execute(_without(roles_table, user.number, channel_id))

    async def grants(self, channel: str) -> list[Grant]:
        """Who has which role on a channel, by login."""
        return await self._grants(channels_table.c.name == channel)

    async def grants_of(self, number: int) -> list[Grant]:
        """The roles of a user, by channel."""
        return await self._grants(users_table.c.number == number)

    async def follow(self, number: int, channel: str) -> None:
        """Follow a channel; again is the same.

        Raises:
            NoSuchChannel: there is none.
            UsersError: they follow very many already.
        """
        async with self._write() as connection:
            channel_id = await _channel_id(connection, channel)
            mine = select(follows_table.c.channel_id).where(follows_table.c.user_number == number)
            followed = {row.channel_id for row in await connection.execute(mine)}
            if channel_id in followed:
                return
            if len(followed) >= MAX_FOLLOWS:
                raise UsersError(f"you follow {MAX_FOLLOWS} channels; unfollow one first")
            values = {"user_number": number, "channel_id": channel_id, "since_ms": self._now_ms()}
            await connection.execute(insert(follows_table).values(values))

    async def unfollow(self, number: int, channel: str) -> None:
        """Follow a channel no more.

        Raises:
            NoSuchChannel: there is none.
        """
        async with self._write() as connection:
            channel_id = await _channel_id(connection, channel)
            await connection.execute(_without(follows_table, number, channel_id))

    async def follows(self, number: int) -> list[ChannelName]:
        """The channels that a user follows, by name."""
        query = (
            select(channels_table.c.name)
            .join(follows_table)
            .where(follows_table.c.user_number == number)
            .order_by(channels_table.c.name)
        )
        async with self._engine.connect() as connection:
            return [ChannelName(row.name) for row in await connection.execute(query)]

    async def _grants(self, condition: Any) -> list[Grant]:
        query = (
            select(users_table, channels_table.c.name.label("channel"), roles_table.c.role)
            .add_columns(roles_table.c.granted_ms, roles_table.c.granted_by)
            .select_from(roles_table.join(users_table).join(channels_table))
            .where(condition)
            .order_by(channels_table.c.name, users_table.c.login)
        )
        async with self._engine.connect() as connection:
            return [
                Grant(user_of(row), ChannelName(row.channel), Role(row.role), row.granted_ms, row.granted_by)
                for row in await connection.execute(query)
            ]

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.execution_options(writes=True).begin() as connection:
            yield connection


def _standing(user_id: str, channel: str) -> Select[Any]:
    of_channel = channels_table.c.name == channel
    role = select(roles_table.c.user_number, roles_table.c.role).join(channels_table).where(of_channel).subquery()
    follow = select(follows_table.c.user_number, follows_table.c.since_ms).join(channels_table).where(of_channel)
    follows = follow.subquery()
    joined = users_table.outerjoin(role, role.c.user_number == users_table.c.number).outerjoin(
        follows, follows.c.user_number == users_table.c.number
    )
    return (
        select(users_table.c.admin, role.c.role, follows.c.since_ms)
        .select_from(joined)
        .where(users_table.c.id == user_id)
    )


async def _channel_id(connection: AsyncConnection, channel: str) -> int:
    query = select(channels_table.c.id).where(channels_table.c.name == channel).with_for_update()
    fits = CHANNEL_NAME.fullmatch(channel) is not None  # PostgreSQL takes no NUL, and there is none of another form
    found = (await connection.execute(query)).scalar_one_or_none() if fits else None
    if found is None:
        raise NoSuchChannel(f"there is no channel {channel[:60]!r}; `logcast channel list` shows those that exist")
    return int(found)


async def _leave_an_owner(connection: AsyncConnection, number: int, channel_id: int, role: Role | None) -> None:
    """A channel that has owners keeps one; the row of the channel is locked meanwhile."""
    owning = roles_table.c.channel_id == channel_id, roles_table.c.role == Role.OWNER.value
    owners = {row.user_number for row in await connection.execute(select(roles_table.c.user_number).where(*owning))}
    if owners == {number} and role is not Role.OWNER:
        raise LastOwner("this is the channel's only owner; make somebody else an owner first")


def _without(table: Any, number: int, channel_id: int) -> Any:
    return delete(table).where(table.c.user_number == number, table.c.channel_id == channel_id)
