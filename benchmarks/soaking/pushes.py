"""Publishers that come and go: each pushes for half a minute to one and a half, and ends in one of five ways."""

import asyncio
import random
import subprocess
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Final

SIZES: Final = ("320x180", "384x216")
FRAME_RATE: Final = 15
CLIP_S: Final = 20
PUSH_S: Final = (30.0, 90.0)
AGAIN_S: Final = (0.5, 2.5)
STOP_S: Final = 15.0


class Ending(StrEnum):
    """How a push goes on after its time."""

    ORDERLY = "ended"
    KILLED = "killed"
    RETURNS = "returned in time"
    KILLED_AND_RETURNS = "killed, returned in time"
    OTHER_SIZE = "returned with another size"


RETURNS: Final = frozenset({Ending.RETURNS, Ending.KILLED_AND_RETURNS, Ending.OTHER_SIZE})
KILLS: Final = frozenset({Ending.KILLED, Ending.KILLED_AND_RETURNS})


def make_clip(directory: Path, size: str) -> Path:
    """A small clip with a tone, GOPs of 2 s; blocking."""
    path = directory / f"{size}.mp4"
    argv = [
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FRAME_RATE}:duration={CLIP_S}"),
        *("-f", "lavfi", "-i", f"sine=frequency=220:sample_rate=48000:duration={CLIP_S}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", "150k", "-bf", "0"),
        *("-g", str(2 * FRAME_RATE), "-keyint_min", str(2 * FRAME_RATE), "-sc_threshold", "0"),
        *("-c:a", "aac", "-b:a", "48k", "-ac", "1", str(path)),
    ]
    subprocess.run(argv, check=True, timeout=300)
    return path


class Publisher:
    """One at a time on a channel that is free, for ever. `counts` is shared by all."""

    def __init__(self, clips: dict[str, Path], free: asyncio.Queue[tuple[str, str]], counts: Counter[str]) -> None:
        self._clips = clips
        self._free = free
        self._counts = counts

    async def run(self, pause_s: float) -> None:
        """Broadcast after broadcast, until cancelled. A channel is free again once its grace is over."""
        while True:
            channel = await self._free.get()
            try:
                await self._broadcast(channel[1])
                await asyncio.sleep(pause_s)
            finally:
                self._free.put_nowait(channel)

    async def _broadcast(self, url: str) -> None:
        size, ending = random.choice(SIZES), Ending.RETURNS
        self._counts["broadcasts"] += 1
        while ending in RETURNS:
            ending = random.choice(list(Ending))
            await self._push(url, size, ending)
            self._counts[ending.value] += 1
            if ending is Ending.OTHER_SIZE:
                size = next(other for other in SIZES if other != size)
            if ending in RETURNS:
                await asyncio.sleep(random.uniform(*AGAIN_S))

    async def _push(self, url: str, size: str, ending: Ending) -> None:
        argv = ("-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1")
        source = ("-i", str(self._clips[size]), "-c", "copy", "-f", "flv", url)
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", *argv, *source, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            async with asyncio.timeout(random.uniform(*PUSH_S)):
                await process.wait()
            self._counts["pushes that broke off"] += 1
        except TimeoutError:
            pass
        finally:
            await _end(process, kill=ending in KILLS)


async def _end(process: Process, *, kill: bool) -> None:
    if process.returncode is not None:
        return
    if kill:
        process.kill()
    else:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
