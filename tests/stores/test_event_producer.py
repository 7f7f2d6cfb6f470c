import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.events import BreakPlanned
from schemas.topics import ADS_BREAKS
from stores import kafka
from stores.kafka import EventProducer, LogBusyError
from stores.settings import Settings

MANY = 200


def planned(number: int) -> BreakPlanned:
    return BreakPlanned(
        video_id="v", channel="demo", break_id=f"b{number}", segment=0, start_ms=number, media_time_ms=0,
        duration_ms=1_000, requested_ms=0,
    )  # fmt: skip


@pytest.fixture
async def small_queue(topics: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EventProducer]:
    """A producer that has room for two records."""
    roomy = kafka.producer_config

    def narrow(settings: Settings, role: str) -> dict[str, Any]:
        return roomy(settings, role) | {"queue.buffering.max.messages": 2}

    monkeypatch.setattr(kafka, "producer_config", narrow)
    async with EventProducer(topics, "test") as producer:
        yield producer


async def test_a_full_queue_is_an_error_for_send_and_a_wait_for_deliver(small_queue: EventProducer) -> None:
    def send_many() -> None:
        for number in range(MANY):
            small_queue.send(ADS_BREAKS, "v", planned(number))

    with pytest.raises(LogBusyError):
        send_many()
    written = await asyncio.gather(*(small_queue.deliver(ADS_BREAKS, "v", planned(number)) for number in range(MANY)))
    assert len({(place.partition, place.offset) for place in written}) == MANY


async def test_what_is_enqueued_one_after_the_other_is_written_in_this_order(small_queue: EventProducer) -> None:
    futures = [await small_queue.enqueue(ADS_BREAKS, "v", planned(number), partition=0) for number in range(MANY)]
    offsets = [(await future).offset for future in futures]
    assert offsets == sorted(offsets)
