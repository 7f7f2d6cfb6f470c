"""A clock of one role that a test sets, by libfaketime: `time()` jumps, the monotonic clock does not, as when NTP steps."""

import os
from pathlib import Path
from typing import Final

from tests.e2e.live_stack import LiveStack

LIBRARY: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")

START: Final = """
import os, sys

argv, preload = sys.orig_argv, "LD_PRELOAD" in os.environ
if not preload and (argv[-2:] == ["serve", {role!r}] or ({role!r} == "worker" and "faust" in argv)):
    os.environ |= {environ!r}
    os.execv(argv[0], argv)
"""
"""`sitecustomize`: every Python process of the stack runs it; that of the role starts itself again with the library."""


class RoleClock:
    """The clock of a role of a stack that is not started yet."""

    def __init__(self, stack: LiveStack, role: str, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(0)
        environ = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        (directory / "sitecustomize.py").write_text(START.format(role=role, environ=environ))
        stack.environ["PYTHONPATH"] = os.pathsep.join([str(directory), stack.environ.get("PYTHONPATH", "")])

    def set(self, ahead_s: int) -> None:
        """So many seconds ahead of everybody else's; within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}\n")
        new.replace(self._file)
