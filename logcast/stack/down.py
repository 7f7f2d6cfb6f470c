"""`logcast down`: ask the supervisor to stop, wait, and make sure that nothing is left."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from logcast.errors import LogcastError, NotRunningError
from logcast.stack.instance import ProcessId, is_held, read_stack_file, remove_stack_file

STOP_DEADLINE_S = 180.0
LEFT_OVER_DEADLINE_S = 5.0
LOOK_EVERY_S = 0.1


def stop_stack(data_dir: Path) -> None:
    """Stop the stack that runs on `data_dir`; returns when its last process is gone.

    Raises:
        NotRunningError: none runs there.
        LogcastError: it did not stop within its time.
    """
    stack = read_stack_file(data_dir)
    if stack is None:
        raise NotRunningError(
            f"another process holds {data_dir} but has not begun yet: try again in a moment"
            if is_held(data_dir)
            else f"no stack runs on {data_dir}"
        )
    processes = [entry.process for entry in stack.processes if entry.process]
    running = stack.supervisor.alive()
    if running:
        _signal(stack.supervisor, signal.SIGTERM)
        if not _wait(lambda: not stack.supervisor.alive(), STOP_DEADLINE_S):
            raise LogcastError(
                f"the supervisor (pid {stack.supervisor.pid}) did not stop within {STOP_DEADLINE_S:.0f} s: "
                f"see {data_dir / 'logs'}, or end it with kill -9 {stack.supervisor.pid} (its processes go with it)"
            )
    _end_left_over(processes)
    remove_stack_file(data_dir)
    if not running:
        raise NotRunningError(f"no stack runs on {data_dir} (its supervisor was killed; what it left is tidied up)")


def _end_left_over(processes: Iterable[ProcessId]) -> None:
    """The kernel ends them with their supervisor; where it cannot do that, we do."""
    left = [process for process in processes if process.alive()]
    for process in left:
        _signal(process, signal.SIGKILL)
    _wait(lambda: not any(process.alive() for process in left), LEFT_OVER_DEADLINE_S)


def _signal(process: ProcessId, number: signal.Signals) -> None:
    """Signal a process that is still the one that was meant."""
    with suppress(ProcessLookupError):
        if process.alive():
            os.kill(process.pid, number)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
