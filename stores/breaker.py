"""Asks a server that let several of us wait in vain only now and then, so that nobody else waits for it."""

import threading
from collections.abc import Callable


class Breaker:
    """Counts what was waited for in vain; used from several threads.

    After `most` in a row one ask in `pause_s` is let through: the first that is answered lets all through again.

    Args:
        now_s: a monotonic clock, in seconds.
    """

    def __init__(self, most: int, pause_s: float, now_s: Callable[[], float]) -> None:
        self._most = most
        self._pause_s = pause_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._vain = 0
        self._next_s = 0.0

    def may_ask(self) -> bool:
        """Whether to ask now."""
        with self._lock:
            if self._vain < self._most:
                return True
            now_s = self._now_s()
            if now_s < self._next_s:
                return False
            self._next_s = now_s + self._pause_s
            return True

    def answered(self) -> None:
        """It answers, be it with an error."""
        with self._lock:
            self._vain = 0

    def waited_in_vain(self) -> None:
        """It did not answer in time."""
        with self._lock:
            self._vain += 1
            self._next_s = self._now_s() + self._pause_s
