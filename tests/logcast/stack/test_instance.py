import os
import subprocess
import sys
from pathlib import Path

import pytest

from logcast.errors import CannotStartError
from logcast.stack.instance import (
    ProcessId,
    birth_of,
    is_held,
    only_instance,
    read_stack_file,
    remove_stack_file,
    write_stack_file,
)
from logcast.stack.process import ProcessState, Snapshot

SNAPSHOT = Snapshot("worker", ProcessState.READY, os.getpid(), 8082, "note", 12.5)


def test_a_second_stack_on_the_same_directory_is_told_who_has_it(tmp_path: Path) -> None:
    with only_instance(tmp_path):
        assert is_held(tmp_path)
        write_stack_file(tmp_path, 1.0, {}, [SNAPSHOT])
        with (
            pytest.raises(CannotStartError, match=rf"already runs on .* \(pid {os.getpid()}\).*logcast down"),
            only_instance(tmp_path),
        ):
            raise AssertionError("the lock was given twice")
    assert not is_held(tmp_path)


def test_the_lock_of_a_killed_supervisor_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from logcast.stack.instance import only_instance\n"
        "with only_instance(pathlib.Path(sys.argv[1])):\n  print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(tmp_path)
        holder.kill()
    assert not is_held(tmp_path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with only_instance(tmp_path):
        write_stack_file(tmp_path, 3.0, {"page": "http://x/"}, [SNAPSHOT])
    stack = read_stack_file(tmp_path)
    assert stack is not None
    assert stack.supervisor.pid == os.getpid()
    assert stack.supervisor.alive()
    assert stack.addresses == {"page": "http://x/"}
    entry = stack.processes[0]
    assert (entry.name, entry.state, entry.port, entry.note, entry.since) == ("worker", "ready", 8082, "note", 12.5)
    assert entry.process == stack.supervisor
    remove_stack_file(tmp_path)
    assert read_stack_file(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"supervisor": {"pid": 1}}', "null"])
def test_a_damaged_file_is_no_stack(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.json").write_text(text)
    assert read_stack_file(tmp_path) is None


def test_a_number_that_was_given_to_another_process_is_not_the_same_process() -> None:
    assert ProcessId(os.getpid(), str(birth_of(os.getpid()))).alive()
    assert not ProcessId(os.getpid(), "another boot/123").alive()


def test_a_process_that_ended_is_gone_even_before_its_parent_has_looked() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()  # ends with the child
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert birth_of(child.pid) is None
