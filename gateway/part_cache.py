"""Parts in memory: the ones asked for last, up to a bound, each read once however many ask for it at the same time."""

import asyncio
from collections import OrderedDict
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

ENTRY_OVERHEAD: Final = 400
"""What a kept part takes besides its bytes."""

LOOKUPS = Counter("logcast_gateway_part_lookups", "Parts asked of the cache.", ["found"])
HELD = Gauge("logcast_gateway_part_cache_bytes", "Bytes that the cache holds.")


class PartSource(Protocol):
    """Where parts are read from; blocks, and is called in threads."""

    def get(self, name: str) -> bytes | None:
        """The bytes of a part, None where there are none."""


class PartCache:
    """Least recently used parts are let go when `max_bytes` would be passed. Names stand for the same bytes for ever."""

    def __init__(self, source: PartSource, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._parts: OrderedDict[str, bytes] = OrderedDict()
        self._reading: dict[str, asyncio.Task[bytes | None]] = {}

    async def get(self, name: str) -> bytes | None:
        """The bytes of a part or init segment; None where the store has none (any more).

        Raises:
            SegmentStoreError: the store cannot be read; every one who waits for the same part gets it.
        """
        data = self._parts.get(name)
        if data is not None:
            self._parts.move_to_end(name)
            LOOKUPS.labels("memory").inc()
            return data
        task = self._reading.get(name)
        if task is None:
            LOOKUPS.labels("store").inc()
            task = self._reading[name] = asyncio.create_task(self._read(name))
            task.add_done_callback(lambda _: self._reading.pop(name, None))
        else:
            LOOKUPS.labels("under_way").inc()
        return await asyncio.shield(task)  # one who leaves must not take it from the others

    @property
    def held_bytes(self) -> int:
        """What the cache takes now."""
        return self._held_bytes

    async def _read(self, name: str) -> bytes | None:
        data = await asyncio.to_thread(self._source.get, name)
        if data is not None:
            self._keep(name, data)
        return data

    def _keep(self, name: str, data: bytes) -> None:
        self._parts[name] = data
        self._held_bytes += len(data) + ENTRY_OVERHEAD
        while self._held_bytes > self._max_bytes:
            _, gone = self._parts.popitem(last=False)
            self._held_bytes -= len(gone) + ENTRY_OVERHEAD
        HELD.set(self._held_bytes)
