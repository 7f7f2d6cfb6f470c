"""A load model: what so many streams and viewers need, from what one machine was measured to carry.

    python -m benchmarks.capacity                                    # one machine, 1,000 streams and ten million viewers
    python -m benchmarks.capacity --streams 50 --viewers 20000       # anything else
    python -m benchmarks.capacity --markdown docs/scale.md           # renews the tables there

It is arithmetic, not a measurement: every cost is a figure of docs/benchmarks.md (`Measured`), every habit of the audience
and every price is an assumption that can be changed (`Audience`, `Hardware`). All rates are a second, all sizes bytes.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

MBIT: Final = 1_000_000 / 8
GIB: Final = 1024**3
PARTS_A_SECOND: Final = 5
HOUR_S: Final = 3_600
BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of one core of the 2.5 GHz machine that docs/benchmarks.md was measured on; bytes; with the benchmark."""

    ladder: float = 0.286
    """Of a worker with 720p30 into 480p, 360p and 240p, a second of media (`benchmarks.glass_to_glass`)."""
    ingest: float = 0.033
    """Of one publisher (`benchmarks.glass_to_glass`)."""
    fold_event: float = 40e-6
    """Of a gateway that decodes and folds one event of `media.parts` (`benchmarks.playlists`)."""
    playlist: float = 630e-6
    """Of a delta update and its compression, once a change (`benchmarks.playlists`)."""
    origin_request: float = 0.78 / 2_992
    """Of a gateway that answers a playlist or a part (`benchmarks.viewers`)."""
    edge_request: float = 0.354 / 10_000
    """Of nginx that does, at 1 Mbit/s a viewer (`benchmarks.edge`)."""
    delivery: float = 2.77e-6
    """Of a message to one subscriber of a large room (`benchmarks.feed_fanout`, 5,000 x 30)."""
    subscriber_bytes: float = 28.4 * 1024
    comment: float = 1 / 4_886
    """Of a worker that judges, numbers and keeps one (`benchmarks.engagement`)."""
    reaction: float = 1 / 465_000
    """Of a worker that counts one, a hundred in a batch (`benchmarks.engagement`)."""


@dataclass(frozen=True, slots=True)
class Audience:
    """What streams and viewers are taken to be like."""

    streams: int
    viewers: int
    source_mbit: float = 4.0
    rungs: int = 3
    viewer_mbit: float = 3.0
    viewers_on_edge: int = 8_000
    """Of one stream, before a second edge has to carry it."""
    feed_share: float = 1.0
    """Of the viewers that have the conversation open."""
    feed_ticks: float = 4.0
    """Batches that a subscriber of a busy room is sent."""
    commenting: float = 1 / 600
    """Comments of one viewer."""
    reacting: float = 1 / 60
    hours_kept: float = 24.0
    """Of the source on the log."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is rented, and for how much (assumptions: a dedicated machine, traffic by the terabyte)."""

    cores: int = 32
    memory_gib: int = 128
    nic_gbit: float = 25.0
    usable: float = 0.6
    """Of a machine's cores and lines in the plan, so that one may fail and a peak fits."""
    machine_an_hour: float = 0.60
    traffic_a_tb: float = 1.50
    broker_mb: float = 150.0
    """Written a second by one broker, its copies of others included."""
    copies: int = 3


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the result: an amount, its unit, and what sets it."""

    what: str
    amount: float
    unit: str
    by: str


def needs(audience: Audience, hardware: Hardware | None = None, measured: Measured | None = None) -> list[Need]:
    """What the system needs for an audience."""
    a, h, m = audience, hardware or Hardware(), measured or Measured()
    events = a.streams * (2 + a.rungs) * (PARTS_A_SECOND + 0.5)
    source = a.streams * a.source_mbit * MBIT
    edges_of_stream = max(1, ceil(a.viewers / a.streams / a.viewers_on_edge))
    requests = a.streams * (1 + a.rungs) * 2 * PARTS_A_SECOND * edges_of_stream
    egress = a.viewers * a.viewer_mbit * MBIT
    workers = a.streams * m.ladder + a.viewers * (a.commenting * m.comment + a.reacting * m.reaction)
    fold = events * m.fold_event
    playlists = a.streams * (1 + a.rungs) * PARTS_A_SECOND * m.playlist + requests * m.origin_request
    feeds = a.viewers * a.feed_share
    feed_cores = feeds * a.feed_ticks * m.delivery
    edge_cores = a.viewers * 2 * PARTS_A_SECOND * m.edge_request
    edges = max(
        edge_cores / (h.cores * h.usable),
        egress * 8 / (h.nic_gbit * 1e9 * h.usable),
        feeds * m.subscriber_bytes / (h.memory_gib * GIB * h.usable),
    )
    brokers = max(h.copies, ceil(source * h.copies / (h.broker_mb * 1e6)))
    cores = workers + a.streams * m.ingest + fold + playlists + feed_cores
    machines = ceil(cores / (h.cores * h.usable)) + ceil(edges) + brokers
    rows = events + a.viewers * (a.commenting + a.reacting / 100)
    hour = machines * h.machine_an_hour + egress * HOUR_S / 1e12 * h.traffic_a_tb
    return [
        Need("ingest", a.streams * m.ingest, "cores", "publishers"),
        Need("workers", workers, "cores", "transcoding; comments and reactions beside it"),
        Need("partitions of media.source", max(8, ceil(source / 10e6)), "", "10 MB/s each"),
        Need("into Kafka", source / 1e6, "MB/s", "the source, before copies"),
        Need("brokers", brokers, "", f"{h.copies} copies, {h.broker_mb:.0f} MB/s a broker"),
        Need("log on disk", source * a.hours_kept * HOUR_S * h.copies / 1e12, "TB", f"{a.hours_kept:.0f} h of source"),
        Need("events of media.parts", events, "/s", "renditions, five parts a second each"),
        Need("fold in every gateway", fold, "cores", "one process reads all of media.parts"),
        Need("playlists and parts", playlists, "cores", f"{edges_of_stream} edges a stream ask the gateways"),
        Need("feed deliveries", feeds * a.feed_ticks, "/s", "subscribers, batches"),
        Need("feed", feed_cores, "cores", "deliveries"),
        Need("memory of the feed", feeds * m.subscriber_bytes / GIB, "GiB", "connections"),
        Need("out of the edges", egress * 8 / 1e9, "Gbit/s", "viewers"),
        Need("edges", ceil(edges), "", "their line, cores or memory, the largest"),
        Need("Cassandra", rows, "rows/s", "the segment index, comments, totals"),
        Need("machines in all", machines, "", f"{h.cores} cores, {h.usable:.0%} of them planned"),
        Need(
            "a viewer's hour",
            100 * hour / a.viewers,
            "cent",
            f"{h.machine_an_hour} a machine hour, {h.traffic_a_tb} a TB",
        ),
    ]


def first_limit(rung_count: int = 3, measured: Measured | None = None) -> int:
    """How many streams one gateway process can fold with the whole of one core, and nothing else to do."""
    one = needs(Audience(streams=1, viewers=1, rungs=rung_count), measured=measured)
    return int(1 / next(need.amount for need in one if need.what == "fold in every gateway"))


def table(audiences: Iterable[Audience]) -> str:
    """The needs of audiences side by side, as Markdown."""
    found = list(audiences)
    head = [f"{a.streams:,} stream{'s' * (a.streams > 1)}, {a.viewers:,} viewers" for a in found]
    lines = [f"| | {' | '.join(head)} | set by |", f"| --- | {'---: | ' * len(found)}--- |"]
    for row in zip(*(needs(audience) for audience in found), strict=True):
        amounts = " | ".join(f"{_figure(need.amount)} {need.unit}".rstrip() for need in row)
        lines.append(f"| {row[0].what} | {amounts} | {row[-1].by} |")
    return "\n".join(lines)


def _figure(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.2g}"


def main() -> None:
    """Print the tables, or renew them in a document."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int)
    options.add_argument("--viewers", type=int)
    options.add_argument("--markdown", type=Path, help="the document whose tables are renewed")
    chosen = options.parse_args()
    night = Audience(streams=1_000, viewers=10_000_000)
    audiences = [Audience(streams=1, viewers=1_000), Audience(streams=50, viewers=50_000), night]
    if chosen.streams and chosen.viewers:
        audiences = [replace(night, streams=chosen.streams, viewers=chosen.viewers)]
    text = f"{table(audiences)}\n\nOne gateway process can fold at most {first_limit()} streams of five renditions."
    if chosen.markdown is None:
        print(text)
        return
    before, _, rest = chosen.markdown.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    chosen.markdown.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
