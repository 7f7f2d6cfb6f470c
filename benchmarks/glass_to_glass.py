"""From the camera to the glass: how old the picture is where, and what it costs: `python -m benchmarks.glass_to_glass`.

A time stamp drawn into the picture is pushed by RTMP at 720p30 and read back

1. from the parts: a client follows the playlists (blocking reload, preload hints) and downloads every part; the age of a
   part is from the stamp of its LAST picture to its last byte, for the source and each rendition;
2. from a real Chromium: the watch page plays it, and the stamp is read from the pictures as they are presented.

While the parts are followed, CPU time is counted by process. Afterwards one ffmpeg command makes the same ladder out of
the same media; its CPU seconds per second of media are the yardstick for the worker's.

The program starts a stack of its own (`logcast up`, in a temporary directory) unless `--server` and `--rtmp` name one.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also when run by its path

from benchmarks.glass.cpu import CpuMeter, Usage, ladder_cpu_s
from benchmarks.glass.parts import Follower, Recording
from benchmarks.glass.report import Ladder, Report, latency_of, show, this_machine, write_markdown
from benchmarks.glass.screen import Screen, watch
from logcast.demo.picture import HEIGHT, WIDTH
from logcast.demo.push import FRAME_RATE, GOP_S
from media.ladder import choose_ladder
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import LiveStack
from tests.waiting import eventually_async

WARM_UP_S = 5.0
WARM_UP_DEADLINE_S = 120.0
REQUEST_TIMEOUT_S = 40.0
COMPLETE = 0.95
"""A rendition that has less of the source's length in the same time was not made as it came."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured. Without `processes` (another machine's stack) there is no CPU to count."""

    server: str
    push_url: str
    channel: str
    processes: dict[str, int]


def main() -> None:
    """Measure and show."""
    options = parsed()
    console = Console()
    report = Report(this_machine(), options.seconds)
    with target_of(options, console) as target, publishing(target.push_url):
        asyncio.run(measure(target, options.seconds, report, console))
    show(report, console)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
    if options.markdown:
        write_markdown(report, options.markdown)


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="length of each of the two phases (default 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the tables between the marks of this page")
    parser.add_argument("--server", metavar="URL", help="measure this gateway instead of a stack of our own")
    parser.add_argument("--rtmp", metavar="URL", help="push there, with the stream key (with --server)")
    parser.add_argument("--channel", metavar="NAME", help="the channel of the stream key (with --server)")
    options = parser.parse_args()
    if any((options.server, options.rtmp, options.channel)) != all((options.server, options.rtmp, options.channel)):
        parser.error("--server, --rtmp and --channel belong together")
    return options


@contextmanager
def target_of(options: argparse.Namespace, console: Console) -> Iterator[Target]:
    """The stack that is measured; one of our own is stopped in the end."""
    if options.server:
        yield Target(options.server.rstrip("/"), options.rtmp, options.channel, {})
        return
    with tempfile.TemporaryDirectory(prefix="logcast-bench-") as directory:
        stack = LiveStack(Path(directory))
        console.print(f"starting a stack: ready in {stack.start():.1f} s", highlight=False)
        try:
            channel = stack.new_channel()
            processes = {process.name: process.pid for process in stack.status().processes if process.pid}
            yield Target(stack.server, stack.push_url(channel.key), channel.name, processes)
            stack.stop()
        finally:
            stack.kill_all()


@contextmanager
def publishing(url: str) -> Iterator[None]:
    """Push from a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.glass.publisher", url]
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    }
    process = subprocess.Popen(argv, env=environ, stdin=subprocess.DEVNULL)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(
                f"the publisher ended with {process.returncode} while it was measured; it says why above"
            )
    finally:
        process.terminate()
        process.wait()


async def measure(target: Target, seconds: float, report: Report, console: Console) -> None:
    """Fill the report."""
    async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S) as http:
        variants = await warmed_up(HlsViewer(http, f"{target.server}/live/{target.channel}/master.m3u8"))
        console.print(f"following the parts for {seconds:g} s", highlight=False)
        recordings, usage = await follow(http, variants, target, seconds)
    console.print(f"watching in Chromium for {seconds:g} s", highlight=False)
    screen = await watch(f"{target.server}/watch/{target.channel}", seconds)
    console.print("making the same ladder with ffmpeg", highlight=False)
    report.latencies += [latency_of(f"part of {r.name}", r.latencies_ms()) for r in recordings]
    report.latencies.append(latency_of("the screen (Chromium)", screen.latencies_ms))
    report.notes.append(watched(screen))
    if target.processes:
        add_cpu(report, usage, recordings)


async def warmed_up(viewer: HlsViewer) -> list[Variant]:
    """The renditions with a picture, best first, once all have some seconds."""

    async def look() -> list[Variant]:
        found = await viewer.variants()
        if "source" not in {variant.name for variant in found}:
            return []
        lengths = [sum(s.duration for s in (await viewer.playlist(v)).segments) for v in found]
        return found if min(lengths) >= WARM_UP_S else []

    variants = await eventually_async(look, WARM_UP_DEADLINE_S, f"{WARM_UP_S:g} s of every rendition")
    return sorted((v for v in variants if v.height), key=lambda v: (v.name != "source", -v.height))


async def follow(
    http: httpx.AsyncClient, variants: list[Variant], target: Target, seconds: float
) -> tuple[list[Recording], Usage]:
    """Follow every rendition at the same time, and count the CPU time meanwhile."""
    meter = CpuMeter(target.processes)
    until = time.monotonic() + seconds
    followers = [Follower(http, variant.name, variant.url) for variant in variants]
    recordings = await asyncio.gather(*(follower.run(until) for follower in followers))
    return recordings, meter.read()


def add_cpu(report: Report, usage: Usage, recordings: list[Recording]) -> None:
    """CPU by process, and the worker's beside ffmpeg's."""
    report.cpu_percent = {name: 100 * used / usage.wall_s for name, used in usage.cpu_s.items()}
    source = next(recording for recording in recordings if recording.name == "source")
    made_s = {recording.name: recording.seconds() for recording in recordings}
    media_s = made_s["source"]
    if min(made_s.values()) < COMPLETE * media_s:
        lengths = ", ".join(f"{made:.1f} s of {name}" for name, made in made_s.items())
        report.notes.append(f"The worker did not keep up ({lengths}): no comparison with ffmpeg. Is the machine busy?")
        return
    rungs = [rung for rung in choose_ladder(WIDTH, HEIGHT, FRAME_RATE) if rung.name in made_s and not rung.is_source]
    ffmpeg = ladder_cpu_s(source.media(), rungs, FRAME_RATE, GOP_S) / media_s
    report.ladder = Ladder(usage.cpu_s["worker"] / usage.wall_s, ffmpeg, media_s)


def watched(screen: Screen) -> str:
    """What else the viewer saw."""
    unread = f", {screen.unreadable} stamps unreadable" if screen.unreadable else ""
    return f"Chromium: {screen.stalls} stalls in {screen.seconds:g} s, at {screen.height}p in the end{unread}."


if __name__ == "__main__":
    main()
