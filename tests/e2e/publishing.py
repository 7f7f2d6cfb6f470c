"""Clips that ffmpeg makes, and ffmpeg as the publisher."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.waiting import eventually

FRAME_RATE = 30
STOP_DEADLINE_S = 20


@dataclass(frozen=True, slots=True)
class Clip:
    """A file of H.264 and AAC; `frames` is how many pictures it has."""

    path: Path
    frames: int
    seconds: int


class ClipMaker:
    """Makes a clip once a session, as cheaply as x264 can."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.make = cache(self._make)

    def _make(self, size: str, seconds: int, *, gop_s: int = 2, video: bool = True, audio: bool = True) -> Clip:
        name = f"{size}-{seconds}s-gop{gop_s}{'' if video else '-no-video'}{'' if audio else '-no-audio'}.mp4"
        path = self._directory / name
        picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FRAME_RATE}:duration={seconds}"]
        sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
        as_h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", "2M"]
        keyframes = ["-g", str(gop_s * FRAME_RATE), "-keyint_min", str(gop_s * FRAME_RATE), "-sc_threshold", "0"]
        subprocess.run(
            [
                *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
                *(picture if video else []),
                *(sound if audio else []),
                *([*as_h264, *keyframes] if video else []),
                *(["-c:a", "aac", "-b:a", "96k", "-ac", "2"] if audio else []),
                str(path),
            ],
            check=True,
            timeout=300,
        )
        return Clip(path, seconds * FRAME_RATE if video else 0, seconds)


class Publisher:
    """A running ffmpeg."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Of ffmpeg."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def complaints(self) -> str:
        """What it wrote."""
        return self._log.read_text("utf-8", "replace")

    async def finished(self, deadline_s: float) -> int:
        """Wait until it ends by itself; gives its exit code."""
        await eventually(lambda: self.exit_code is not None, deadline_s, "the end of the push")
        assert self.exit_code is not None
        return self.exit_code


@contextmanager
def publishing(clip: Clip, url: str, log: Path, *, for_ever: bool = False) -> Iterator[Publisher]:
    """Push a clip in real time, as the issue of every manual has it; what still runs at the end is stopped."""
    argv = [
        *("ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin", "-re"),
        *(("-stream_loop", "-1") if for_ever else ()),
        *("-i", str(clip.path), "-c", "copy", "-f", "flv", url),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Publisher(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
