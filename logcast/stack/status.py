"""What runs on a data directory, as a program or a person wants to know it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from logcast.errors import NotRunningError
from logcast.stack.instance import ProcessEntry, read_stack_file
from logcast.stack.process import ProcessState
from logcast.stack.table import memory_bytes


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process now; `age_s` is how long it has been in this state."""

    name: str
    state: str
    pid: int | None
    port: int | None
    memory_bytes: int
    age_s: float
    note: str


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The whole."""

    data_dir: Path
    supervisor_pid: int
    uptime_s: float
    addresses: Mapping[str, str]
    processes: tuple[ProcessStatus, ...]

    @property
    def ready(self) -> bool:
        """Whether every process serves."""
        return all(process.state == ProcessState.READY.value for process in self.processes)

    def with_notes(self, notes: Mapping[str, str]) -> "StackStatus":
        """The same, with more to say of some processes."""
        told = (replace(p, note=notes[p.name]) if notes.get(p.name) and not p.note else p for p in self.processes)
        return replace(self, processes=tuple(told))

    def as_json(self) -> dict[str, Any]:
        """For `--json`; keys are only ever added."""
        memory = sum(process.memory_bytes for process in self.processes)
        return {
            **asdict(self),
            "data_dir": str(self.data_dir),
            "ready": self.ready,
            "memory_bytes": memory + memory_bytes(self.supervisor_pid),
        }


def read_status(data_dir: Path, now: float) -> StackStatus:
    """Look at what runs; `now` is wall-clock seconds.

    Raises:
        NotRunningError: nothing does.
    """
    stack = read_stack_file(data_dir)
    if stack is None or not stack.supervisor.alive():
        raise NotRunningError(f"no stack runs on {data_dir}; `logcast up --data {data_dir}` starts one")
    processes = tuple(_status(entry, now) for entry in stack.processes)
    return StackStatus(data_dir, stack.supervisor.pid, now - stack.started, stack.addresses, processes)


def _status(entry: ProcessEntry, now: float) -> ProcessStatus:
    pid = entry.process.pid if entry.process and entry.process.alive() else None
    return ProcessStatus(entry.name, entry.state, pid, entry.port, memory_bytes(pid), now - entry.since, entry.note)
