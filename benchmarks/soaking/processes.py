"""What the processes of a stack hold: memory, descriptors, threads, sockets, and the heap of Java after a collection."""

import re
from pathlib import Path
from typing import Final

import psutil

MB: Final = 1024 * 1024
COLLECTED: Final = re.compile(rb"Pause \S+ .*?\d+M->(\d+)M\(")
GC_TAIL_BYTES: Final = 4096


def gc_options(directory: Path) -> str:
    """Flags that make every JVM write what is left after its collections."""
    return f"-Xlog:gc:file={directory}/gc-%p.log:uptime:filecount=1,filesize=2M"


def of_process(name: str, pid: int, gc_logs: Path, *, private: bool) -> dict[str, float]:
    """Figures of one process, by name of the series; empty when it has just ended.

    With `private` also memory that it has alone, which the kernel takes some milliseconds to add up.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            found = {
                "rss_mb": process.memory_info().rss / MB,
                "fds": float(process.num_fds()),
                "threads": float(process.num_threads()),
                "sockets": float(_sockets(pid)),
            }
        if private:
            found["uss_mb"] = _private_mb(pid)
    except (psutil.Error, OSError):
        return {}
    heap = _heap_mb(gc_logs / f"gc-{pid}.log")
    return {f"{name}.{key}": value for key, value in (found | heap).items()}


def _sockets(pid: int) -> int:
    links = list(Path(f"/proc/{pid}/fd").iterdir())
    return sum(_target(link).startswith("socket:") for link in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _private_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _heap_mb(log: Path) -> dict[str, float]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - GC_TAIL_BYTES))
            found = COLLECTED.findall(file.read())
    except OSError:
        return {}
    return {"heap_mb": float(found[-1])} if found else {}
