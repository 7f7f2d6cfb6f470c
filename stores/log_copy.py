"""Topics out and in again: what the log alone has, and from where on Cassandra and the folds have not got it yet.

A line is offset, Kafka's time, key, value and headers of a record. Offsets begin at 0 in another cluster; what counts by them
goes on by the bases of `processors.ledger` (ADR 38), which are computed here. Blocking.

Errors: `LogError`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.rights import STATES
from schemas.topics import (
    ADS_BREAKS,
    ADS_CUES,
    ALL_TOPICS,
    COMMENTS_REVIEW,
    COMMENTS_SUBMITTED,
    DEAD_LETTERS,
    MEDIA_JOBS,
    MEDIA_TASKS,
    MODERATION,
    PRESENCE,
    REACTIONS,
    Cleanup,
    Topic,
)
from stores.backup_files import packed, unpacked
from stores.kafka import LogError, client_config, consumer_config, producer_config
from stores.read_back import SourceRecord, read_partition
from stores.settings import Settings

ROLE: Final = "backup"
CALL_S: Final = 30.0
OFFSET_ROW: Final = b"@"
BASE_ROW: Final = b"@base/"

WHOLE: Final = (
    *(topic for topic in ALL_TOPICS if topic.cleanup is Cleanup.COMPACT and topic not in STATES),
    *(COMMENTS_REVIEW, MODERATION, ADS_BREAKS, DEAD_LETTERS),
)
"""Topics that are copied as they are: gateways and folds begin with them."""

PENDING: Final = (COMMENTS_SUBMITTED, REACTIONS, PRESENCE, ADS_CUES, MEDIA_JOBS)
"""Topics of which the folds' states tell how far they are done."""

TASKS: Final = MEDIA_TASKS
"""Its group tells how far it is done."""

Line = list[Any]


class Folded(NamedTuple):
    """How far a source is folded: the last offset, as the fold knows it, and what offsets were raised by."""

    state: str
    partition: int
    source: str
    offset: int
    base: int

    @property
    def next_offset(self) -> int:
        """The first offset on the log that is not folded."""
        return self.offset + 1 - self.base


def partitions_of(settings: Settings, topic: Topic) -> int:
    """How many a topic has."""
    return topic.partitions or settings.partitions


def lines(settings: Settings, topic: Topic, partition: int, from_offset: int = 0) -> Iterator[Line]:
    """The committed records of a partition up to its present end."""
    for record in read_partition(settings, topic, partition, ROLE, from_offset=from_offset):
        yield line_of(record)


def line_of(record: SourceRecord) -> Line:
    """A record as a line."""
    headers = [[name, packed(value)] for name, value in record.headers]
    return [record.offset, record.timestamp_ms, packed(record.key), packed(record.value), headers]


def is_ledgers(line: Line) -> bool:
    """Whether a line of a state is the ledger's own."""
    return (unpacked(line[2]) or b"").startswith(OFFSET_ROW)


def folded_of(state: Topic, partition: int, found: Iterable[Line]) -> list[Folded]:
    """How far the sources of a state are folded, from its own rows."""
    offsets: dict[str, int] = {}
    bases: dict[str, int] = {}
    known = {topic.name for topic in ALL_TOPICS}
    for line in found:
        key, value = unpacked(line[2]) or b"", unpacked(line[3])
        if value is None or not key.startswith(OFFSET_ROW):
            continue
        if key.startswith(BASE_ROW):
            bases[key.removeprefix(BASE_ROW).decode()] = orjson.loads(value)[1]
        elif (name := key.removeprefix(OFFSET_ROW).decode()) in known:
            offsets[name] = orjson.loads(value)[1]
    return [Folded(state.name, partition, name, offset, bases.get(name, 0)) for name, offset in offsets.items()]


def committed(settings: Settings, group: str, topics: Sequence[Topic]) -> dict[tuple[str, int], int]:
    """The next offset of a group for each partition of some topics; 0 where it committed none."""
    names = {settings.topic(topic.name): topic for topic in topics}
    wanted = [TopicPartition(name, p) for name, topic in names.items() for p in range(partitions_of(settings, topic))]
    consumer = Consumer(consumer_config(settings, ROLE, group))
    try:
        found = consumer.committed(wanted, timeout=CALL_S)
    except KafkaException as error:
        raise LogError(f"Kafka does not tell how far {group} is: {error.args[0].str()}") from error
    finally:
        consumer.close()
    return {(names[at.topic].name, at.partition): max(at.offset, 0) for at in found}


def ends(settings: Settings, topics: Iterable[Topic]) -> dict[tuple[str, int], int]:
    """The offset of the next record of every partition of some topics."""
    consumer = Consumer(consumer_config(settings, ROLE))
    try:
        return {
            (topic.name, p): consumer.get_watermark_offsets(
                TopicPartition(settings.topic(topic.name), p), timeout=CALL_S, cached=False
            )[1]
            for topic in topics
            for p in range(partitions_of(settings, topic))
        }
    except KafkaException as error:
        raise LogError(f"Kafka does not tell the ends of its topics: {error.args[0].str()}") from error
    finally:
        consumer.close()


def members(settings: Settings, groups: Sequence[str]) -> list[str]:
    """Those of the groups that have members now."""
    admin = AdminClient(client_config(settings, ROLE))
    names = {settings.topic(group): group for group in groups}
    try:
        found = {name: one.result(CALL_S) for name, one in admin.describe_consumer_groups(list(names)).items()}
    except KafkaException as error:
        raise LogError(f"Kafka does not tell its groups: {error.args[0].str()}") from error
    return [names[name] for name, one in found.items() if one.members]


class LogWriter:
    """Puts lines on topics again, as they were; `flush` returns when they are there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(producer_config(settings, ROLE))
        self._refused: list[str] = []

    def put(self, topic: str, partition: int, line: Line, *, at_ms: int | None = None) -> None:
        """One record; `at_ms` in place of its own Kafka time (0: now)."""
        _, written_ms, key, value, headers = line
        while True:
            try:
                self._producer.produce(
                    self._settings.topic(topic),
                    unpacked(value),
                    unpacked(key),
                    partition=partition,
                    timestamp=written_ms if at_ms is None else at_ms,
                    headers=[(name, unpacked(one)) for name, one in headers],
                    on_delivery=lambda error, _: self._refused.append(error.str()) if error is not None else None,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def base(self, folded: Folded, end: int) -> None:
        """Let a fold go on where it was: the next record of its source, at offset `end`, is the next that it knows."""
        row = orjson.dumps([1, folded.offset + 1 - end])
        key = BASE_ROW + folded.source.encode()
        self.put(folded.state, folded.partition, [0, 0, packed(key), packed(row), []])

    def flush(self) -> None:
        """Wait until all is on the log.

        Raises:
            LogError: some is not.
        """
        while self._producer.flush(CALL_S):
            pass
        if self._refused:
            raise LogError(f"Kafka refused {len(self._refused)} records: {self._refused[0]}")
