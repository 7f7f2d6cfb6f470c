"""Records what is kept: `media.parts` in, one object a segment in the cold store out.

Theory. A segment is archived when it is closed; until then only the sizes of its parts are remembered. Offsets are
committed when the objects of all closed segments are stored and told on the log, and never past the first part of a
segment that is still open: after a crash the log is read again from there, and doing it again makes the same objects.
While the cold store is away or full, the place in the log is held; nothing is lost while the hot tier has the parts.

Whether a video is kept is known from `videos` and `videos.settings`, which another reader folds. A video that came on
the log before its segments may not have been read yet, so for an unknown one the reader catches up first. When an owner
switches recording on, what is still hot of the video is found on the log and archived as well.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from prometheus_client import Counter, Gauge

from consumers.copies import Copies
from consumers.hot_segments import closed_segments
from consumers.kept_videos import KeptVideos
from consumers.open_segments import ClosedSegment, OpenSegments
from consumers.segment_archive import SegmentArchive
from consumers.stopping import stops_within
from schemas import codec
from schemas.dead_letter import replay_of
from schemas.events import PartReady, SegmentClosed
from schemas.topics import MEDIA_PARTS, RECORDINGS, partition_of
from schemas.video_settings import NOT_KEPT
from stores.kafka import EventProducer, LogError
from stores.log_group import LogGroup, RawRecord
from stores.log_reader import LogReader
from stores.recordings import RecordingsError
from stores.segments import SegmentStoreError
from stores.settings import Settings

log = logging.getLogger(__name__)

GROUP: Final = "logcast-archiver"
FIRST_RETRY_S: Final = 0.25
MAX_RETRY_S: Final = 10.0
HOLD_S: Final = 0.5
CATCH_UP_S: Final = 30.0
IDLE_S: Final = 1.0

RETRIES = Counter("logcast_archive_retries_total", "Segments that were tried again, for a store was away")
UNREADABLE = Counter("logcast_archive_unreadable_total", "Records of media.parts that could not be decoded")
NEVER_CLOSED = Counter("logcast_archive_never_closed_total", "Segments whose end never came")
OPEN = Gauge("logcast_archive_open_segments", "Segments of which parts were seen and no end yet")


class Archiver:
    """Runs until it is told to stop; `stores_work` says whether the last try to store succeeded."""

    def __init__(
        self,
        settings: Settings,
        group: LogGroup,
        videos: KeptVideos,
        reader: LogReader,
        archive: SegmentArchive,
        producer: EventProducer,
        now_ms: Callable[[], int],
    ) -> None:
        self.stores_work = True
        self._settings = settings
        self._group = group
        self._videos = videos
        self._reader = reader
        self._archive = archive
        self._producer = producer
        self._now_ms = now_ms
        self._open = OpenSegments()
        self._copies = Copies()
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._generation = -1
        self._slots = asyncio.Semaphore(settings.archive_at_once)
        self._looked_back: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Take, store, tell, commit, until `stop` is set.

        Raises:
            LogError: the log cannot be read any more; start anew.
        """
        async with asyncio.TaskGroup() as tasks:
            looking_back = tasks.create_task(self._look_back(stop), name="archive-look-back")
            while not stop.is_set():
                records = await self._group.take()
                if self._group.generation != self._generation:
                    self._start_anew()
                if records and await self._handle(records, stop):
                    await self._commit(records)
            looking_back.cancel()

    def _start_anew(self) -> None:
        """Our share changed: what is not committed comes again, and others may have looked back before."""
        self._generation = self._group.generation
        self._open.clear()
        self._next.clear()
        self._committed.clear()
        self._looked_back.clear()

    async def _handle(self, records: Sequence[RawRecord], stop: asyncio.Event) -> bool:
        """Archive what the records close; False: told to stop before it was done."""
        closed = [segment for record in records if (segment := self._fold(record)) is not None]
        forgotten = self._open.forget_before(self._now_ms() - self._settings.hot_retention_s * 1000)
        NEVER_CLOSED.inc(forgotten)
        OPEN.set(len(self._open))
        videos = {segment.video_id for segment in closed}
        wanted = {video_id for video_id in videos if await self._is_kept(video_id, stop)}
        kept = [segment for segment in closed if segment.video_id in wanted]
        if stop.is_set():
            return False
        return not kept or await self._while_holding(self._archive_all(kept, stop, only_new=False))

    def _fold(self, record: RawRecord) -> ClosedSegment | None:
        if record.value is None or replay_of(record.headers) is not None:  # who rejected it is not this archiver
            return None
        try:
            event = codec.decode(record.value)
        except codec.CodecError as error:  # its dead letter is written by the Cassandra writer, who reads the same
            UNREADABLE.inc()
            log.warning("%s/%d@%d is passed over: %s", record.topic, record.partition, record.offset, error)
            return None
        if isinstance(event, PartReady):
            self._copies.note(event)
            self._open.part(event, record.partition, record.offset, record.timestamp_ms)
        return self._open.closed(event) if isinstance(event, SegmentClosed) else None

    async def _commit(self, records: Sequence[RawRecord]) -> None:
        """Commit up to the first record of a segment that is open."""
        self._next |= {record.partition: record.offset + 1 for record in records}
        firsts = self._open.first_offsets()
        ends = {partition: min(end, firsts.get(partition, end)) for partition, end in self._next.items()}
        moved = {partition: end for partition, end in ends.items() if end > self._committed.get(partition, 0)}
        if moved:
            await self._group.commit_up_to({(MEDIA_PARTS.name, partition): end for partition, end in moved.items()})
            self._committed |= moved

    async def _is_kept(self, video_id: str, stop: asyncio.Event) -> bool:
        """Whether the owner wants it kept; a video's first event is on the log before its first segment's."""
        if self._videos.get(video_id) is None and not self._videos.is_removed(video_id):
            await self._catch_up(stop)
        video = self._videos.get(video_id)
        return video is not None and video.keep_days != NOT_KEPT

    async def _catch_up(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._reader.catch_up(CATCH_UP_S)
            except LogError as error:
                log.warning("what is kept is not known yet: %s", error)
                await self._group.hold(HOLD_S)
            else:
                return

    async def _while_holding(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Await something long and stay a member of the group."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task}, timeout=HOLD_S)
            while not task.done():
                await self._group.hold(HOLD_S)
        except BaseException:
            task.cancel()
            raise
        return task.result()

    async def _archive_all(self, segments: Sequence[ClosedSegment], stop: asyncio.Event, *, only_new: bool) -> bool:
        """Archive some segments side by side; False: told to stop before all were done."""
        async with asyncio.TaskGroup() as tasks:
            all_of_them = [tasks.create_task(self._archive_one(s, stop, only_new=only_new)) for s in segments]
        return all(task.result() for task in all_of_them)

    async def _archive_one(self, segment: ClosedSegment, stop: asyncio.Event, *, only_new: bool) -> bool:
        """Archive, and try again while a store is away; False: told to stop."""
        delay_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                async with self._slots:
                    told = await self._archive.archive(segment, only_new=only_new)
            except (RecordingsError, SegmentStoreError) as error:
                RETRIES.inc()
                self.stores_work = False
                log.warning("recording waits, next try in %.1f s: %s", delay_s, error)
                await stops_within(stop, delay_s)
                delay_s = min(2 * delay_s, MAX_RETRY_S)
            else:
                self.stores_work = True
                if told is not None:
                    await self._producer.deliver(RECORDINGS, segment.video_id, told)
                return True
        return False

    # -- what was switched on

    async def _look_back(self, stop: asyncio.Event) -> None:
        """Archive the hot past of the videos that are asked to be kept while they run."""
        while not stop.is_set():
            for video_id, changed_ms in self._asked():
                self._looked_back[video_id] = changed_ms
                await self._archive_past(video_id, stop)
            await stops_within(stop, IDLE_S)

    def _asked(self) -> list[tuple[str, int]]:
        """Choices to keep a video of our share that were made while its oldest hot part may have been there."""
        self._videos.forget_switches_before(self._now_ms() - self._settings.hot_retention_s * 1000)
        return [
            (video_id, changed_ms)
            for video_id, changed_ms in self._videos.switched_on.items()
            if changed_ms > self._looked_back.get(video_id, 0) and self.is_ours(video_id)
        ]

    def is_ours(self, video_id: str) -> bool:
        """Whether this process archives the video now."""
        return (MEDIA_PARTS.name, partition_of(video_id, self._settings.partitions)) in self._group.share

    async def _archive_past(self, video_id: str, stop: asyncio.Event) -> None:
        start_ms = self._now_ms() - self._settings.hot_retention_s * 1000
        try:
            past = await asyncio.to_thread(closed_segments, self._settings, video_id, start_ms)
        except LogError as error:
            log.warning("the past of %s is looked for again: %s", video_id, error)
            self._looked_back.pop(video_id, None)
            return
        log.info("%s is kept from now on; %d segments of it are on the log", video_id, len(past))
        await self._archive_all(past, stop, only_new=True)
