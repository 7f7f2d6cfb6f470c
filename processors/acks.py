"""Acknowledges the records of a partition strictly in the order of the log.

Faust 0.15.3 may commit past a record that was never acknowledged, so it must not see acks out of order. A record that is
held back holds back all that follow it: after a crash the log is read again from there.
"""

from collections import deque
from collections.abc import Callable


class Held:
    """A record whose work is under way."""

    __slots__ = ("_ack", "_queue", "finished")

    def __init__(self, queue: "AckQueue", ack: Callable[[], object]) -> None:
        self._queue = queue
        self._ack = ack
        self.finished = False

    def finish(self) -> None:
        """The work is done and its effects are written; doing it twice is harmless."""
        self.finished = True
        self._queue.drain()

    def acknowledge(self) -> None:
        """Tell Faust; the queue alone calls this."""
        self._ack()


class AckQueue:
    """The records of one partition between reading and acknowledging."""

    def __init__(self) -> None:
        self._held: deque[Held] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, ack: Callable[[], object]) -> Held:
        """The next record of the log; `ack` is called once, when it and all before it are finished."""
        held = Held(self, ack)
        self._held.append(held)
        return held

    def drain(self) -> None:
        """Acknowledge the finished records at the head."""
        while self._held and self._held[0].finished:
            self._held.popleft().acknowledge()

    def forget(self) -> None:
        """The partition is somebody else's: nothing here is acknowledged any more."""
        self._held.clear()
