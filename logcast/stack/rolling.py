"""`logcast restart`: processes of a running stack end in order and start again, one after another, so that the rest serves.

The supervisor starts at once what was told to stop; here each is told, and waited for until it serves again.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logcast.errors import LogcastError, NotRunningError
from logcast.stack.instance import ProcessEntry, StackFile, read_stack_file
from logcast.stack.process import ProcessState

OURS: Final = ("consumers", "worker", "standby", "gateway", "ingest")
"""In this order: what a gateway writes, a worker must be able to read; what a gateway cannot read yet, it reads at its start."""
DEADLINE_S: Final = 180.0
LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Restarted:
    """One process that serves again; `seconds` from the signal on."""

    name: str
    seconds: float


def restart(data_dir: Path, wanted: Sequence[str], tell: Callable[[Restarted], None]) -> None:
    """Restart the processes called or of the kind `wanted`, all of ours where nothing is; `tell` is called after each.

    Raises:
        NotRunningError: no stack runs there.
        LogcastError: none is called so, or one does not serve again in its time: then the others are left as they are.
    """
    for name in _chosen(_running(data_dir), wanted):
        began = time.monotonic()
        _restart_one(data_dir, name)
        tell(Restarted(name, time.monotonic() - began))


def _restart_one(data_dir: Path, name: str) -> None:
    before = _entry(_running(data_dir), name).process
    if before is None:
        raise LogcastError(f"{name} does not run now: `logcast status` says why")
    with suppress(ProcessLookupError):
        if before.alive():
            os.kill(before.pid, signal.SIGTERM)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        now = _entry(_running(data_dir), name)
        if now.state == ProcessState.READY.value and now.process not in {before, None}:
            return
        if time.monotonic() > deadline:
            raise LogcastError(
                f"{name} does not serve again ({now.state}): the other processes are left as they are; "
                f"see {data_dir / 'logs' / name}.log"
            )
        time.sleep(LOOK_EVERY_S)


def _chosen(stack: StackFile, wanted: Sequence[str]) -> list[str]:
    """Names in the order of the wishes, each once."""
    names = [entry.name for entry in stack.processes]
    chosen: dict[str, None] = {}
    for wish in wanted or OURS:
        found = [name for name in names if wish in {name, _kind(name)}]
        if not found and wanted:
            raise LogcastError(f"no process is called {wish}; there are {', '.join(names)}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _kind(name: str) -> str:
    kind, dash, number = name.rpartition("-")
    return kind if dash and number.isdigit() else name


def _entry(stack: StackFile, name: str) -> ProcessEntry:
    return next(entry for entry in stack.processes if entry.name == name)


def _running(data_dir: Path) -> StackFile:
    stack = read_stack_file(data_dir)
    if stack is None or not stack.supervisor.alive():
        raise NotRunningError(f"no stack runs on {data_dir}; `logcast up --data {data_dir}` starts one")
    return stack
