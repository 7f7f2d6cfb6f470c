"""The supervisor with real processes: small Python programs that live, die, refuse to stop."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logcast.errors import CannotStartError
from logcast.stack.instance import birth_of
from logcast.stack.process import ProcessSpec, ProcessState, Snapshot
from logcast.stack.restarts import RestartRule
from logcast.stack.supervisor import Supervisor

DEADLINE_S = 60
QUICK = RestartRule(first_s=0.0, max_s=0.05)

LIVES = """
import pathlib, signal, sys, time
name = sys.argv[1]
def stopped(*_):
    with open("stops", "a") as stops: stops.write(name + chr(10))
    sys.exit(0)
signal.signal(signal.SIGTERM, stopped)
with open("starts", "a") as starts: starts.write(name + chr(10))
pathlib.Path(name + ".ready").touch()
while True: time.sleep(60)
"""
STUBBORN = LIVES.replace("signal.signal(signal.SIGTERM, stopped)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
DIES = "print('first line'); print('these are my last words'); raise SystemExit(7)"


def spec(directory: Path, name: str, program: str = LIVES, **options: object) -> ProcessSpec:
    async def ready() -> bool:
        return (directory / f"{name}.ready").exists()

    made = ProcessSpec(
        name,
        lambda: (sys.executable, "-c", program, name),
        ready,
        cwd=directory,
        log=directory / f"{name}.log",
        rule=QUICK,
        stop_s=5,
    )
    return replace(made, **options)  # type: ignore[arg-type]


class Running:
    """A supervisor in a task, and everything that it said."""

    def __init__(self, directory: Path, *specs: ProcessSpec) -> None:
        self.said: list[Snapshot] = []
        self._news = asyncio.Event()
        self.supervisor = Supervisor(specs, directory, self._hear)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.supervisor.run(self.stop))

    def _hear(self, snapshot: Snapshot) -> None:
        self.said.append(snapshot)
        self._news.set()

    def of(self, name: str) -> Snapshot:
        return next(snapshot for snapshot in self.supervisor.snapshots if snapshot.name == name)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await self.task


async def test_starts_in_the_order_of_needs_and_stops_in_the_opposite_one(tmp_path: Path) -> None:
    running = Running(
        tmp_path, spec(tmp_path, "a"), spec(tmp_path, "b", needs=("a",)), spec(tmp_path, "c", needs=("a", "b"))
    )
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    pids = [snapshot.pid for snapshot in running.supervisor.snapshots]
    await running.end()
    assert (tmp_path / "starts").read_text().split() == ["a", "b", "c"]
    assert (tmp_path / "stops").read_text().split() == ["c", "b", "a"]
    assert not any(birth_of(pid) for pid in pids if pid)
    assert {snapshot.state for snapshot in running.supervisor.snapshots} == {ProcessState.STOPPED}


async def test_those_that_stop_together_do(tmp_path: Path) -> None:
    """The first of two does not end before the other is told to: one after the other they would never come to an end."""
    waits = LIVES.replace(
        "sys.exit(0)",
        "other = pathlib.Path('ab'.replace(name, '') + '.stopping')\n    pathlib.Path(name + '.stopping').touch()\n    while not other.exists(): time.sleep(0.01)\n    sys.exit(0)",
    )
    pair = [spec(tmp_path, name, waits, stops_with="pair", stop_s=DEADLINE_S) for name in "ab"]
    running = Running(tmp_path, *pair, spec(tmp_path, "c"))
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    await running.end()
    stops = (tmp_path / "stops").read_text().split()
    assert (stops[0], set(stops)) == ("c", {"a", "b", "c"})


async def test_starts_again_what_was_killed_and_says_so(tmp_path: Path) -> None:
    running = Running(tmp_path, spec(tmp_path, "a"))
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    first = running.of("a").pid
    assert first is not None
    (tmp_path / "a.ready").unlink()
    os.kill(first, signal.SIGKILL)
    await running.until(lambda: running.of("a").state is ProcessState.READY and running.of("a").pid != first)
    said = [snapshot.note for snapshot in running.said if snapshot.state is ProcessState.RESTARTING]
    await running.end()
    assert said == ["killed by SIGKILL; again at once"]
    assert (tmp_path / "starts").read_text().split() == ["a", "a"]


async def test_after_five_fast_failures_it_is_failed_with_its_last_lines_and_the_rest_goes_on(tmp_path: Path) -> None:
    running = Running(tmp_path, spec(tmp_path, "a"), spec(tmp_path, "b", DIES))
    await running.until(lambda: running.of("b").state is ProcessState.FAILED)
    failed = running.of("b")
    await running.until(lambda: running.of("a").state is ProcessState.READY)
    # It is tried again all the same.
    await running.until(lambda: sum(snapshot.state is ProcessState.FAILED for snapshot in running.said) >= 2)
    await running.end()
    assert failed.note == "exit code 7; again in 0 s"
    assert failed.last_lines == ("first line", "these are my last words")


async def test_who_does_not_stop_in_time_is_killed_with_its_children(tmp_path: Path) -> None:
    parent = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
    parent += "open('child', 'w').write(str(c.pid))\n" + STUBBORN
    running = Running(tmp_path, spec(tmp_path, "a", parent, stop_s=0.2))
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    pid, child = running.of("a").pid, int((tmp_path / "child").read_text())
    held = os.pidfd_open(child)
    await running.end()
    assert pid is not None
    assert birth_of(pid) is None
    try:
        assert select.select([held], [], [], DEADLINE_S)[0], "the child outlived its parent"
    finally:
        os.close(held)


async def test_who_does_not_get_ready_in_time_is_killed_and_tried_again(tmp_path: Path) -> None:
    never = LIVES.replace('pathlib.Path(name + ".ready").touch()', "")
    running = Running(tmp_path, spec(tmp_path, "a", never, start_s=0.3))
    await running.until(lambda: any(snapshot.note.startswith("not ready within 0 s") for snapshot in running.said))
    await running.end()


async def test_one_that_waits_starts_only_when_the_other_is_ready(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def opened() -> bool:
        return gate.is_set()

    running = Running(tmp_path, spec(tmp_path, "a", ready=opened), spec(tmp_path, "b", needs=("a",)))
    await running.until(lambda: running.of("a").state is ProcessState.STARTING)
    assert running.of("b").state is ProcessState.WAITING
    gate.set()
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    await running.end()


async def test_who_needed_another_once_starts_again_while_that_is_away(tmp_path: Path) -> None:
    there = asyncio.Event()
    there.set()

    async def ready() -> bool:
        return there.is_set()

    running = Running(tmp_path, spec(tmp_path, "a", ready=ready), spec(tmp_path, "b", needs_once=("a",)))
    await asyncio.wait_for(running.supervisor.all_ready(), DEADLINE_S)
    there.clear()
    for name in ("a", "b"):
        pid = running.of(name).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    await running.until(lambda: running.of("a").state is ProcessState.STARTING)
    await running.until(
        lambda: any(snapshot.name == "b" and snapshot.state is ProcessState.RESTARTING for snapshot in running.said)
    )
    await running.until(lambda: running.of("b").state is ProcessState.READY)
    assert running.of("a").state is not ProcessState.READY
    await running.end()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("java.net.BindException: Address already in use", "its port is taken"),
        ("There is insufficient memory for the Java Runtime Environment", "memory ran out"),
    ],
)
async def test_a_start_that_only_the_reader_can_mend_ends_everything_with_a_sentence(
    tmp_path: Path, words: str, sentence: str
) -> None:
    running = Running(tmp_path, spec(tmp_path, "a"), spec(tmp_path, "b", f"raise SystemExit({words!r})"))
    with pytest.raises(CannotStartError, match=sentence):
        await asyncio.wait_for(running.task, DEADLINE_S)
    assert {snapshot.state for snapshot in running.supervisor.snapshots} == {ProcessState.STOPPED}


async def test_a_preparation_that_cannot_succeed_ends_everything(tmp_path: Path) -> None:
    async def refuse() -> None:
        raise CannotStartError("choose another directory")

    running = Running(tmp_path, spec(tmp_path, "a"), spec(tmp_path, "b", prepare=refuse))
    with pytest.raises(CannotStartError, match="another directory"):
        await asyncio.wait_for(running.task, DEADLINE_S)
    assert running.of("a").pid is None


def test_children_die_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_supervisor import Running, spec
async def main():
    running = Running(Path({str(tmp_path)!r}), spec(Path({str(tmp_path)!r}), "a"))
    await running.supervisor.all_ready()
    print(running.of("a").pid, flush=True)
    await running.task
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        child = os.pidfd_open(int(supervisor.stdout.readline()))
        supervisor.kill()
    try:
        assert select.select([child], [], [], DEADLINE_S)[0], "the child outlived its supervisor"
    finally:
        os.close(child)
