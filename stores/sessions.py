"""Sessions of users, with refresh tokens that are used once, and one-time password resets. SQL keeps hashes of them only.

A refresh token is `lr_` and 160 random bits. Using it ends it and gives the next one. One that comes a second time was
copied, and nobody knows who holds the copy: the whole session ends (RFC 9700 section 4.14.2). Two tabs of one browser may
use it at once without malice: within `RACE_MS` of its use, while the next one is unused, the second is told to look for the
cookie that the first was given. Nothing is given out twice.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.ids import UserId, base32
from stores.sql_tables import password_resets_table, refresh_tokens_table, sessions_table, users_table
from stores.users import User, user_of

RACE_MS: Final = 10_000
USED_KEPT_MS: Final = 7 * 24 * 3_600_000
"""A used refresh token is remembered so long; later it is unknown, and opens nothing either."""

MAX_DEVICE: Final = 200

_sessions, _refreshes, _resets = sessions_table.c, refresh_tokens_table.c, password_resets_table.c


class SessionError(Exception):
    """A refresh token gives nothing; the message says what to do."""


class SessionOver(SessionError):  # noqa: N818  (reads as what it is, like its siblings)
    """It is unknown, or its session has ended."""


class TokenReused(SessionError):  # noqa: N818
    """It had been used; its session has been ended by that."""


class RefreshRaced(SessionError):  # noqa: N818
    """It was used a moment ago; the other answer has the next one."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in on some device.

    Attributes:
        id: 26 characters of base32.
        device: what the client called itself.
        address: keyed hash of where the log-in came from.
    """

    id: str
    user_number: int
    device: str
    address: str
    created_ms: int
    used_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's next refresh token, the only time that it is readable."""

    user: User
    session_id: str
    refresh_token: str = field(repr=False)


class Sessions:
    """The sessions. Safe to share among tasks; several processes may use one database at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        lifetime_ms: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._engine = engine
        self._lifetime_ms = lifetime_ms
        self._now_ms = now_ms
        self._random = random

    async def start(self, user: User, device: str, address: str) -> Opened:
        """A new session of a user; those of theirs that are over are forgotten."""
        now_ms, session_id = self._now_ms(), base32(int.from_bytes(self._random(17), "big"), 26)
        row = {
            "id": session_id,
            "user_number": user.number,
            "device": device[:MAX_DEVICE],
            "address": address,
            "created_ms": now_ms,
            "used_ms": now_ms,
            "expires_ms": now_ms + self._lifetime_ms,
        }
        async with self._write() as connection:
            await self._forget(connection, (_sessions.user_number == user.number) & (_sessions.expires_ms < now_ms))
            await connection.execute(insert(sessions_table).values(row))
            return Opened(user, session_id, await self._add_token(connection, session_id))

    async def rotate(self, refresh_token: str) -> Opened:
        """Use a refresh token; it is over, and the next one is given.

        Raises:
            SessionOver, TokenReused, RefreshRaced: nothing is given.
        """
        async with self._write() as connection:
            found = await self._rotated(connection, refresh_token)
        if isinstance(found, SessionError):  # raised after the commit: that of a reused token ends the session
            raise found
        return found

    async def _rotated(self, connection: AsyncConnection, refresh_token: str) -> Opened | SessionError:
        now_ms, hashed = self._now_ms(), hash_of_token(refresh_token)
        row = (await connection.execute(_by_token(hashed))).one_or_none()
        if row is None or row.revoked_ms is not None or row.expires_ms <= now_ms:
            return SessionOver("the session is over; log in again")
        session_id = row.session_id
        if row.refresh_used_ms is not None:
            was_the_last = row.refresh_used_ms == row.session_used_ms
            if was_the_last and now_ms - row.refresh_used_ms < RACE_MS:
                return RefreshRaced("this refresh token was used a moment ago; use the one that was given then")
            await self._revoke(connection, _sessions.id == session_id)
            return TokenReused("this refresh token had been used before, so its session was ended; log in again")
        used_ms = max(
            now_ms, row.session_used_ms + 1
        )  # no two uses of a session have one time: the last is known by it
        mine = _refreshes.session_id == session_id
        await connection.execute(delete(refresh_tokens_table).where(mine, _refreshes.used_ms < now_ms - USED_KEPT_MS))
        await connection.execute(
            update(refresh_tokens_table).where(_refreshes.sha256 == hashed).values(used_ms=used_ms)
        )
        used = {"used_ms": used_ms, "expires_ms": now_ms + self._lifetime_ms}
        await connection.execute(update(sessions_table).where(_sessions.id == session_id).values(used))
        return Opened(user_of(row), session_id, await self._add_token(connection, session_id))

    async def of_user(self, number: int) -> list[Session]:
        """The sessions that are not over, the last used first."""
        live = self._live() & (_sessions.user_number == number)
        query = select(sessions_table).where(live).order_by(_sessions.used_ms.desc(), _sessions.id)
        async with self._engine.connect() as connection:
            return [
                Session(r.id, r.user_number, r.device, r.address, r.created_ms, r.used_ms, r.expires_ms)
                for r in await connection.execute(query)
            ]

    async def user(self, session_id: str) -> User | None:
        """Whose session it is, as they are now; None when it is over."""
        query = select(users_table).join(sessions_table).where(_sessions.id == session_id, self._live())
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else user_of(row)

    async def revoke(self, number: int, session_id: str) -> bool:
        """End a session of a user's; False when they have none of this id."""
        async with self._write() as connection:
            return await self._revoke(connection, (_sessions.id == session_id) & (_sessions.user_number == number)) > 0

    async def revoke_token(self, refresh_token: str) -> None:
        """End the session of a refresh token, used or not; an unknown one is as good."""
        mine = select(_refreshes.session_id).where(_refreshes.sha256 == hash_of_token(refresh_token))
        async with self._write() as connection:
            await self._revoke(connection, _sessions.id.in_(mine))

    async def revoke_all(self, number: int, besides: str = "") -> int:
        """End all sessions of a user, but one; gives how many."""
        async with self._write() as connection:
            return await self._revoke(connection, (_sessions.user_number == number) & (_sessions.id != besides))

    # -- password resets

    async def new_reset(self, number: int, lifetime_ms: int) -> str:
        """A one-time token by which a user chooses a new password; their earlier ones are void."""
        token = "lp_" + base32(int.from_bytes(self._random(20), "big"), 32)
        row = {"sha256": hash_of_token(token), "user_number": number, "expires_ms": self._now_ms() + lifetime_ms}
        async with self._write() as connection:
            await connection.execute(delete(password_resets_table).where(_resets.user_number == number))
            await connection.execute(insert(password_resets_table).values(row))
        return token

    async def reset(self, token: str, password_hash: str) -> UserId | None:
        """Use a reset: the password is another, every session over. None when the token is unknown, used or too old."""
        mine = _resets.sha256 == hash_of_token(token), _resets.expires_ms > self._now_ms()
        async with self._write() as connection:
            used = await connection.execute(delete(password_resets_table).where(*mine).returning(_resets.user_number))
            number = used.scalar_one_or_none()
            if number is None:
                return None
            user = users_table.c.number == number
            changed = update(users_table).where(user).values(password_hash=password_hash).returning(users_table.c.id)
            await self._revoke(connection, _sessions.user_number == number)
            return UserId((await connection.execute(changed)).scalar_one())

    async def resets(self, token: str) -> bool:
        """Whether a reset would be taken."""
        mine = _resets.sha256 == hash_of_token(token), _resets.expires_ms > self._now_ms()
        async with self._engine.connect() as connection:
            return (await connection.execute(select(_resets.user_number).where(*mine))).first() is not None

    # -- inside

    def _live(self) -> ColumnElement[bool]:
        return _sessions.revoked_ms.is_(None) & (_sessions.expires_ms > self._now_ms())

    async def _add_token(self, connection: AsyncConnection, session_id: str) -> str:
        token = "lr_" + base32(int.from_bytes(self._random(20), "big"), 32)
        row = {"sha256": hash_of_token(token), "session_id": session_id, "created_ms": self._now_ms()}
        await connection.execute(insert(refresh_tokens_table).values(row))
        return token

    async def _revoke(self, connection: AsyncConnection, which: ColumnElement[bool]) -> int:
        live = which & _sessions.revoked_ms.is_(None)
        done = await connection.execute(update(sessions_table).where(live).values(revoked_ms=self._now_ms()))
        return done.rowcount

    async def _forget(self, connection: AsyncConnection, which: ColumnElement[bool]) -> None:
        over = select(_sessions.id).where(which)
        await connection.execute(delete(refresh_tokens_table).where(_refreshes.session_id.in_(over)))
        await connection.execute(delete(sessions_table).where(which))

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.execution_options(writes=True).begin() as connection:
            yield connection


def hash_of_token(token: str) -> str:
    """What the database keeps of a random token: SHA-256 as 64 hex digits (see `stores.accounts` for why that is enough)."""
    return sha256(token.encode()).hexdigest()


def _by_token(hashed: str) -> Any:
    """The token with its session and user; the lock lets two that come at once be used one after the other."""
    joined = refresh_tokens_table.join(sessions_table).join(users_table)
    columns = (_refreshes.session_id, _refreshes.used_ms.label("refresh_used_ms"))
    used = _sessions.used_ms.label("session_used_ms")
    query = select(users_table, *columns, _sessions.revoked_ms, _sessions.expires_ms, used).select_from(joined)
    return query.where(_refreshes.sha256 == hashed).with_for_update(of=[refresh_tokens_table, sessions_table])
