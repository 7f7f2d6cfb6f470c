"""The local stack: which processes it has, in the order of their start, and when each is ready."""

import asyncio
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from logcast.errors import CannotStartError
from logcast.roles import ROLES
from logcast.stack.cassandra_node import CassandraNode
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
class LocalStack:
    """Everything that the processes are made of. `demo_target` is an RTMP address with its key, or None."""

    settings: Settings
    java: Java
    kafka_jars: tuple[Path, ...]
    cassandra_jars: tuple[Path, ...]
    demo_target: str | None = None

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The processes in the order of start; they are stopped in the opposite one."""
        specs = (
            self._kafka(),
            self._cassandra(),
            self._role("consumers", self.settings.health_port_consumers, needs=("kafka", "cassandra")),
            self._role("worker", self.settings.health_port_worker, rule=RestartRule(first_s=0.0)),
            self._role("gateway", self.settings.http_port, needs=("kafka", "cassandra")),
            self._role("ingest", self.settings.health_port_ingest, port=self.settings.rtmp_port),
            *((self._demo(self.demo_target),) if self.demo_target else ()),
        )
        return tuple(self._bounded(spec) for spec in specs)

    def _kafka(self) -> ProcessSpec:
        port = kafka_port(self.settings)
        directory = self.settings.data_dir / "kafka"
        node = KafkaNode(directory, port, port + 1, self.java, self.kafka_jars)
        return ProcessSpec(
            name="kafka",
            argv=tuple(node.argv()),
            ready=partial(kafka_ready, self.settings.kafka_bootstrap),
            cwd=directory,
            port=port,
            prepare=partial(asyncio.to_thread, node.prepare),
            settle=partial(asyncio.to_thread, _apply_topics, self.settings),
            watched=False,
            stop_s=JAVA_STOP_S,
        )

    def _cassandra(self) -> ProcessSpec:
        port = self.settings.cassandra_port
        directory = self.settings.data_dir / "cassandra"
        node = CassandraNode(directory, port, self.settings.cassandra_storage_port, self.java, self.cassandra_jars)
        return ProcessSpec(
            name="cassandra",
            argv=tuple(node.argv()),
            ready=partial(cassandra_ready, "127.0.0.1", port),
            cwd=directory,
            port=port,
            prepare=partial(asyncio.to_thread, node.prepare),
            settle=partial(asyncio.to_thread, _apply_schema, self.settings),
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
        host = self.settings.bind_host
        return ProcessSpec(
            name=name,
            argv=ROLES[name].argv,
            ready=partial(http_ok, probed_port, host="127.0.0.1" if host in {"0.0.0.0", "::"} else host),  # noqa: S104
            environ=environment(self.settings),
            cwd=self.settings.data_dir,
            port=port or probed_port,
            needs=needs,
            stop_s=ROLE_STOP_S,
            rule=rule or RestartRule(),
        )

    def _demo(self, target: str) -> ProcessSpec:
        """The test picture; it counts as ready when it can be watched."""
        return ProcessSpec(
            name="demo",
            argv=(sys.executable, "-m", "logcast.demo"),
            ready=partial(http_ok, self.settings.http_port, "/live/demo/master.m3u8"),
            environ={"LOGCAST_DEMO_TARGET": target},
            cwd=self.settings.data_dir,
            needs=("ingest", "worker", "gateway"),
        )

    def _bounded(self, spec: ProcessSpec) -> ProcessSpec:
        """What all have in common: their log file, and a process that stays small."""
        return replace(
            spec,
            environ=SMALL_PROCESS | dict(spec.environ),
            log=self.settings.data_dir / "logs" / f"{spec.name}.log",
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
