"""Follows topics from a point in time and hands their events to the event loop, in the order of each partition.

This is how a process folds the log without a consumer group: each reader has all partitions, nothing is committed, and
a new start reads again. A thread reads and decodes; at most `MAX_BATCHES` batches wait for the loop.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from prometheus_client import Counter

from schemas import codec
from schemas.events import Event
from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

log = logging.getLogger(__name__)

MAX_BATCHES: Final = 8
BATCH_RECORDS: Final = 500
QUERY_TIMEOUT_S: Final = 10.0

UNREADABLE = Counter(
    "logcast_log_unreadable_total", "Records that could not be decoded and were passed over", ["topic"]
)


@dataclass(frozen=True, slots=True)
class Record:
    """One event and where it stands; `topic` without the cluster's prefix."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    event: Event


@dataclass(frozen=True, slots=True)
class Follow:
    """What to do with a topic.

    Attributes:
        handler: called in the event loop for each record; it must not block or raise.
        since_ms: wall clock from which to read, by record timestamp; None: from the beginning.
    """

    handler: Callable[[Record], None]
    since_ms: int | None = None


Position = tuple[str, int]
"""Topic name on the cluster, partition."""


class LogTail:
    """An async context manager that follows topics until it is left.

    Raises:
        LogError: on entry, when the brokers do not answer or a topic is missing.
    """

    def __init__(self, settings: Settings, role: str, follows: Mapping[Topic, Follow]) -> None:
        self._settings = settings
        self._role = role
        self._follows = {settings.topic(topic.name): (topic, follow) for topic, follow in follows.items()}
        self._consumer: Consumer | None = None
        self._reached: dict[Position, int] = {}
        self._moved = asyncio.Event()
        self._questions: deque[asyncio.Future[dict[Position, int]]] = deque()
        self._room = threading.Semaphore(MAX_BATCHES)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failure: Exception | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._open)
        self._thread = threading.Thread(target=self._run, name=f"tail-{self._role}", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._room.release()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def caught_up(self, timeout_s: float = 30.0) -> None:
        """Return once everything that is on the log now has been handled.

        Raises:
            LogError: not within `timeout_s`, or the reader has failed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                ends = await self._asked_ends()
                while any(self._reached.get(at, 0) < end for at, end in ends.items()):
                    if self.failure is not None:
                        raise LogError(f"reading the log failed: {self.failure}") from self.failure
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError as error:
            raise LogError(f"Kafka at {self._settings.kafka_bootstrap} did not answer for {timeout_s} s") from error

    async def _asked_ends(self) -> dict[Position, int]:
        """The ends of all partitions; the reading thread asks, for a consumer serves one thread at a time."""
        assert self._loop is not None
        answer: asyncio.Future[dict[Position, int]] = self._loop.create_future()
        self._questions.append(answer)
        return await answer

    def _answer_questions(self) -> None:
        """Brokers that do not answer now (a leader moves, a topic is new) are asked again until nobody waits."""
        assert self._loop is not None
        if self._questions:
            try:
                ends = self._ends()
            except KafkaException as error:
                log.warning("Kafka did not tell the end of a topic: %s", error.args[0].str())
                return
            while self._questions:
                self._loop.call_soon_threadsafe(_settle, self._questions.popleft(), ends)

    def _partitions(self) -> list[Position]:
        return [
            (name, partition)
            for name, (topic, _) in self._follows.items()
            for partition in range(topic.partitions or self._settings.partitions)
        ]

    def _ends(self) -> dict[Position, int]:
        assert self._consumer is not None
        ends = {}
        for name, partition in self._partitions():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=QUERY_TIMEOUT_S)
            ends[name, partition] = max(0, high)
        return ends

    def _open(self) -> None:
        config = consumer_config(self._settings, self._role) | {"enable.partition.eof": True}
        self._consumer = Consumer(config)
        try:
            self._consumer.assign(self._starts(self._consumer))
        except KafkaException as error:
            self._consumer.close()
            raise LogError(f"cannot follow the log: {error.args[0].str()}") from error

    def _starts(self, consumer: Consumer) -> list[TopicPartition]:
        starts, timed = [], []
        for name, partition in self._partitions():
            since_ms = self._follows[name][1].since_ms
            if since_ms is None:
                starts.append(TopicPartition(name, partition, OFFSET_BEGINNING))
            else:
                timed.append(TopicPartition(name, partition, since_ms))
        if timed:
            ends = self._ends()  # asked for first: what comes between the two questions is not missed
            for at in consumer.offsets_for_times(timed, timeout=QUERY_TIMEOUT_S):
                if at.error is not None:
                    raise KafkaException(at.error)
                starts.append(
                    TopicPartition(
                        at.topic, at.partition, at.offset if at.offset >= 0 else ends[at.topic, at.partition]
                    )
                )
        return starts

    def _run(self) -> None:
        assert self._consumer is not None
        assert self._loop is not None
        try:
            while not self._stop.is_set():
                self._answer_questions()
                messages = self._consumer.consume(BATCH_RECORDS, timeout=0.1)
                if messages:
                    batch = self._decode(messages)
                    self._room.acquire()
                    if not self._stop.is_set():
                        self._loop.call_soon_threadsafe(self._hand_over, *batch)
        except Exception as error:  # the thread's last word: readiness and waiters show it
            log.exception("following the log failed")
            self.failure = error
        finally:
            self._consumer.close()

    def _decode(self, messages: list[Message]) -> tuple[list[Record], dict[Position, int]]:
        records, reached = [], {}
        for message in messages:
            topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                    reached[topic, partition] = offset
                else:
                    log.warning("Kafka says: %s", error.str())
                continue
            reached[topic, partition] = offset + 1
            value = message.value()
            if value is None:
                continue  # a tombstone
            name = self._follows[topic][0].name
            try:
                records.append(Record(name, partition, offset, message.timestamp()[1], codec.decode(value)))
            except codec.CodecError as wrong:
                UNREADABLE.labels(name).inc()
                log.error("passing over %s/%d@%d: %s", topic, partition, offset, wrong)  # noqa: TRY400
        return records, reached

    def _hand_over(self, records: list[Record], reached: dict[Position, int]) -> None:
        try:
            for record in records:
                self._follows[self._settings.topic(record.topic)][1].handler(record)
        except Exception as error:
            log.exception("a handler of the log failed")
            self.failure = error
            raise
        finally:
            self._reached.update(reached)
            self._moved.set()
            self._room.release()


def _settle(answer: asyncio.Future[dict[Position, int]], ends: dict[Position, int]) -> None:
    """Answer, unless nobody waits any more."""
    if not answer.done():
        answer.set_result(ends)
