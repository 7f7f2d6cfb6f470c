"""How this process takes memory from the system, where its C library is glibc.

By default glibc gives threads up to eight heaps ("arenas") for each core. What one thread frees stays in the heap of the thread that had
allocated it, and a heap shrinks only from its end: with the tens of threads of a gateway or a worker, memory that is free adds up in
each of them and is not given back. Two heaps keep it together; the threads spend their time in codecs, files and sockets,
not in malloc (https://sourceware.org/glibc/wiki/MallocInternals).
"""

import ctypes
import os
import platform
from typing import Final

ARENA_MAX: Final = "MALLOC_ARENA_MAX"
ARENAS: Final = 2
_M_ARENA_MAX: Final = -8
"""Of malloc.h."""


def use_few_arenas() -> None:
    """Call it before the first thread. Whoever sets `MALLOC_ARENA_MAX` decides; other C libraries are left as they are."""
    if ARENA_MAX not in os.environ and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
