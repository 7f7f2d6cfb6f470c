"""Rolling restarts under a real supervisor with real processes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from logcast.errors import LogcastError, NotRunningError
from logcast.stack.instance import write_stack_file
from logcast.stack.process import ProcessState, Snapshot
from logcast.stack.rolling import Restarted, restart
from tests.logcast.stack.test_supervisor import DEADLINE_S, LIVES, Running, spec

NOTE = "told to stop; again at once"


class Stack(Running):
    """A supervisor that writes the state file, as `logcast up` does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        names = ("kafka", "worker-1", "worker-2", "gateway")
        removes = LIVES.replace("sys.exit(0)", "pathlib.Path(name + '.ready').unlink(); sys.exit(0)")
        super().__init__(directory, *(spec(directory, name, removes) for name in names))

    def _hear(self, snapshot: Snapshot) -> None:
        super()._hear(snapshot)
        write_stack_file(self._directory, 0.0, {}, self.supervisor.snapshots)

    def starts(self) -> list[str]:
        return (self._directory / "starts").read_text().split()[4:]

    def stops(self) -> list[str]:
        return (self._directory / "stops").read_text().split()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    (tmp_path / "run").mkdir()
    running = Stack(tmp_path)
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    yield running
    await running.end()


async def test_one_after_another_is_told_to_stop_and_serves_again_before_the_next(stack: Stack, tmp_path: Path) -> None:
    told: list[Restarted] = []
    said = len(stack.said)
    await asyncio.to_thread(restart, tmp_path, ["worker"], told.append)
    assert [done.name for done in told] == stack.starts() == stack.stops() == ["worker-1", "worker-2"]
    changes = [(s.name, s.state, s.note) for s in stack.said[said:]]
    assert changes == [
        change
        for name in ("worker-1", "worker-2")
        for change in (
            (name, ProcessState.RESTARTING, NOTE),
            (name, ProcessState.STARTING, ""),
            (name, ProcessState.READY, ""),
        )
    ]


async def test_without_a_wish_all_of_ours_are_restarted_and_no_server(stack: Stack, tmp_path: Path) -> None:
    await asyncio.to_thread(restart, tmp_path, [], lambda _: None)
    assert stack.starts() == ["worker-1", "worker-2", "gateway"]


async def test_one_process_by_its_name(stack: Stack, tmp_path: Path) -> None:
    await asyncio.to_thread(restart, tmp_path, ["worker-2", "kafka"], lambda _: None)
    assert stack.starts() == ["worker-2", "kafka"]


async def test_a_name_that_none_has_is_refused_before_anything_stops(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(LogcastError, match="no process is called wroker; there are kafka, worker-1"):
        await asyncio.to_thread(restart, tmp_path, ["gateway", "wroker"], lambda _: None)
    assert stack.starts() == []


def test_where_no_stack_runs_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        restart(tmp_path, [], lambda _: None)
