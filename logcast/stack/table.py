"""How the stack is shown: a table for a terminal, plain lines for a log."""

import time
from collections.abc import Iterable

import psutil
from rich.table import Table

from logcast.stack.process import ProcessState

MIB = 1024 * 1024
COLOURS = {
    ProcessState.READY.value: "green",
    ProcessState.STARTING.value: "yellow",
    ProcessState.UNREADY.value: "yellow",
    ProcessState.RESTARTING.value: "red",
    ProcessState.FAILED.value: "bold red",
}

Row = tuple[str, str, int | None, int | None, float, str]
"""Name, state, process id, port, seconds since the state began, note."""


def stack_table(rows: Iterable[Row]) -> Table:
    """Process, state, memory, port, and for how long."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("process", "left"),
        ("state", "left"),
        ("memory", "right"),
        ("port", "right"),
        ("for", "right"),
    ):
        table.add_column(title, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("", overflow="fold")
    total = 0
    for name, state, pid, port, age_s, note in rows:
        used = memory_bytes(pid)
        total += used
        colour = COLOURS.get(state, "dim")
        table.add_row(
            name,
            f"[{colour}]{state}[/]",
            f"{used // MIB} MiB" if used else "",
            str(port or ""),
            duration(age_s),
            note,
        )
    table.add_row("", "", f"{total // MIB} MiB", "", "", "", style="dim")
    return table


def memory_bytes(pid: int | None) -> int:
    """Resident memory of a process; 0 when there is none."""
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def duration(seconds: float) -> str:
    """A length of time in one or two units: "8 s", "3 min", "2 h 5 min"."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """Wall-clock time of day."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
