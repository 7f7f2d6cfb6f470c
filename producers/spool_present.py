"""What a spool sent before it died, as the log has it: so that it is not sent again. Blocking; used in a thread."""

import threading
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from schemas.topics import ALL_TOPICS, MEDIA_GOPS, MEDIA_SOURCE, VIDEOS, Cleanup, Topic
from stores.kafka import LogError, consumer_config
from stores.log_reader import first_offsets
from stores.settings import Settings

TOPICS: Final = (MEDIA_SOURCE, MEDIA_GOPS, VIDEOS)
SILENCE_S: Final = 20.0
POLL_S: Final = 0.5
BATCH: Final = 500
NUMBER_BYTES: Final = 8
_COMPACTED: Final = frozenset(topic.name for topic in ALL_TOPICS if topic.cleanup is Cleanup.COMPACT)


@dataclass(slots=True)
class Present:
    """Names of records that are on the log, and the highest number of each key of compacted topics."""

    names: set[bytes] = field(default_factory=set)
    highest: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def add(self, topic: str, key: bytes, name: bytes) -> None:
        """A record is there."""
        self.names.add(name)
        number = int.from_bytes(name[-NUMBER_BYTES:], "big")
        self.highest[topic, key] = max(number, self.highest.get((topic, key), -1))

    def has(self, name: bytes, number: int, topic: str, key: bytes) -> bool:
        """Whether a record need not be sent: it is there, or was there before a later one that compaction has kept.

        Records of one key were sent in the order of their numbers.
        """
        if topic in _COMPACTED and number <= self.highest.get((topic, key), -1):
            return True
        return name in self.names


def what_is_there(
    settings: Settings, header: str, since_ms: int, identities: frozenset[bytes], stop: threading.Event
) -> Present:
    """The records with names of these identities that the log has from a time (of records, ms) on.

    Raises:
        LogError: the brokers gave nothing for `SILENCE_S`, or `stop` was set.
    """
    present = Present()
    try:
        for topic in TOPICS:
            _read(settings, topic, header, since_ms, identities, stop, present)
    except KafkaException as error:
        raise LogError(f"Kafka does not answer: {error.args[0].str()}") from error
    return present


def _read(
    settings: Settings,
    topic: Topic,
    header: str,
    since_ms: int,
    identities: frozenset[bytes],
    stop: threading.Event,
    present: Present,
) -> None:
    config = consumer_config(settings, "spool") | {"enable.partition.eof": True}
    consumer = Consumer(config)
    try:
        assignment = first_offsets(consumer, settings.topic(topic.name), since_ms)
        consumer.assign(assignment)
        open_ = {at.partition for at in assignment}
        silent_s = 0.0
        while open_:
            messages = consumer.consume(BATCH, timeout=POLL_S)
            silent_s = 0.0 if messages else silent_s + POLL_S
            if silent_s > SILENCE_S or stop.is_set():
                raise LogError(f"Kafka did not give the end of {topic.name}")
            for message in messages:
                _note(message, topic, header, identities, open_, present)
    finally:
        consumer.close()


def _note(
    message: Message, topic: Topic, header: str, identities: frozenset[bytes], open_: set[int], present: Present
) -> None:
    error = message.error()
    if error is None:
        name = dict(message.headers() or []).get(header)
        if isinstance(name, bytes) and name[:-NUMBER_BYTES] in identities:
            present.add(topic.name, message.key() or b"", name)
    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
        open_.discard(message.partition() or 0)
