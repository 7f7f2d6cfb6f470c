"""A soak on the terminal: a table while it runs, a line with a small plot for each series at the end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.soaking.verdict import Point, Verdict

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 40
SHOWN: Final = (
    "rss_mb",
    "uss_mb",
    "heap_mb",
    "fds",
    "threads",
    "sockets",
    "metric.logcast_python_blocks",
    "metric.logcast_asyncio_tasks",
    "series",
)
PLOT_ROWS: Final = 8


def plot(series: Sequence[Point], width: int = WIDTH) -> str:
    """One line: the mean of each of `width` equal times, between the lowest and the highest of the series."""
    if not series:
        return ""
    start, end = series[0][0], series[-1][0]
    bins: list[list[float]] = [[] for _ in range(width)]
    for at, value in series:
        bins[min(width - 1, int((at - start) / ((end - start) or 1) * width))].append(value)
    means = [sum(values) / len(values) if values else None for values in bins]
    known = [mean for mean in means if mean is not None]
    low, span = min(known), (max(known) - min(known)) or 1
    return "".join(" " if m is None else BLOCKS[min(7, int((m - low) / span * 8))] for m in means)


def large_plot(series: Sequence[Point], rows: int = PLOT_ROWS, width: int = 72) -> list[str]:
    """Several lines with the highest and lowest value beside them; for what deserves a look."""
    start, end = series[0][0], series[-1][0]
    low, high = min(v for _, v in series), max(v for _, v in series)
    grid = [[" "] * width for _ in range(rows)]
    for at, value in series:
        column = min(width - 1, int((at - start) / ((end - start) or 1) * width))
        row = min(rows - 1, int((value - low) / ((high - low) or 1) * rows))
        grid[rows - 1 - row][column] = "•"
    labels = [f"{high:12.1f}", *[" " * 12] * (rows - 2), f"{low:12.1f}"]
    return [f"{label} │{''.join(line)}" for label, line in zip(labels, grid, strict=True)]


def now_table(sample: Mapping[str, float], counts: Counter[str], minutes: float) -> Table:
    """The latest figures of each process, and what was done so far."""
    table = Table(
        title=f"{minutes:.1f} min, {counts['broadcasts']} broadcasts, {counts['comments']} comments, {counts['calls']} calls"
    )
    table.add_column("process")
    for name in SHOWN:
        table.add_column(name.rpartition("logcast_")[2], justify="right")
    for process in sorted({name.partition(".")[0] for name in sample if name.endswith(".rss_mb")}):
        table.add_row(process, *(_cell(sample.get(f"{process}.{name}")) for name in SHOWN))
    table.caption = ", ".join(
        f"{k} {v:.0f}" for k, v in sorted(sample.items()) if k.startswith("disk.") and "files" not in k and v >= 1
    )
    return table


def show(console: Console, verdicts: Iterable[Verdict], series: Mapping[str, Sequence[Point]]) -> None:
    """A line for each series; large plots of those that grow."""
    verdicts = list(verdicts)
    table = Table(title="second half of the time")
    for name in ("series", "plot"):
        table.add_column(name, no_wrap=True)
    for name in ("first", "last", "highest", "per hour", "allowed"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for one in verdicts:
        word = "[red]GROWS[/red]" if one.grows else "bounded" if one.bounded else "flat"
        figures = (one.first, one.last, one.highest, one.per_hour, one.allowed)
        table.add_row(one.name, plot(series[one.name]), *(f"{f:,.1f}" for f in figures), word)
    console.print(table)
    for one in verdicts:
        if one.grows:
            console.print(f"\n{one.name}: {one.per_hour:+,.1f} an hour, {one.allowed:,.1f} allowed", highlight=False)
            console.print("\n".join(large_plot(series[one.name])), highlight=False, markup=False)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
