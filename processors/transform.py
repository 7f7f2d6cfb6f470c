"""The transform agent: tasks from `media.tasks` to segments in the cold store and `TaskFinished` on `media.jobs`.

Any worker does any task: all that it needs is in the index (Cassandra) and the stores. Tasks have a thread of their own at
low priority, so that live transcoding goes first. Doing a task twice overwrites its objects with the same bytes and is
counted once (`processors.jobs`). Acks go in the order of the log and follow the effects. A store that is away is waited
for: the tasks wait in the log, which costs nobody anything.
"""

import asyncio
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self, TypeVar

import faust
from faust import Stream
from faust.types import TP, AppT

from media.errors import MediaError
from media.ladder import Rendition, Rung, checked_rung, ladder_rendition, requested_rendition, rung_names
from processors import metrics
from processors.acks import AckQueue, Held
from processors.part_writer import PartWriter, Record
from processors.records import ack_of, end_process, record_of, wall_ms
from processors.remake import Remade, Source, StoredSegment, lost, remake, source_size
from schemas import codec
from schemas.codec import CodecError
from schemas.events import TaskFinished, TranscodeTask
from schemas.topics import MEDIA_JOBS, MEDIA_TASKS
from schemas.video_settings import NOT_KEPT
from stores.cassandra import Cassandra, CassandraAwayError
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer
from stores.recordings import Recordings, RecordingsError, open_recordings, segment_name
from stores.segment_index import IndexedSegment, SegmentIndex
from stores.segments import SegmentStore, SegmentStoreError, part_name
from stores.settings import Settings

log = logging.getLogger(__name__)

NAME: Final = "transform"
SOURCE: Final = "source"
CONCURRENT: Final = 3
"""One task is transcoded while others are read and written."""
LOW_PRIORITY: Final = 10
BACKOFF_S: Final = 0.25
INDEX_PATIENCE_MS: Final = 60_000
"""The consumers may be behind by so much, or wait for Cassandra; then what is not in the index is lost."""
MAX_BACKOFF_S: Final = 15.0
MAX_GOP_SEGMENTS: Final = 256
"""A GOP of an hour has no more; a task for more is a mistake."""

AWAY: Final = (RecordingsError, SegmentStoreError, CassandraAwayError)

T = TypeVar("T")


class SourceReader:
    """Reads the source of a kept video: the index says what there is; the cold store has it, or else still the hot one."""

    def __init__(self, index: SegmentIndex, recordings: Recordings, hot: SegmentStore) -> None:
        self._index = index
        self._recordings = recordings
        self._hot = hot
        self._inits: dict[str, bytes] = {}

    async def source(self, video_id: str, channel: str) -> Source | None:
        """What the source of a video is; None where the video is gone or has no picture."""
        found = {rendition.name: rendition for rendition in await self._index.renditions(video_id)}.get(SOURCE)
        return Source(video_id, channel, found.info) if found else None

    async def is_kept(self, video_id: str) -> bool:
        """Whether the recording of a video is wanted; one that the index does not know (yet) is taken to be."""
        video = await self._index.video(video_id)
        return video is None or video.keep_days != NOT_KEPT

    async def is_indexed(self, video_id: str, first: int, last: int) -> bool:
        """Whether the index has all that it will have of these segments of the source."""
        settled = [row.settled async for row in self._index.segments(video_id, SOURCE, first, last)]
        return len(settled) == last - first + 1 and all(settled)

    async def gop(self, video_id: str, first: int, last: int) -> list[StoredSegment]:
        """The segments of a GOP, up to the first that is not there."""
        stored: list[StoredSegment] = []
        async for row in self._index.segments(video_id, SOURCE, first, last):
            if row.number != first + len(stored) or not row.parts:
                break
            data, init = await self._segment(video_id, row), await self._init(video_id, row.init)
            if data is None or init is None:
                break
            epoch_ms = -1 if row.epoch_ms is None else row.epoch_ms
            stored.append(StoredSegment(row.number, row.epoch, epoch_ms, row.timescale, row.start_ms, init, data))
        return stored

    async def _segment(self, video_id: str, row: IndexedSegment) -> bytes | None:
        data = await self._recordings.get(segment_name(video_id, SOURCE, row.number))
        if data is not None:
            return data
        names = [part_name(video_id, SOURCE, row.number, part) for part in range(row.parts)]
        pieces = await asyncio.gather(*(asyncio.to_thread(self._hot.get, name) for name in names))
        found = [piece for piece in pieces if piece is not None]
        return b"".join(found) if len(found) == len(names) else None

    async def _init(self, video_id: str, file: str) -> bytes | None:
        name = f"{video_id}/{SOURCE}/{file}"
        if name not in self._inits:
            data = await self._recordings.get(name)
            if data is None:
                data = await asyncio.to_thread(self._hot.get, name)
            if data is None:
                return None
            self._inits = {name: data}  # tasks of one video come one after another
        return self._inits[name]


class Transformer:
    """The agent without Faust: records in, effects out.

    Args:
        failed: called with the error when the work cannot go on; what is not acknowledged must be done again elsewhere.
        now_ms: the wall clock, ms since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        reader: SourceReader,
        recordings: Recordings,
        writer: PartWriter,
        producer: EventProducer,
        failed: Callable[[BaseException], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._preset = settings.encoder_preset
        self._reader = reader
        self._recordings = recordings
        self._writer = writer
        self._producer = producer
        self._failed = failed
        self._now_ms = now_ms
        self._encoder = ThreadPoolExecutor(1, "transform", initializer=_go_last)
        self._room = asyncio.Semaphore(CONCURRENT)
        self._acks: defaultdict[int, AckQueue] = defaultdict(AckQueue)
        self._mine: frozenset[int] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave what is under way: it is not acknowledged, so another worker does it again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._encoder.shutdown(wait=False, cancel_futures=True)

    def assigned(self, partitions: Iterable[int]) -> None:
        """These partitions are ours now, and no others."""
        self._mine = frozenset(partitions)

    def revoked(self) -> None:
        """No partition is ours any more; what was not acknowledged comes again, here or elsewhere."""
        self._mine = frozenset()
        for queue in self._acks.values():
            queue.forget()
        self._acks.clear()

    async def receive(self, record: Record, ack: Callable[[], object]) -> None:
        """Take the next record of a partition; waits while enough is under way. `ack` is called after its effects."""
        if record.partition not in self._mine:
            return  # it was taken away a moment ago
        held = self._acks[record.partition].add(ack)
        try:
            event = codec.decode(record.value or b"")
            task = _checked(event)
        except (CodecError, MediaError) as error:
            await self._writer.dead_letter(record, str(error))
            held.finish()
            return
        await self._room.acquire()
        work = asyncio.create_task(self._work(task, held), name=f"transform-{task.video_id}-{task.task}")
        self._tasks.add(work)
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._tasks.discard(work)
        self._room.release()
        if not work.cancelled() and (error := work.exception()):
            self._failed(error)

    async def _work(self, task: TranscodeTask, held: Held) -> None:
        made = await self._made(task)
        for file, data in made.objects.items():
            await self._patiently(lambda f=file, d=data: self._store(task, f, d))  # type: ignore[misc]
        finished = TaskFinished(
            video_id=task.video_id,
            channel=task.channel,
            rendition=task.rendition,
            task=task.task,
            segments=made.segments,
            info=made.info,
            problem=made.problem[:300],
            finished_ms=self._now_ms(),
        )
        await self._producer.deliver(MEDIA_JOBS, task.video_id, finished)
        metrics.TASKS.labels("lost" if made.problem else "done").inc()
        held.finish()

    async def _store(self, task: TranscodeTask, file: str, data: bytes) -> None:
        await self._recordings.put(f"{task.video_id}/{task.rendition}/{file}", data)

    async def _made(self, task: TranscodeTask) -> Remade:
        """The segments of a task; those that cannot be made say why."""
        first, last = task.first_segment, task.last_segment
        source = await self._patiently(lambda: self._reader.source(task.video_id, task.channel))
        if source is None:
            return lost(first, last, "the video is gone, or has no picture")
        if _is_left_out(task):
            if not await self._patiently(lambda: self._reader.is_kept(task.video_id)):
                return lost(first, last, "the video is not kept")
            await self._indexed(task)
        stored = await self._patiently(lambda: self._reader.gop(task.video_id, first, last))
        if not stored:
            return lost(first, last, f"the source of segment {first} is lost")
        try:
            rendition = _rendition(task, source, stored[0])
        except MediaError as error:
            return lost(first, last, str(error))
        made = await self._encoded(source, stored, rendition)
        rest = lost(first + len(stored), last, f"the source of segment {first + len(stored)} is lost")
        return made if not rest.segments else made.with_lost(rest)

    async def _indexed(self, task: TranscodeTask) -> None:
        """Wait until the index has the source of a GOP that ended a moment ago, or until it will not get it."""
        deadline_ms = self._now_ms() + INDEX_PATIENCE_MS
        while not await self._patiently(
            lambda: self._reader.is_indexed(task.video_id, task.first_segment, task.last_segment)
        ):
            if self._now_ms() > deadline_ms:
                return
            await asyncio.sleep(BACKOFF_S)

    async def _encoded(self, source: Source, stored: list[StoredSegment], rendition: Rendition) -> Remade:
        def timed() -> Remade:
            before = time.thread_time()
            try:
                return remake(source, stored, rendition, self._preset)
            finally:
                metrics.ENCODE_CPU.inc(time.thread_time() - before)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._encoder, timed)
        except Exception as error:
            # Only data from a stranger gets here, and the same data would fail again: do without, never stop.
            log.exception("%s/%d: transcoding failed; it is a gap", source.video_id, stored[0].number)
            return lost(stored[0].number, stored[-1].number, f"transcoding failed: {error}")

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it succeeds: a store that is away comes back, and nothing is lost by waiting."""
        backoff_s = BACKOFF_S
        while True:
            try:
                return await call()
            except AWAY as error:
                log.warning("waiting %.1f s: %s", backoff_s, error)
                await asyncio.sleep(backoff_s)
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)


def _checked(event: object) -> TranscodeTask:
    """A task that makes sense.

    Raises:
        MediaError: it does not; the message says why.
    """
    if not isinstance(event, TranscodeTask):
        raise MediaError(f"expected TranscodeTask, found {type(event).__name__}")
    if not 0 <= event.first_segment <= event.last_segment < event.first_segment + MAX_GOP_SEGMENTS:
        raise MediaError(
            f"expected 1 to {MAX_GOP_SEGMENTS} segments from 0 on, found {event.first_segment} to {event.last_segment}"
        )
    checked_rung(event.height, event.bitrate_bps)
    return event


def _rendition(task: TranscodeTask, source: Source, first: StoredSegment) -> Rendition:
    width, height = source_size(source, first.init)
    if _is_left_out(task):
        return ladder_rendition(width, height, Rung(task.height, task.bitrate_bps))
    return requested_rendition(width, height, checked_rung(task.height, task.bitrate_bps))


def _is_left_out(task: TranscodeTask) -> bool:
    """Whether a task is a rung of the ladder that a busy worker left out; else somebody asked for it."""
    return task.rendition in rung_names(task.height + 1, (Rung(task.height, task.bitrate_bps),))


def _go_last() -> None:
    """Linux has a nice value for each thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)


class TransformAgent:
    """The agent under Faust: connects a `Transformer` while the stream is read."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._topic = settings.topic(MEDIA_TASKS.name)
        self._mine: frozenset[int] = frozenset()
        self._transformer: Transformer | None = None

    async def process(self, stream: Stream[bytes]) -> None:
        """Read the tasks until the worker stops. Nothing is connected before the first one comes."""
        async with AsyncExitStack() as stack:
            async for event in stream.noack().events():
                if self._transformer is None:
                    self._transformer = await self._connected(stack)
                await self._transformer.receive(record_of(event), ack_of(event, self._app))

    async def _connected(self, stack: AsyncExitStack) -> Transformer:
        settings = self._settings
        producer = await stack.enter_async_context(EventProducer(settings, NAME))
        recordings = await stack.enter_async_context(open_recordings(settings))
        hot = open_segment_store(settings)
        cassandra = await stack.enter_async_context(_patient_cassandra(settings))
        threads = ThreadPoolExecutor(1, "transform-store")
        stack.callback(threads.shutdown, wait=False)
        writer = PartWriter(hot, producer, threads, NAME, wall_ms)
        reader = SourceReader(SegmentIndex(cassandra), recordings, hot)
        made = Transformer(settings, reader, recordings, writer, producer, end_process, wall_ms)
        transformer = await stack.enter_async_context(made)
        transformer.assigned(self._mine)
        return transformer

    async def on_assigned(self, _: AppT, assigned: Iterable[TP], **__: object) -> None:
        """Faust says which partitions are ours."""
        self._mine = frozenset(tp.partition for tp in assigned if tp.topic == self._topic)
        if self._transformer:
            self._transformer.assigned(self._mine)

    async def on_revoked(self, _: AppT, revoked: Iterable[TP], **__: object) -> None:
        """Faust takes all partitions at each rebalance, and gives them again."""
        if any(tp.topic == self._topic for tp in revoked):
            self._mine = frozenset()
            if self._transformer:
                self._transformer.revoked()


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker."""
    agent = TransformAgent(app, settings)
    tasks = app.topic(
        settings.topic(MEDIA_TASKS.name),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.agent(tasks, name=f"{settings.worker_group}.{NAME}")(agent.process)  # type: ignore[arg-type]  # a stream is a Stream
    app.on_partitions_assigned.connect(agent.on_assigned)  # type: ignore[arg-type]  # its type wants any arguments
    app.on_partitions_revoked.connect(agent.on_revoked)  # type: ignore[arg-type]


@asynccontextmanager
async def _patient_cassandra(settings: Settings) -> AsyncIterator[Cassandra]:
    """A session; waits until Cassandra is up."""
    backoff_s = BACKOFF_S
    async with AsyncExitStack() as stack:
        while True:
            try:
                cassandra = await stack.enter_async_context(Cassandra.open(settings))
                break
            except CassandraAwayError as error:
                log.warning("waiting %.1f s: %s", backoff_s, error)
                await asyncio.sleep(backoff_s)
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)
        yield cassandra
