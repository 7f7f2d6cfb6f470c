"""The local stack: which processes it has, in the order of their start, and when each is ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from logcast.errors import CannotStartError
from logcast.roles import ROLES
from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.class_archive import class_archive
from logcast.stack.environment import environment
from logcast.stack.java import Java
from logcast.stack.java_server import JavaServer, Node
from logcast.stack.kafka_node import KafkaNode, new_cluster_id
from logcast.stack.layout import ONE, Layout
from logcast.stack.ports import kafka_port
from logcast.stack.probes import cassandra_ready, http_ok, kafka_ready
from logcast.stack.process import ProcessSpec
from logcast.stack.restarts import RestartRule
from logcast.stack.security import Security
from stores.settings import Settings

SMALL_PROCESS = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
"""Two malloc arenas a process instead of eight a core; a log line is in its file when it is written."""

JAVA_STOP_S = 30.0
ROLE_STOP_S = 10.0
"""What a role needs to end, above what it may take to finish what it has begun."""


class LocalStack:
    """The processes of a layout with these settings. `demo_target` is an RTMP address with its key; None: no test picture."""

    def __init__(
        self,
        settings: Settings,
        java: Java,
        class_path: Callable[[str], tuple[Path, ...]],
        archives: Path,
        demo_target: str | None = None,
        layout: Layout = ONE,
        security: Security | None = None,
    ) -> None:
        self._layout = layout
        self._security = security
        self._demo_target = demo_target
        port = kafka_port(settings)
        self._settings = layout.settings(settings, port)
        self._admin = security.settings_of(self._settings) if security else self._settings
        archived = partial(self._server, archives, java)
        kafka = list(self._kafka_nodes(port, java, class_path("kafka")))
        self._kafka = [archived(name, node) for name, node in zip(layout.named("kafka"), kafka, strict=True)]
        self._kafka[-1].apply = partial(_apply_topics, self._admin, len(kafka), security)
        cassandra = list(self._cassandra_nodes(java, class_path("cassandra")))
        self._cassandra = [
            archived(name, node) for name, node in zip(layout.named("cassandra"), cassandra, strict=True)
        ]
        self._cassandra[0].apply = partial(_apply_schema, self._admin, security)
        self._cluster_id = next(filter(None, (node.cluster_id() for node in kafka)), None) or new_cluster_id()

    @staticmethod
    def _server(archives: Path, java: Java, name: str, node: Node) -> JavaServer[Node]:
        product = "kafka" if isinstance(node, KafkaNode) else "cassandra"
        return JavaServer(name, node, class_archive(archives, product, java, node.jars, node.directory / "classes.txt"))

    def _kafka_nodes(self, port: int, java: Java, jars: tuple[Path, ...]) -> Iterator[KafkaNode]:
        hosts, data_dir = self._layout.nodes, self._settings.data_dir
        for number, name in enumerate(self._layout.named("kafka"), start=1):
            files = self._security.broker_files if self._security else None
            yield KafkaNode(data_dir / name, port, port + 1, java, jars, hosts=hosts, number=number, security=files)

    def _cassandra_nodes(self, java: Java, jars: tuple[Path, ...]) -> Iterator[CassandraNode]:
        settings, hosts = self._settings, self._layout.nodes
        ports = settings.cassandra_port, settings.cassandra_storage_port
        for number, name in enumerate(self._layout.named("cassandra"), start=1):
            directory, passwords = settings.data_dir / name, self._security is not None
            yield CassandraNode(directory, *ports, java, jars, hosts=hosts, number=number, passwords=passwords)

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The processes in the order of start; they are stopped in the opposite one."""
        settings = self._settings
        databases = ("kafka", "cassandra")
        stores = (*self._kafka_specs(), *self._cassandra_specs())
        if not self._layout.roles:
            return tuple(self._bounded(spec) for spec in stores)
        specs = (
            *stores,
            *self._role("consumers", settings.health_port_consumers, needs=databases),
            *self._role("worker", settings.health_port_worker, rule=RestartRule(first_s=0.0)),
            *self._standby(),
            *self._role("gateway", settings.http_port, needs=databases),
            *self._role("ingest", settings.health_port_ingest, port=settings.rtmp_port),
            *((self._demo(self._demo_target),) if self._demo_target else ()),
        )
        return tuple(self._bounded(spec) for spec in specs)

    async def build_archives(self) -> None:
        """Make later starts faster, one server after the other: Cassandra's start gains most."""
        await self._cassandra[0].build_archive()
        await self._kafka[0].build_archive()

    def _kafka_specs(self) -> Iterator[ProcessSpec]:
        """All at once: none of several serves without another."""
        for server in self._kafka:
            node = server.node
            prepare = partial(node.prepare, self._cluster_id)
            address = self._admin.model_copy(update={"kafka_bootstrap": f"{node.host}:{node.port}"})
            yield self._java(server, partial(kafka_ready, address), prepare)

    def _cassandra_specs(self) -> Iterator[ProcessSpec]:
        """The first makes the ring and has the tables; the others join it, and learn the tables at once."""
        first = self._cassandra[0]
        for server in self._cassandra:
            node, before = server.node, () if server is first else (first.name,)
            yield self._java(server, partial(cassandra_ready, node.host, node.port), node.prepare, before)

    def _java(
        self,
        server: JavaServer[Node],
        ready: Callable[[], Awaitable[bool]],
        prepare: Callable[[], None],
        needs_once: tuple[str, ...] = (),
    ) -> ProcessSpec:
        return ProcessSpec(
            name=server.name,
            argv=server.argv,
            ready=ready,
            cwd=server.node.directory,
            port=server.node.port,
            needs_once=needs_once,
            prepare=partial(asyncio.to_thread, prepare),
            settle=server.settle,
            watched=False,
            stop_s=JAVA_STOP_S,
            stops_with=type(server.node).__name__,
        )

    def _role(
        self,
        kind: str,
        probed_port: int,
        needs: tuple[str, ...] = ("kafka",),
        port: int | None = None,
        rule: RestartRule | None = None,
    ) -> Iterator[ProcessSpec]:
        """Ours of one kind; `port` is the one to show, `probed_port` answers `/readyz`."""
        told = self._layout.standby_at if kind == "standby" else self._layout.settings_at
        for place, name in enumerate(self._layout.named(kind)):
            settings = told(self._settings, place)
            user = "worker" if kind == "standby" else kind
            settings = self._security.settings_of(settings, user) if self._security else settings
            spec = ProcessSpec(
                name=name,
                argv=lambda: ROLES["worker" if kind == "standby" else kind].argv,
                ready=partial(http_ok, probed_port, host=settings.local_host),
                environ=environment(settings),
                cwd=settings.data_dir,
                port=port or probed_port,
                stop_s=ROLE_STOP_S + settings.drain_s,
                rule=rule or RestartRule(),
            )
            yield self._after(needs, spec)

    def _standby(self) -> Iterator[ProcessSpec]:
        """The doubles of the workers, if any are wanted."""
        if self._layout.standby:
            yield from self._role("standby", self._settings.health_port_standby, rule=RestartRule(first_s=0.0))

    def _after(self, kinds: tuple[str, ...], spec: ProcessSpec) -> ProcessSpec:
        """Alone, a server must be there for its clients; of several, all must have been there once."""
        names = tuple(name for kind in kinds for name in self._layout.named(kind))
        return replace(spec, needs_once=names) if self._layout.is_cluster else replace(spec, needs=names)

    def _demo(self, target: str) -> ProcessSpec:
        """The test picture; it counts as ready when it can be watched."""
        spec = ProcessSpec(
            name="demo",
            argv=lambda: (sys.executable, "-m", "logcast.demo"),
            ready=partial(http_ok, self._settings.http_port, "/live/demo/master.m3u8"),
            environ={"LOGCAST_DEMO_TARGET": target},
            cwd=self._settings.data_dir,
        )
        return self._after(("ingest", "worker", "gateway"), spec)

    def _bounded(self, spec: ProcessSpec) -> ProcessSpec:
        """What all have in common: their log file, and a process that stays small."""
        return replace(
            spec,
            environ=SMALL_PROCESS | dict(spec.environ),
            log=self._settings.data_dir / "logs" / f"{spec.name}.log",
        )


def _apply_topics(settings: Settings, brokers: int, security: Security | None) -> None:
    from stores.kafka import LogError
    from stores.kafka_users import apply_rights, apply_users
    from stores.topics import apply_topics, wait_for_brokers

    try:
        wait_for_brokers(settings, brokers)
        apply_topics(settings)
        if security:
            apply_users(settings, security.passwords())
            apply_rights(settings)
    except LogError as error:
        if error.__cause__:  # the broker's trouble: a restart may mend it
            raise
        raise CannotStartError(str(error)) from error  # the topics there do not fit the settings


def _apply_schema(settings: Settings, security: Security | None) -> None:
    from stores.cassandra import apply_schema
    from stores.cassandra_users import apply_cassandra_users

    if security:
        apply_cassandra_users(settings, security.cassandra_admin_password)
    apply_schema(settings)
