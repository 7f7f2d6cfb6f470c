"""The events of a topic as plain values, for people and their tools."""

from collections.abc import Iterator
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas import codec
from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

POLL_S: Final = 0.2
FIRST_ANSWER_S: Final = 10.0


def tail(
    settings: Settings, topic: Topic, *, from_beginning: bool, until_end: bool, count: int | None
) -> Iterator[dict[str, Any]]:
    """Committed events as they come; blocking.

    Args:
        settings: where Kafka is.
        topic: what to read.
        from_beginning: from the oldest record, else from the next.
        until_end: stop once every partition's end was reached.
        count: stop after so many; None: never.

    Yields:
        `codec.as_json` of the event and where it stands. A record that cannot be decoded is given with its `error`.

    Raises:
        LogError: Kafka does not answer, or the topic is not there.
    """
    name = settings.topic(topic.name)
    consumer = Consumer(consumer_config(settings, "tail") | {"enable.partition.eof": True})
    try:
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        left = set(_partitions(consumer, settings, name))
        consumer.assign([TopicPartition(name, partition, start) for partition in left])
        while count is None or count > 0:
            message = consumer.poll(POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield _line(message, topic)
                count = count - 1 if count is not None else None
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                left.discard(message.partition())
                if until_end and not left:
                    return
    except KafkaException as error:
        raise LogError(
            f"cannot read {name}: {error.args[0].str()}; is Kafka at {settings.kafka_bootstrap} up?"
        ) from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, settings: Settings, name: str) -> list[int]:
    metadata = consumer.list_topics(name, timeout=FIRST_ANSWER_S).topics[name]
    if metadata.error is not None:
        raise LogError(f"there is no topic {name} at {settings.kafka_bootstrap}; `logcast topics apply` makes it")
    return list(metadata.partitions)


def _line(message: Message, topic: Topic) -> dict[str, Any]:
    place = {
        "topic": topic.name,
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp_ms": message.timestamp()[1],
    }
    value = message.value()
    if value is None:
        return place | {"event": None}
    try:
        return place | codec.as_json(codec.decode(value))
    except codec.CodecError as error:
        return place | {"event": None, "error": str(error)}
