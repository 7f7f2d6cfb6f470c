"""An Apache Cassandra node from plain jars, alone in its cluster or one of several."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from logcast.stack.java import SMALL_SERVER, Java

DIRECTORIES = ("data", "commitlog", "saved_caches", "hints", "cdc_raw", "triggers", "tmp", "logs")


@dataclass(frozen=True, slots=True)
class CassandraNode:
    """Where the node keeps itself (`directory`, absolute), what it listens on, what runs it.

    `hosts` are the addresses of all nodes in the order of their numbers, which count from 1; all have the same ports.
    `storage_port` is for other nodes; a node alone does not start without. JMX is off: it takes a port more. With
    `passwords` clients log in; a new cluster has the user `cassandra` with the same password, to be changed at once. With
    `tls`, a PEM file with key and certificate, clients speak TLS, or are not heard.
    """

    directory: Path
    port: int
    storage_port: int
    java: Java
    jars: tuple[Path, ...]
    heap_mb: int = 256
    hosts: tuple[str, ...] = ("127.0.0.1",)
    number: int = 1
    passwords: bool = False
    tls: Path | None = None

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self.hosts[self.number - 1]

    def yaml(self) -> str:
        """The node's configuration file."""
        template = files("logcast.stack").joinpath("conf/cassandra.yaml").read_text("utf-8")
        return Template(template).substitute(
            host=self.host,
            seeds=",".join(f"{host}:{self.storage_port}" for host in self.hosts[:2]),
            token=evenly_spaced(len(self.hosts))[self.number - 1],
            hints=str(len(self.hosts) > 1).lower(),
            authenticator="PasswordAuthenticator" if self.passwords else "AllowAllAuthenticator",
            authorizer="CassandraAuthorizer" if self.passwords else "AllowAllAuthorizer",
            encryption=json.dumps(self._encryption()),
            port=self.port,
            storage_port=self.storage_port,
            directory=self.directory,
        )

    def _encryption(self) -> dict[str, object]:
        """Between clients and the node; the key in the file has no password."""
        if self.tls is None:
            return {"enabled": False}
        return {
            "enabled": True,
            "optional": False,
            "require_client_auth": False,
            "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
            "keystore": str(self.tls),
            "accepted_protocols": ["TLSv1.2", "TLSv1.3"],
        }

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
        return self._of_cluster() | {
            "cassandra.config": (self.directory / "cassandra.yaml").as_uri(),
            "logback.configurationFile": (self.directory / "logback.xml").as_uri(),
            "cassandra.storagedir": str(self.directory),
            "cassandra.logdir": str(self.directory / "logs"),
            "cassandra.triggers_dir": str(self.directory / "triggers"),
            "java.io.tmpdir": str(self.directory / "tmp"),
            "jna.tmpdir": str(self.directory / "tmp"),
            "cassandra-foreground": "yes",
            "cassandra.superuser_setup_delay_ms": "0",
        }

    def _of_cluster(self) -> dict[str, str]:
        """How long the others are waited for: a node alone waits for nobody."""
        if len(self.hosts) > 1:
            return {"cassandra.shutdown_announce_in_ms": "1000", "cassandra.ring_delay_ms": "5000"}
        return {
            "cassandra.shutdown_announce_in_ms": "0",
            "cassandra.skip_wait_for_gossip_to_settle": "0",
            "cassandra.ring_delay_ms": "1",
        }


def evenly_spaced(count: int) -> list[int]:
    """The tokens of `count` nodes that have a like share of the ring each; the first is 0, as of a node alone."""
    step = 2**64 // count
    return [(step * n + 2**63) % 2**64 - 2**63 for n in range(count)]
