"""A consumer group's share of some topics, taken in batches from asyncio; offsets are committed by whoever took them.

The group hands each partition to one member. What was taken and not committed is given again after a crash or a
rebalance, to this member or another: so effects must be idempotent. All calls of the client, and its callbacks, run in
one thread of their own, one after the other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from prometheus_client import Gauge

from schemas.dead_letter import Header, headers_of
from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

log = logging.getLogger(__name__)

BATCH_RECORDS: Final = 500
BATCH_WAIT_S: Final = 0.2

LAG = Gauge(
    "logcast_group_lag_records",
    "Records behind the end of the log; markers of transactions count, so one that is level may show 1",
    ["group", "topic", "partition"],
)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record, not decoded; `topic` without the cluster's prefix."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: tuple[Header, ...] = ()


class LogGroup:
    """A member of the group `group`, an async context manager.

    Attributes:
        joined: whether the group has given us our share.
        generation: grows whenever our share changes; what was taken before and not committed is then given again.
        share: the partitions that are ours, by topic (without the cluster's prefix) and number.
    """

    def __init__(self, settings: Settings, role: str, group: str, topics: Iterable[Topic]) -> None:
        self._group = group
        self._names = {settings.topic(topic.name): topic.name for topic in topics}
        self._config = consumer_config(settings, role, group)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{role}")
        self._consumer: Consumer | None = None
        self._held = False
        self._kept: list[Message] = []
        self._shown: set[tuple[str, int]] = set()
        self.joined = False
        self.generation = 0
        self.share: frozenset[tuple[str, int]] = frozenset()

    async def __aenter__(self) -> Self:
        await self._call(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._call(self._close)
        self._thread.shutdown(wait=False)

    async def take(self) -> list[RawRecord]:
        """The next records, at most `BATCH_RECORDS`, after at most `BATCH_WAIT_S`; of each partition in order.

        Raises:
            LogError: the client has failed for good; start it anew.
        """
        return await self._call(self._take)

    async def hold(self, seconds: float) -> None:
        """Take nothing for some time and stay a member. The next `take` goes on where the last one ended."""
        await self._call(self._hold, seconds)

    async def commit(self, records: Iterable[RawRecord]) -> None:
        """Tell the group that these records, and all before them, are done.

        A commit that does not succeed is logged and nothing more: the records are given again some time.

        Raises:
            LogError: the client has failed for good; start it anew.
        """
        await self._call(self._commit, list(records))

    async def commit_up_to(self, ends: Mapping[tuple[str, int], int]) -> None:
        """The same, told as the next offset to be given of each topic (without the prefix) and partition."""
        full = {name: full for full, name in self._names.items()}
        offsets = [TopicPartition(full[topic], partition, offset) for (topic, partition), offset in ends.items()]
        await self._call(self._commit_offsets, offsets)

    async def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in the client's thread; a cancelled caller leaves the call to end by itself, and the next one waits."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def _open(self) -> None:
        self._consumer = Consumer(self._config)
        self._consumer.subscribe(
            list(self._names), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def _close(self) -> None:
        assert self._consumer is not None
        self._consumer.close()
        self._forget_lag()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        if self._held:
            consumer.pause(partitions)
        self.joined = True
        self.generation += 1
        self.share = frozenset((self._names[at.topic], at.partition) for at in partitions)
        log.info("group %s: %d partitions are ours", self._group, len(partitions))

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._kept.clear()
        self.joined = False
        self.generation += 1
        self.share = frozenset()
        self._forget_lag()

    def _take(self) -> list[RawRecord]:
        assert self._consumer is not None
        if self._held:
            self._held = False
            self._consumer.resume(self._consumer.assignment())
        try:
            messages, self._kept = self._kept, []
            messages += self._consumer.consume(BATCH_RECORDS - len(messages), timeout=BATCH_WAIT_S)
        except KafkaException as error:
            raise LogError(f"reading as group {self._group} failed: {error.args[0].str()}") from error
        records = [self._record(message) for message in messages if not self._is_error(message)]
        self._show_lag(records)
        return records

    def _hold(self, seconds: float) -> None:
        assert self._consumer is not None
        if not self._held:
            self._held = True
            self._consumer.pause(self._consumer.assignment())
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self._consumer.poll(left)
            if message is not None and not self._is_error(message):
                self._kept.append(message)

    def _commit(self, records: list[RawRecord]) -> None:
        self._commit_offsets(self._next_offsets(records))

    def _commit_offsets(self, offsets: list[TopicPartition]) -> None:
        assert self._consumer is not None
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].fatal():
                raise LogError(f"group {self._group} has lost its consumer: {error.args[0].str()}") from error
            log.warning("group %s could not commit, the records may come again: %s", self._group, error.args[0].str())

    def _next_offsets(self, records: list[RawRecord]) -> list[TopicPartition]:
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            at = record.topic, record.partition
            ends[at] = max(ends.get(at, 0), record.offset + 1)
        full = {name: full for full, name in self._names.items()}
        return [TopicPartition(full[topic], partition, offset) for (topic, partition), offset in ends.items()]

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.fatal():
            raise LogError(f"group {self._group} has lost its consumer: {error.str()}")
        log.warning("group %s: Kafka says: %s", self._group, error.str())
        return True

    def _record(self, message: Message) -> RawRecord:
        return RawRecord(
            topic=self._names[message.topic() or ""],
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            timestamp_ms=message.timestamp()[1],
            key=message.key(),
            value=message.value(),
            headers=headers_of(message.headers()),
        )

    def _show_lag(self, records: list[RawRecord]) -> None:
        assert self._consumer is not None
        for end in self._next_offsets(records):
            _, high = self._consumer.get_watermark_offsets(end, cached=True)
            at = self._names[end.topic], end.partition
            LAG.labels(self._group, *at).set(max(0, high - end.offset))
            self._shown.add(at)

    def _forget_lag(self) -> None:
        for topic, partition in self._shown:
            LAG.remove(self._group, topic, partition)
        self._shown.clear()
