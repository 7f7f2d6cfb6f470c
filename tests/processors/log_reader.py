"""Reads a topic beside the code under test: every event from the beginning up to now."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas import codec
from schemas.events import Event
from schemas.topics import Topic
from stores.kafka import consumer_config
from stores.settings import Settings

DEADLINE_S = 60.0
NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}


class LogReader:
    """The committed events of one topic, in order within a partition."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        name, count = settings.topic(topic.name), topic.partitions or settings.partitions
        self.events: list[Event] = []
        self._partitions = [TopicPartition(name, partition, 0) for partition in range(count)]
        self._consumer = Consumer(consumer_config(settings, "test"))
        self._consumer.assign(self._partitions)

    def read(self, wait_s: float = 0.02) -> list[Event]:
        """What came since the last call; also kept in `events`."""
        new = []
        for message in self._consumer.consume(1000, wait_s):
            error = message.error()
            if error is not None and error.code() in NOT_YET:
                continue
            assert error is None, error
            new.append(codec.decode(message.value() or b""))
        self.events += new
        return new

    def read_to_now(self) -> list[Event]:
        """Everything since the last call up to where the log stands at this one."""
        ends = [self._end(tp) for tp in self._partitions]
        new = []
        while any(
            at.offset < end for at, end in zip(self._consumer.position(self._partitions), ends, strict=True) if end
        ):
            new += self.read()
        return new

    def _end(self, partition: TopicPartition) -> int:
        """Where a partition stands; one that was just made has no leader yet."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(partition, timeout=DEADLINE_S)[1])
            except KafkaException as error:
                if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                    raise

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def reading(settings: Settings, topic: Topic) -> Iterator[LogReader]:
    """A reader that is closed in the end."""
    reader = LogReader(settings, topic)
    try:
        yield reader
    finally:
        reader.close()
