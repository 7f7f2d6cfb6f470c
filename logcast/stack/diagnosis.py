"""What a dead process's last words mean, for the causes that the reader can do something about."""

import re
import signal
from collections.abc import Sequence
from pathlib import Path

DISK_FULL = re.compile(
    r"No space left on device|ENOSPC|Disk quota exceeded|DiskFull|insufficient disk space", re.IGNORECASE
)
PORT_TAKEN = re.compile(r"Address already in use|BindException|Failed to bind|errno 98", re.IGNORECASE)
NO_MEMORY = re.compile(r"OutOfMemoryError|insufficient memory for the Java|Cannot allocate memory|MemoryError")


def advice(name: str, lines: Sequence[str], data_dir: Path) -> str | None:
    """One sentence for `name`'s last log lines, if they tell of a known cause; else None."""
    text = "\n".join(lines)
    if DISK_FULL.search(text):
        return f"{name} stopped because the disk is full: make room under {data_dir} (or choose another --data), and start again"
    if PORT_TAKEN.search(text):
        return (
            f"{name} stopped because its port is taken: `logcast doctor` says which one, by whom and how to change it"
        )
    if NO_MEMORY.search(text):
        return f"{name} stopped because memory ran out: close other programs (the idle stack takes up to 2 GiB), and start again"
    return None


def ending(returncode: int) -> str:
    """How a process ended, in words: "exit code 1", "killed by SIGKILL"."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
