"""So many doings of many actors in stretches, between which something happens to the system."""

import asyncio
import itertools
from typing import Final

GIVE_UP_S: Final = 1_200.0


class Course:
    """Gives out turns: the turns of a stretch are free, those of the next once it is opened.

    Args:
        total: how many there are.
        stretches: in how many parts.

    Attributes:
        count: how many were done.
    """

    def __init__(self, total: int, stretches: int) -> None:
        self.total = total
        self.count = 0
        self._stretches = stretches
        self._open = 1
        self._given = 0
        self._changed = asyncio.Condition()

    def end_of(self, stretch: float) -> int:
        """How many there are up to a stretch, counted from 1; 1.3: and a third of the second."""
        return round(self.total * stretch / self._stretches)

    async def turn(self) -> bool:
        """Take the next turn, when its stretch is open; False: there are no more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._given < self.end_of(self._open) or self._given >= self.total)
            if self._given >= self.total:
                return False
            self._given += 1
            return True

    async def done(self) -> None:
        """Something was done, and acknowledged."""
        async with self._changed:
            self.count += 1
            self._changed.notify_all()

    async def reached(self, stretch: float) -> None:
        """Wait until so much was done."""
        async with asyncio.timeout(GIVE_UP_S), self._changed:
            await self._changed.wait_for(lambda: self.count >= self.end_of(stretch))

    async def end(self) -> None:
        """Give out no more turns."""
        async with self._changed:
            self.total = self._given
            self._changed.notify_all()

    async def open_next(self) -> None:
        """Open the next stretch."""
        async with self._changed:
            self._open += 1
            self._changed.notify_all()


def longest_silence(times: list[float], since: float, until: float) -> float:
    """The longest time in a span in which nothing of `times` (in order) was."""
    within = [since, *(at for at in times if since < at < until), until]
    return max(after - before for before, after in itertools.pairwise(within))
