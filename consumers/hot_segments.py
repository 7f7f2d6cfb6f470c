"""The segments of one video that the log still tells of: what is needed when recording is switched on late."""

from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.open_segments import ClosedSegment, OpenSegments
from schemas import codec
from schemas.events import PartReady, SegmentClosed
from schemas.topics import MEDIA_PARTS, partition_of
from stores.kafka import LogError, consumer_config
from stores.settings import Settings

ANSWER_S: Final = 10.0
BATCH: Final = 1_000


def closed_segments(settings: Settings, video_id: str, start_ms: int) -> list[ClosedSegment]:
    """The segments that were closed since `start_ms` (wall clock), in the order of the log; blocking, for a thread.

    A segment that began before `start_ms` lacks the sizes of its first parts.

    Raises:
        LogError: Kafka does not answer.
    """
    name, partition = settings.topic(MEDIA_PARTS.name), partition_of(video_id, settings.partitions)
    consumer = Consumer(consumer_config(settings, "archive-past") | {"enable.partition.eof": True})
    try:
        (start,) = consumer.offsets_for_times([TopicPartition(name, partition, start_ms)], timeout=ANSWER_S)
        if start.offset < 0:  # nothing is so young
            return []
        consumer.assign([start])
        return _read(consumer, video_id, name)
    except KafkaException as error:
        raise LogError(f"cannot read {name}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _read(consumer: Consumer, video_id: str, name: str) -> list[ClosedSegment]:
    segments, found = OpenSegments(), list[ClosedSegment]()
    key = video_id.encode()
    while (first := consumer.poll(ANSWER_S)) is not None:
        for message in (first, *consumer.consume(BATCH, timeout=0)):
            error, value = message.error(), message.value()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                return found
            if error is not None:
                raise KafkaException(error)
            if message.key() == key and value is not None and (closed := _fold(segments, value)) is not None:
                found.append(closed)
    raise LogError(f"the end of {name} was not reached: Kafka gave nothing for {ANSWER_S:g} s")


def _fold(segments: OpenSegments, value: bytes) -> ClosedSegment | None:
    try:
        event = codec.decode(value)
    except codec.CodecError:  # whoever reads the topic in order has told of it
        return None
    if isinstance(event, PartReady):
        segments.part(event, 0, 0, 0)
    return segments.closed(event) if isinstance(event, SegmentClosed) else None
