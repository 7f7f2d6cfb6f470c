"""The worker's Faust app: `faust -A processors.app worker --without-web`. Settings are read at import; nothing connects.

This is the one module-level singleton of the project: Faust finds its app by name. Every agent of
`settings.worker_agents` is added by its module's `register`.
"""

import asyncio
import os
import signal
from importlib import import_module
from typing import Any, Final

import aiokafka
import faust
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.auth import SASLCredentials, SSLCredentials
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import Transport
from faust.types.auth import CredentialsT
from mode import Seconds

from processors.faust_consumer import EagerConsumer
from processors.leaving import Leaver
from schemas.topics import MEDIA_SOURCE
from stores.health import HealthServer
from stores.kafka_security import kafka_ssl_context
from stores.malloc import keep_heaps_small
from stores.settings import Settings, load_settings

FETCH_MAX_WAIT_MS: Final = 100
"""Faust has 1500 written down; a partition that changes hands would then stand still for so long."""


METADATA_MAX_AGE_MS: Final = 5_000
"""A worker that joined before its broker knew of a topic is given none of its partitions; the client's own five minutes
would be so long without work."""


HEARTBEAT_S: Final = 0.25
"""The others of a group learn by a heartbeat that somebody left it or came, and nobody has the partitions meanwhile."""


class Consumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's consumer with what Faust cannot be told.

    Partitions are assigned in ranges: an agent that reads two topics gets the same partitions of both, and consecutive
    GOPs alternate between workers (`schemas.topics.source_partition`). Records of open transactions are not read.

    A static member that stops does not leave its group: it is waited for, up to its session timeout. That is what a
    worker wants that failed and is started again at once, not one that was told to stop: `leaves` makes it go.
    """

    leaves = False

    def __init__(self, *topics: str, **options: Any) -> None:
        chosen = {
            "fetch_max_wait_ms": FETCH_MAX_WAIT_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "isolation_level": "read_committed",
            "partition_assignment_strategy": [RangePartitionAssignor],
        }
        super().__init__(*topics, **(options | chosen))

    async def stop(self) -> None:
        """As aiokafka's; where it leaves, the others have its partitions at their next heartbeat."""
        if self.leaves and self._coordinator:
            self._coordinator._group_instance_id = None  # noqa: SLF001  (with one, aiokafka does not say that it leaves)
        await super().stop()


class Tables(TableManager):
    """Faust's tables, of which we have none: exact state is kept by `processors.ledger`."""

    async def sleep(self, n: Seconds, **options: Any) -> None:
        """Faust waits a second for tables to be declared; a worker that takes over has no second to spare."""


class Worker(faust.Worker):
    """Faust's worker, which ends when all is done."""

    async def _sentinel_task(self) -> None:
        """Faust waits a second here before it closes its loop; whoever starts a worker anew waits with it."""


class WorkerApp(faust.App):
    """A Faust app that answers for its health as soon as it starts, whether or not Kafka is there."""

    settings: Settings
    leavers: tuple[Leaver, ...] = ()
    assigned = False
    _stopping = False

    async def on_first_start(self) -> None:
        """Make Faust's directories, and listen."""
        self.conf.datadir.parent.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()
        health = HealthServer(self.settings.bind_host, self.settings.health_port_worker, self.ready)
        await self.add_async_context(health)

    async def stop(self) -> None:
        """Finish what is open and leave the group, unless it is a failure that ends us. A second signal ends it at once."""
        if self._stopping:
            return
        self._stopping = True
        if not self.crashed:
            Consumer.leaves = True
            for number in (signal.SIGINT, signal.SIGTERM):
                self.loop.add_signal_handler(number, os._exit, 128 + number)
            await asyncio.gather(*(agent.hand_over() for agent in self.leavers))
        await super().stop()
        await asyncio.gather(*(agent.finish() for agent in self.leavers))

    def ready(self) -> dict[str, bool]:
        """What must be true for the worker to be ready: it is a member of its group and has its partitions."""
        return {"kafka": self.assigned}


def broker_credentials(settings: Settings) -> CredentialsT | None:
    """Who the worker is to the brokers, as Faust wants to know it; None without TLS and SASL."""
    context = kafka_ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL_"):
        return SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return SSLCredentials(context) if context else None


def _duties(settings: Settings) -> tuple[str, list[str]]:
    """Group and agents: a standby reads the whole source by itself, and does nothing else."""
    if settings.worker_standby:
        return f"{settings.worker_group}-standby", ["transcode"]
    return settings.worker_group, [name.strip() for name in settings.worker_agents.split(",")]


def create_app(settings: Settings) -> WorkerApp:
    """The app with its agents; it connects when it is started."""
    aiokafka.AIOKafkaConsumer = Consumer  # Faust takes both from there when it connects
    Transport.Consumer = EagerConsumer
    group, agents = _duties(settings)
    app = WorkerApp(
        f"{settings.topic_prefix}{group}",
        broker=[f"kafka://{server.strip()}" for server in settings.kafka_bootstrap.split(",")],
        broker_credentials=broker_credentials(settings),
        store="memory://",
        datadir=settings.data_dir / "faust" / f"{group}-{settings.worker_slot}",
        processing_guarantee="at_least_once",
        consumer_group_instance_id=f"{group}-{settings.worker_slot}",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MEDIA_SOURCE.max_message_bytes,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=0.5,
        stream_buffer_maxsize=64,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        TableManager=Tables,
        Worker=Worker,
    )
    app.settings = settings
    leavers = [import_module(f"processors.{name}").register(app, settings) for name in agents]
    app.leavers = tuple(leaver for leaver in leavers if leaver is not None)

    async def assigned(*_: object, **__: object) -> None:
        app.assigned = True

    async def revoked(*_: object, **__: object) -> None:
        app.assigned = False

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    return app


keep_heaps_small()
app = create_app(load_settings())
