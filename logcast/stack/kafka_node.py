"""One Apache Kafka node (KRaft: broker and controller in one process) from plain jars."""

import base64
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from logcast.errors import CannotStartError
from logcast.stack.java import SMALL_SERVER, Java
from logcast.stack.tether import tethered

FORMAT_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """Where the node keeps itself (`directory`, absolute), what it listens on (127.0.0.1 only), what runs it."""

    directory: Path
    port: int
    controller_port: int
    java: Java
    jars: tuple[Path, ...]
    heap_mb: int = 256

    def server_properties(self) -> str:
        """The broker's configuration file."""
        template = files("logcast.stack").joinpath("conf/server.properties").read_text("utf-8")
        return Template(template).substitute(
            port=self.port, controller_port=self.controller_port, directory=self.directory
        )

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
        if not (self.directory / "log" / "meta.properties").is_file():
            self._format(cluster_id or new_cluster_id())

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
