"""Bytes in memory: what was asked for last, up to a bound, each made once however many ask for it at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from prometheus_client import Counter, Gauge

ENTRY_OVERHEAD: Final = 400
"""What a kept value takes besides its bytes."""

LOOKUPS = Counter("logcast_gateway_cache_lookups", "Values asked of a memory cache.", ["cache", "found"])
HELD = Gauge("logcast_gateway_cache_bytes", "Bytes that a memory cache holds.", ["cache"])

V = TypeVar("V")


@dataclass(slots=True)
class _Making(Generic[V]):
    """A value that is being made, and how many wait for it."""

    task: asyncio.Task[V | None]
    waiting: int = 0


class MemoryCache(Generic[V]):
    """Values by key, which stands for the same value for ever. The least recently used go when `max_bytes` is passed.

    What does not exist (None) and what failed is not kept: it is asked for again. Used from one event loop.

    Args:
        name: of the cache, in metrics.
        max_bytes: bound of all kept values together; a larger value is given, but not kept.
        size_of: the bytes of a value.
    """

    def __init__(self, name: str, max_bytes: int, size_of: Callable[[V], int]) -> None:
        self._name = name
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._held_bytes = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._making: dict[Hashable, _Making[V]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[V | None]]) -> V | None:
        """The value of `key`, from memory or from `make()`; None where there is none.

        Those who ask while it is made wait for the same one, and get the same error. Who is cancelled leaves the others
        their value; when nobody waits any more the making is cancelled.
        """
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
            LOOKUPS.labels(self._name, "memory").inc()
            return value
        making = self._making.get(key)
        LOOKUPS.labels(self._name, "made" if making is None else "under_way").inc()
        if making is None:
            making = self._begin(key, make)
        return await self._shared(making)

    @property
    def held_bytes(self) -> int:
        """What the cache takes now."""
        return self._held_bytes

    def forget(self, condition: Callable[[Hashable], bool]) -> None:
        """Let the values go whose key fulfils `condition`."""
        for key in [key for key in self._values if condition(key)]:
            self._drop(self._values.pop(key))
        HELD.labels(self._name).set(self._held_bytes)

    def _begin(self, key: Hashable, make: Callable[[], Awaitable[V | None]]) -> _Making[V]:
        async def made() -> V | None:
            value = await make()
            if value is not None:
                self._keep(key, value)
            return value

        making = self._making[key] = _Making(asyncio.create_task(made()))

        def over(_: asyncio.Task[V | None]) -> None:
            if self._making.get(key) is making:
                del self._making[key]

        making.task.add_done_callback(over)
        return making

    async def _shared(self, making: _Making[V]) -> V | None:
        making.waiting += 1
        try:
            await asyncio.wait({making.task})  # does not cancel the task with the one who waits
        finally:
            making.waiting -= 1
            if not making.waiting:
                making.task.cancel()  # nothing happens to one that is done
        return making.task.result()

    def _keep(self, key: Hashable, value: V) -> None:
        size = self._size_of(value) + ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        self._values[key] = value
        self._held_bytes += size
        while self._held_bytes > self._max_bytes:
            self._drop(self._values.popitem(last=False)[1])
        HELD.labels(self._name).set(self._held_bytes)

    def _drop(self, value: V) -> None:
        self._held_bytes -= self._size_of(value) + ENTRY_OVERHEAD
