"""No thread of ours runs at real-time priority, whatever a library asks for.

The AV1 encoder SVT-AV1 gives its threads, and the one that opens it, SCHED_FIFO priority 99 when the process is root's, and
what is started later inherits it. Such threads run before everything else on the machine: on two cores it stood still
for minutes. There is no option against it; but it takes the capability CAP_SYS_NICE (capabilities(7)), which nothing here needs.
"""

import ctypes
import sys
from typing import Final

CAP_SYS_NICE: Final = 23
PR_CAPBSET_DROP: Final = 24
VERSION_3: Final = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3 of capget(2)."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def give_up_realtime() -> None:
    """Give up the right to real-time priority, for this thread, those that it starts, and what it executes; for good.

    Nothing happens where the right is not there, and elsewhere than on Linux.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
    header, sets = _Header(VERSION_3, 0), (_Sets * 2)()
    if libc.capget(ctypes.byref(header), sets) != 0:
        return
    for kind in ("effective", "permitted", "inheritable"):
        setattr(sets[0], kind, getattr(sets[0], kind) & ~(1 << CAP_SYS_NICE))
    libc.capset(ctypes.byref(header), sets)
