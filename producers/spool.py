"""The spool: what the ingest takes is on its disk first, and goes to Kafka from there, in order, once.

Theory. Three loops over one `SpoolLog`. The first writes what was put; a record is taken when it is in a file, which the death of
the process does not touch (a loss of power costs what the disk was not told to keep: `LOGCAST_SPOOL_SYNC_MS`). The second reads
the files and sends, at most `WINDOW_BYTES` ahead of Kafka's acknowledgements; behind a record that announces (see
`producers.outlet`) the others of its video wait until Kafka has it. The third says what is acknowledged, so that files go.

While Kafka is away the files grow; when they may not, `put` waits, so that publishers are held back, and gives up after
`LOGCAST_SPOOL_PATIENCE_S`. Whether there is room again is looked for meanwhile, also when nobody puts anything any more. After a restart the records that nobody acknowledged are looked for at the end of the log,
by the name that each carries in a header: what is there is not sent again.
"""

import asyncio
import logging
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import Counter, Gauge

from producers.outlet import ANNOUNCING
from producers.spool_present import Present, what_is_there
from schemas import codec
from schemas.events import Event
from schemas.topics import Topic, partition_of
from stores.kafka import EventProducer, LogError, Written
from stores.log_reader import now_ms
from stores.settings import Settings
from stores.spool_log import Entry, SpoolFullError, SpoolLog

log = logging.getLogger(__name__)

WINDOW_BYTES: Final = 32 * 1024 * 1024
WINDOW_RECORDS: Final = 10_000
READ_BYTES: Final = 1024 * 1024
TIDY_S: Final = 0.2
AGAIN_S: Final = 1.0
DRAIN_S: Final = 3.0
ROOM_BYTES: Final = 1024 * 1024
"""What a spool that was full must have room for before it says that it takes records again."""

NAME_HEADER: Final = "spool"

BYTES = Gauge("logcast_spool_bytes", "Bytes of the spool's files.")
RECORDS = Gauge("logcast_spool_records", "Records that Kafka has not acknowledged yet.")
AGE = Gauge("logcast_spool_age_seconds", "How long ago the oldest of them was taken.")
FULL = Gauge("logcast_spool_full", "1 while the spool takes nothing.")
SKIPPED = Counter(
    "logcast_spool_found_total", "Records that were found on the log after a restart, and not sent again."
)

_HEAD: Final = struct.Struct("!HHH")


@dataclass(frozen=True, slots=True)
class Spooled:
    """A record of the log as it lies in the spool: `topic` without the cluster's prefix."""

    topic: str
    partition: int
    key: bytes
    value: bytes = field(repr=False)

    def pack(self) -> bytes:
        """Its bytes."""
        topic = self.topic.encode()
        return _HEAD.pack(len(topic), len(self.key), self.partition) + topic + self.key + self.value

    @classmethod
    def unpack(cls, data: bytes) -> "Spooled":
        """The record of these bytes."""
        topic, key, partition = _HEAD.unpack_from(data)
        key_at = _HEAD.size + topic
        return cls(data[_HEAD.size : key_at].decode(), partition, data[key_at : key_at + key], data[key_at + key :])

    @property
    def video(self) -> bytes:
        """Whose it is: the key up to the first slash."""
        return self.key.partition(b"/")[0]


@dataclass(slots=True)
class _Put:
    data: bytes
    written: "asyncio.Future[None]"


@dataclass(slots=True)
class _Flying:
    taken_ms: int
    size: int


class Spool:
    """An `Outlet`. Open it as a context manager; `failed` resolves with the exception when it cannot go on.

    Args:
        settings: of the process.
        files: open already.
        producer: open already; nobody else should send much by it.
    """

    def __init__(self, settings: Settings, files: SpoolLog, producer: EventProducer) -> None:
        self._settings = settings
        self._log = files
        self._producer = producer
        self._puts: deque[_Put] = deque()
        self._asked = asyncio.Event()
        self._written = asyncio.Event()
        self._room = asyncio.Event()
        self._moved = asyncio.Event()
        self._flying: dict[int, _Flying] = {}
        self._flying_bytes = 0
        self._lanes: dict[bytes, deque[tuple[Entry, Spooled]]] = {}
        self._sent = files.first.number - 1
        self._full = ""
        self._stop = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        if self.waiting:
            log.warning("%d records of before wait in the spool %s", self.waiting, self._log.directory)
        for loop in (self._write_for_ever, self._send_for_ever, self._tidy_for_ever):
            task = asyncio.create_task(loop(), name=f"spool-{loop.__name__}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.delivered(DRAIN_S)
        except LogError:
            log.warning("%d records stay in the spool, and go to Kafka at the next start", self.waiting)
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._log.acknowledge(self.acknowledged)
        self.failed.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        log.critical("the spool cannot go on", exc_info=error)
        if not self.failed.done():
            self.failed.set_exception(error)

    # -- what is asked of it

    @property
    def acknowledged(self) -> int:
        """The last record up to which Kafka has all."""
        return next(iter(self._flying)) - 1 if self._flying else self._sent

    @property
    def waiting(self) -> int:
        """How many records Kafka has not acknowledged."""
        return self._log.next_number - 1 - self.acknowledged

    @property
    def full(self) -> str:
        """Why nothing can be taken now; empty when it can."""
        return self._full

    async def put(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Any]:
        """See `Outlet`; the future is done: the record is in a file.

        Raises:
            SpoolFullError: there was no room for as long as the spool may be waited for.
        """
        if partition is None:
            partition = partition_of(key, topic.partitions or self._settings.partitions)
        value = codec.encode(event)
        if len(value) > topic.max_message_bytes:
            raise LogError(
                f"a record of {len(value)} bytes for {topic.name}, expected at most {topic.max_message_bytes}"
            )
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._puts.append(_Put(Spooled(topic.name, partition, key.encode(), value).pack(), written))
        self._asked.set()
        try:
            async with asyncio.timeout(self._settings.spool_patience_s):
                await written
        except TimeoutError:
            raise SpoolFullError(self._full or "the disk of the spool does not answer") from None
        return written

    @property
    def last_number(self) -> int:
        """The number of the record that was put last."""
        return self._log.next_number - 1

    async def delivered(self, timeout_s: float | None = None, *, upto: int | None = None) -> None:
        """Return once Kafka has everything that the spool holds now, at the call; or up to a record.

        Raises:
            LogError: it did not take it within `timeout_s`.
        """
        wanted = self.last_number if upto is None else upto
        try:
            async with asyncio.timeout(timeout_s):
                while self.acknowledged < wanted:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise LogError(f"Kafka does not take what the spool holds ({self.waiting} records)") from None

    # -- writing

    async def _write_for_ever(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._puts:
                await self._write()

    async def _write(self) -> None:
        """Write what was put and is still waited for; waits a moment when there is no room."""
        batch = [put for put in self._puts if not put.written.done()]
        self._puts.clear()
        if not batch:
            return
        try:
            taken = await asyncio.to_thread(self._log.append, [put.data for put in batch])
        except SpoolFullError as error:
            if not self._full:
                log.error("%s; publishers are held back", error)  # noqa: TRY400  (its message says all)
            self._full = str(error)
            self._puts.extendleft(reversed(batch))
            await asyncio.sleep(TIDY_S)
            return
        self._full = ""
        for put in batch[:taken]:
            if not put.written.done():
                put.written.set_result(None)
        self._puts.extendleft(reversed(batch[taken:]))
        self._written.set()

    # -- sending

    async def _send_for_ever(self) -> None:
        present = await self._what_is_there()
        cursor = self._log.first
        while True:
            self._room.clear()
            if self._flying_bytes >= WINDOW_BYTES or len(self._flying) >= WINDOW_RECORDS:
                await self._room.wait()
                continue
            self._written.clear()
            entries, cursor = await asyncio.to_thread(self._log.read, cursor, READ_BYTES)
            if not entries:
                await self._written.wait()
            for entry in entries:
                self._take(entry, present)

    async def _what_is_there(self) -> Present:
        """The records of this spool that the log has from `first` on; asks until Kafka answers."""
        entries, _ = await asyncio.to_thread(self._log.read, self._log.first, 1)
        while entries:
            ask = partial(
                what_is_there, self._settings, NAME_HEADER, entries[0].taken_ms, self._log.identities, self._stop
            )
            try:
                return await asyncio.to_thread(ask)
            except LogError as error:
                log.warning("the end of the log cannot be read, trying again: %s", error)
                await asyncio.sleep(AGAIN_S)
        return Present()

    def _take(self, entry: Entry, present: Present) -> None:
        """Send a record, or let it wait in its lane, or leave it where the log has it."""
        record = Spooled.unpack(entry.data)
        self._sent = entry.number
        if present.has(entry.name, entry.number, record.topic, record.key):
            SKIPPED.inc()
            self._moved.set()
            return
        self._flying[entry.number] = _Flying(entry.taken_ms, len(entry.data))
        self._flying_bytes += len(entry.data)
        lane = self._lanes.get(record.video)
        if lane is None:
            self._send(entry, record)
        else:
            lane.append((entry, record))

    def _send(self, entry: Entry, record: Spooled) -> None:
        written = self._producer.send_record(
            record.topic,
            record.partition,
            record.key,
            record.value,
            headers=[(NAME_HEADER, entry.name)],
            timestamp_ms=entry.taken_ms,
        )
        if record.topic in ANNOUNCING:
            self._lanes.setdefault(record.video, deque())
        written.add_done_callback(partial(self._on_written, entry.number, record))

    def _on_written(self, number: int, record: Spooled, written: asyncio.Future[Written]) -> None:
        if written.cancelled():
            return
        if (error := written.exception()) is not None:
            self._fail(error)  # whatever it is, it stays in the spool, and the next start sends it again
            return
        self._flying_bytes -= self._flying.pop(number).size
        if record.topic in ANNOUNCING:
            self._open_lane(record.video)
        self._room.set()
        self._moved.set()

    def _open_lane(self, video: bytes) -> None:
        """Send what waited for an announcement, up to and with the next one."""
        lane = self._lanes.pop(video)
        while lane:
            entry, record = lane.popleft()
            self._send(entry, record)
            if video in self._lanes:
                self._lanes[video] = lane
                return

    # -- tidying

    async def _tidy_for_ever(self) -> None:
        synced_to, synced_at = self._log.next_number, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(TIDY_S)
            await asyncio.to_thread(self._log.acknowledge, self.acknowledged)
            if self._full and not self._puts:
                await asyncio.to_thread(self._look_for_room)
            every_s = self._settings.spool_sync_ms / 1000
            if every_s and self._log.next_number > synced_to and clock() - synced_at >= every_s:
                synced_to, synced_at = self._log.next_number, clock()
                await asyncio.to_thread(self._log.sync)
            self._measure(now_ms)

    def _look_for_room(self) -> None:
        """Nobody may be left who puts anything: then no write tells that there is room again."""
        try:
            self._log.check_room(ROOM_BYTES)
        except SpoolFullError as error:
            self._full = str(error)
        else:
            self._full = ""
            log.warning("there is room in the spool %s again: publishers are taken", self._log.directory)

    def _measure(self, clock: Callable[[], int]) -> None:
        BYTES.set(self._log.size_bytes)
        RECORDS.set(self.waiting)
        FULL.set(bool(self._full))
        oldest = next(iter(self._flying.values()), None)
        AGE.set(max(0, clock() - oldest.taken_ms) / 1000 if oldest else 0.0)
