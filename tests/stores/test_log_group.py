"""A consumer group on a real Kafka: shares, commits, holding still, and what is given again."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from schemas import codec
from schemas.events import BreakPlanned
from schemas.topics import ADS_BREAKS, VIDEOS
from stores.kafka import EventProducer
from stores.log_group import LogGroup, RawRecord
from stores.settings import Settings
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration
DEADLINE_S = 60.0


def group_of(settings: Settings) -> LogGroup:
    return LogGroup(settings, "test", "group", [ADS_BREAKS, VIDEOS])


async def publish(settings: Settings, numbers: range) -> None:
    """One event a number, spread over the partitions."""
    async with EventProducer(settings, "test") as producer:
        await asyncio.gather(*(producer.send(ADS_BREAKS, f"video {n}", planned(n)) for n in numbers))


def planned(number: int) -> BreakPlanned:
    return BreakPlanned(
        video_id=f"video {number}",
        channel="ann",
        break_id=str(number),
        segment=number,
        start_ms=0,
        media_time_ms=0,
        duration_ms=0,
        requested_ms=0,
    )


def numbers_of(records: list[RawRecord]) -> list[int]:
    events = [codec.decode(record.value or b"") for record in records]
    return sorted(event.segment for event in events if isinstance(event, BreakPlanned))


async def take(group: LogGroup, count: int) -> list[RawRecord]:
    """As many records, in as many batches as it takes."""
    taken: list[RawRecord] = []

    async def enough() -> bool:
        taken.extend(await group.take())
        return len(taken) >= count

    await eventually_async(enough, DEADLINE_S, f"{count} records")
    return taken


async def test_every_record_is_taken_once_in_the_order_of_its_partition(topics: Settings) -> None:
    await publish(topics, range(700))
    async with group_of(topics) as group:
        records = await take(group, 700)
        assert group.joined
        assert numbers_of(records) == list(range(700))
        for partition in range(topics.partitions):
            offsets = [record.offset for record in records if record.partition == partition]
            assert offsets == list(range(len(offsets)))
        assert {record.topic for record in records} == {"ads.breaks"}


async def test_what_was_not_committed_is_given_again_and_what_was_is_not(topics: Settings) -> None:
    await publish(topics, range(100))
    async with group_of(topics) as group:
        first = await take(group, 100)
        await group.commit([record for record in first if record.partition < 2])
    async with group_of(topics) as group:
        again = await take(group, sum(record.partition >= 2 for record in first))
        assert numbers_of(again) == numbers_of([record for record in first if record.partition >= 2])


async def test_while_it_holds_nothing_is_taken_or_lost_and_it_stays_a_member(topics: Settings) -> None:
    async with group_of(topics) as group:
        await publish(topics, range(10))
        assert numbers_of(await take(group, 10)) == list(range(10))
        await group.hold(0.05)
        await publish(topics, range(10, 900))
        await group.hold(0.3)
        assert group.joined
        assert numbers_of(await take(group, 890)) == list(range(10, 900))


async def test_members_share_the_partitions_and_lose_nothing_when_one_joins_and_leaves(topics: Settings) -> None:
    await publish(topics, range(200))
    seen: set[int] = set()
    async with group_of(topics) as one:
        records = await take(one, 200)
        seen.update(numbers_of(records))
        await one.commit(records)
        async with group_of(topics) as two:

            async def two_has_joined() -> bool:
                for group in (one, two):
                    records = await group.take()
                    seen.update(numbers_of(records))
                    await group.commit(records)
                return two.joined

            await eventually_async(two_has_joined, DEADLINE_S, "the second member")
            await publish(topics, range(200, 400))

            async def all_seen() -> bool:
                await two_has_joined()
                return len(seen) == 400

            await eventually_async(all_seen, DEADLINE_S, "400 numbers")
        await publish(topics, range(400, 500))

        async def the_rest() -> bool:
            records = await one.take()
            seen.update(numbers_of(records))
            return len(seen) == 500

        await eventually_async(the_rest, DEADLINE_S, "500 numbers")
    assert seen == set(range(500))


async def test_lag_is_shown_while_a_member_and_not_afterwards(topics: Settings) -> None:
    def shown() -> set[float]:
        samples = next(m for m in REGISTRY.collect() if m.name == "logcast_group_lag_records").samples
        return {sample.value for sample in samples}

    await publish(topics, range(50))
    async with group_of(topics) as group:
        await take(group, 50)
        assert shown() == {0.0}
    assert shown() == set()
