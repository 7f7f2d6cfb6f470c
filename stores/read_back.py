"""Reads one partition as it is now, to rebuild what a process had in memory, or to look at it. Blocking; used in a thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.dead_letter import Header, headers_of
from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

SILENCE_S: Final = 30.0
"""So long the brokers may give nothing."""
CALL_S: Final = 5.0
RETRY_S: Final = 0.05
BATCH_RECORDS: Final = 1_000
BATCH_S: Final = 0.05
"""`consume` waits this long for a batch to fill, also at the end of the topic."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record of a partition; `topic` without the cluster's prefix, `timestamp_ms` Kafka's time of it where it is known."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0
    headers: tuple[Header, ...] = ()


def read_partition(
    settings: Settings,
    topic: Topic,
    partition: int,
    role: str,
    *,
    since_ms: int | None = None,
    from_offset: int = 0,
) -> Iterator[SourceRecord]:
    """The committed records of one partition up to its present end.

    The end counts uncommitted records too: a reader that stopped before them would miss what is committed a moment
    later. It is reached by position, not by count, because aborted records and control records are never seen.

    Args:
        settings: where the cluster is.
        topic: which topic.
        partition: which partition.
        role: names the reader in the brokers' logs.
        since_ms: the first record timestamp wanted; None: all there is.
        from_offset: the first offset wanted.

    Raises:
        LogError: the brokers gave nothing for `SILENCE_S`.
    """
    at = TopicPartition(settings.topic(topic.name), partition)
    with _consumer(settings, role, "read_uncommitted") as consumer:
        at.offset, end = _answer(lambda: consumer.get_watermark_offsets(at, timeout=CALL_S, cached=False))
        if since_ms is not None:
            at.offset = _offset_at(consumer, at, since_ms, end)
        at.offset = min(max(at.offset, from_offset), end)
    with _consumer(settings, role, "read_committed") as consumer:
        consumer.assign([at])
        yield from _records(consumer, topic, at, end)


def _offset_at(consumer: Consumer, at: TopicPartition, since_ms: int, end: int) -> int:
    """The first offset whose record is not older; `end` when there is none."""
    wanted = TopicPartition(at.topic, at.partition, since_ms)
    (found,) = _answer(lambda: consumer.offsets_for_times([wanted], timeout=CALL_S))
    if found.error is not None:
        raise LogError(f"cannot find {at.topic}/{at.partition} at {since_ms} ms: {found.error.str()}")
    return found.offset if found.offset >= 0 else end


def _records(consumer: Consumer, topic: Topic, at: TopicPartition, end: int) -> Iterator[SourceRecord]:
    position, heard = at.offset, time.monotonic()
    while position < end:
        messages = consumer.consume(BATCH_RECORDS, timeout=BATCH_S)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() > heard + SILENCE_S:
            raise LogError(f"Kafka gave {at.topic}/{at.partition} up to {position}, expected up to {end}; is it up?")
        for message in messages:
            offset, error = message.offset(), message.error()
            if error is None and offset is not None:
                position = offset + 1
                headers = headers_of(message.headers())
                yield SourceRecord(topic.name, offset, message.key(), message.value(), message.timestamp()[1], headers)
            elif error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                position = max(position, offset or 0)
            elif error is not None:
                raise LogError(f"cannot read {at.topic}/{at.partition}: {error.str()}")


def _answer(ask: Callable[[], T]) -> T:
    """What the brokers answer; asked again while a leader is being elected or a new topic is not yet known to all."""
    deadline = time.monotonic() + SILENCE_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise LogError(f"Kafka does not answer: {error.args[0].str()}") from error
            time.sleep(RETRY_S)


@contextmanager
def _consumer(settings: Settings, role: str, isolation: str) -> Iterator[Consumer]:
    consumer = Consumer(consumer_config(settings, role) | {"isolation.level": isolation, "enable.partition.eof": True})
    try:
        yield consumer
    finally:
        consumer.close()
