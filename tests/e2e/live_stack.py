"""The whole system as a user runs it: `logcast up` in a process of its own, on a directory and ports of its own."""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from logcast.stack.status import ProcessStatus, StackStatus, read_status
from stores.settings import Settings, load_settings

READY_DEADLINE_S = 300
"""With the download of Kafka and Cassandra, on a slow machine."""

STOP_DEADLINE_S = 150
COMMAND_DEADLINE_S = 240
"""Above what a command itself waits before it says what it waited for (150 s), below what pytest gives a test."""

DUMP_DEADLINE_S = 20
GRACE_S = 30 if "LOGCAST_FAULTS" in os.environ else 5
"""Publishers return to the same video within it: an ingest that was killed must be back before, on a busy machine too."""

READY = re.compile(r"^ready in ([0-9.]+) s$", re.MULTILINE)
ROLES = ("kafka", "cassandra", "consumers", "worker", "gateway", "ingest")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and its stream key."""

    name: str
    key: str


class LiveStack:
    """Start it, use `server`, `push_url` and `command`, kill a role, stop it; a second start goes on with its data.

    Args:
        directory: for everything it keeps.
        arguments: of `logcast up`.
        options: more settings, `name=value`.
    """

    def __init__(self, directory: Path, arguments: Sequence[str] = (), **options: object) -> None:
        self._arguments = arguments
        self.directory = directory
        self.data_dir = directory / "data"
        self.http_port, self.rtmp_port, kafka, controller, *others = port_block(10)
        assert controller == kafka + 1, "the controller's port is Kafka's plus one"
        cassandra, storage, ingest, worker, consumers, push = others
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LOGCAST_")}
        if cache := os.environ.get("LOGCAST_CACHE_DIR"):
            ours["LOGCAST_CACHE_DIR"] = cache
        self.environ = ours | {
            "LOGCAST_DATA_DIR": str(self.data_dir),
            "LOGCAST_HTTP_PORT": str(self.http_port),
            "LOGCAST_RTMP_PORT": str(self.rtmp_port),
            "LOGCAST_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka}",
            "LOGCAST_CASSANDRA_PORT": str(cassandra),
            "LOGCAST_CASSANDRA_STORAGE_PORT": str(storage),
            "LOGCAST_PUSH_PORT": str(push),
            "LOGCAST_HEALTH_PORT_INGEST": str(ingest),
            "LOGCAST_HEALTH_PORT_WORKER": str(worker),
            "LOGCAST_HEALTH_PORT_CONSUMERS": str(consumers),
            "LOGCAST_GRACE_S": str(GRACE_S),
            "LOGCAST_SHED_LAG_MS": "6000",  # the tests ask for every part
            "LOGCAST_LATE_GOP_S": "120",
            "LOGCAST_SPOOL_PATIENCE_S": "60",  # a disk that is busy with other tests is no broken one
            "LOGCAST_ENCODER_PRESET": "ultrafast",  # two cores carry the whole system, the publisher and a browser
            "LOGCAST_HOT_REACTIONS_PER_S": "1000",  # a few fast thumbs make a video hot
        }
        self.environ |= {f"LOGCAST_{name.upper()}": str(value) for name, value in options.items()}
        self.server = f"http://127.0.0.1:{self.http_port}"
        self._output = directory / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._channels = 0

    def start(self) -> float:
        """Start everything; gives the seconds that `logcast up` says it took to be ready."""
        assert self._process is None
        self.directory.mkdir(parents=True, exist_ok=True)
        began = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "logcast", "up", *self._arguments],
                cwd=self.directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_DEADLINE_S
        while not (ready := READY.search(self._said(since=began))):
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill_all()
                raise AssertionError(f"not ready (exit code {code}): {self._said(began)}\n{self.last_lines()}")
            time.sleep(0.1)
        return float(ready[1])

    def stop(self) -> float:
        """SIGTERM; asserts exit code 0 and that no process is left; gives the seconds it took."""
        process = self._process
        assert process is not None, "nothing runs"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"still running {STOP_DEADLINE_S} s after SIGTERM") from None
        took_s = time.monotonic() - began
        self._process = None
        left = self.processes()
        assert code == 0, f"exit code {code}: {self._said()[-4000:]}"
        assert not left, f"left running: {[(p.pid, p.cmdline()) for p in left]}"
        return took_s

    def _said(self, since: int = 0) -> str:
        """What `logcast up` printed, from a byte on."""
        return self._output.read_bytes()[since:].decode("utf-8", "replace")

    def kill_all(self) -> None:
        """After a failure: the kernel ends with the supervisor what it started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    def processes(self) -> list[psutil.Process]:
        """Every living process that works on this data directory, known to the supervisor or not."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            environ, status = process.environ(), process.status()
        except psutil.Error:
            return False
        return bool(environ.get("LOGCAST_DATA_DIR") == str(self.data_dir) and status != psutil.STATUS_ZOMBIE)

    def settings(self) -> Settings:
        """The settings of its processes."""
        chosen = {name.removeprefix("LOGCAST_").lower(): value for name, value in self.environ.items()}
        return load_settings(**{name: value for name, value in chosen.items() if name in Settings.model_fields})

    # -- addresses

    def push_url(self, key: str) -> str:
        """Where to push to."""
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live/{key}"

    def master_url(self, channel: str) -> str:
        """The multivariant playlist of a channel."""
        return f"{self.server}/live/{channel}/master.m3u8"

    # -- the command

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `logcast ARGUMENTS` to its end; one that does not end in time says where it stands, and fails the test."""
        argv = [sys.executable, "-m", "logcast", *arguments]
        with subprocess.Popen(
            argv,
            cwd=self.directory,
            env=self.environ | {"PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=COMMAND_DEADLINE_S)
            except subprocess.TimeoutExpired:
                raise AssertionError(self._hangs(process, arguments)) from None
            except BaseException:  # the test's own time is over, or it is stopped by hand
                process.kill()
                raise
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def _hangs(self, process: subprocess.Popen[str], arguments: Sequence[str]) -> str:
        """End a command by SIGABRT, upon which faulthandler writes where its threads are; gives that and all logs."""
        process.send_signal(signal.SIGABRT)
        try:
            out, err = process.communicate(timeout=DUMP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        return (
            f"logcast {' '.join(arguments)} did not end within {COMMAND_DEADLINE_S} s\n"
            f"--- stdout\n{out}\n--- stderr\n{err}\n{self.last_lines()}"
        )

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it beside the event loop."""
        return await asyncio.to_thread(self.command, *arguments)

    def new_channel(self) -> Channel:
        """A channel that no other test uses, made by `logcast channel create`."""
        self._channels += 1
        name = f"channel-{self._channels}"
        made = self.command("channel", "create", name)
        assert made.returncode == 0, made.stderr
        key = re.search(r"^stream key\s+(lc_[0-9a-z]{32})$", made.stdout, re.MULTILINE)
        assert key, made.stdout
        return Channel(name, key[1])

    # -- the processes

    def status(self) -> StackStatus:
        """What runs now."""
        return read_status(self.data_dir, time.time())

    def role(self, name: str) -> ProcessStatus:
        """One process now."""
        return next(process for process in self.status().processes if process.name == name)

    def kill(self, name: str) -> float:
        """`kill -9` of a role; gives the wall clock of the kill in milliseconds."""
        pid = self.role(name).pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return time.time() * 1000

    def last_lines(self) -> str:
        """The end of every log, for a failure's message: what `logcast up` said, and most of it the worker's."""
        logs = [path for path in (self._output, *sorted((self.data_dir / "logs").glob("*.log"))) if path.exists()]
        return "\n".join(f"--- {log.name}\n{_end_of(log, 6_000 if log.stem == 'worker' else 1_500)}" for log in logs)


def _end_of(log: Path, characters: int) -> str:
    """The end of a log without what Faust repeats for a screen, in whole lines."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line and line[0] not in "+|"]
    return "\n".join(lines)[-characters:]


def port_block(count: int) -> list[int]:
    """Neighbouring free ports below those that the system gives to clients: nobody takes them while we restart."""
    for _ in range(200):
        base = random.randrange(12_000, 30_000)
        with ExitStack() as stack:
            try:
                for port in range(base, base + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return list(range(base, base + count))
    raise AssertionError(f"found no {count} neighbouring free ports")
