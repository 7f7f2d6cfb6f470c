"""Creates the topics of `schemas.topics` on a cluster, brings their settings up to date, and describes them."""

import time
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import ALL_TOPICS, MEDIA_SOURCE, MIB, Cleanup, Topic
from stores.kafka import LogError, client_config
from stores.settings import Settings

TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicsReport:
    """What `apply_topics` did, by topic name."""

    created: tuple[str, ...]
    altered: tuple[str, ...]
    unchanged: tuple[str, ...]


def topic_config(settings: Settings, topic: Topic) -> dict[str, str]:
    """Kafka's settings of a topic."""
    config = {
        "cleanup.policy": topic.cleanup.value,
        "max.message.bytes": str(topic.max_message_bytes),
        "min.insync.replicas": str(max(1, settings.replication - 1)),
        "segment.bytes": str(64 * MIB),
        "segment.index.bytes": str(MIB),
    }
    if topic.cleanup is Cleanup.COMPACT:
        config |= {"segment.ms": "600000", "min.cleanable.dirty.ratio": "0.2", "segment.bytes": str(16 * MIB)}
    elif topic is MEDIA_SOURCE:
        partition_bytes = settings.source_retention_mb * MIB // settings.partitions
        config |= {
            "retention.ms": str(settings.source_retention_hours * 3_600_000),
            "retention.bytes": str(max(partition_bytes, 64 * MIB)),
        }
    else:
        config["retention.ms"] = str(topic.retention_ms)
    return config


def wait_for_brokers(settings: Settings, count: int, timeout_s: float = 60.0) -> None:
    """Return once the cluster knows of `count` brokers: before, it could not make so many copies. Blocking.

    Raises:
        LogError: it does not come to know them in time.
    """
    admin, deadline = AdminClient(client_config(settings, "topics")), time.monotonic() + timeout_s
    while (known := len(_brokers(admin))) < count:
        if time.monotonic() > deadline:
            raise LogError(f"expected {count} brokers at {settings.kafka_bootstrap}, found {known}") from TimeoutError()
        time.sleep(POLL_S)


def _brokers(admin: AdminClient) -> dict[int, Any]:
    try:
        return dict(admin.list_topics(timeout=TIMEOUT_S).brokers)
    except KafkaException:
        return {}


def apply_topics(settings: Settings) -> TopicsReport:
    """Create what is missing and set what differs; doing it twice changes nothing.

    Raises:
        LogError: the brokers do not answer, or a topic has another number of partitions (which would move keys).
    """
    admin = AdminClient(client_config(settings, "topics"))
    have = {state.name: state for state in describe_topics(settings)}
    wanted = {settings.topic(topic.name): topic for topic in ALL_TOPICS}
    for name, topic in wanted.items():
        count = topic.partitions or settings.partitions
        if name in have and have[name].partitions != count:
            raise LogError(
                f"topic {name} has {have[name].partitions} partitions, the settings say {count}; keys would move: "
                f"set LOGCAST_PARTITIONS={have[name].partitions} or start with a new cluster"
            )
    missing = [name for name in wanted if name not in have]
    _create(admin, settings, {name: wanted[name] for name in missing})
    _await_leaders(admin, missing)
    altered = [name for name in wanted if name in have and _differs(have[name], topic_config(settings, wanted[name]))]
    _alter(admin, {name: topic_config(settings, wanted[name]) for name in altered})
    unchanged = [name for name in wanted if name in have and name not in altered]
    return TopicsReport(tuple(missing), tuple(altered), tuple(unchanged))


def describe_topics(settings: Settings) -> list[TopicState]:
    """The topics of `schemas.topics` that exist, with the settings that differ from the broker's defaults."""
    admin = AdminClient(client_config(settings, "topics"))
    try:
        known = admin.list_topics(timeout=TIMEOUT_S).topics
        names = [settings.topic(topic.name) for topic in ALL_TOPICS if settings.topic(topic.name) in known]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        futures = admin.describe_configs(resources, request_timeout=TIMEOUT_S) if resources else {}
        configs = {resource.name: future.result() for resource, future in futures.items()}
    except KafkaException as error:
        raise LogError(f"Kafka at {settings.kafka_bootstrap} does not answer: {error.args[0].str()}") from error
    return [
        TopicState(
            name,
            len(known[name].partitions),
            len(known[name].partitions[0].replicas),
            {key: entry.value for key, entry in configs[name].items() if not entry.is_default},
        )
        for name in names
    ]


def _differs(state: TopicState, config: dict[str, str]) -> bool:
    return any(state.config.get(key) != value for key, value in config.items())


def _create(admin: AdminClient, settings: Settings, topics: dict[str, Topic]) -> None:
    new = [
        NewTopic(
            name,
            num_partitions=topic.partitions or settings.partitions,
            replication_factor=settings.replication,
            config=topic_config(settings, topic),
        )
        for name, topic in topics.items()
    ]
    for name, future in (admin.create_topics(new, operation_timeout=TIMEOUT_S) if new else {}).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was quicker
                raise LogError(f"cannot create topic {name}: {error.args[0].str()}") from error


def _await_leaders(admin: AdminClient, names: list[str]) -> None:
    """Wait until the broker that answers knows the topics: a consumer that subscribed earlier would be given nothing.

    Raises:
        LogError: it does not come to know them.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while unknown := [name for name in names if not _is_led(admin, name)]:
        if time.monotonic() > deadline:
            raise LogError(
                f"topic {unknown[0]} was created, but after {TIMEOUT_S:g} s it has no leader; is a broker down?"
            )
        time.sleep(POLL_S)


def _is_led(admin: AdminClient, name: str) -> bool:
    try:
        found = admin.list_topics(name, timeout=TIMEOUT_S).topics[name]
    except KafkaException as error:
        raise LogError(f"Kafka does not answer: {error.args[0].str()}") from error
    return found.error is None and bool(found.partitions) and all(p.leader >= 0 for p in found.partitions.values())


def _alter(admin: AdminClient, configs: dict[str, dict[str, str]]) -> None:
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
            ],
        )
        for name, config in configs.items()
    ]
    for resource, future in (admin.incremental_alter_configs(resources) if resources else {}).items():
        try:
            future.result()
        except KafkaException as error:
            raise LogError(f"cannot change topic {resource.name}: {error.args[0].str()}") from error
