"""How a worker that is told to stop leaves the GOPs it has open, so that no viewer waits for them.

    member, takes no new GOP ──▶ out of the group ──▶ ended
      finishes the open ones       finishes the rest, as nobody's member

It hands over between GOPs: it stays a member until no GOP is open here, or until a new one comes that another worker
should begin at once. Then it leaves the group, and the others have its partitions at their next heartbeat. GOPs that are
open even then it reads on by itself to their end. The others do those again from their start, as after a death, and make
the same names and bytes; but nobody waits for them. All of it ends after `drain_s`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from confluent_kafka import Consumer, TopicPartition

from processors.part_writer import Record
from processors.transcoder import Transcoder
from schemas.topics import MEDIA_SOURCE
from stores.kafka import consumer_config
from stores.settings import Settings

log = logging.getLogger(__name__)

LOOK_S: Final = 0.02
READ_RECORDS: Final = 64
READ_S: Final = 0.05


class Leaver(Protocol):
    """An agent with work that a stop should not cut off."""

    async def hand_over(self) -> None:
        """Take nothing new; return when the worker may leave its group."""

    async def finish(self) -> None:
        """The worker is no member any more: end what is open, and close."""


class Leave:
    """The leave of one transcoder. `now_s`: a monotonic clock; the time it may take counts from here."""

    def __init__(self, settings: Settings, transcoder: Transcoder, now_s: Callable[[], float]) -> None:
        self._settings = settings
        self._transcoder = transcoder
        self._now_s = now_s
        self._until_s = now_s() + settings.drain_s

    async def hand_over(self) -> None:
        """Stay until there is nothing to stay for."""
        self._transcoder.take_no_new()
        while self._transcoder.is_awaited() and not self._transcoder.turned_away and self._time_left():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)  # what is awaited changes with time as well

    async def finish(self) -> None:
        """Read the open GOPs to their end, and wait until all of them is written."""
        places = self._transcoder.leave()
        if places:
            log.info("%d GOPs are open: they are finished here, and done again elsewhere", self._transcoder.open_gops)
            await self._read_on(places)
        while self._transcoder.is_awaited() and self._time_left():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        if self._transcoder.open_gops:
            log.warning("%d GOPs are left as they are: another worker does them", self._transcoder.open_gops)

    async def _read_on(self, places: dict[int, int]) -> None:
        topic = self._settings.topic(MEDIA_SOURCE.name)
        reader = Consumer(consumer_config(self._settings, "worker-leaving"))
        reader.assign([TopicPartition(topic, partition, offset) for partition, offset in places.items()])
        try:
            while self._transcoder.awaits_chunks() and self._time_left():
                for message in await asyncio.to_thread(reader.consume, READ_RECORDS, READ_S):
                    partition, offset, value = message.partition(), message.offset(), message.value()
                    if message.error() is None and partition is not None and offset is not None:
                        await self._transcoder.follow(
                            Record(topic, partition, offset, _raw(message.key()), _raw(value))
                        )
        finally:
            await asyncio.to_thread(reader.close)

    def _time_left(self) -> bool:
        return self._now_s() < self._until_s


def _raw(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
