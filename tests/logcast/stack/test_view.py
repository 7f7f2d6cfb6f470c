import io
from pathlib import Path

from rich.console import Console

from logcast.stack.process import ProcessState, Snapshot
from logcast.stack.table import duration
from logcast.stack.view import StackView


def snapshot(state: ProcessState, note: str = "", **more: object) -> Snapshot:
    return Snapshot("worker", state, None, 8082, note, 0.0, **more)  # type: ignore[arg-type]


def view(*, terminal: bool) -> tuple[StackView, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None, legacy_windows=False)
    return StackView(console, Path("/data")), out


def test_a_log_gets_one_line_for_each_change() -> None:
    shown, out = view(terminal=False)
    shown.tell(snapshot(ProcessState.STARTING))
    shown.tell(snapshot(ProcessState.STARTING))
    shown.tell(snapshot(ProcessState.READY))
    lines = [line.split(" ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == ["worker starting", "worker ready"]


def test_a_long_note_is_not_broken_and_brackets_are_no_markup() -> None:
    shown, out = view(terminal=False)
    note = "exit code 1; [bold] again in 4 s " + "x" * 200
    shown.tell(snapshot(ProcessState.RESTARTING, note))
    assert out.getvalue().endswith(f"worker restarting ({note})\n")


def test_a_terminal_gets_a_table_and_only_deaths_as_lines() -> None:
    shown, out = view(terminal=True)
    shown.tell(snapshot(ProcessState.READY))
    assert out.getvalue() == ""
    shown.tell(snapshot(ProcessState.RESTARTING, "killed by SIGKILL; again at once"))
    assert "worker restarting (killed by SIGKILL; again at once)" in out.getvalue()
    assert shown.live is not None
    with shown.live:
        shown.show((snapshot(ProcessState.READY),))
    assert "worker" in out.getvalue()
    assert "8082" in out.getvalue()


def test_who_failed_is_shown_with_its_last_lines_its_log_and_what_to_do() -> None:
    shown, out = view(terminal=False)
    shown.tell(
        snapshot(ProcessState.FAILED, "exit code 1", advice="make room", last_lines=("first", "last [red]words[/]"))
    )
    assert "    last [red]words[/]\n    more in /data/logs/worker.log\nmake room\n" in out.getvalue()


def test_a_warning_is_given_once() -> None:
    shown, out = view(terminal=False)
    shown.warn("the disk is full")
    shown.warn("the disk is full")
    assert out.getvalue() == "the disk is full\n"


def test_durations_have_the_unit_that_fits() -> None:
    assert [duration(seconds) for seconds in (-1, 5.9, 60, 3599, 3600, 90_000)] == [
        "0 s",
        "5 s",
        "1 min",
        "59 min",
        "1 h 0 min",
        "25 h 0 min",
    ]
