"""The processes of a measurement: broker, gateway, source, edge, viewers; and the table of what came out."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from confluent_kafka.admin import AdminClient

from benchmarks.fanout.broker import broker
from benchmarks.fanout.source import Stream, send
from benchmarks.fanout.viewers import BELOW, Seen, watch
from logcast.edge_config import Edge, write_edge
from logcast.stack.environment import environment
from logcast.stack.probes import port_answers
from schemas.ids import new_video_id
from stores.link_keys import ensure_link_keys, link_keys_path
from stores.settings import Settings, load_settings
from stores.topics import apply_topics
from tests.conftest import free_ports

START_S = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured."""

    viewers: int
    seconds: float
    warm_s: float
    kbps: int
    processes: int
    edge: bool
    kafka: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: all viewers together, and CPU in percent of one core by process."""

    seen: Seen
    cpu: dict[str, float]
    load: float


def parsed(doc: str | None, *, viewers: int, edge: bool) -> Wanted:
    """The options of a program."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=viewers)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm", type=float, default=15, help="seconds before the measurement, in which viewers join")
    parser.add_argument("--kbps", type=int, default=1000, help="of the rendition that all watch")
    parser.add_argument("--processes", type=int, default=2, help="processes that are the viewers")
    parser.add_argument("--kafka", default=os.environ.get("LOGCAST_TEST_KAFKA", ""), help="[default: one of its own]")
    o = parser.parse_args()
    return Wanted(o.viewers, o.seconds, o.warm, o.kbps, o.processes, edge, o.kafka)


def measure(wanted: Wanted) -> Outcome:
    """Run it."""
    with ExitStack() as stack:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk that others use would be measured too
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        kafka = stack.enter_context(broker(directory / "kafka", wanted.kafka))
        gateway_port, edge_port, nothing = free_ports(3)
        settings = load_settings(
            kafka_bootstrap=kafka,
            topic_prefix=f"bench{os.getpid()}.",
            data_dir=directory,
            http_port=gateway_port,
            cassandra_port=nothing,
            partitions=4,
        )
        ensure_link_keys(link_keys_path(settings))
        stack.enter_context(_topics(settings))
        stream = Stream(new_video_id(time.time_ns() // 1_000_000, bytes(7)), wanted.kbps)
        processes = {"gateway": stack.enter_context(_gateway(settings))}
        source = multiprocessing.get_context("spawn").Process(target=send, args=(settings, stream), daemon=True)
        source.start()
        stack.callback(source.terminate)
        port = gateway_port
        if wanted.edge:
            port = edge_port
            processes["edge"] = stack.enter_context(_edge(settings, gateway_port, edge_port))
        below = BELOW.format(stream.video_id)
        _until(lambda: httpx.get(f"http://127.0.0.1:{port}{below}media.m3u8").is_success)
        return _watched(wanted, port, below, processes)


def _watched(wanted: Wanted, port: int, below: str, processes: dict[str, int]) -> Outcome:
    spawn = multiprocessing.get_context("spawn")
    crowds, pipes = [], []
    for number in range(wanted.processes):
        count = wanted.viewers // wanted.processes + (number < wanted.viewers % wanted.processes)
        mine, theirs = spawn.Pipe(duplex=False)
        crowd = spawn.Process(
            target=watch, args=("127.0.0.1", port, below, count, wanted.warm_s, wanted.seconds, theirs), daemon=True
        )
        crowd.start()
        crowds.append(crowd)
        pipes.append(mine)
    assert all(crowd.pid is not None for crowd in crowds)
    watched = processes | {f"viewers {number}": crowd.pid or 0 for number, crowd in enumerate(crowds)}
    time.sleep(wanted.warm_s + 2)  # they have come; what follows is measured
    before, began = {name: _cpu_s(pid) for name, pid in watched.items()}, time.monotonic()
    time.sleep(max(1.0, wanted.seconds - 4))
    elapsed = time.monotonic() - began
    cpu = {name: (_cpu_s(pid) - before[name]) / elapsed * 100 for name, pid in watched.items()}
    load = os.getloadavg()[0]
    seen = _together([pipe.recv() for pipe in pipes])
    for crowd in crowds:
        crowd.join()
    return Outcome(seen, cpu, load)


def _together(parts: Sequence[Seen]) -> Seen:
    whole = Seen()
    for one in parts:
        for name in Seen.__slots__:
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
    return whole


def _cpu_s(pid: int) -> float:
    """CPU of a process and its children (nginx's workers)."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def show(wanted: Wanted, outcome: Outcome) -> None:
    """Print the table."""
    seen = outcome.seen
    way = "nginx edge" if wanted.edge else "gateway directly"
    rows = [
        ("viewers", f"{seen.viewers} ({way}), parts of 200 ms at {wanted.kbps} kbit/s"),
        ("requests a second", f"{seen.requests / wanted.seconds:.0f}"),
        ("megabit a second", f"{seen.bytes * 8 / wanted.seconds / 1e6:.0f}"),
        ("parts got", f"{seen.parts} of {wanted.viewers * wanted.seconds * 5:.0f}"),
        ("stalls", f"{seen.stalls} of {seen.stalled_viewers} viewers, {seen.stalled_s:.2f} s together"),
        ("errors", f"{seen.errors}"),
        ("age of a part, ms p50 / p95 / p99 / max", _percentiles(seen.ages_s, (0.5, 0.95, 0.99, 1))),
        ("how late the source itself was with a part, ms max", _percentiles(seen.pauses_s, (1,))),
        ("media in the buffer when a part comes, ms min / p1 / p50", _percentiles(seen.margins_s, (0, 0.01, 0.5))),
        *((f"CPU of {name}, % of a core", f"{used:.1f}") for name, used in outcome.cpu.items()),
        ("load of the machine", f"{outcome.load:.1f} on {os.cpu_count()} cores"),
    ]
    print("| | |\n| --- | ---: |")
    for name, value in rows:
        print(f"| {name} | {value} |")


def _percentiles(values: list[float], of: tuple[float, ...]) -> str:
    ordered = sorted(values) or [float("nan")]
    return " / ".join(f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:.0f}" for share in of)


@contextmanager
def _topics(settings: Settings) -> Iterator[None]:
    apply_topics(settings)
    yield
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    mine = [name for name in admin.list_topics().topics if name.startswith(settings.topic_prefix)]
    for deleted in admin.delete_topics(mine).values():
        deleted.result()


@contextmanager
def _gateway(settings: Settings) -> Iterator[int]:
    log = (settings.data_dir / "gateway.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "logcast", "serve", "gateway"],
        env=os.environ | environment(settings),
        stdout=log,
        stderr=log,
    )
    try:
        _until(lambda: port_answers(settings.http_port))
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _edge(settings: Settings, gateway_port: int, port: int) -> Iterator[int]:
    edge = Edge(
        settings.data_dir / "edge", [f"127.0.0.1:{gateway_port}"], f"127.0.0.1:{port}", link_keys_path(settings), "1"
    )
    write_edge(edge)
    process = subprocess.Popen(edge.argv, stdout=subprocess.DEVNULL)
    try:
        _until(lambda: port_answers(port))
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("the gateway or the edge did not come up in time")
        time.sleep(0.1)
