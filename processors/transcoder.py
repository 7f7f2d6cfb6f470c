"""The transcode agent without Faust: GOPs from `media.source` to parts in the segment store and on `media.parts`.

Four rules, each of which was a failure once:

1. Acks go strictly in the order of the log, and the acks of a GOP are held until it closes. That is the rewind: after a
   crash the GOP is done again from its start, with the same names and bytes.
2. Faust does not wait for held acks at a rebalance (`stream_wait_empty` is off), and the queues of acks are forgotten.
   Open GOPs are kept: mostly they come back at once, and chunks that come a second time are skipped by their index.
3. A partition without a commit is read from its beginning.
4. What is bounded is the bytes that wait, never the number of open GOPs: a closing marker may wait behind the bound.

A chunk past the first of an unknown GOP means that the GOP was finished before: its acks were held until then.
A failure that the data did not cause ends the process; the supervisor starts a clean one.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from media.ladder import parse_rungs
from processors import metrics
from processors.acks import AckQueue, Held
from processors.admission import LIVE_MS, Admission
from processors.encoder_pool import EncoderPool
from processors.gop_work import GopWork
from processors.ladder_work import LadderWork
from processors.part_writer import Arrived, PartWriter, Record
from processors.relay import Relay
from processors.room import Room
from schemas import codec
from schemas.codec import CodecError
from schemas.events import GopClosed, MediaChunk
from stores.kafka import EventProducer
from stores.segments import SegmentStore
from stores.settings import Settings

log = logging.getLogger(__name__)

NAME: Final = "transcode"
RELAY_ROOM_BYTES: Final = 64 * 1024 * 1024
LADDER_ROOM_BYTES: Final = 128 * 1024 * 1024
IDLE_S: Final = 30.0
"""A GOP that gets nothing for so long holds back nobody any more. Longer than an ingest waits for a publisher that hangs."""
QUIET_S: Final = 2.0
"""A worker that leaves does not wait for a GOP that gets nothing for so long: its publisher hangs, or is gone."""
STORE_THREADS: Final = 4
REMEMBERED_GOPS: Final = 8_192
WARN_EVERY_S: Final = 10.0
MEND: Final = "give this worker more cores, start another one, or shorten the ladder"

GopKey = tuple[str, int]


class Transcoder:
    """The agent without Faust: records in, effects out.

    Args:
        failed: called with the error when the work cannot go on; the GOPs under way must be done again elsewhere.
        now_ms: the wall clock, ms since 1970.
        now_s: a monotonic clock, seconds.

    Attributes:
        turned_away: chunks of new GOPs that came after `take_no_new`; another worker begins with them.
    """

    def __init__(
        self,
        settings: Settings,
        store: SegmentStore,
        producer: EventProducer,
        failed: Callable[[BaseException], None],
        now_ms: Callable[[], int],
        now_s: Callable[[], float],
    ) -> None:
        self._rungs = parse_rungs(settings.ladder)
        self._preset = settings.encoder_preset
        self._stands_by = settings.worker_standby
        self.encoders = EncoderPool(settings.worker_threads)
        self._admission = Admission(settings.worker_threads, settings.shed_lag_ms / 1000, settings.late_gop_s * 1000)
        self._storing = ThreadPoolExecutor(STORE_THREADS, "segments")
        self._writer = PartWriter(store, producer, self._storing, NAME, now_ms)
        self._relay_room, self._ladder_room = Room(RELAY_ROOM_BYTES), Room(LADDER_ROOM_BYTES)
        self._failed = failed
        self._now_ms = now_ms
        self._now_s = now_s
        self._acks: defaultdict[int, AckQueue] = defaultdict(AckQueue)
        self._mine: frozenset[int] = frozenset()
        self._closes_s = IDLE_S + settings.push_grace_s
        self._open: dict[GopKey, tuple[int, GopWork, asyncio.Task[None]]] = {}
        self._finished: OrderedDict[GopKey, None] = OrderedDict()
        self._warned_s = -WARN_EVERY_S
        self._next_offsets: dict[int, int] = {}
        self._takes_new = True
        self.turned_away = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the open GOPs as they are: their acks are held, so the next worker does them from their start."""
        tasks = [task for _, _, task in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.encoders.shutdown(wait=False, cancel_futures=True)
        self._storing.shutdown(wait=False, cancel_futures=True)

    def assigned(self, partitions: Iterable[int]) -> None:
        """These partitions are ours now, and no others."""
        self._mine = frozenset(partitions)

    def revoked(self) -> None:
        """No partition is ours any more; what was not acknowledged comes again, here or elsewhere."""
        self._mine = frozenset()
        for queue in self._acks.values():
            queue.forget()
        self._acks.clear()

    @property
    def open_gops(self) -> int:
        """GOPs whose closing marker has not come, or whose work is not done."""
        return len(self._open)

    @property
    def waiting_bytes(self) -> int:
        """Source bytes that wait to be transcoded."""
        return self._ladder_room.used_bytes

    async def receive(self, record: Record, ack: Callable[[], object]) -> None:
        """Take the next record of a partition; waits while too much waits. `ack` is called when its effects are written."""
        if record.partition not in self._mine:
            return  # it was taken away a moment ago
        held = self._acks[record.partition].add(ack)
        try:
            event = codec.decode(record.value or b"")
        except CodecError as error:
            await self._refuse(record, held, str(error))
            return
        if isinstance(event, MediaChunk):
            await self._chunk(record, event, held)
        elif isinstance(event, GopClosed):
            self._close(event, held)
        else:
            await self._refuse(record, held, f"expected MediaChunk or GopClosed, found {type(event).__name__}")
        self._next_offsets[record.partition] = record.offset + 1

    def take_no_new(self) -> None:
        """Finish what is open, begin nothing: a new GOP is held without an end, so that it is not acknowledged."""
        self._takes_new = False

    def is_awaited(self) -> bool:
        """Whether a GOP is open that somebody may wait for: it has work, or gets chunks."""
        now_s = self._now_s()
        return any(work.closed or work.lag_s(now_s) or now_s - work.seen_s < QUIET_S for work in self._works())

    def awaits_chunks(self) -> bool:
        """Whether one of those is not closed yet."""
        now_s = self._now_s()
        return any(not work.closed and now_s - work.seen_s < QUIET_S for work in self._works())

    def leave(self) -> dict[int, int]:
        """No partition is ours any more; gives where to read on, for the chunks of the GOPs that are open."""
        places = {
            partition: self._next_offsets[partition]
            for partition, work, _ in self._open.values()
            if partition in self._mine and partition in self._next_offsets and not work.closed
        }
        for partition, _, task in self._open.values():
            if partition not in self._mine:
                task.cancel()
        self.take_no_new()
        self.revoked()
        return places

    async def follow(self, record: Record) -> None:
        """Take what belongs to an open GOP, out of a partition that is ours no more; nothing is acknowledged."""
        try:
            event = codec.decode(record.value or b"")
        except CodecError:
            return  # whoever has the partition says so
        if isinstance(event, MediaChunk | GopClosed) and (event.video_id, event.gop) in self._open:
            held = AckQueue().add(lambda: None)
            if isinstance(event, MediaChunk):
                await self._chunk(record, event, held)
            else:
                self._close(event, held)

    def close_idle(self) -> None:
        """Look after the GOPs that nothing comes for; let go of those not ours.

        A lossless push that was cut may go on in the middle of one for `push_grace_s`; till then it stays open, but after
        IDLE_S its records are acknowledged, for they would hold back all that follows. (A worker that dies then costs the rest
        of that GOP.) An ingest that knows better closes it earlier.
        """
        now_s = self._now_s()
        for key, (partition, work, task) in list(self._open.items()):
            idle_s = now_s - work.seen_s
            if idle_s < IDLE_S or work.closed:
                continue
            if partition not in self._mine:
                task.cancel()
            elif idle_s >= self._closes_s:
                log.warning("%s/%d: no chunk for %.0f s and no closing marker; closed", *key, idle_s)
                metrics.GOPS_IDLE.inc()
                work.close(None)
            else:
                work.let_go()

    def watch_lag(self) -> None:
        """Say how far transcoding is behind."""
        lag_s, now_s = self._lag_s(), self._now_s()
        self._admission.adjust(lag_s, now_s)
        metrics.TRANSCODE_LAG.set(lag_s)
        metrics.WAITING_BYTES.set(self.waiting_bytes)
        metrics.ENCODERS_BUSY.set(self._admission.busy(now_s))
        metrics.RUNGS_LEFT_OUT.set(self._admission.left_out)
        if (lag_s > 1 or self._admission.left_out) and now_s - self._warned_s > WARN_EVERY_S:
            self._warned_s = now_s
            log.warning("transcoding is %.1f s behind%s; %s", lag_s, self._said_left_out(), MEND)

    def _said_left_out(self) -> str:
        left_out = self._admission.left_out
        return f", the largest {left_out} of the renditions are left out for now" if left_out else ""

    async def _chunk(self, record: Record, chunk: MediaChunk, held: Held) -> None:
        metrics.CHUNKS.labels(chunk.track.value).inc()
        key = (chunk.video_id, chunk.gop)
        if key not in self._open and (key in self._finished or chunk.index > 0):
            metrics.REPEATS.inc()
            held.finish()
            return
        if key not in self._open and not self._takes_new:
            self.turned_away += 1
            return
        work = self._work(key, chunk, record.partition)
        work.held.append(held)
        work.seen_s = self._now_s()
        if work.expects(chunk):
            try:
                await work.put(Arrived(chunk, record, work.seen_s))
            except asyncio.CancelledError:
                self._open[key][2].cancel()  # a chunk of it is lost here: it must not go on
                raise
        else:
            metrics.REPEATS.inc()

    def _close(self, event: GopClosed, held: Held) -> None:
        found = self._open.get((event.video_id, event.gop))
        if found is None:
            held.finish()
            return
        _, work, _ = found
        work.held.append(held)
        work.close(event)

    def _work(self, key: GopKey, first: MediaChunk, partition: int) -> GopWork:
        """The work on a GOP, begun with its first chunk."""
        if key in self._open:
            return self._open[key][1]
        age_ms, lag_s = self._now_ms() - first.received_ms, self._lag_s()
        head = replace(first, data=b"", init=None)
        ladder = LadderWork(
            head,
            self._writer,
            self.encoders if age_ms < LIVE_MS else self.encoders.later,
            self._rungs,
            self._preset,
            stands_by=self._stands_by,
            admit=lambda pixels: self._admit(key, pixels, age_ms, lag_s),
            spent=lambda cpu_s: self._admission.spent(cpu_s, self._now_s()),
            now_ms=self._now_ms,
        )
        relay = Relay(head, self._writer)
        work = GopWork(head, relay, ladder, self._relay_room, self._ladder_room)
        task = asyncio.create_task(work.run(), name="gop-{}-{}".format(*key))
        self._open[key] = partition, work, task
        metrics.GOPS_OPEN.set(len(self._open))
        task.add_done_callback(lambda done: self._ended(key, work, done))
        return work

    def _admit(self, key: GopKey, pixels: Sequence[int], age_ms: int, lag_s: float) -> int:
        """How many rungs of a new GOP are left out."""
        left_out = self._admission.rungs(pixels, age_ms, lag_s)
        if left_out:
            metrics.RUNGS_DEFERRED.inc(left_out)
        if left_out == len(pixels) - 1:
            metrics.GOPS_SKIPPED.inc()
            log.warning("%s/%d: not transcoded now, it is too late or this worker is too far behind", *key)
        return left_out

    def _ended(self, key: GopKey, work: GopWork, task: asyncio.Task[None]) -> None:
        del self._open[key]
        metrics.GOPS_OPEN.set(len(self._open))
        if task.cancelled():
            return
        if error := task.exception():
            self._failed(error)
            return
        self._finished[key] = None
        if len(self._finished) > REMEMBERED_GOPS:
            self._finished.popitem(last=False)
        work.let_go()

    async def _refuse(self, record: Record, held: Held, cause: str) -> None:
        await self._writer.dead_letter(record, cause)
        held.finish()

    def _lag_s(self) -> float:
        now_s = self._now_s()
        return max((work.lag_s(now_s) for work in self._works()), default=0.0)

    def _works(self) -> list[GopWork]:
        return [work for _, work, _ in self._open.values()]
