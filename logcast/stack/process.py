"""One process under watch.

    waiting ──▶ starting ──▶ ready ◀──▶ not ready
       ▲            │           │           │
       │            ▼           ▼           ▼
       └──────── restarting (failed, after too many)      any ──▶ stopping ──▶ stopped

It waits until what it needs is ready, starts, is probed until it serves, and is probed on. However it ends, it starts
again after the wait that `restarts.py` decides on, at once where somebody told it to stop (`rolling.py`); a process that does not get ready within its time is killed first.
It leads a session of its own, so that Ctrl-C on the terminal reaches only the supervisor, and is tethered to it.
"""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from logcast.errors import CannotStartError
from logcast.stack.diagnosis import advice, ending
from logcast.stack.logs import open_log, size, tail
from logcast.stack.restarts import RestartRule, Restarts
from logcast.stack.tether import tethered

PROBE_EVERY_S = 0.1
WATCH_EVERY_S = 5.0
LAST_LINES = 12
TOLD_TO_STOP = frozenset({0, 128 + signal.SIGTERM, -signal.SIGTERM})
"""Return codes of a process that ended because it was told to: ours give 0, Java 143."""


class ProcessState(Enum):
    """Where a process stands; the value is the word that is shown."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "not ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


async def _nothing() -> None:
    """Nothing to do before or after."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run, and how to know that it serves."""

    name: str
    argv: Callable[[], Sequence[str]]
    """Asked at every start."""
    ready: Callable[[], Awaitable[bool]]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to our own environment; holds secrets."""
    cwd: Path = Path()
    log: Path = Path("process.log")
    port: int | None = None
    needs: tuple[str, ...] = ()
    """Names of those that must be ready first."""
    needs_once: tuple[str, ...] = ()
    """Names of those that must have been ready once: of several like them, one may be away later."""
    prepare: Callable[[], Awaitable[None]] = _nothing
    """Before every start."""
    settle: Callable[[], Awaitable[None]] = _nothing
    """Once it answers, before it counts as ready: to apply a schema, for instance."""
    watched: bool = True
    """Whether `ready` is cheap enough to ask it every few seconds for ever."""
    start_s: float = 120.0
    stop_s: float = 10.0
    stops_with: str | None = None
    """Those that have this in common are stopped together: the last broker of a cluster waits in vain for a quorum."""
    rule: RestartRule = field(default_factory=RestartRule)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be said of a process now; `since` is wall-clock seconds."""

    name: str
    state: ProcessState
    pid: int | None
    port: int | None
    note: str
    since: float
    advice: str | None = None
    """A sentence for the reader, when the last end had a cause to do something about."""
    last_lines: tuple[str, ...] = ()


class WatchedProcess:
    """Runs a `ProcessSpec` until it is stopped; `changed` is called with every new snapshot."""

    def __init__(self, spec: ProcessSpec, data_dir: Path, changed: Callable[[Snapshot], None]) -> None:
        self.spec = spec
        self.is_ready = asyncio.Event()
        self.was_ready = asyncio.Event()
        self.snapshot = Snapshot(spec.name, ProcessState.WAITING, None, spec.port, "", time.time())
        self._data_dir = data_dir
        self._changed = changed
        self._process: Process | None = None
        self._was_told = False

    async def run(self, needs: Sequence["WatchedProcess"], needs_once: Sequence["WatchedProcess"] = ()) -> None:
        """Keep it running until cancelled; then end it within its time, and return when it is gone.

        Raises:
            CannotStartError: `prepare` or `settle` says that trying again is of no use.
        """
        restarts = Restarts(self.spec.rule)
        try:
            while True:
                await self._wait_for({other.spec.name: other.is_ready for other in needs})
                await self._wait_for({other.spec.name: other.was_ready for other in needs_once})
                began, log_began = time.monotonic(), size(self.spec.log)
                reason = await self._live()
                ran_s = time.monotonic() - began
                restarts = restarts.asked_for() if self._was_told else restarts.after(ran_s)
                self._mourn(reason, restarts, log_began)
                await asyncio.sleep(restarts.wait_s)
        finally:
            await self._end()

    def kill(self) -> None:
        """End it and what it started, at once."""
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _wait_for(self, others: Mapping[str, asyncio.Event]) -> None:
        for name, event in others.items():
            if not event.is_set():
                self._say(ProcessState.WAITING, f"for {name}")
                await event.wait()

    async def _live(self) -> str:
        """One life; gives how it ended."""
        self._was_told = False
        await self.spec.prepare()
        self._process = process = await self._spawn()
        self._say(ProcessState.STARTING)
        ended = asyncio.create_task(process.wait())
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({ended, watch}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                self._was_told = self.is_ready.is_set() and ended.result() in TOLD_TO_STOP
                return "told to stop" if self._was_told else ending(ended.result())
            return await self._give_up(watch)
        finally:
            self.is_ready.clear()
            await _cancelled(watch, ended)
            if process.returncode is not None:
                self._process = None

    async def _spawn(self) -> Process:
        log = open_log(self.spec.log)
        try:
            return await asyncio.create_subprocess_exec(
                *tethered(self.spec.argv()),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd=self.spec.cwd,
                env={**os.environ, **self.spec.environ},
                start_new_session=True,
            )
        finally:
            os.close(log)

    async def _watch(self) -> None:
        """Probe until it serves, settle, say so; then go on probing."""
        async with asyncio.timeout(self.spec.start_s):
            while not await self.spec.ready():  # noqa: ASYNC110  (another process has no event to wait for)
                await asyncio.sleep(PROBE_EVERY_S)
            await self.spec.settle()
        self.is_ready.set()
        self.was_ready.set()
        self._say(ProcessState.READY)
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            serves = not self.spec.watched or await self.spec.ready()
            state = ProcessState.READY if serves else ProcessState.UNREADY
            if state is not self.snapshot.state:
                self._say(state)

    async def _give_up(self, watch: "asyncio.Task[None]") -> str:
        """It runs but does not serve: kill it; gives why."""
        error = watch.exception()
        if isinstance(error, CannotStartError):
            raise error
        await self._terminate()
        if isinstance(error, TimeoutError):
            return f"not ready within {self.spec.start_s:.0f} s"
        return f"{type(error).__name__}: {error}"

    def _mourn(self, reason: str, restarts: Restarts, log_began: int) -> None:
        """Say how it ended and when it comes again."""
        lines = tail(self.spec.log, LAST_LINES, since=log_began)
        when = f"again in {restarts.wait_s:.0f} s" if restarts.wait_s else "again at once"
        state = ProcessState.FAILED if restarts.failed else ProcessState.RESTARTING
        self._say(state, f"{reason}; {when}", advice(self.spec.name, lines, self._data_dir), tuple(lines))

    async def _end(self) -> None:
        if self._process and self._process.returncode is None:
            self._say(ProcessState.STOPPING)
            await self._terminate()
        self._process = None
        self._say(ProcessState.STOPPED)

    async def _terminate(self) -> None:
        """SIGTERM, its time to end, then SIGKILL to all it started."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        gone = asyncio.ensure_future(process.wait())
        # Not asyncio.timeout: in a task that was cancelled before, as here, it does not time out on Python 3.11.2.
        await asyncio.wait({gone}, timeout=self.spec.stop_s)
        if not gone.done():
            self.kill()
        await gone

    def _say(
        self, state: ProcessState, note: str = "", sentence: str | None = None, last_lines: tuple[str, ...] = ()
    ) -> None:
        pid = self._process.pid if self._process and self._process.returncode is None else None
        self.snapshot = Snapshot(self.spec.name, state, pid, self.spec.port, note, time.time(), sentence, last_lines)
        self._changed(self.snapshot)


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel, and wait until they have ended; what they raised has been looked at, or is of no interest."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
