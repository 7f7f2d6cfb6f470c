"""An Apache Kafka node (KRaft: broker and controller in one process) from plain jars, alone or one of several."""

import base64
import re
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from logcast.cluster_secrets import ADMIN
from logcast.errors import CannotStartError
from logcast.stack.java import SMALL_SERVER, Java
from logcast.stack.kafka_listeners import MECHANISM, BrokerFiles, listener_lines
from logcast.stack.tether import tethered
from stores.secrets import write_secret

FORMAT_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """Where the node keeps itself (`directory`, absolute), what it listens on, what runs it.

    `hosts` are the addresses of all nodes of the cluster in the order of their numbers, which count from 1; all have the
    same ports. With `security` the port after the controller's is taken too.
    """

    directory: Path
    port: int
    controller_port: int
    java: Java
    jars: tuple[Path, ...]
    heap_mb: int = 256
    hosts: tuple[str, ...] = ("127.0.0.1",)
    number: int = 1
    security: BrokerFiles | None = None

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self.hosts[self.number - 1]

    def server_properties(self) -> str:
        """The broker's configuration file."""
        template = files("logcast.stack").joinpath("conf/server.properties").read_text("utf-8")
        copies = min(3, len(self.hosts))
        return Template(template).substitute(
            number=self.number,
            voters=",".join(f"{n}@{host}:{self.controller_port}" for n, host in enumerate(self.hosts, start=1)),
            listeners=listener_lines(self.host, self.port, self.controller_port, self.security),
            copies=copies,
            min_copies=max(1, copies - 1),
            directory=self.directory,
        )

    def cluster_id(self) -> str | None:
        """The cluster that its storage belongs to; None when it has none yet."""
        try:
            found = re.search(r"^cluster\.id=(\S+)", self._meta.read_text("utf-8"), re.MULTILINE)
        except OSError:
            return None
        return found[1] if found else None

    def argv(self, more: Sequence[str] = ()) -> list[str]:
        """The command line of the broker, with `more` flags for Java; `prepare` comes before."""
        return self._java(["-Xms64m", f"-Xmx{self.heap_mb}m", "-Xss512k", *more], "kafka.Kafka")

    def prepare(self, cluster_id: str | None = None) -> None:
        """Write the configuration and, the first time, format the storage (blocks for some two seconds).

        Raises:
            CannotStartError: Kafka's tool refused; the message holds its last line.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self.server_properties(), "utf-8")
        log4j2 = files("logcast.stack").joinpath("conf/log4j2.properties").read_text("utf-8")
        (self.directory / "log4j2.properties").write_text(log4j2, "utf-8")
        if not self._meta.is_file():
            self._format(cluster_id or new_cluster_id())

    @property
    def _meta(self) -> Path:
        return self.directory / "log" / "meta.properties"

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    def _java(self, flags: Sequence[str], *main: str) -> list[str]:
        return [
            str(self.java.binary),
            *SMALL_SERVER,
            *flags,
            f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
            "-cp",
            ":".join(map(str, self.jars)),
            *main,
            str(self._properties),
        ]

    def _format(self, cluster_id: str) -> None:
        tool = self._java(["-Xmx128m"], "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c")
        with self._first_user() as arguments:
            self._run_tool([*tool, *arguments])

    @contextmanager
    def _first_user(self) -> Iterator[list[str]]:
        """The arguments that make the admin, in a file: what a command line has is seen by everybody."""
        if self.security is None:
            yield []
            return
        password = self.security.admin_password.read_text("ascii").strip()
        path = self.directory / "first-user.arguments"
        write_secret(path, f"--add-scram\n{MECHANISM}=[name={ADMIN},password={password}]")
        try:
            yield [f"@{path}"]
        finally:
            path.unlink()

    def _run_tool(self, tool: Sequence[str]) -> None:
        try:
            run = subprocess.run(
                tethered(tool),
                cwd=self.directory,
                capture_output=True,
                text=True,
                timeout=FORMAT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotStartError(f"Kafka's storage tool did not run: {error}; `logcast doctor` says more") from error
        if run.returncode != 0:
            said = [line for line in (run.stderr + run.stdout).splitlines() if line.strip() and "\tat " not in line]
            raise CannotStartError(
                f"Kafka cannot make its storage in {self.directory}: {(said or ['it said nothing'])[0].strip()}"
            )


def new_cluster_id() -> str:
    """16 random bytes as Kafka writes them: URL-safe base64 without padding, 22 characters, no dash in front."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    return "A" + text[1:] if text.startswith("-") else text
