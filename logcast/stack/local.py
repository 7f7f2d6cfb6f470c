"""The local stack: which processes it has, in the order of their start, and when each is ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from logcast.errors import CannotStartError
from logcast.roles import ROLES
from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.class_archive import ClassArchive, class_archive
from logcast.stack.environment import environment
from logcast.stack.java import Java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.ports import kafka_port
from logcast.stack.probes import cassandra_ready, http_ok, kafka_ready
from logcast.stack.process import ProcessSpec
from logcast.stack.restarts import RestartRule
from stores.settings import Settings

SMALL_PROCESS = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
"""Two malloc arenas a process instead of eight a core; a log line is in its file when it is written."""

JAVA_STOP_S = 30.0
ROLE_STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class JavaServer:
    """A node and what makes its starts faster."""

    node: KafkaNode | CassandraNode
    archive: ClassArchive

    def argv(self) -> list[str]:
        """The command line of the next start."""
        return self.node.argv(self.archive.flags())

    async def settle(self, apply: Callable[[], None]) -> None:
        """It answers: keep the archive that it started with, and apply topics or schema."""
        self.archive.proved()
        await asyncio.to_thread(apply)

    async def build_archive(self) -> None:
        """Make later starts faster, when there is no archive yet."""
        await self.archive.build(self.node.argv())


class LocalStack:
    """The processes with these settings. `demo_target` is an RTMP address with its key, or None for no test picture."""

    def __init__(
        self,
        settings: Settings,
        java: Java,
        class_path: Callable[[str], tuple[Path, ...]],
        archives: Path,
        demo_target: str | None = None,
    ) -> None:
        self._settings = settings
        self._demo_target = demo_target
        port, data_dir = kafka_port(settings), settings.data_dir
        kafka = KafkaNode(data_dir / "kafka", port, port + 1, java, class_path("kafka"))
        cassandra = CassandraNode(
            data_dir / "cassandra",
            settings.cassandra_port,
            settings.cassandra_storage_port,
            java,
            class_path("cassandra"),
        )
        self._kafka, self._cassandra = (
            JavaServer(node, class_archive(archives, name, java, node.jars, node.directory / "classes.txt"))
            for name, node in (("kafka", kafka), ("cassandra", cassandra))
        )

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The processes in the order of start; they are stopped in the opposite one."""
        settings = self._settings
        specs = (
            self._java(
                "kafka",
                self._kafka,
                partial(kafka_ready, settings.kafka_bootstrap),
                partial(_apply_topics, settings),
            ),
            self._java(
                "cassandra",
                self._cassandra,
                partial(cassandra_ready, "127.0.0.1", settings.cassandra_port),
                partial(_apply_schema, settings),
            ),
            self._role("consumers", settings.health_port_consumers, needs=("kafka", "cassandra")),
            self._role("worker", settings.health_port_worker, rule=RestartRule(first_s=0.0)),
            self._role("gateway", settings.http_port, needs=("kafka", "cassandra")),
            self._role("ingest", settings.health_port_ingest, port=settings.rtmp_port),
            *((self._demo(self._demo_target),) if self._demo_target else ()),
        )
        return tuple(self._bounded(spec) for spec in specs)

    async def build_archives(self) -> None:
        """Make later starts faster, one server after the other: Cassandra's start gains most."""
        await self._cassandra.build_archive()
        await self._kafka.build_archive()

    def _java(
        self, name: str, server: JavaServer, ready: Callable[[], Awaitable[bool]], apply: Callable[[], None]
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            argv=server.argv,
            ready=ready,
            cwd=server.node.directory,
            port=server.node.port,
            prepare=partial(asyncio.to_thread, server.node.prepare),
            settle=partial(server.settle, apply),
            watched=False,
            stop_s=JAVA_STOP_S,
        )

    def _role(
        self,
        name: str,
        probed_port: int,
        needs: tuple[str, ...] = ("kafka",),
        port: int | None = None,
        rule: RestartRule | None = None,
    ) -> ProcessSpec:
        """One of ours; `port` is the one to show, `probed_port` answers `/readyz`."""
        host = self._settings.bind_host
        return ProcessSpec(
            name=name,
            argv=lambda: ROLES[name].argv,
            ready=partial(http_ok, probed_port, host="127.0.0.1" if host in {"0.0.0.0", "::"} else host),  # noqa: S104
            environ=environment(self._settings),
            cwd=self._settings.data_dir,
            port=port or probed_port,
            needs=needs,
            stop_s=ROLE_STOP_S,
            rule=rule or RestartRule(),
        )

    def _demo(self, target: str) -> ProcessSpec:
        """The test picture; it counts as ready when it can be watched."""
        return ProcessSpec(
            name="demo",
            argv=lambda: (sys.executable, "-m", "logcast.demo"),
            ready=partial(http_ok, self._settings.http_port, "/live/demo/master.m3u8"),
            environ={"LOGCAST_DEMO_TARGET": target},
            cwd=self._settings.data_dir,
            needs=("ingest", "worker", "gateway"),
        )

    def _bounded(self, spec: ProcessSpec) -> ProcessSpec:
        """What all have in common: their log file, and a process that stays small."""
        return replace(
            spec,
            environ=SMALL_PROCESS | dict(spec.environ),
            log=self._settings.data_dir / "logs" / f"{spec.name}.log",
        )


def _apply_topics(settings: Settings) -> None:
    from stores.kafka import LogError
    from stores.topics import apply_topics

    try:
        apply_topics(settings)
    except LogError as error:
        if error.__cause__:  # the broker's trouble: a restart may mend it
            raise
        raise CannotStartError(str(error)) from error  # the topics there do not fit the settings


def _apply_schema(settings: Settings) -> None:
    from stores.cassandra import apply_schema

    apply_schema(settings)
