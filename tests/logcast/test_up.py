"""`logcast up` as a user types it: the whole system, started, hurt, stopped, and started again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from logcast.stack.environment import environment
from stores.settings import Settings

READY_DEADLINE_S = 300
STOP_DEADLINE_S = 120
NAMES = ["kafka", "cassandra", "consumers", "worker", "gateway", "ingest", "demo"]

pytestmark = pytest.mark.integration


class Up:
    """A running `logcast up` and what it printed so far."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path, settings: Settings) -> None:
        self.process = process
        self.settings = settings
        self._output = output

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def until(self, pattern: str, after: int = 0, deadline_s: float = READY_DEADLINE_S) -> "re.Match[str]":
        """Wait until it prints something; `after` skips what was printed before."""
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.printed[after:], re.MULTILINE):
                return found
            assert self.process.poll() is None, self.printed
            time.sleep(0.1)
        raise AssertionError(f"did not print {pattern!r}:\n{self.printed}")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(logcast(self.settings, "status", "--json").stdout)
        return found

    def pid(self, name: str) -> int:
        return next(int(process["pid"]) for process in self.status()["processes"] if process["name"] == name)

    def family(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]


def logcast(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "logcast", *arguments],
        env=os.environ | environment(settings),
        capture_output=True,
        text=True,
        timeout=STOP_DEADLINE_S,
        check=False,
    )


@contextmanager
def up(settings: Settings, output: Path) -> Iterator[Up]:
    """`logcast up --demo` until the block ends; killed if it is still there then."""
    with (
        output.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "logcast", "up", "--demo"],
            env=os.environ | environment(settings),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        try:
            yield Up(process, output, settings)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def local(make_settings: Callable[..., Settings], unused_ports: Callable[[int], list[int]]) -> Settings:
    """Settings of a stack with a Kafka and a Cassandra of its own."""
    kafka, http, rtmp, native, storage, ingest, worker, consumers = unused_ports(8)
    return make_settings(
        kafka_bootstrap=f"127.0.0.1:{kafka}",
        http_port=http,
        rtmp_port=rtmp,
        cassandra_port=native,
        cassandra_storage_port=storage,
        health_port_ingest=ingest,
        health_port_worker=worker,
        health_port_consumers=consumers,
        ladder="240:350",
        partitions=2,
        topic_prefix="",
    )


def page(settings: Settings, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.http_port}/{path}", timeout=30) as response:
        text: str = response.read().decode()
        return text


def test_everything_starts_heals_stops_and_starts_again_as_it_was(local: Settings, tmp_path: Path) -> None:
    with up(local, tmp_path / "first.txt") as stack:
        stack.until(r"^ready in \d+\.\d s$")
        key = stack.until(r"stream key +(lc_[0-9a-z]{32})$")[1]
        assert f"push to       rtmp://127.0.0.1:{local.rtmp_port}/live\n" in stack.printed
        assert f"page          http://127.0.0.1:{local.http_port}/\n" in stack.printed

        status = stack.status()
        assert [process["name"] for process in status["processes"]] == NAMES
        assert status["ready"], status
        assert status["memory_bytes"] < 2 * 1024**3
        assert len({process["pid"] for process in status["processes"]}) == len(NAMES), "each is its own process"
        assert all((local.data_dir / "logs" / f"{name}.log").exists() for name in NAMES)

        # The test picture is on: the whole way from RTMP to a playlist.
        assert "#EXTM3U" in page(local, "live/demo/master.m3u8")

        second = logcast(local, "up")
        assert second.returncode == 4
        assert "already runs on" in second.stderr

        seen = len(stack.printed)
        os.kill(stack.pid("worker"), signal.SIGKILL)
        stack.until(r"worker restarting \(killed by SIGKILL; again at once\)", after=seen)
        stack.until(r"worker ready", after=seen)

        restarted = logcast(local, "restart", "worker", "gateway")
        assert re.fullmatch(r"(worker|gateway) serves again after \d+\.\d s\n" * 2, restarted.stdout), restarted.stderr
        assert "#EXTM3U" in page(local, "live/demo/master.m3u8")

        family = stack.family()
        down = logcast(local, "down")
        assert down.returncode == 0, down.stderr
        assert stack.process.wait(STOP_DEADLINE_S) == 0
        order = re.findall(r"^\S+ (\w+) stopped$", stack.printed, re.MULTILINE)
        assert order == ["demo", "ingest", "gateway", "worker", "consumers", "cassandra", "kafka"]
        assert [process for process in family if process.is_running()] == []

    with up(local, tmp_path / "second.txt") as stack:
        stack.until(r"^ready in")
        assert stack.until(r"stream key +(lc_[0-9a-z]{32})$")[1] == key
        assert "demo" in page(local, "v1/channels")
        family = stack.family()
        stack.process.terminate()
        assert stack.process.wait(STOP_DEADLINE_S) == 0
        assert [process for process in family if process.is_running()] == []


def test_a_supervisor_that_is_killed_takes_everything_with_it(local: Settings, tmp_path: Path) -> None:
    with up(local, tmp_path / "out.txt") as stack:
        stack.until(r"(kafka|cassandra) starting")
        stack.until(r"\Z")
        family = stack.family()
        stack.process.kill()
    _gone, left = psutil.wait_procs(family[1:], timeout=STOP_DEADLINE_S)
    assert left == []
    down = logcast(local, "down")
    assert down.returncode == 3
    assert "its supervisor was killed" in down.stderr


def test_a_taken_port_is_one_sentence_and_nothing_is_started(local: Settings, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", local.cassandra_port)):
        run = logcast(local, "up")
    assert run.returncode == 4
    assert run.stderr.count("\n") == 1
    assert f"port {local.cassandra_port} for Cassandra is taken by" in run.stderr
    assert "LOGCAST_CASSANDRA_PORT" in run.stderr
    assert not (tmp_path / "kafka").exists()
