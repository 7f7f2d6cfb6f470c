"""The figures: as a table for the terminal, as JSON, and as Markdown for `docs/benchmarks.md`."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

BEGIN: Final = "<!-- glass_to_glass: begin -->"
END: Final = "<!-- glass_to_glass: end -->"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the camera, over `count` samples."""

    what: str
    p50_ms: float
    p95_ms: float
    max_ms: float
    count: int


def latency_of(what: str, samples_ms: Sequence[float]) -> Latency:
    """The percentiles of samples.

    Raises:
        ValueError: there are none.
    """
    if not samples_ms:
        raise ValueError(f"{what}: no time stamp could be read; is the push running, and the picture 720p?")
    p50, p95, most = (float(value) for value in np.percentile(samples_ms, [50, 95, 100]))
    return Latency(what, p50, p95, most, len(samples_ms))


@dataclass(frozen=True, slots=True)
class Ladder:
    """CPU seconds per second of media for the same ladder of the same clip; the worker does all its other work, too."""

    worker: float
    ffmpeg: float
    media_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when it was measured; `load` is the system's load of one minute before the start."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    logcast: str
    date: str
    load: float


@dataclass(slots=True)
class Report:
    """One run. CPU is in percent of one core, by process."""

    machine: Machine
    seconds: float
    latencies: list[Latency] = field(default_factory=list)
    cpu_percent: dict[str, float] = field(default_factory=dict)
    ladder: Ladder | None = None
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self)


def this_machine() -> Machine:
    """What this is measured on."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        logcast=version("logcast"),
        date=datetime.now(UTC).date().isoformat(),
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for title, header, rows in _sections(report):
        console.print(title, style="bold")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for index, name in enumerate(header):
            table.add_column(name, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()
    for line in [*report.notes, _machine_line(report)]:
        console.print(line, highlight=False, soft_wrap=True)


def markdown(report: Report) -> str:
    """The tables as Markdown."""
    blocks = [_machine_line(report)]
    for title, header, rows in _sections(report):
        lines = [f"| {' | '.join(header)} |", f"| --- |{' ---: |' * (len(header) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        blocks.append(f"{title}:\n\n" + "\n".join(lines))
    if report.notes:
        blocks.append("\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(blocks)


def write_markdown(report: Report, path: Path) -> None:
    """Put the tables between the marks in a page.

    Raises:
        ValueError: the page does not have the marks.
    """
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN} and {END} in {path}, to put the figures between them")
    path.write_text(f"{before}{BEGIN}\n\n{markdown(report)}\n\n{END}{after}", "utf-8")


def _machine_line(report: Report) -> str:
    machine = report.machine
    return (
        f"{machine.date}, Logcast {machine.logcast}, {machine.cores} x {machine.processor}, {machine.memory_gib:g} GiB, "
        f"{machine.system}, Python {machine.python}; {report.seconds:g} s of 720p30 a phase; load before the start "
        f"{machine.load:g}."
    )


def _sections(report: Report) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    yield (
        "Latency in milliseconds",
        ["from the camera to", "p50", "p95", "max", "samples"],
        [[x.what, f"{x.p50_ms:.0f}", f"{x.p95_ms:.0f}", f"{x.max_ms:.0f}", str(x.count)] for x in report.latencies],
    )
    if report.cpu_percent:
        total = {"all": sum(report.cpu_percent.values())}
        rows = [[name, f"{percent:.1f}"] for name, percent in (report.cpu_percent | total).items()]
        yield "CPU in percent of one core, one publisher", ["process", "%"], rows
    if report.ladder is not None:
        ladder = report.ladder
        ratio = ladder.worker / ladder.ffmpeg
        rows = [
            ["the worker, all its work", f"{ladder.worker:.3f}", f"{ratio:.2f}"],
            ["one ffmpeg command", f"{ladder.ffmpeg:.3f}", "1.00"],
        ]
        yield "CPU seconds per second of media, the ladder below 720p", ["made by", "CPU s", "ratio"], rows
