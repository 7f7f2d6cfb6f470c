"""One Apache Cassandra node from plain jars, alone in its cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from logcast.stack.java import SMALL_SERVER, Java

DIRECTORIES = ("data", "commitlog", "saved_caches", "hints", "cdc_raw", "triggers", "tmp", "logs")


@dataclass(frozen=True, slots=True)
class CassandraNode:
    """Where the node keeps itself (`directory`, absolute), what it listens on (127.0.0.1 only), what runs it.

    `storage_port` is for other nodes: it has none, but does not start without. JMX is off: it takes a port more.
    """

    directory: Path
    port: int
    storage_port: int
    java: Java
    jars: tuple[Path, ...]
    heap_mb: int = 256

    def yaml(self) -> str:
        """The node's configuration file."""
        template = files("logcast.stack").joinpath("conf/cassandra.yaml").read_text("utf-8")
        return Template(template).substitute(port=self.port, storage_port=self.storage_port, directory=self.directory)

    def prepare(self) -> None:
        """Make the directories and write the configuration."""
        for name in DIRECTORIES:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "cassandra.yaml").write_text(self.yaml(), "utf-8")
        logback = files("logcast.stack").joinpath("conf/logback.xml").read_text("utf-8")
        (self.directory / "logback.xml").write_text(logback, "utf-8")

    def argv(self, more: Sequence[str] = ()) -> list[str]:
        """The command line of the node, with `more` flags for Java; `prepare` comes before."""
        options = files("logcast.stack").joinpath("conf/cassandra.jvm.options").read_text("utf-8").split()
        return [
            str(self.java.binary),
            *SMALL_SERVER,
            *options,
            "-Xms128m",
            f"-Xmx{self.heap_mb}m",
            "-Xss384k",
            "-XX:MaxDirectMemorySize=256m",
            *more,
            *(f"-D{name}={value}" for name, value in self._properties().items()),
            "-cp",
            ":".join(map(str, self.jars)),
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def _properties(self) -> dict[str, str]:
        return {
            "cassandra.config": (self.directory / "cassandra.yaml").as_uri(),
            "logback.configurationFile": (self.directory / "logback.xml").as_uri(),
            "cassandra.storagedir": str(self.directory),
            "cassandra.logdir": str(self.directory / "logs"),
            "cassandra.triggers_dir": str(self.directory / "triggers"),
            "java.io.tmpdir": str(self.directory / "tmp"),
            "jna.tmpdir": str(self.directory / "tmp"),
            "cassandra-foreground": "yes",
            # Nobody is to be waited for: there is no other node.
            "cassandra.shutdown_announce_in_ms": "0",
            "cassandra.skip_wait_for_gossip_to_settle": "0",
            "cassandra.ring_delay_ms": "1",
        }
