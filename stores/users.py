"""Users: who they are, what they may on which channel, whom they follow. On the engine of `stores/sql.py`.

`login` is what one signs in with: a-z, 0-9, '-', '_', never changed. `name` is what people read. Both are told apart by
`name_key`, so that nobody passes for another with capitals or look-alike forms of letters.

Errors: `UsersError` is the base of `NameTaken`, `NoSuchUser`, `LastOwner`; no channel is `stores.accounts.NoSuchChannel`.
"""

import re
import secrets
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, Select, case, delete, false, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.ids import ALPHABET, CHANNEL_NAME, ChannelName, UserId, base32
from stores.accounts import NoSuchChannel
from stores.sql_tables import (
    channels_table,
    follows_table,
    outside_identities_table,
    roles_table,
    users_table,
)

USER_ID: Final = re.compile(f"u_[{ALPHABET}]{{16}}")
LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{1,31}")
NUMBERS_LOCK: Final = 0x6C6F67757372
"""Key of PostgreSQL's advisory lock under which numbers are given out: "logusr" in ASCII."""

MAX_FOLLOWS: Final = 2_000


class UsersError(Exception):
    """Something about users is wrong; the message says what to do."""


class NameTaken(UsersError):  # noqa: N818  (reads as what it is, like its siblings)
    """Somebody has this name, or one that looks the same."""


class NoSuchUser(UsersError, LookupError):  # noqa: N818
    """There is no such user."""


class LastOwner(UsersError):  # noqa: N818
    """A channel would be without an owner."""


class Role(StrEnum):
    """What somebody is to a channel; ordered, each may what those below it may."""

    GUEST = "guest"
    VIEWER = "viewer"
    FOLLOWER = "follower"
    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a guest, 5 for an owner."""
        return _RANKS[self.value]

    def __lt__(self, other: str) -> bool:
        return self.rank < Role(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Role(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Role(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Role(other).rank


_RANKS: Final = {
    value: rank for rank, value in enumerate(("guest", "viewer", "follower", "member", "moderator", "owner"))
}
GRANTED: Final = (Role.MEMBER, Role.MODERATOR, Role.OWNER)
"""The roles that an owner gives; the others come by themselves."""


@dataclass(frozen=True, slots=True)
class User:
    """An account.

    Attributes:
        number: dense, from 1.
        id: `u_` and 16 characters of base32.
        login: what they sign in with.
        name: what people read.
        email: where a password reset goes; empty without one.
        colour: of the name, `#rrggbb`, or empty.
        avatar: an https address of a picture, or empty.
        admin: may everything, everywhere.
        email_verified: `email` was shown to be theirs.
    """

    number: int
    id: UserId
    login: str
    name: str
    email: str
    colour: str
    avatar: str
    admin: bool
    created_ms: int
    email_verified: bool = False


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


def name_key(name: str) -> str:
    """What two names have in common that people take for the same: NFKC, case folded, only letters and digits."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LN")[:64] or folded[:64]


class Users:
    """The users. Safe to share among tasks; several processes may use one database at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._random = random

    # -- accounts

    async def create(
        self,
        login: str,
        password_hash: str | None,
        *,
        name: str = "",
        email: str = "",
        admin: bool = False,
        email_verified: bool = False,
        outside: tuple[str, str] | None = None,
    ) -> User:
        """Make a user; the caller has checked the forms (`gateway/auth_rules.py`).

        Args:
            login: what they sign in with.
            password_hash: of argon2; None when only an identity provider knows them.
            name: what people read; the login when empty.
            email: where a password reset goes.
            admin: may everything.
            email_verified: whether the address is known to be theirs.
            outside: issuer and subject at an identity provider.

        Raises:
            NameTaken: somebody has it.
        """
        try:
            async with self._write() as connection:
                if await self._is_taken(connection, login, name or login):
                    raise _taken(login)
                values = {"login": login, "password_hash": password_hash, "name": name or login, "email": email}
                flags = {"admin": admin, "email_verified": email_verified and bool(email)}
                user = await self._insert(connection, values | flags)
                if outside is not None:
                    known = {"issuer": outside[0], "subject": outside[1], "user_number": user.number}
                    row = insert(outside_identities_table).values(**known, created_ms=self._now_ms())
                    await connection.execute(row)
        except IntegrityError as error:
            raise _taken(login) from error
        return user

    async def _insert(self, connection: AsyncConnection, given: dict[str, Any]) -> User:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": NUMBERS_LOCK})
        last = (await connection.execute(select(func.coalesce(func.max(users_table.c.number), 0)))).scalar_one()
        values: dict[str, Any] = {
            "number": last + 1,
            "id": "u_" + base32(int.from_bytes(self._random(10), "big"), 16),
            "name_key": name_key(given["name"]),
            "colour": "",
            "avatar": "",
            "created_ms": self._now_ms(),
        } | given
        return user_of((await connection.execute(insert(users_table).values(values).returning(*users_table.c))).one())

    async def _is_taken(self, connection: AsyncConnection, login: str, name: str, besides: int = 0) -> bool:
        """Whether login or name would be taken for somebody else's."""
        keys = {name_key(login), name_key(name)}
        users = users_table.c
        same = or_(users.login.in_({login, *keys}), users.name_key.in_(keys))
        found = await connection.execute(select(users.number).where(same, users.number != besides).limit(1))
        return found.first() is not None

    async def find(self, who: str) -> User | None:
        """The user of an id, or of a login (`ann` or `@ann`)."""
        if USER_ID.fullmatch(who):
            return await self._one(select(users_table).where(users_table.c.id == who))
        login = who.removeprefix("@")
        return (
            await self._one(select(users_table).where(users_table.c.login == login)) if LOGIN.fullmatch(login) else None
        )

    async def of_outside(self, issuer: str, subject: str) -> User | None:
        """The user whom an identity provider knows by `subject`."""
        outside = outside_identities_table.c
        return await self._one(
            select(users_table)
            .join(outside_identities_table)
            .where(outside.issuer == issuer, outside.subject == subject)
        )

    async def every(self) -> list[User]:
        """All users, by number."""
        async with self._engine.connect() as connection:
            return [
                user_of(row) for row in await connection.execute(select(users_table).order_by(users_table.c.number))
            ]

    async def password_hash(self, login: str) -> tuple[User, str | None] | None:
        """A user by login, with the hash of their password."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(users_table).where(users_table.c.login == login))).one_or_none()
            return None if row is None else (user_of(row), row.password_hash)

    async def set_password_hash(self, number: int, password_hash: str) -> None:
        """Keep another hash of a user's password."""
        await self._change(number, password_hash=password_hash)

    async def set_admin(self, who: str, *, admin: bool) -> User:
        """Make somebody an administrator, or no longer one.

        Raises:
            NoSuchUser: there is none.
        """
        user = await self.known(who)
        return await self._change(user.number, admin=admin)

    async def set_profile(self, number: int, **values: str) -> User:
        """Change some of `name`, `colour`, `avatar`, `email`; their forms have been checked.

        Another address is not verified.

        Raises:
            NameTaken: somebody else has the name, or one that looks the same.
        """
        name = values.get("name")
        changed: dict[str, Any] = {**values, **({"name_key": name_key(name)} if name is not None else {})}
        if "email" in changed:
            same = users_table.c.email == changed["email"]
            changed["email_verified"] = case((same, users_table.c.email_verified), else_=false())
        try:
            return await self._change(number, name=name, **{k: v for k, v in changed.items() if k != "name"})
        except IntegrityError as error:
            raise _taken(name or "") from error

    async def _change(self, number: int, *, name: str | None = None, **values: Any) -> User:
        async with self._write() as connection:
            if name is not None:
                login = select(users_table.c.login).where(users_table.c.number == number)
                own = (await connection.execute(login)).scalar_one()
                if await self._is_taken(connection, own, name, besides=number):
                    raise _taken(name)
                values["name"] = name
            mine = users_table.c.number == number
            await connection.execute(update(users_table).where(mine).values(values))
            return user_of((await connection.execute(select(users_table).where(mine))).one())

    async def known(self, who: str) -> User:
        """As `find`.

        Raises:
            NoSuchUser: there is none.
        """
        user = await self.find(who)
        if user is None:
            raise NoSuchUser(f"there is no user {who[:40]!r}; `logcast user list` shows those that exist")
        return user

    # -- roles and follows

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
        user = await self.known(who)
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
        user = await self.known(who)
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

    async def _one(self, query: Select[Any]) -> User | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else user_of(row)

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


def _taken(name: str) -> NameTaken:
    return NameTaken(f"the name {name[:40]!r}, or one that looks the same, is taken; choose another")


def user_of(row: Row[Any]) -> User:
    """A row of `users_table` as a user."""
    return User(
        row.number,
        UserId(row.id),
        row.login,
        row.name,
        row.email,
        row.colour,
        row.avatar,
        row.admin,
        row.created_ms,
        row.email_verified,
    )
