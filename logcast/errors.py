"""What ends the `logcast` command: one sentence that says what to do, and an exit code.

LogcastError          1   a check failed, or what the message says went wrong
(click, settings)     2   a wrong option or setting
├── NotRunningError   3   no stack runs on this data directory
├── CannotStartError  4   a port is taken, the disk is full, Java does not run, the directory is in use
└── DownloadError     5   a jar could not be fetched, or is not what the lock says
"""

from typing import ClassVar


class LogcastError(Exception):
    """Base of the errors that the command prints as one sentence; `exit_code` is the process's."""

    exit_code: ClassVar[int] = 1


class NotRunningError(LogcastError):
    """No stack runs on this data directory."""

    exit_code = 3


class CannotStartError(LogcastError):
    """Something on this machine keeps the stack from starting; the message says what to do."""

    exit_code = 4


class DownloadError(LogcastError):
    """A jar could not be fetched, or its checksum is not the one in the lock."""

    exit_code = 5
