"""Starts processes in the order of what they need, keeps them running, stops them in the opposite order."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from logcast.errors import CannotStartError
from logcast.stack.logs import rotate
from logcast.stack.process import ProcessSpec, Snapshot, WatchedProcess

ROTATE_EVERY_S = 5.0


class Supervisor:
    """Watches over `specs`, given in the order of start; the order of stopping is its reverse.

    `changed` is called on the event loop with every change of every process.
    """

    def __init__(self, specs: Sequence[ProcessSpec], data_dir: Path, changed: Callable[[Snapshot], None]) -> None:
        self._changed = changed
        self._processes = {spec.name: WatchedProcess(spec, data_dir, self._on_change) for spec in specs}
        self._all_ready = asyncio.Event()
        self._hopeless: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Every process as it is now, in the order of start."""
        return tuple(process.snapshot for process in self._processes.values())

    async def all_ready(self) -> None:
        """Wait until every process was ready at the same time once."""
        await self._all_ready.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Run everything until `stop` is set, then end everything; returns when no process is left.

        Raises:
            CannotStartError: during the start, a process met what only the reader can mend.
        """
        tasks = {name: asyncio.create_task(self._run_one(process)) for name, process in self._processes.items()}
        rotation = asyncio.create_task(self._rotate_logs())
        stopped = asyncio.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopped, rotation, self._hopeless, *tasks.values()}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (rotation, stopped):
                task.cancel()
            for together in self._stopping_order():
                for name in together:
                    tasks[name].cancel()
                await asyncio.wait({tasks[name] for name in together})
        for done in (self._hopeless, rotation, *tasks.values()):
            if done.done() and not done.cancelled() and (error := done.exception()):
                raise error

    def kill(self) -> None:
        """End every process at once, in no order (the second Ctrl-C)."""
        for process in self._processes.values():
            process.kill()

    def _stopping_order(self) -> list[list[str]]:
        """The names from the last that was started to the first, in groups that stop together."""
        groups: dict[str, list[str]] = {}
        for name, process in reversed(self._processes.items()):
            groups.setdefault(process.spec.stops_with or name, []).append(name)
        return list(groups.values())

    async def _run_one(self, process: WatchedProcess) -> None:
        spec = process.spec
        needs, needs_once = ([self._processes[name] for name in names] for names in (spec.needs, spec.needs_once))
        await process.run(needs, needs_once)

    async def _rotate_logs(self) -> None:
        while True:
            for process in self._processes.values():
                rotate(process.spec.log)
            await asyncio.sleep(ROTATE_EVERY_S)

    def _on_change(self, snapshot: Snapshot) -> None:
        if all(process.is_ready.is_set() for process in self._processes.values()):
            self._all_ready.set()
        if snapshot.advice and not self._all_ready.is_set() and not self._hopeless.done():
            self._hopeless.set_exception(CannotStartError(snapshot.advice))
        self._changed(snapshot)
