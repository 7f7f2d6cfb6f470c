"""A bound on the bytes that wait for work."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class Room:
    """Lets in so many bytes at a time; who comes first is let in first. One larger than the room gets all of it."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self._free = size_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used_bytes(self) -> int:
        """What is taken now."""
        return self._size - self._free

    async def take(self, count: int) -> None:
        """Wait until there is room for `count` bytes, and take it."""
        count = min(count, self._size)
        if not self._waiting and count <= self._free:
            self._free -= count
            return
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append((count, admitted))
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self.give_back(count)
            raise

    def give_back(self, count: int) -> None:
        """The bytes of one `take` are free again."""
        self._free += min(count, self._size)
        while self._waiting:
            wanted, admitted = self._waiting[0]
            if admitted.cancelled():
                self._waiting.popleft()
            elif wanted <= self._free:
                self._waiting.popleft()
                self._free -= wanted
                admitted.set_result(None)
            else:
                return


class Sized(Protocol):
    """Something that takes room while it waits."""

    @property
    def size_bytes(self) -> int:
        """How much."""


S = TypeVar("S", bound=Sized)


class Line(Generic[S]):
    """A queue whose items take room until they are worked off; one worker takes them in order."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._queue: asyncio.Queue[S | None] = asyncio.Queue()

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    async def put(self, item: S) -> None:
        """Wait for room, then queue the item."""
        await self._room.take(item.size_bytes)
        self._queue.put_nowait(item)

    def end(self) -> None:
        """No more items will come."""
        self._queue.put_nowait(None)

    async def each(self, work: Callable[[S], Awaitable[None]]) -> None:
        """Do the work on every item until the end; what is left when it fails or is cancelled gives its room back."""
        try:
            while (item := await self._queue.get()) is not None:
                try:
                    await work(item)
                finally:
                    self._room.give_back(item.size_bytes)
        finally:
            while not self._queue.empty():
                if left := self._queue.get_nowait():
                    self._room.give_back(left.size_bytes)
