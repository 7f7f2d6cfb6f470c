"""Runs exact agents under Faust: partitions in, one ledger each, acks after the commit.

Faust hands out the records (group membership, rebalances, offsets); a `Ledger` folds and writes them. Here is what joins
the two, one `PartitionLoop` for each partition that gave a record:

- one step at a time; what comes meanwhile waits and goes into the next, so batches form by themselves under load;
- the waiting records are bounded, and Faust waits when they are too many (`noack` streams have no bound of their own);
- events are acknowledged in order, after the step that committed them (Faust commits past a gap otherwise);
- a partition that is taken away finishes its step; its waiting records are dropped, for they will be given again;
- whatever a ledger raises ends the process at once (`EXIT_CODE`), so that the supervisor starts a clean one.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import faust
from faust.types import TP

from processors.fold import ExactAgent
from processors.ledger import Ledger
from schemas.dead_letter import headers_of
from stores.read_back import SourceRecord
from stores.settings import Settings

log = logging.getLogger(__name__)

EXIT_CODE: Final = os.EX_TEMPFAIL
QUEUE_RECORDS: Final = 4_096
STEP_RECORDS: Final = 2_048
STEP_BYTES: Final = 1024 * 1024
"""With the largest fan-out (a like is 60 bytes in and a row out) a step stays far below the transaction timeout."""
IDLE_S: Final = 600.0
"""A partition without records for so long lets go of its memory and connection."""
SETTLE_S: Final = 4.0
"""What a rebalance waits for a step under way; the session timeout is longer."""
DRAIN_S: Final = 10.0
"""What a stop waits for the records that were taken."""
MAX_THREADS: Final = 8


class PartitionLoop:
    """The records of one partition on their way through its ledger."""

    def __init__(self, ledger: Ledger, names: dict[str, str], threads: ThreadPoolExecutor, interval_s: float) -> None:
        self._ledger = ledger
        self._names = names
        self._threads = threads
        self._interval_s = interval_s
        self._waiting: deque[faust.EventT[Any]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle.set()
        self._turn = 0
        self._task = asyncio.create_task(self._run(), name=f"exact-{ledger.role}")
        self._task.add_done_callback(_end_if_failed)

    async def put(self, event: faust.EventT[Any]) -> None:
        """Take a record, when there is room."""
        turn = self._turn
        while len(self._waiting) >= QUEUE_RECORDS:
            self._room.clear()
            await self._room.wait()
        if turn == self._turn:  # else its partition was taken away meanwhile, and it comes again
            self._waiting.append(event)
            self._idle.clear()
            self._wake.set()

    async def settle(self) -> None:
        """Finish the step under way, forget what waits, acknowledge nothing of before."""
        self._turn += 1
        self._waiting.clear()
        self._room.set()
        await self._until_idle(SETTLE_S)

    async def drain(self) -> None:
        """Finish all that was taken."""
        self._hurry.set()
        await self._until_idle(DRAIN_S)

    async def close(self) -> None:
        """End the loop and its ledger."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._ledger.close)

    async def _until_idle(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%s: a step is still under way after %s s; it is left to be fenced", self._ledger.role, seconds)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._until_woken()
            started, turn = loop.time(), self._turn
            batch = self._next_batch()
            if batch:
                records = [self._record(event) for event in batch]
                await loop.run_in_executor(self._threads, self._ledger.step, records)
                if turn == self._turn:
                    for event in batch:
                        event.ack()
            if not self._waiting:
                self._wake.clear()
                self._idle.set()
            await self._until_due(started + self._interval_s)

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()
        except TimeoutError:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._ledger.close)
            await self._wake.wait()

    async def _until_due(self, due: float) -> None:
        """Wait out the interval, unless a full step waits already or there is a hurry."""
        if due <= asyncio.get_running_loop().time() or len(self._waiting) >= STEP_RECORDS:
            return
        try:
            async with asyncio.timeout_at(due):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _next_batch(self) -> list[faust.EventT[Any]]:
        batch: list[faust.EventT[Any]] = []
        size = 0
        while self._waiting and len(batch) < STEP_RECORDS and size < STEP_BYTES:
            event = self._waiting.popleft()
            size += len(event.message.value or b"")
            batch.append(event)
        self._room.set()
        return batch

    def _record(self, event: faust.EventT[Any]) -> SourceRecord:
        message = event.message
        return SourceRecord(
            self._names[message.topic],
            message.offset,
            message.key,
            message.value,
            round((message.timestamp or 0) * 1000),
            headers_of(message.headers),
        )


class ExactRunner:
    """One exact agent in this worker: its partitions as Faust gives and takes them."""

    def __init__(self, settings: Settings, agent: ExactAgent) -> None:
        self._settings = settings
        self._agent = agent
        self._names = {settings.topic(topic.name): topic.name for topic in agent.sources}
        self._threads = ThreadPoolExecutor(min(settings.partitions, MAX_THREADS), f"exact-{agent.name}")
        self._loops: dict[int, PartitionLoop] = {}
        self._accepting = False

    async def process(self, stream: faust.StreamT[bytes]) -> None:
        """The Faust agent: hand each record to its partition."""
        assert isinstance(stream, faust.Stream)
        async for event in stream.noack().events():
            if self._accepting:  # else its partition was just taken away, and it comes again
                await self._loop(event.message.partition).put(event)

    async def on_assigned(self, _: faust.App, assigned: Iterable[TP], **__: object) -> None:
        """Go on with the partitions that are ours now, let go of the others."""
        mine = self._partitions(assigned)
        for partition in sorted(self._loops.keys() - mine):
            await self._loops.pop(partition).close()
        self._accepting = True

    async def on_revoked(self, _: faust.App, revoked: Iterable[TP], **__: object) -> None:
        """Finish the steps under way. Faust takes all partitions at each rebalance, and gives them again."""
        if any(tp.topic in self._names for tp in revoked):
            self._accepting = False
            await asyncio.gather(*(loop.settle() for loop in self._loops.values()))

    async def on_shutdown(self, _: faust.App, **__: object) -> None:
        """Finish what was taken, in bounded time; Faust commits the acknowledged offsets afterwards."""
        self._accepting = False
        await asyncio.gather(*(loop.drain() for loop in self._loops.values()))
        while self._loops:
            await self._loops.popitem()[1].close()
        self._threads.shutdown(wait=False)

    def _loop(self, partition: int) -> PartitionLoop:
        if partition not in self._loops:
            ledger = Ledger(self._settings, self._agent, partition)
            self._loops[partition] = PartitionLoop(ledger, self._names, self._threads, self._agent.interval_s)
        return self._loops[partition]

    def _partitions(self, assigned: Iterable[TP]) -> set[int]:
        """Our partitions, which must be the same of every source: a fold needs all records of its videos."""
        of_topic = {name: {tp.partition for tp in assigned if tp.topic == name} for name in self._names}
        first, *others = of_topic.values()
        if any(partitions != first for partitions in others):
            _end(
                f"{self._agent.name}: expected the same partitions of each source, found {of_topic}: is the consumer's "
                "assignor one that keeps topics together (range)?"
            )
        return first


def run_exactly(app: faust.App, settings: Settings, agent: ExactAgent) -> ExactRunner:
    """Add an exact agent to the Faust app."""
    runner = ExactRunner(settings, agent)
    topics = [settings.topic(topic.name) for topic in agent.sources]
    channel = app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    app.agent(channel, name=f"{settings.worker_group}.{agent.name}")(runner.process)
    signals: Any = app  # their declared handlers take any arguments, ours the ones that Faust sends
    signals.on_partitions_assigned.connect(runner.on_assigned)
    signals.on_partitions_revoked.connect(runner.on_revoked)
    signals.on_before_shutdown.connect(runner.on_shutdown)
    return runner


def _end_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed", task.get_name(), exc_info=error)
        _end("an exact agent cannot go on; the supervisor starts a clean process")


def _end(why: str) -> None:
    """End the process at once: no acknowledgement, no commit may follow."""
    log.critical("%s", why)
    logging.shutdown()
    os._exit(EXIT_CODE)
