"""Passwords are hashed by argon2id (RFC 9106) in threads of their own, a few at once: each takes memory and time on purpose."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from gateway.problems import Problem
from stores.settings import Settings

AT_ONCE: Final = 2
MOST_WAITING: Final = 64

T = TypeVar("T")


class Passwords:
    """Hashes and compares. Close it with the gateway."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost, memory_cost=settings.argon2_memory_kib, parallelism=1, type=Type.ID
        )
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")
        self._waiting = 0
        self._nobodys: str | None = None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            Problem: 503, too many wait.
        """
        return await self._in_thread(self._hasher.hash, password)

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed. None, nobody's, takes as long and fits nothing.

        Raises:
            Problem: 503, too many wait.
        """
        if password_hash is None:
            if self._nobodys is None:
                self._nobodys = await self.hash("nobody has this password")
            await self._in_thread(self._verify, self._nobodys, password)
            return False
        return await self._in_thread(self._verify, password_hash, password)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the parameters have changed since."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, call: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MOST_WAITING:
            raise Problem(503, "busy", "too many log in at once; try again in a moment", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        finally:
            self._waiting -= 1
