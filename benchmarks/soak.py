"""An hour of use, and whether anything grows: `python -m benchmarks.soak --minutes 60`.

A stack of its own (`logcast up`) with short retention; publishers come and go (some return in time, some are killed, some
change their size), viewers by HLS and the feed come and go, people register, talk, like, react, vote and ask for pictures.
Memory, descriptors, threads and sockets of every process are sampled, and disk, topics, tables, rows, keys and every gauge.
At the end each series is judged (`benchmarks/soaking/verdict.py`); exit code 1 if one grows.

`--judge FILE` judges the samples of an earlier run again.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live

from benchmarks.soaking.disk import of_data_dir, sql_rows
from benchmarks.soaking.gauges import gauges
from benchmarks.soaking.log_figures import LogFigures
from benchmarks.soaking.people import TOKEN_S, People, repeated
from benchmarks.soaking.processes import gc_options, of_process
from benchmarks.soaking.pushes import SIZES, Publisher, make_clip
from benchmarks.soaking.report import now_table, show
from benchmarks.soaking.rows import Rows
from benchmarks.soaking.tolerances import tolerance_of
from benchmarks.soaking.verdict import Point, Verdict, verdict
from tests.e2e.live_stack import LiveStack

SETTINGS: Final[dict[str, Any]] = {
    "window_s": 60,
    "hot_retention_s": 120,
    "keep_days_default": 0,
    "forget_after_s": 60,
    "ladder": "144:120",
    "partitions": 4,
    "gateway_memory_mb": 32,
    "source_retention_hours": 1,
    "spool_max_mb": 64,
    "session_days": 1,
    "attempts_per_minute": 10_000,
    "channels_per_user": 9,
    "slow_mode_ms": 0,
    "worker_threads": 1,
}
"""As small as an operator may set them, so that an hour is many times each bound."""

CHANNELS: Final = {"fleeting-1": 0, "fleeting-2": 0, "kept-1": 1, "kept-2": 1}
"""Days that their videos are kept; the owner of those that are kept removes them some minutes later."""

KEPT: Final = tuple(name for name, days in CHANNELS.items() if days)
OWNER_TALKS: Final = 0.3
MINUTE_S: Final = 60.0
RARE_S: Final = 180.0
OWNER: Final = "soakowner"


class Soak:
    """One run: the stack, who uses it, and the samples, a JSON object a line."""

    def __init__(self, stack: LiveStack, directory: Path, options: argparse.Namespace, console: Console) -> None:
        self._stack = stack
        self._directory = directory
        self._options = options
        self._console = console
        self._file = options.json.open("w", encoding="utf-8")
        self.counts: Counter[str] = Counter()
        self.samples: list[dict[str, float]] = []
        self._started = time.monotonic()
        self._minute = self._rare = -1e9
        self._token, self._token_s = "", -1e9
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Use it for the time that was asked for, or until SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        settings = self._stack.settings()
        log = LogFigures(settings)
        await asyncio.to_thread(log.shorten)
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=30, limits=limits) as http:
            people = People(http, self._stack.server, self.counts)
            with Rows(settings) as rows:
                users = [asyncio.create_task(one) for one in await self._users(people)]
                try:
                    await self._sample_until_the_end(http, log, rows)
                finally:
                    for user in users:
                        user.cancel()
                    await asyncio.gather(*users, return_exceptions=True)
        self._file.close()

    # -- who uses it

    async def _users(self, people: People) -> list[Any]:
        """Everything that goes on beside each other, for ever."""
        self._token, self._token_s = await people.owner(OWNER), time.monotonic()
        free: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        for name, days in CHANNELS.items():
            key = await people.channel(self._token, name, days)
            free.put_nowait((name, self._stack.push_url(key)))
        clips = {size: await asyncio.to_thread(make_clip, self._directory, size) for size in SIZES}
        pushing = [
            Publisher(clips, free, self.counts).run(self._options.every) for _ in range(self._options.publishers)
        ]
        return [*pushing, *self._viewers(people), *self._others(people)]

    def _viewers(self, people: People) -> list[Any]:
        async def watch(row: dict[str, Any]) -> None:
            await people.watch(f"/live/{row['name']}/master.m3u8")

        async def listen(row: dict[str, Any]) -> None:
            await people.listen(row["name"], self._token if random.random() < OWNER_TALKS else "")

        async def look(row: dict[str, Any]) -> None:
            await people.look(row["video_id"])

        async def ask(row: dict[str, Any]) -> None:
            await people.poll(row["video_id"], self._token)

        table = (
            (watch, 1, 5),
            (watch, 1, 5),
            (listen, 1, 5),
            (listen, 1, 5),
            (listen, 1, 5),
            (look, 5, 15),
            (ask, 20, 40),
        )
        return [self._often(low, high, lambda act=act: people.on_live(act)) for act, low, high in table]  # type: ignore[misc]

    def _others(self, people: People) -> list[Any]:
        async def look_back() -> None:
            for channel in KEPT:
                if videos := await people.old(channel):
                    video = random.choice(videos)["id"]
                    await people.look(video)
                    await people.watch(f"/v1/videos/{video}/master.m3u8")

        async def clean() -> None:
            await self._renew(people)
            for channel in KEPT:
                await people.remove_old(channel, self._token, time.time())

        return [self._often(15, 30, look_back), self._often(15, 25, clean), self._often(40, 80, people.account)]

    def _often(self, low_s: float, high_s: float, act: Callable[[], Awaitable[None]]) -> Any:
        return repeated(lambda: random.uniform(low_s, high_s), act, self.counts)

    async def _renew(self, people: People) -> None:
        if time.monotonic() - self._token_s > TOKEN_S:
            before, self._token = self._token, await people.log_in(OWNER)
            self._token_s = time.monotonic()
            await people.call("POST", "/v1/auth/logout", before)

    # -- what is sampled

    async def _sample_until_the_end(self, http: httpx.AsyncClient, log: LogFigures, rows: Rows) -> None:
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while (now_s := time.monotonic() - self._started) < self._options.minutes * 60 and not self._stop.is_set():
                sample = {"t": now_s} | await self._sample(http, log, rows)
                self.samples.append(sample)
                self._file.write(json.dumps(sample | {"counts": dict(self.counts)}) + "\n")
                self._file.flush()
                live.update(now_table(sample, self.counts, now_s / 60), refresh=self._console.is_terminal)
                with suppress(TimeoutError):
                    async with asyncio.timeout(
                        max(0.0, self._options.sample - (time.monotonic() - self._started - now_s))
                    ):
                        await self._stop.wait()

    async def _sample(self, http: httpx.AsyncClient, log: LogFigures, rows: Rows) -> dict[str, float]:
        status = await asyncio.to_thread(self._stack.status)
        pids = {process.name: process.pid for process in status.processes if process.pid}
        pids["supervisor"] = status.supervisor_pid
        now = time.monotonic()
        each_minute, rarely = now - self._minute >= MINUTE_S, now - self._rare >= RARE_S
        found: dict[str, float] = {"load": os.getloadavg()[0], "broadcasts": self.counts["broadcasts"]}
        for name, pid in pids.items():
            found |= of_process(name, pid, self._directory, private=each_minute)
        if each_minute:
            self._minute = now
            for name, address in self._addresses().items():
                found |= await gauges(http, name, address)
            found |= await asyncio.to_thread(of_data_dir, self._stack.data_dir)
            found |= await asyncio.to_thread(log.counts)
            found |= await asyncio.to_thread(rows.counts)
        if rarely:
            self._rare = now
            found |= await asyncio.to_thread(log.living_keys)
            found |= await asyncio.to_thread(rows.rows)
            found |= await asyncio.to_thread(sql_rows, self._stack.data_dir / "accounts.sqlite3")
        return found

    def _addresses(self) -> dict[str, str]:
        settings = self._stack.settings()
        ports = {
            "ingest": settings.health_port_ingest,
            "worker": settings.health_port_worker,
            "consumers": settings.health_port_consumers,
        }
        return {"gateway": self._stack.server} | {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


def series_of(samples: Iterable[Mapping[str, float]]) -> dict[str, list[Point]]:
    """Each series by its name, in order of time."""
    series: defaultdict[str, list[Point]] = defaultdict(list)
    for sample in samples:
        for name, value in sample.items():
            if name not in {"t", "load", "broadcasts"} and "_created" not in name:
                series[name].append((sample["t"], value))
    return dict(sorted(series.items()))


def judged(samples: list[dict[str, float]]) -> tuple[list[Verdict], dict[str, list[Point]]]:
    """The verdict on each series, and the series."""
    series = series_of(samples)
    hours = max(samples[-1]["t"] - samples[0]["t"], 1.0) / 3600
    rate = (samples[-1]["broadcasts"] - samples[0]["broadcasts"]) / hours
    return [verdict(name, points, tolerance_of(name), rate) for name, points in series.items()], series


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--publishers", type=int, default=2, help="at once, at most (default 2)")
    parser.add_argument("--every", type=float, default=20, help="seconds between a publisher's broadcasts (default 20)")
    parser.add_argument("--sample", type=float, default=15, help="seconds between samples (default 15)")
    parser.add_argument("--json", type=Path, default=Path("soak.jsonl"), help="where samples go (default soak.jsonl)")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="judge these samples; run nothing")
    return parser.parse_args()


def measured(options: argparse.Namespace, console: Console) -> list[dict[str, float]]:
    """Run it; gives the samples. Ctrl-C and SIGTERM end it early, with what there is."""
    with tempfile.TemporaryDirectory(prefix="logcast-soak-") as place:
        directory = Path(place)
        stack = LiveStack(directory, **SETTINGS)
        stack.environ |= {"JAVA_TOOL_OPTIONS": gc_options(directory)}
        console.print(f"ready in {stack.start():.1f} s", highlight=False)
        try:
            soak = Soak(stack, directory, options, console)
            asyncio.run(soak.run())
            console.print("done: " + ", ".join(f"{v} {k}" for k, v in sorted(soak.counts.items())), highlight=False)
            stack.stop()
        finally:
            stack.kill_all()
        return soak.samples


def main() -> None:
    """Run or read, judge, show."""
    options, console = parsed(), Console(width=None if sys.stdout.isatty() else 170)
    if options.judge:
        samples = [json.loads(line) for line in options.judge.read_text("utf-8").splitlines()]
        samples = [{name: value for name, value in sample.items() if name != "counts"} for sample in samples]
    else:
        samples = measured(options, console)
    verdicts, series = judged(samples)
    show(console, verdicts, series)
    growing = [one.name for one in verdicts if one.grows]
    minutes = (samples[-1]["t"] - samples[0]["t"]) / 60
    console.print(f"{minutes:.0f} min, {len(verdicts)} series: {', '.join(growing) or 'none'} grows", highlight=False)
    sys.exit(bool(growing))


if __name__ == "__main__":
    main()
