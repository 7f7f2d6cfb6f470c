"""A process of many threads has few heaps, unless its operator decided otherwise."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os, re, tempfile, threading
from stores.malloc import keep_heaps_small
keep_heaps_small()
together = threading.Barrier(24)
def work():
    together.wait()
    kept = [bytes(2_000 + n) for n in range(3_000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(24)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
with tempfile.NamedTemporaryFile() as file:
    stream = libc.fopen(file.name.encode(), b"w")
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(len(re.findall(rb"<heap nr=", file.read())))
"""


def heaps(**environ: str) -> int:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=ours | environ, capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_many_threads_share_two_heaps_unless_the_environment_says_otherwise() -> None:
    assert heaps() <= 2
    assert heaps(MALLOC_ARENA_MAX="1") == 1


HOLES = """
import ctypes
from stores.malloc import keep_heaps_small
keep_heaps_small()
class Info(ctypes.Structure):
    _fields_ = [(str(n), ctypes.c_size_t) for n in range(10)]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
kept = []
for turn in range(20):
    large = [bytearray(19 << 20) for _ in range(2)]
    kept.append(bytes(50_000))
    del large
    kept.append([bytes(20_000) for _ in range(20)])
print(getattr(libc.mallinfo2(), "0") >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_a_password_takes_leaves_no_hole_in_the_heap() -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", HOLES], env=ours, capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) < 30, "MiB of the heaps; 9 are kept"
