"""The log file of a process: appended to by the process itself, kept short by us, read from the end."""

import os
import shutil
from pathlib import Path

LOG_LIMIT_BYTES = 8 * 1024 * 1024
"""A longer file is moved to `NAME.log.1` and begins anew: at most twice this is kept a process."""

TAIL_BYTES = 64 * 1024


def open_log(path: Path) -> int:
    """Open for appending, for a child's stdout and stderr; the caller closes the descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def rotate(path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> bool:
    """Copy a log over the limit aside and cut it; say whether it was.

    Its writer has it open in append mode and goes on at the new end. What it writes between copy and cut is lost.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True


def tail(path: Path, lines: int, since: int = 0) -> list[str]:
    """The last lines of a log that came after the byte `since`; empty ones left out."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            since = since if since <= end else 0  # it was cut meanwhile
            file.seek(max(since, end - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def size(path: Path) -> int:
    """Bytes in the log now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
