"""Kafka: how we produce, consume and lay out topics. One set of settings for every role.

Errors: `LogError` for what the caller can act on. confluent-kafka's own `KafkaException` passes through where only a
restart helps (a fenced producer, a fatal error).
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from schemas import codec
from schemas.events import Event
from schemas.topics import Topic, partition_of
from stores.kafka_security import librdkafka_security
from stores.settings import Settings

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 9 * 1024 * 1024
BUSY_PAUSE_S: Final = 0.05


class LogError(RuntimeError):
    """The log cannot do what was asked now; the message says what to do."""


class LogBusyError(LogError):
    """The producer's queue is full: the brokers do not keep up or do not answer. Wait, then send again."""


def client_config(settings: Settings, role: str) -> dict[str, Any]:
    """What every client has in common; `role` names it in the broker's logs."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": f"logcast-{role}",
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 4,
    } | librdkafka_security(settings)


def producer_config(settings: Settings, role: str) -> dict[str, Any]:
    """A producer that loses nothing: acks of all replicas, idempotent, retries without end, no lingering."""
    return client_config(settings, role) | {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
        "message.timeout.ms": 0,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "queue.buffering.max.kbytes": 512 * 1024,
        "compression.type": "none",  # media is compressed already
    }


TRANSACTION_MS: Final = 20_000
"""Longer than a broker mostly takes to come back, so that what is under way is only sent again: a client gives up its records by
the same time, and a transaction that was given up over the death of its coordinator has once been seen to stay open. Shorter than
readers are patient (`stores.read_back`): where nobody takes a dead worker's partition over, its transaction ends by this."""


def transactional_config(settings: Settings, role: str, transactional_id: str) -> dict[str, Any]:
    """A producer whose records, state and offsets appear together or not at all."""
    config = producer_config(settings, role)
    del config["message.timeout.ms"]
    return config | {"transactional.id": transactional_id, "transaction.timeout.ms": TRANSACTION_MS}


def consumer_config(settings: Settings, role: str, group: str | None = None) -> dict[str, Any]:
    """A consumer of committed records from the beginning; without `group` for assigned partitions."""
    return client_config(settings, role) | {
        "group.id": f"{settings.topic_prefix}{group or 'none'}",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
        "enable.partition.eof": False,
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 1_000,
        "queued.max.messages.kbytes": 32 * 1024,
    }


@dataclass(frozen=True, slots=True)
class Written:
    """Where a record went."""

    partition: int
    offset: int


class EventProducer:
    """Events to the log from asyncio. A thread serves the delivery reports; futures resolve in the caller's loop.

    Records of one (topic, partition) stay in the order of `send`. A record that was taken is retried for ever; closing
    waits `close_timeout_s` for what is under way.
    """

    def __init__(self, settings: Settings, role: str, *, close_timeout_s: float = 10.0, spooled: bool = False) -> None:
        """Make it; `spooled`: what is not written when it is closed lies in a spool."""
        self._settings = settings
        self._role = role
        self._spooled = spooled
        self._close_timeout_s = close_timeout_s
        self._producer: Producer | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(producer_config(self._settings, self._role))
        self._thread = threading.Thread(target=self._serve, name=f"kafka-{self._role}", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._producer is not None
        assert self._thread is not None
        left = await asyncio.to_thread(self._producer.flush, self._close_timeout_s)
        if left and self._spooled:
            self._producer.purge()  # else its threads would go on trying for as long as somebody holds it
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        if left:
            log.error(
                "%d records were not written within %s s and %s",
                left,
                self._close_timeout_s,
                "stay in the spool" if self._spooled else "are lost",
            )

    def send(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Written]:
        """Put an event on a topic, by default on the partition of its key.

        Returns:
            A future of where it went; its exception is a `LogError`. It may be dropped: the record is written all the same.

        Raises:
            LogBusyError: the local queue is full; nothing was taken.
        """
        if partition is None:
            partition = partition_of(key, topic.partitions or self._settings.partitions)
        return self.send_record(topic.name, partition, key.encode(), codec.encode(event))

    def send_record(
        self,
        topic: str,
        partition: int,
        key: bytes,
        value: bytes | None,
        *,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int = 0,
    ) -> asyncio.Future[Written]:
        """Like `send`, a record that is encoded already; `timestamp_ms` is Kafka's time of it, 0: now."""
        assert self._producer is not None
        assert self._loop is not None
        written: asyncio.Future[Written] = self._loop.create_future()
        try:
            self._producer.produce(
                self._settings.topic(topic),
                value,
                key,
                partition=partition,
                on_delivery=self._reporter(written),
                timestamp=timestamp_ms,
                headers=list(headers),
            )
        except BufferError as error:
            raise LogBusyError("Kafka does not keep up: the producer's queue is full; wait and send again") from error
        return written

    async def delete(self, topic: Topic, key: str, partition_key: str = "") -> Written:
        """Delete a key of a compacted topic and wait until it is on the log; it was put where `partition_key` says, if given.

        Raises:
            LogError: the brokers refused it.
        """
        partition = partition_of(partition_key or key, topic.partitions or self._settings.partitions)
        while True:
            try:
                return await self.send_record(topic.name, partition, key.encode(), None)
            except LogBusyError:
                await asyncio.sleep(BUSY_PAUSE_S)

    async def enqueue(
        self, topic: Topic, key: str, event: Event, *, partition: int | None = None
    ) -> asyncio.Future[Written]:
        """Like `send`, but wait as long as the local queue is full: what calls this is held back, and loses nothing."""
        while True:
            try:
                return self.send(topic, key, event, partition=partition)
            except LogBusyError:
                await asyncio.sleep(BUSY_PAUSE_S)

    async def deliver(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> Written:
        """Put an event on a topic and wait until it is there; a full queue is waited for.

        Raises:
            LogError: the brokers refused it.
        """
        return await (await self.enqueue(topic, key, event, partition=partition))

    @property
    def waiting(self) -> int:
        """Records that were taken and not yet written."""
        return len(self._producer) if self._producer is not None else 0

    def _reporter(self, written: asyncio.Future[Written]) -> Callable[[KafkaError | None, Message], None]:
        loop = self._loop
        assert loop is not None

        def resolve(error: KafkaError | None, partition: int, offset: int) -> None:
            if written.done():
                return
            if error is None:
                written.set_result(Written(partition, offset))
            else:
                written.set_exception(LogError(f"Kafka refused a record: {error.str()}"))

        def report(error: KafkaError | None, message: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, error, message.partition() or 0, message.offset() or 0)

        return report

    def _serve(self) -> None:
        assert self._producer is not None
        while not self._stop.is_set():
            self._producer.poll(0.1)


def read_one(
    settings: Settings, topic: Topic, partition: int, offset: int, role: str, *, timeout_s: float = 10.0
) -> Event | None:
    """The event at one place of the log; None where there is none any more. Blocking, for use in a thread.

    Raises:
        LogError: the brokers gave nothing for `timeout_s`.
        CodecError: it is there and cannot be read.
    """
    name = settings.topic(topic.name)
    config = consumer_config(settings, role) | {
        "enable.partition.eof": True,
        "fetch.message.max.bytes": topic.max_message_bytes,
    }
    consumer = Consumer(config)
    try:
        consumer.assign([TopicPartition(name, partition, offset)])
        message = consumer.poll(timeout_s)
        if message is None:
            raise LogError(f"Kafka did not give {name} {partition}/{offset}; is it up?")
        value = message.value()
        if message.error() is not None or message.offset() != offset or value is None:
            return None
        return codec.decode(value)
    except KafkaException as error:
        raise LogError(f"cannot read {name}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def read_to_end(settings: Settings, topic: Topic, role: str, *, timeout_s: float = 30.0) -> Iterator[Message]:
    """Every committed record that `topic` has now, partition by partition in order; blocking, for use in a thread.

    Raises:
        LogError: the end was not reached because the brokers gave nothing for `timeout_s`.
    """
    name = settings.topic(topic.name)
    consumer = Consumer(consumer_config(settings, role) | {"enable.partition.eof": True})
    try:
        open_ = set(range(topic.partitions or settings.partitions))
        consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in open_])
        while open_:
            first = consumer.poll(timeout_s)
            messages = [] if first is None else [first, *consumer.consume(500, timeout=0)]
            if not messages:
                raise LogError(f"Kafka did not give the rest of {name} (partitions {sorted(open_)}); is it up?")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                    open_.discard(message.partition())
    except KafkaException as error:
        raise LogError(f"cannot read {name}: {error.args[0].str()}") from error
    finally:
        consumer.close()
