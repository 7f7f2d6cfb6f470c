"""How a broadcast's events leave it: at once to Kafka (`DirectOutlet`), or through the spool (`producers.spool.Spool`)."""

import asyncio
from typing import Any, Final, Protocol

from schemas.events import Event
from schemas.topics import MEDIA_GOPS, VIDEOS, Topic
from stores.kafka import EventProducer

ANNOUNCING: Final = frozenset({MEDIA_GOPS.name, VIDEOS.name})
"""Topics that say what comes: a record is on the log before anything of the same video that was put behind it."""


class Outlet(Protocol):
    """Takes events in order."""

    async def put(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Any]:
        """Take an event, by default for the partition of its key; waits while there is no room.

        Returns:
            A future that is done when the event is safe; its exception is a LogError.

        Raises:
            LogError: it is not taken.
        """


class DirectOutlet:
    """Safe is what Kafka has acknowledged."""

    def __init__(self, producer: EventProducer) -> None:
        self._producer = producer

    async def put(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Any]:
        """See `Outlet`."""
        written = await self._producer.enqueue(topic, key, event, partition=partition)
        if topic.name in ANNOUNCING:
            await written
        return written
