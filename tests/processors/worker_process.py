"""A worker in a process of its own, as the supervisor runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from stores.settings import Settings
from tests.conftest import free_ports


@dataclass
class Worker:
    """A worker process and what it says."""

    process: subprocess.Popen[bytes]
    log: Path
    health: str

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-6000:]
        try:
            return httpx.get(f"{self.health}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; gives the exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def metric(self, name: str) -> float:
        """A metric, all labels together."""
        lines = httpx.get(f"{self.health}/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@contextmanager
def worker(settings: Settings, slot: str = "0", **options: str) -> Iterator[Worker]:
    """Run a worker as the supervisor does, with `options` for more of its settings."""
    (port,) = free_ports(1)
    chosen = {
        "data_dir": str(settings.data_dir),
        "kafka_bootstrap": settings.kafka_bootstrap,
        "topic_prefix": settings.topic_prefix,
        "partitions": str(settings.partitions),
        "cassandra_hosts": settings.cassandra_hosts,
        "cassandra_port": str(settings.cassandra_port),
        "cassandra_keyspace": settings.cassandra_keyspace,
        "late_gop_s": "4000000000",  # the clips of tests are of long ago
        "worker_slot": slot,
        "health_port_worker": str(port),
    }
    environment = os.environ | {f"LOGCAST_{name.upper()}": value for name, value in (chosen | options).items()}
    argv = [sys.executable, "-m", "faust", "-A", "processors.app", "worker", "-l", "info", "--without-web"]
    log = settings.data_dir / f"worker-{slot}-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env=environment, cwd=settings.data_dir, stdout=output, stderr=output)
    try:
        yield Worker(process, log, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
