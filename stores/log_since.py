"""The records that topics got since a time, up to their ends now. Blocking; used in threads."""

import threading
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from schemas.topics import Topic
from stores.kafka import LogError, consumer_config
from stores.log_reader import first_offsets
from stores.settings import Settings

SILENCE_S: Final = 20.0
POLL_S: Final = 0.5
BATCH: Final = 500


def records_since(
    settings: Settings, topic: Topic, since_ms: int, stop: threading.Event, role: str
) -> Iterator[Message]:
    """Every committed record of a topic whose time (of the record, ms) may be `since_ms` or later.

    Raises:
        LogError: the brokers gave nothing for `SILENCE_S`, or `stop` was set.
    """
    consumer = Consumer(consumer_config(settings, role) | {"enable.partition.eof": True})
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
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                    open_.discard(message.partition() or 0)
    except KafkaException as error:
        raise LogError(f"Kafka does not answer: {error.args[0].str()}") from error
    finally:
        consumer.close()
