"""What a delivery of the feed costs the gateway, beside `websockets.broadcast()` in the same run.

    python -m benchmarks.feed_fanout                     the rooms of the issue
    python -m benchmarks.feed_fanout --rooms 1000x30     one of them

Server and subscribers are processes of their own; CPU is what the server's process says of itself. `ratio` is CPU for each
1,000 deliveries against the yardstick's. Delays are from the fold of a comment to its arrival at 1 in 20 subscribers.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

from benchmarks.feed.servers import PATH, Spent, logcast, yardstick
from benchmarks.feed.subscribers import Heard, subscribe
from tests.conftest import free_ports

JOIN_S: Final = 300
Server = Callable[[int, str, Pipe], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One room on one server. `memory_kib`: resident memory for each subscriber that has joined."""

    spent: Spent
    deliveries: int
    expected: int
    wrong: int
    lost_connections: int
    delays_s: list[float]
    memory_kib: float

    @property
    def cpu_ms(self) -> float:
        """For each 1,000 deliveries."""
        return 1e6 * self.spent.cpu_s / max(1, self.deliveries)


def measure(server: Server, subscribers: int, rate: float, seconds: float, processes: int) -> Outcome:
    """One room."""
    context = multiprocessing.get_context("spawn")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as directory:
        orders, theirs = context.Pipe()
        serving = context.Process(target=server, args=(port, directory, theirs))
        serving.start()
        crowds: list[tuple[Any, Pipe]] = []
        try:
            before = asked(orders, ("memory",))
            for n in range(processes):
                count = subscribers // processes + (n < subscribers % processes)
                mine, its = context.Pipe()
                crowd = context.Process(target=subscribe, args=(port, PATH, count, its))
                crowd.start()
                crowds.append((crowd, mine))
            for _, pipe in crowds:
                answer(pipe, JOIN_S)
            memory = asked(orders, ("memory",)) - before
            asked(orders, ("publish", rate, 2))
            time.sleep(1)
            for _, pipe in crowds:
                asked(pipe, ("heard",))
            spent: Spent = asked(orders, ("publish", rate, seconds))
            time.sleep(2)
            heard: list[Heard] = [asked(pipe, ("heard",)) for _, pipe in crowds]
        finally:
            for _, pipe in crowds:
                with suppress(OSError):
                    pipe.send(("stop",))
            with suppress(OSError):
                orders.send(("stop",))
            for process in [*(crowd for crowd, _ in crowds), serving]:
                process.join(15)
                if process.is_alive():
                    process.kill()
                    process.join()
    return Outcome(
        spent,
        sum(one.messages for one in heard),
        spent.messages * subscribers,
        sum(one.wrong for one in heard),
        sum(one.lost_connections for one in heard),
        sorted(delay for one in heard for delay in one.delays_s),
        memory / subscribers / 1024,
    )


def asked(pipe: Pipe, order: tuple[Any, ...]) -> Any:
    """The answer to an order."""
    pipe.send(order)
    return answer(pipe, JOIN_S)


def answer(pipe: Pipe, within_s: float) -> Any:
    """What comes over a pipe.

    Raises:
        TimeoutError: nothing.
    """
    if not pipe.poll(within_s):
        raise TimeoutError(f"nothing within {within_s:g} s; is `ulimit -n` above the number of subscribers?")
    return pipe.recv()


def quantile(delays: list[float], share: float) -> float:
    """In ms; 0 of nothing."""
    return 1000 * delays[min(len(delays) - 1, int(share * len(delays)))] if delays else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", default="1000x30,5000x6,5000x30", help="SUBSCRIBERSxRATE,…")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--processes", type=int, default=2, help="that are the subscribers")
    parser.add_argument("--only", choices=("logcast", "yardstick"))
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {options.seconds:g} s each")
    print("room       server     CPU ms/1000  ratio  deliveries/s       lost  p50 ms  p99 ms  KiB each")
    for room in options.rooms.split(","):
        subscribers, rate = (int(part) for part in room.split("x"))
        base = 0.0
        servers: list[tuple[str, Server]] = [("broadcast", yardstick), ("logcast", logcast)]
        for name, server in servers:
            if options.only and (options.only == "logcast") != (name == "logcast"):
                continue
            out = measure(server, subscribers, rate, options.seconds, options.processes)
            base = base or out.cpu_ms
            lost = out.expected - out.deliveries + out.wrong + out.lost_connections
            per_s = out.deliveries / (out.spent.wall_s - 0.5)
            print(
                f"{room:10} {name:10} {out.cpu_ms:11.2f} {out.cpu_ms / base:6.2f} {per_s:13,.0f} {lost:10} "
                f"{quantile(out.delays_s, 0.5):7.0f} {quantile(out.delays_s, 0.99):7.0f} {out.memory_kib:9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
