"""Threads in which pictures are decoded and encoded: few, and no more work waits for them than can be done soon."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, Self, TypeVar

from prometheus_client import Counter, Gauge

from gateway.problems import Problem

T = TypeVar("T")

WAITING = Gauge("logcast_gateway_pictures_under_way", "Pictures that are made or wait for a thread.")
REFUSED = Counter("logcast_gateway_pictures_refused", "Pictures refused because too many waited.")


class PicturePool:
    """Runs blocking calls in `threads` threads; refuses when `most_waiting` are under way."""

    def __init__(self, threads: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._most: Final = most_waiting
        self._under_way = 0

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        Raises:
            Problem: 503, so many calls wait that this one would come too late.
        """
        if self._under_way >= self._most:
            REFUSED.inc()
            detail = f"{self._under_way} pictures are being made already; ask again in a moment"
            raise Problem(503, "busy", detail, headers={"Retry-After": "1"})
        self._under_way += 1
        WAITING.inc()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            self._under_way -= 1
            WAITING.dec()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """The threads end with the block; what waits for one is let go."""
        try:
            yield self
        finally:
            await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
