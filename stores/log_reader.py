"""Reads topics in a thread and hands the events to folds in the event loop, in log order, batch by batch."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from prometheus_client import Counter, Gauge

from schemas.codec import CodecError, decode
from schemas.events import Event
from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

log = logging.getLogger(__name__)

Partition = tuple[str, int]
"""Topic name on the cluster, number."""

BEGINNING: Final = 0
"""`start_ms` of everything that the topic still has."""

BATCH: Final = 500
BATCHES_IN_FLIGHT: Final = 4
POLL_S: Final = 0.1
ASK_TIMEOUT_S: Final = 2.0
STOP_S: Final = 15.0
"""How long a reader that stops is waited for; its thread does not keep the process from ending."""

EVENTS = Counter("logcast_log_events", "Records folded.", ["topic"])
UNREADABLE = Counter("logcast_log_unreadable_records", "Records that could not be decoded or folded.", ["topic"])
CAUGHT_UP = Gauge("logcast_log_caught_up", "1 once everything was read that was in the log at the start.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the log a record is.

    Attributes:
        topic: without the cluster's prefix.
        partition: number of the partition.
        offset: offset in it.
        timestamp_ms: Kafka's time of the record, wall clock.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


Handler = Callable[[Event, Place], None]
"""Folds one event; runs in the event loop and must not block. What it raises is logged and counted, never passed on."""


Gone = Callable[[str, Place], None]
"""Folds that a key of a compacted topic was deleted; as `Handler`."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic, who folds it, and from when on (wall clock, ms; `BEGINNING` for all of it); `gone` is told of deleted keys."""

    topic: Topic
    handler: Handler
    start_ms: int = BEGINNING
    gone: Gone | None = None


@dataclass(frozen=True, slots=True)
class _Deleted:
    """A key that was deleted."""

    key: str


@dataclass(slots=True)
class _Feed:
    """Everyone who folds one topic."""

    topic: Topic
    handlers: list[Handler] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    start_ms: int | None = None

    def add(self, subscription: Subscription) -> None:
        self.handlers.append(subscription.handler)
        if subscription.gone is not None:
            self.gone.append(subscription.gone)
        self.start_ms = min(
            subscription.start_ms, self.start_ms if self.start_ms is not None else subscription.start_ms
        )


class LogReader:
    """Reads the subscribed topics, all partitions, committed records only, without a group.

    Several subscriptions may name the same topic: each handler gets every record, from the earliest start of them on.
    `on_batch` is called after the handlers had a batch, so that listeners wake once for many events.

    Use as an async context manager. `failed` resolves with the exception when reading broke for good: the process
    should end then, and be started again.
    """

    def __init__(
        self,
        settings: Settings,
        subscriptions: Iterable[Subscription],
        on_batch: Callable[[], None] = lambda: None,
        *,
        role: str = "gateway",
    ) -> None:
        self._settings = settings
        self._role = role
        self._feeds: dict[str, _Feed] = {}
        for subscription in subscriptions:
            feed = self._feeds.setdefault(settings.topic(subscription.topic.name), _Feed(subscription.topic))
            feed.add(subscription)
        self._on_batch = on_batch
        self._stop = threading.Event()
        self._slots = threading.Semaphore(BATCHES_IN_FLIGHT)
        self._behind: set[tuple[str, int]] = set()
        self._caught_up = asyncio.Event()
        self._moved = asyncio.Event()
        self._reached: dict[Partition, int] = {}
        self._questions: deque[asyncio.Future[dict[Partition, int]]] = deque()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="log-reader", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        assert self.failed is not None
        self.stop()
        await asyncio.to_thread(self._thread.join, STOP_S)
        if self._thread.is_alive():
            log.error("the log's reader did not stop within %g s and is left behind", STOP_S)
        if self.failed.done():
            self.failed.exception()
        else:
            self.failed.cancel()
        CAUGHT_UP.set(0)

    def stop(self) -> None:
        """Read no further; leaving the context manager waits for the thread."""
        self._stop.set()
        self._slots.release()

    @property
    def caught_up(self) -> bool:
        """Whether everything that was in the log when reading began has been folded, and reading goes on."""
        return self._caught_up.is_set() and self.failed is not None and not self.failed.done()

    async def wait_caught_up(self) -> None:
        """Wait until `caught_up`; raises what `failed` holds when reading breaks before."""
        assert self.failed is not None
        waiting = asyncio.ensure_future(self._caught_up.wait())
        waits: set[asyncio.Future[Any]] = {waiting, self.failed}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self.failed.done():
            self.failed.result()

    async def catch_up(self, timeout_s: float) -> None:
        """Return once everything that is on the log now, at the call, has been folded.

        Raises:
            LogError: Kafka did not answer within `timeout_s`.
        """
        assert self._loop is not None
        ends: asyncio.Future[dict[Partition, int]] = self._loop.create_future()
        self._questions.append(ends)
        try:
            async with asyncio.timeout(timeout_s):
                wanted = await ends
                while any(self._reached.get(at, 0) < end for at, end in wanted.items()):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError as error:
            raise LogError(f"Kafka at {self._settings.kafka_bootstrap} did not answer for {timeout_s:g} s") from error

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # a thread must not die silently, whatever it was
            log.critical("reading the log failed", exc_info=error)
            self._call(self._fail, error)

    def _read(self) -> None:
        config = consumer_config(self._settings, self._role) | {"enable.partition.eof": True}
        consumer = Consumer(config)
        try:
            assignment = self._assignment(consumer)
            if not assignment:
                return
            self._behind = {(at.topic, at.partition) for at in assignment}
            consumer.assign(assignment)
            while not self._stop.is_set():
                self._answer_questions(consumer, assignment)
                messages = _next_messages(consumer)
                if messages:
                    self._slots.acquire()
                    self._call(self._fold, self._decoded(messages))
        finally:
            consumer.close()

    def _answer_questions(self, consumer: Consumer, assignment: list[TopicPartition]) -> None:
        """Ask for the ends here: a consumer serves one thread. Brokers that do not answer are asked again."""
        if not self._questions:
            return
        try:
            ends = {(at.topic, at.partition): consumer.get_watermark_offsets(at, ASK_TIMEOUT_S)[1] for at in assignment}
        except KafkaException as error:
            log.warning("Kafka did not tell the end of a topic: %s", error.args[0].str())
            return
        while self._questions:
            self._call(_settle, self._questions.popleft(), ends)

    def _assignment(self, consumer: Consumer) -> list[TopicPartition]:
        """Where to begin on every partition; waits for the brokers and for topics that are still being made."""
        while not self._stop.is_set():
            try:
                return [
                    at for name, feed in self._feeds.items() for at in first_offsets(consumer, name, feed.start_ms or 0)
                ]
            except KafkaException as error:
                log.warning("Kafka at %s is not ready: %s", self._settings.kafka_bootstrap, error.args[0].str())
                self._stop.wait(0.5)
        return []

    def _decoded(self, messages: Sequence[Message]) -> list[tuple[_Feed, Event | _Deleted | None, Place]]:
        """Records as events; None instead of an event where a partition ended."""
        events: list[tuple[_Feed, Event | _Deleted | None, Place]] = []
        for message in messages:
            name = message.topic()
            assert name is not None
            feed = self._feeds[name]
            place = Place(feed.topic.name, message.partition() or 0, message.offset() or 0, message.timestamp()[1])
            error, value = message.error(), message.value()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (librdkafka's public constant)
                    events.append((feed, None, place))
                elif error.fatal():
                    raise KafkaException(error)
                else:
                    log.warning("reading %s/%d: %s", name, place.partition, error.str())
            elif value is not None:
                try:
                    events.append((feed, decode(value), place))
                except CodecError as unreadable:
                    _skip(place, unreadable)
            elif feed.gone:
                events.append((feed, _Deleted((message.key() or b"").decode(errors="replace")), place))
        return events

    def _fold(self, events: list[tuple[_Feed, Event | _Deleted | None, Place]]) -> None:
        """In the event loop: give a batch to the folds."""
        try:
            for feed, event, place in events:
                if event is None:
                    self._reached_end(place)
                    continue
                EVENTS.labels(place.topic).inc()
                calls: Iterable[Callable[[], None]] = (
                    [partial(gone, event.key, place) for gone in feed.gone]
                    if isinstance(event, _Deleted)
                    else [partial(handler, event, place) for handler in feed.handlers]
                )
                for call in calls:
                    try:
                        call()
                    except Exception as error:  # noqa: BLE001  (one bad record must not stop the fold of all others)
                        _skip(place, error)
                self._reached[self._settings.topic(place.topic), place.partition] = place.offset + 1
            self._moved.set()
            self._on_batch()
        finally:
            self._slots.release()

    def _reached_end(self, place: Place) -> None:
        at = (self._settings.topic(place.topic), place.partition)
        self._reached[at] = place.offset  # beyond the markers of transactions, which are no records
        self._behind.discard(at)
        if not self._behind and not self._caught_up.is_set():
            log.info("caught up with the log")
            CAUGHT_UP.set(1)
            self._caught_up.set()

    def _fail(self, error: Exception) -> None:
        assert self.failed is not None
        if not self.failed.done():
            self.failed.set_exception(error)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)


def _settle(answer: asyncio.Future[dict[Partition, int]], ends: dict[Partition, int]) -> None:
    if not answer.done():
        answer.set_result(ends)


def now_ms() -> int:
    """Wall clock in ms."""
    return time.time_ns() // 1_000_000


def _next_messages(consumer: Consumer) -> list[Message]:
    """What has arrived, at once: a batch of one when it is quiet, of many when not."""
    first = consumer.poll(POLL_S)
    return [] if first is None else [first, *consumer.consume(BATCH, timeout=0)]


def first_offsets(consumer: Consumer, name: str, start_ms: int) -> list[TopicPartition]:
    """The first offset at or after `start_ms` of every partition of a topic; KafkaException without an answer."""
    topic = consumer.list_topics(name, timeout=ASK_TIMEOUT_S).topics[name]
    if topic.error is not None:
        raise KafkaException(topic.error)
    partitions = list(topic.partitions)
    if start_ms == BEGINNING:
        return [TopicPartition(name, partition, OFFSET_BEGINNING) for partition in partitions]
    # The ends first: what is written between the two questions is then not missed.
    ends = {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=ASK_TIMEOUT_S)[1] for p in partitions}
    wanted = [TopicPartition(name, partition, start_ms) for partition in partitions]
    found = consumer.offsets_for_times(wanted, timeout=ASK_TIMEOUT_S)
    return [TopicPartition(name, at.partition, at.offset if at.offset >= 0 else ends[at.partition]) for at in found]


def _skip(place: Place, error: Exception) -> None:
    UNREADABLE.labels(place.topic).inc()
    log.error("skipped %s/%d at %d: %s", place.topic, place.partition, place.offset, error, exc_info=error)
