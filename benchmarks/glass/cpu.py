"""CPU time of the stack's processes over a stretch of time, and that of one ffmpeg command that makes the same ladder."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from media.ladder import Rendition


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds by process over `wall_s` seconds."""

    cpu_s: Mapping[str, float]
    wall_s: float


class CpuMeter:
    """Counts from now on; `processes` are process ids by name."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._began = self._now()
        self._began_s = time.monotonic()

    def _now(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: t.user + t.system + t.children_user + t.children_system for name, t in times.items()}

    def read(self) -> Usage:
        """What was used since the meter was made."""
        now = self._now()
        return Usage({name: now[name] - self._began[name] for name in now}, time.monotonic() - self._began_s)


def ladder_command(clip: Path, rungs: Sequence[Rendition], fps: int, gop_s: int) -> list[str]:
    """One ffmpeg command for a whole ladder, with the encoder's settings of the worker: one thread an encoder."""
    names = [f"v{index}" for index in range(len(rungs))]
    split = f"[0:v]split={len(rungs)}" + "".join(f"[{name}]" for name in names)
    scales = [f"[{n}]scale={r.width}:{r.height}[{n}s]" for n, r in zip(names, rungs, strict=True)]
    argv = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-threads", "1", "-i", str(clip)]
    argv += ["-filter_complex", ";".join([split, *scales])]
    for index, (name, rung) in enumerate(zip(names, rungs, strict=True)):
        argv += ["-map", f"[{name}s]", f"-b:v:{index}", str(rung.video_bitrate_bps)]
        argv += [f"-maxrate:v:{index}", str(rung.max_rate_bps), f"-bufsize:v:{index}", str(rung.buffer_bits)]
    argv += ["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "main", "-threads", "1"]
    argv += ["-g", str(fps * gop_s), "-keyint_min", str(fps * gop_s), "-sc_threshold", "0", "-an", "-f", "null", "-"]
    return argv


def ladder_cpu_s(media: bytes, rungs: Sequence[Rendition], fps: int, gop_s: int) -> float:
    """CPU seconds of the ffmpeg command for a whole clip.

    Raises:
        RuntimeError: ffmpeg failed; says why.
    """
    with tempfile.TemporaryDirectory() as directory:
        clip = Path(directory) / "clip.mp4"
        clip.write_bytes(media)
        with subprocess.Popen(ladder_command(clip, rungs, fps, gop_s), stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            complaints = process.stderr.read().decode("utf-8", "replace")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}: {complaints}")
    return usage.ru_utime + usage.ru_stime
