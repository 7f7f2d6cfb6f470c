"""Users: who they are. On the engine of `stores/sql.py`; what they are to channels is in `stores/memberships.py`.

`login` is what one signs in with: a-z, 0-9, '-', '_', never changed. `name` is what people read. Both are told apart by
`name_key`, so that nobody passes for another with capitals or look-alike forms of letters.

Errors: `UsersError` is the base of `NameTaken` and `NoSuchUser`.
"""

import re
import secrets
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, case, false, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.ids import ALPHABET, UserId, base32
from stores.sql_tables import (
    outside_identities_table,
    users_table,
)

USER_ID: Final = re.compile(f"u_[{ALPHABET}]{{16}}")
LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{1,31}")
NUMBERS_LOCK: Final = 0x6C6F67757372
"""Key of PostgreSQL's advisory lock under which numbers are given out: "logusr" in ASCII."""


class UsersError(Exception):
    """Something about users is wrong; the message says what to do."""


class NameTaken(UsersError):  # noqa: N818  (reads as what it is, like its siblings)
    """Somebody has this name, or one that looks the same."""


class NoSuchUser(UsersError, LookupError):  # noqa: N818
    """There is no such user."""


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

    async def _one(self, query: Select[Any]) -> User | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else user_of(row)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.execution_options(writes=True).begin() as connection:
            yield connection


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
