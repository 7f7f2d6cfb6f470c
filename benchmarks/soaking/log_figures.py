"""What a broker holds: topics, partitions, groups, and the living keys of compacted topics. And its settings for a soak."""

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.topics import ALL_TOPICS, Cleanup
from stores.kafka import client_config
from stores.settings import Settings

TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.5
RETENTION_MS: Final = 480_000
SEGMENT_MS: Final = 60_000
SHORT: Final = {"retention.ms": str(RETENTION_MS), "segment.ms": str(SEGMENT_MS), "segment.bytes": str(4 * 1024 * 1024)}
COMPACT: Final = {
    "segment.ms": str(SEGMENT_MS),
    "min.cleanable.dirty.ratio": "0.05",
    "delete.retention.ms": str(SEGMENT_MS),
    "max.compaction.lag.ms": str(2 * SEGMENT_MS),
    "segment.bytes": str(4 * 1024 * 1024),
}
INTERNAL: Final = ("__consumer_offsets", "__transaction_state")


class LogFigures:
    """Asks one broker; blocking."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AdminClient(client_config(settings, "soak"))

    def shorten(self) -> None:
        """Make days minutes: records stay eight minutes, compaction comes every few."""
        compacted = {topic.name for topic in ALL_TOPICS if topic.cleanup is Cleanup.COMPACT}
        names = [topic.name for topic in ALL_TOPICS] + [name for name in INTERNAL if name in self._topics()]
        resources = [_altered(name, COMPACT if name in compacted | {*INTERNAL} else SHORT) for name in names]
        for changed in self._admin.incremental_alter_configs(resources).values():
            changed.result(TIMEOUT_S)

    def counts(self) -> dict[str, float]:
        """Topics, partitions and consumer groups."""
        topics = self._topics()
        groups = self._admin.list_consumer_groups(request_timeout=TIMEOUT_S).result(TIMEOUT_S).valid
        partitions = sum(topics.values())
        return {"kafka.topics": len(topics), "kafka.partitions": partitions, "kafka.groups": len(groups)}

    def living_keys(self) -> dict[str, float]:
        """Keys of each compacted topic whose latest record is no tombstone; reads all of it."""
        compacted = [topic.name for topic in ALL_TOPICS if topic.cleanup is Cleanup.COMPACT]
        left: dict[str, set[bytes]] = {name: set() for name in compacted}
        for name, key, has_value in self._records(compacted):
            (left[name].add if has_value else left[name].discard)(key)
        return {f"keys.{name}": float(len(keys)) for name, keys in left.items()}

    def _topics(self) -> dict[str, int]:
        found = self._admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def _records(self, names: list[str]) -> Iterator[tuple[str, bytes, bool]]:
        config = client_config(self._settings, "soak-keys")
        consumer = Consumer(config | {"group.id": "soak", "enable.auto.commit": False, "enable.partition.eof": True})
        topics = self._topics()
        partitions = [TopicPartition(name, n, 0) for name in names for n in range(topics[name])]
        try:
            consumer.assign(partitions)
            waits, deadline = len(partitions), time.monotonic() + TIMEOUT_S
            while waits and time.monotonic() < deadline:
                for message in consumer.consume(1000, POLL_S):
                    if message.error() is not None:
                        waits -= 1
                        continue
                    yield message.topic() or "", message.key() or b"", message.value() is not None
        except KafkaException:
            return
        finally:
            consumer.close()


def _altered(topic: str, config: dict[str, str]) -> ConfigResource:
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()]
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
