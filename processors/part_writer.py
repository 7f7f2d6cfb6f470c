"""Writes parts: the bytes to the segment store, then the event to the log. Every write may be repeated."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from processors import metrics
from schemas.dead_letter import Header, record_headers
from schemas.events import CaptionsFound, DeadLetter, MediaChunk, PartReady, SegmentClosed, TranscodeTask
from schemas.topics import DEAD_LETTERS, MEDIA_PARTS, MEDIA_TASKS
from stores.kafka import EventProducer
from stores.segments import SegmentStore, SegmentStoreError

log = logging.getLogger(__name__)

STORE_ATTEMPTS: Final = 6
STORE_BACKOFF_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the log as it was read, for a dead letter."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: tuple[Header, ...] = ()
    written_ms: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A chunk, the record that it came in, and when: in seconds of a monotonic clock."""

    chunk: MediaChunk
    record: Record
    at_s: float

    @property
    def size_bytes(self) -> int:
        """The room it takes while it waits."""
        return len(self.record.value or b"")


class PartWriter:
    """The effects of the transcode agent."""

    def __init__(
        self, store: SegmentStore, producer: EventProducer, threads: Executor, app: str, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._producer = producer
        self._threads = threads
        self._app = app
        self._now_ms = now_ms

    async def part(self, ready: PartReady, data: bytes, before: Sequence[SegmentClosed | CaptionsFound]) -> None:
        """Store a part and announce it, after the segments that it completes and the captions that it carries.

        Raises:
            SegmentStoreError: the store did not take it, after some attempts.
            LogError: the log refused it.
        """
        await self.store(ready.name, data)
        await self.announce(*before, ready)
        metrics.PARTS.labels(ready.rendition).inc()
        metrics.PART_SECONDS.labels(ready.rendition).observe(max(0, self._now_ms() - ready.received_ms) / 1000)

    async def store(self, name: str, data: bytes) -> None:
        """Put bytes into the segment store; a store that is away for a moment is waited for."""
        loop = asyncio.get_running_loop()
        for attempt in range(1, STORE_ATTEMPTS + 1):
            try:
                await loop.run_in_executor(self._threads, self._store.put, name, data)
            except SegmentStoreError as error:
                if attempt == STORE_ATTEMPTS:
                    raise
                log.warning("attempt %d of %d: %s", attempt, STORE_ATTEMPTS, error)
                await asyncio.sleep(STORE_BACKOFF_S * 2**attempt)
            else:
                return

    async def announce(self, *events: PartReady | SegmentClosed | CaptionsFound) -> None:
        """Write events of one video, in this order; they are on the log when this returns."""
        for written in [await self._producer.enqueue(MEDIA_PARTS, event.video_id, event) for event in events]:
            await written

    async def defer(self, *tasks: TranscodeTask) -> None:
        """Leave work to whoever has time for it; it is on the log when this returns."""
        for task in tasks:
            key = f"{task.video_id}/{task.rendition}/{task.task}"
            await self._producer.deliver(MEDIA_TASKS, key, task)

    async def dead_letter(self, record: Record, cause: str) -> None:
        """Keep a record that could not be processed, with the cause."""
        log.error("dead letter from %s/%d at %d: %s", record.topic, record.partition, record.offset, cause)
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            app=self._app,
            cause=cause,
            failed_ms=self._now_ms(),
            key=record.key,
            value=record.value,
            headers=record_headers(record.headers),
            written_ms=record.written_ms,
        )
        await self._producer.deliver(DEAD_LETTERS, record.topic, letter)
        metrics.DEAD_LETTERS.labels(self._app).inc()
