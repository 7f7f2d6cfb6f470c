"""Run a command so that it dies with the process that started it: `python tether.py PARENT_PID COMMAND …`.

The kernel sends SIGKILL when the parent is gone, however it went (prctl(2), PR_SET_PDEATHSIG; kept over execve). Set
between fork and exec, in a process of its own: Python code between the fork and the exec of a threaded parent may
deadlock. Standard library only, so that `-I -S` starts it in some milliseconds.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` under this process's life."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main() -> None:
    """Become the command."""
    parent, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it went before the kernel knew of our wish
        sys.exit(1)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  (no shell is what is wanted)
    except OSError as error:
        sys.exit(f"cannot run {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
