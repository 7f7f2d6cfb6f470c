"""One-time tokens by which somebody shows that an address for mail is theirs. SQL keeps hashes of them only.

A token is for one user and one address: after a change of address it opens nothing.
"""

import secrets
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.ids import base32
from stores.sessions import hash_of_token
from stores.sql_tables import email_verifications_table, users_table
from stores.users import User, user_of

PREFIX: Final = "lv_"

_tokens = email_verifications_table.c


class EmailVerifications:
    """The tokens. Safe to share among tasks; several processes may use one database at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._random = random

    async def new(self, user: User, lifetime_ms: int) -> str:
        """A token for a user's address as it is in `user`; their earlier ones are void."""
        token = PREFIX + base32(int.from_bytes(self._random(20), "big"), 32)
        row = {"sha256": hash_of_token(token), "user_number": user.number, "email": user.email}
        async with self._engine.execution_options(writes=True).begin() as connection:
            await connection.execute(delete(email_verifications_table).where(_tokens.user_number == user.number))
            values = row | {"expires_ms": self._now_ms() + lifetime_ms}
            await connection.execute(insert(email_verifications_table).values(values))
        return token

    async def verify(self, token: str) -> User | None:
        """Use a token: its address is verified. None when it is unknown, used or too old, or of an earlier address."""
        mine = _tokens.sha256 == hash_of_token(token), _tokens.expires_ms > self._now_ms()
        async with self._engine.execution_options(writes=True).begin() as connection:
            used = delete(email_verifications_table).where(*mine).returning(_tokens.user_number, _tokens.email)
            found = (await connection.execute(used)).one_or_none()
            if found is None:
                return None
            user = users_table.c.number == found.user_number, users_table.c.email == found.email
            await connection.execute(update(users_table).where(*user).values(email_verified=True))
            row = (await connection.execute(select(users_table).where(*user))).one_or_none()
            return None if row is None else user_of(row)
