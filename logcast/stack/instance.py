"""Which stack runs on a data directory: a lock that the kernel gives back, and a file that says what runs.

`DATA/run/lock` is held as long as the supervisor lives. `DATA/run/stack.json` is written at every change; it names each
process by its id and its birth, so that an id that the system gave to somebody else later is never signalled.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from logcast.errors import CannotStartError
from logcast.stack.locks import exclusive
from logcast.stack.process import Snapshot

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that no other can be mistaken for: its number and when it was born, as the kernel counts."""

    pid: int
    birth: str

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return birth_of(self.pid) == self.birth


def birth_of(pid: int) -> str | None:
    """The boot and the clock tick in it when a process started (proc(5)); None when there is no such process.

    Unlike a wall-clock time this does not move when the clock is set.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return _birth_elsewhere(pid)
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _birth_elsewhere(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        return None
    with suppress(psutil.Error):
        return f"{psutil.Process(pid).create_time():.1f}"
    return None


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """A process in the state file. `state` is a value of `ProcessState`."""

    name: str
    state: str
    note: str
    port: int | None
    since: float
    process: ProcessId | None


@dataclass(frozen=True, slots=True)
class StackFile:
    """What `stack.json` says."""

    supervisor: ProcessId
    started: float
    addresses: Mapping[str, str]
    processes: tuple[ProcessEntry, ...]


def run_dir(data_dir: Path) -> Path:
    """Where the lock and the state file are."""
    return data_dir / "run"


@contextmanager
def only_instance(data_dir: Path) -> Iterator[None]:
    """Hold the data directory.

    Raises:
        CannotStartError: another stack runs on it.
    """
    run_dir(data_dir).mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(run_dir(data_dir) / "lock", wait=False):
            yield
    except BlockingIOError as error:
        running = read_stack_file(data_dir)
        who = f" (pid {running.supervisor.pid})" if running else ""
        raise CannotStartError(
            f"a stack already runs on {data_dir}{who}: `logcast status --data {data_dir}` shows it, "
            f"`logcast down --data {data_dir}` stops it, another --data starts a second one"
        ) from error


def is_held(data_dir: Path) -> bool:
    """Whether some process holds the data directory now."""
    if not (run_dir(data_dir) / "lock").exists():
        return False
    try:
        with exclusive(run_dir(data_dir) / "lock", wait=False):
            return False
    except BlockingIOError:
        return True


def write_stack_file(data_dir: Path, started: float, addresses: Mapping[str, str], all_: Sequence[Snapshot]) -> None:
    """Write `stack.json` so that a reader sees the old or the new one, never half of it."""
    stack = StackFile(_identity(os.getpid()), started, addresses, tuple(map(_entry, all_)))
    path = run_dir(data_dir) / "stack.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"version": FORMAT_VERSION, **asdict(stack)}, indent=1), "utf-8")
    fresh.replace(path)


def remove_stack_file(data_dir: Path) -> None:
    """Nothing runs any more."""
    (run_dir(data_dir) / "stack.json").unlink(missing_ok=True)


def read_stack_file(data_dir: Path) -> StackFile | None:
    """What was written last; None when nothing, or nothing that this version reads."""
    try:
        found: dict[str, Any] = json.loads((run_dir(data_dir) / "stack.json").read_text("utf-8"))
        processes = tuple(
            ProcessEntry(**{**entry, "process": ProcessId(**entry["process"]) if entry["process"] else None})
            for entry in found["processes"]
        )
        supervisor = ProcessId(**found["supervisor"])
        return StackFile(supervisor, found["started"], found["addresses"], processes)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _identity(pid: int) -> ProcessId:
    return ProcessId(pid, birth_of(pid) or "gone")


def _entry(snapshot: Snapshot) -> ProcessEntry:
    process = _identity(snapshot.pid) if snapshot.pid else None
    return ProcessEntry(snapshot.name, snapshot.state.value, snapshot.note, snapshot.port, snapshot.since, process)
