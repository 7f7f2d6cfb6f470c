"""Reading the real log: everything once, in order, from where it was asked; what cannot be read is passed over."""

import asyncio
import time

import pytest
from confluent_kafka import Producer

from schemas.events import Event, VideoChanged
from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.kafka import EventProducer, producer_config
from stores.log_reader import BEGINNING, UNREADABLE, LogReader, Place, Subscription
from stores.settings import Settings
from tests.gateway.tape import VIDEO, Tape, video
from tests.waiting import eventually

pytestmark = pytest.mark.integration
CAUGHT_UP_S = 20


class Fold:
    """What a handler was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.places: list[Place] = []
        self.batches = 0

    def __call__(self, event: Event, place: Place) -> None:
        self.events.append(event)
        self.places.append(place)

    def batch(self) -> None:
        self.batches += 1


async def caught_up(reader: LogReader) -> None:
    async with asyncio.timeout(CAUGHT_UP_S):
        await reader.wait_caught_up()


async def test_everything_is_read_once_in_the_order_of_its_partition(topics: Settings) -> None:
    tape, fold, again = Tape([4] * 50), Fold(), Fold()
    async with EventProducer(topics, "test") as producer:
        written = [producer.send(MEDIA_PARTS, VIDEO, event) for event in tape.events()]
        await asyncio.gather(*written)
        subscriptions = [Subscription(MEDIA_PARTS, fold), Subscription(MEDIA_PARTS, again)]
        async with LogReader(topics, subscriptions, fold.batch) as reader:
            before = reader.caught_up
            await caught_up(reader)
            assert (before, reader.caught_up) == (False, True)
            assert fold.events == list(tape.events())
            assert [place.offset for place in fold.places] == list(range(250))
            assert {place.topic for place in fold.places} == {"media.parts"}
            assert again.events == fold.events
            assert fold.batches < 250, "many events a batch when there are many"
            await producer.send(MEDIA_PARTS, VIDEO, tape.part(0, 0))
            await eventually(lambda: len(fold.events) == 251)
        assert not reader.caught_up


async def test_deleted_keys_are_told_to_those_who_ask_for_them(topics: Settings) -> None:
    fold, other, gone = Fold(), Fold(), list[tuple[str, str, int]]()
    async with EventProducer(topics, "test") as producer:
        await producer.deliver(VIDEOS, VIDEO, video())
        await producer.delete(VIDEOS, VIDEO)
        subscriptions = [
            Subscription(VIDEOS, fold, gone=lambda key, place: gone.append((key, place.topic, place.offset))),
            Subscription(VIDEOS, other),
        ]
        async with LogReader(topics, subscriptions) as reader:
            await caught_up(reader)
            assert gone == [(VIDEO, "videos", 1)]
            assert len(fold.events) == len(other.events) == 1


async def test_a_topic_is_read_from_the_time_that_was_asked(topics: Settings) -> None:
    tape, late, whole = Tape([4] * 4), Fold(), Fold()
    old_ms = time.time_ns() // 1_000_000 - 3_600_000
    raw = Producer(producer_config(topics, "test"))
    from schemas.codec import encode
    from schemas.topics import partition_of

    partition = partition_of(VIDEO, topics.partitions)
    for number, event in enumerate(tape.events()):
        raw.produce(
            topics.topic("media.parts"), encode(event), VIDEO, partition=partition, timestamp=old_ms + number * 1_000
        )
    raw.flush(10)
    subscriptions = [Subscription(MEDIA_PARTS, late, old_ms + 7_000), Subscription(VIDEOS, whole, BEGINNING)]
    async with LogReader(topics, subscriptions) as reader:
        await caught_up(reader)
        assert late.events == list(tape.events())[7:]
    nothing = Fold()
    async with LogReader(topics, [Subscription(MEDIA_PARTS, nothing, time.time_ns() // 1_000_000)]) as reader:
        await caught_up(reader)
        assert nothing.events == []
        raw.produce(topics.topic("media.parts"), encode(tape.part(0, 0)), VIDEO, partition=partition)
        raw.flush(10)
        await eventually(lambda: nothing.events == [tape.part(0, 0)])


async def test_what_cannot_be_decoded_or_folded_is_counted_and_passed_over(topics: Settings) -> None:
    fold, counted = Fold(), UNREADABLE.labels("videos")._value
    before = counted.get()

    def picky(event: Event, place: Place) -> None:
        if isinstance(event, VideoChanged) and event.title == "broken":
            raise ValueError("no such title")
        fold(event, place)

    from dataclasses import replace

    from schemas.codec import encode

    raw = Producer(producer_config(topics, "test"))
    good = encode(video())
    for value in (good, b"{}", b"\0\0\0\xff\xff123", good[:-9], encode(replace(video(), title="broken")), None, good):
        raw.produce(topics.topic("videos"), value, VIDEO)
    raw.flush(10)
    async with LogReader(topics, [Subscription(VIDEOS, picky)]) as reader:
        await caught_up(reader)
    assert fold.events == [video(), video()]
    assert counted.get() - before == 4


async def test_what_was_not_committed_is_not_read(topics: Settings) -> None:
    from schemas.codec import encode
    from stores.kafka import transactional_config

    fold = Fold()
    raw = Producer(transactional_config(topics, "test", f"{topics.topic_prefix}tx"))
    raw.init_transactions(20)
    for title, commit in (("no", False), ("yes", True)):
        raw.begin_transaction()
        from dataclasses import replace

        raw.produce(topics.topic("videos"), encode(replace(video(), title=title)), VIDEO)
        if commit:
            raw.commit_transaction(20)
        else:
            raw.abort_transaction(20)
    async with LogReader(topics, [Subscription(VIDEOS, fold)]) as reader:
        await caught_up(reader)
    assert [event.title for event in fold.events if isinstance(event, VideoChanged)] == ["yes"]


async def test_a_log_that_is_not_there_yet_is_waited_for_and_left_at_once(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    async with LogReader(nowhere, [Subscription(VIDEOS, Fold())]) as reader:
        assert not reader.caught_up
        began = time.monotonic()
    assert time.monotonic() - began < 5
