"""The worker's Faust app: `faust -A processors.app worker --without-web`. Settings are read at import; nothing connects.

This is the one module-level singleton of the project: Faust finds its app by name. Every agent of
`settings.worker_agents` is added by its module's `register`.
"""

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
from schemas.topics import MEDIA_SOURCE
from stores.health import HealthServer
from stores.kafka_security import kafka_ssl_context
from stores.settings import Settings, load_settings

FETCH_MAX_WAIT_MS: Final = 100
"""Faust has 1500 written down; a partition that changes hands would then stand still for so long."""


METADATA_MAX_AGE_MS: Final = 5_000
"""A worker that joined before its broker knew of a topic is given none of its partitions; the client's own five minutes
would be so long without work."""


class Consumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's consumer with what Faust cannot be told.

    Partitions are assigned in ranges: an agent that reads two topics gets the same partitions of both, and consecutive
    GOPs alternate between workers (`schemas.topics.source_partition`). Records of open transactions are not read.
    """

    def __init__(self, *topics: str, **options: Any) -> None:
        chosen = {
            "fetch_max_wait_ms": FETCH_MAX_WAIT_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "isolation_level": "read_committed",
            "partition_assignment_strategy": [RangePartitionAssignor],
        }
        super().__init__(*topics, **(options | chosen))


class Tables(TableManager):
    """Faust's tables, of which we have none: exact state is kept by `processors.ledger`."""

    async def sleep(self, n: Seconds, **options: Any) -> None:
        """Faust waits a second for tables to be declared; a worker that takes over has no second to spare."""


class WorkerApp(faust.App):
    """A Faust app that answers for its health as soon as it starts, whether or not Kafka is there."""

    settings: Settings
    assigned = False

    async def on_first_start(self) -> None:
        """Make Faust's directories, and listen."""
        self.conf.datadir.parent.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()
        health = HealthServer(self.settings.bind_host, self.settings.health_port_worker, self.ready)
        await self.add_async_context(health)

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
        broker_heartbeat_interval=1.0,
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
    )
    app.settings = settings
    for name in agents:
        import_module(f"processors.{name}").register(app, settings)

    async def assigned(*_: object, **__: object) -> None:
        app.assigned = True

    async def revoked(*_: object, **__: object) -> None:
        app.assigned = False

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    return app


app = create_app(load_settings())
