"""kill -9 and SIGSTOP of named processes of a running stack, and when the supervisor has them back."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from logcast.stack.process import ProcessState
from tests.e2e.live_stack import LiveStack
from tests.waiting import eventually

BACK_S = 180.0
"""How long to wait; what it takes is printed."""


@dataclass(slots=True)
class Death:
    """A process that was killed, and when it served again. Times are of `time.monotonic()`."""

    role: str
    pid: int
    at_s: float
    back_at_s: float | None = None

    @property
    def took_s(self) -> float:
        """From the kill until it served again."""
        assert self.back_at_s is not None, f"{self.role} is not back"
        return self.back_at_s - self.at_s


class Faults:
    """What can be done to the processes of a stack; `deaths` keeps all kills."""

    def __init__(self, stack: LiveStack) -> None:
        self._stack = stack
        self.deaths: list[Death] = []

    def pid(self, role: str) -> int:
        """The process of a role now."""
        pid = self._stack.role(role).pid
        assert pid is not None, f"{role} does not run"
        return pid

    def kill(self, role: str) -> Death:
        """`kill -9`."""
        death = Death(role, self.pid(role), time.monotonic())
        os.kill(death.pid, signal.SIGKILL)
        self.deaths.append(death)
        return death

    async def back(self, death: Death) -> Death:
        """Wait until the supervisor has started another one, and it serves."""

        def serves() -> bool:
            now = self._stack.role(death.role)
            return now.pid not in {None, death.pid} and now.state == ProcessState.READY.value

        await eventually(serves, BACK_S, f"the return of {death.role}")
        death.back_at_s = time.monotonic()
        return death

    async def killed_and_back(self, role: str) -> Death:
        """Both."""
        return await self.back(self.kill(role))

    @contextmanager
    def stopped(self, role: str) -> Iterator[int]:
        """SIGSTOP while the block runs, then SIGCONT: alive, but answering nobody. Gives the pid."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with suppress(ProcessLookupError):  # the block may have killed it
                os.kill(pid, signal.SIGCONT)
