"""How this process takes memory from the system, where its C library is glibc.

By default glibc gives threads up to eight heaps ("arenas") for each core. What one thread frees stays in the heap of the thread that had
allocated it, and a heap shrinks only from its end: with the tens of threads of a gateway or a worker, memory that is free adds up in
each of them and is not given back. Two heaps keep it together; the threads spend their time in codecs, files and sockets,
not in malloc (https://sourceware.org/glibc/wiki/MallocInternals).

What is large glibc maps by itself and gives back at once; but the size from which on it does so rises to that of the largest block
that was freed, up to 32 MiB. After the first log-in (argon2 takes 19 MiB) such blocks come from the heaps, too: each leaves a hole, small things
settle in it, and the next one makes the heap longer. So the size is fixed: above a picture of 1080p, which comes and goes thirty
times a second, and below what a password takes.
"""

import ctypes
import os
import platform
from typing import Final

ARENA_MAX: Final = "MALLOC_ARENA_MAX"
ARENAS: Final = 2
MAPPED_BYTES: Final = 8 * 1024 * 1024
"""Blocks from this size on are mapped by themselves."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of malloc.h."""


def keep_heaps_small() -> None:
    """Call it before the first thread. Whoever sets `MALLOC_ARENA_MAX` decides; other C libraries are left as they are."""
    if ARENA_MAX not in os.environ and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * MAPPED_BYTES)
