"""Another ladder for a video from the log: its source chunks are read again, GOP by GOP, and transcoded here.

The same result as a request to the workers (`processors.transform`), from the other copy of the source: it also works for
a video that nobody kept, as long as the log has it. What is missing from the log becomes gaps, and is said.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from media.errors import MediaError
from media.ladder import Rendition, Rung, requested_name, requested_rendition
from processors.remake import Remade, Source, StoredSegment, lost, remake, source_size
from schemas import codec
from schemas.events import (
    GopClosed,
    MediaChunk,
    RenditionRequested,
    TaskFinished,
    Track,
    TrackInfo,
    VideoChanged,
    VideoSettingsChanged,
)
from schemas.topics import MEDIA_JOBS, MEDIA_SOURCE, VIDEOS, VIDEOS_SETTINGS
from stores.kafka import EventProducer
from stores.read_back import read_partition
from stores.recordings import Recordings, segment_name
from stores.segments import init_name
from stores.settings import Settings

ROLE: Final = "replay"
MARGIN_MS: Final = 60_000
"""Records are stamped when they are written; clocks of several machines differ."""


class ReplayError(RuntimeError):
    """The video cannot be made again from the log; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class LoggedGop:
    """A GOP as the log has it: the chunks of both tracks, each in order."""

    number: int
    video: tuple[MediaChunk, ...] = field(repr=False)
    audio: tuple[MediaChunk, ...] = field(repr=False)

    @property
    def first_segment(self) -> int:
        """Where it begins."""
        return (self.video or self.audio)[0].segment

    @property
    def last_segment(self) -> int:
        """Where it ends."""
        return max(chunk.segment for chunk in (*self.video, *self.audio))

    @property
    def whole(self) -> bool:
        """The log has the picture from its IDR picture on."""
        return bool(self.video) and self.video[0].index == 0 and self.video[0].init is not None


@dataclass(slots=True)
class Replayed:
    """What a replay has made of one rendition so far: by the first segment of each GOP."""

    rung: Rung
    tasks: dict[int, Remade] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rendition's name."""
        return requested_name(self.rung)

    @property
    def lost(self) -> int:
        """Segments that could not be made."""
        return sum(1 for made in self.tasks.values() for segment in made.segments if not segment.parts)


def video_on_log(settings: Settings, video_id: str) -> VideoChanged | None:
    """The last state of a video, with what its owner chose since. Blocking.

    Raises:
        LogError: the log cannot be read.
    """
    video: VideoChanged | None = None
    for topic in (VIDEOS, VIDEOS_SETTINGS):
        for record in read_partition(settings, topic, 0, ROLE):
            if record.key != video_id.encode() or record.value is None:
                continue
            event = codec.decode(record.value)
            if isinstance(event, VideoChanged):
                video = event
            elif isinstance(event, VideoSettingsChanged) and video is not None:
                video = replace(video, title=event.title, keep_days=event.keep_days, visibility=event.visibility)
    return video


def logged_gops(settings: Settings, video: VideoChanged) -> Iterator[LoggedGop]:
    """The GOPs of a video that the log still has, partition by partition. Blocking; one GOP is in memory at a time.

    Raises:
        LogError: the log cannot be read.
    """
    mine = f"{video.video_id}/".encode()
    since_ms = video.started_ms - MARGIN_MS
    for partition in range(settings.partitions):
        opened: dict[int, dict[tuple[Track, int], MediaChunk]] = {}
        for record in read_partition(settings, MEDIA_SOURCE, partition, ROLE, since_ms=since_ms):
            if record.key is None or record.value is None or not record.key.startswith(mine):
                continue
            event = codec.decode(record.value)
            if isinstance(event, MediaChunk):
                opened.setdefault(event.gop, {}).setdefault((event.track, event.index), event)
            elif isinstance(event, GopClosed) and event.gop in opened:
                yield _gop(event.gop, opened.pop(event.gop))
        for number in sorted(opened):
            yield _gop(number, opened[number])


def _gop(number: int, chunks: dict[tuple[Track, int], MediaChunk]) -> LoggedGop:
    ordered = [chunks[key] for key in sorted(chunks, key=lambda key: (key[0].value, key[1]))]
    video = tuple(chunk for chunk in ordered if chunk.track is Track.VIDEO)
    return LoggedGop(number, video, tuple(chunk for chunk in ordered if chunk.track is Track.AUDIO))


def stored_segments(chunks: Sequence[MediaChunk]) -> list[StoredSegment]:
    """The chunks of one track of a GOP as whole segments; the first chunk has the init segment."""
    init = chunks[0].init or b""
    segments = []
    for number, group in groupby(chunks, key=lambda chunk: chunk.segment):
        parts = list(group)
        head = parts[0]
        data = b"".join(part.data for part in parts)
        segments.append(StoredSegment(number, head.epoch, head.epoch_ms, head.timescale, head.captured_ms, init, data))
    return segments


class Replay:
    """One run. `report` is called with each GOP that is done."""

    def __init__(
        self,
        settings: Settings,
        video: VideoChanged,
        rungs: Sequence[Rung],
        recordings: Recordings,
        report: Callable[[LoggedGop], None],
        *,
        keep_source: bool,
    ) -> None:
        self.renditions: Final = [Replayed(rung) for rung in rungs]
        self._settings = settings
        self._video = video
        self._recordings = recordings
        self._report = report
        self._keep_source = keep_source
        self._stored_inits: set[str] = set()

    async def run(self) -> None:
        """Read, transcode, store.

        Raises:
            ReplayError: nothing of the video is in the log, or a rung is above its source.
            LogError, RecordingsError: of the log and the store; what was stored is overwritten by the next run.
        """
        threads = self._settings.worker_threads
        room = asyncio.Semaphore(threads + 1)
        gops = logged_gops(self._settings, self._video)
        found = 0
        with ThreadPoolExecutor(threads, ROLE) as pool:
            async with asyncio.TaskGroup() as tasks:
                while (gop := await asyncio.to_thread(next, gops, None)) is not None:
                    found += 1
                    await room.acquire()
                    task = tasks.create_task(self._gop(pool, gop))
                    task.add_done_callback(lambda _: room.release())
        if found and not any(replayed.tasks for replayed in self.renditions):
            raise ReplayError(f"video {self._video.video_id} has no picture that could be transcoded")
        if not found:
            raise ReplayError(
                f"the log has nothing of video {self._video.video_id} any more (it keeps the source "
                f"{self._settings.source_retention_hours} hours); if the video is kept, ask for the rendition with "
                f"POST /v1/videos/{self._video.video_id}/renditions"
            )

    async def _gop(self, pool: ThreadPoolExecutor, gop: LoggedGop) -> None:
        if self._keep_source:
            await self._store_source("source", gop.video)
            await self._store_source("audio", gop.audio)
        if gop.video:
            for replayed in self.renditions:
                made = await asyncio.get_running_loop().run_in_executor(pool, self._remade, gop, replayed.rung)
                for file, data in made.objects.items():
                    await self._recordings.put(f"{self._video.video_id}/{replayed.name}/{file}", data)
                replayed.tasks[gop.first_segment] = made
        self._report(gop)

    def _remade(self, gop: LoggedGop, rung: Rung) -> Remade:
        first, last = gop.first_segment, max(chunk.segment for chunk in gop.video)
        if not gop.whole:
            return lost(first, last, f"the log has lost the beginning of GOP {gop.number}")
        stored = stored_segments(gop.video)
        source = Source(self._video.video_id, self._video.channel, _info(gop.video[0]))
        return remake(source, stored, _rendition(source, stored[0].init, rung), self._settings.encoder_preset)

    async def _store_source(self, rendition: str, chunks: Sequence[MediaChunk]) -> None:
        """What the archiver would have kept, unless it is there."""
        if not chunks or chunks[0].init is None:
            return
        init = init_name(self._video.video_id, rendition, chunks[0].init)
        if init not in self._stored_inits:
            await self._recordings.put(init, chunks[0].init)
            self._stored_inits.add(init)
        for segment in stored_segments(chunks):
            name = segment_name(self._video.video_id, rendition, segment.number)
            if await self._recordings.size(name) is None:
                await self._recordings.put(name, segment.data)

    async def announce(self, producer: EventProducer, now_ms: int, requested_by: str) -> None:
        """Say what was made: each rendition is in the playlists when this is on the log and in the index.

        Raises:
            LogError: the log refused it.
        """
        for replayed in self.renditions:
            last = max([self._video.last_segment, *map(_last, replayed.tasks.values())])
            tasks = whole_tasks(replayed.tasks, last)
            request = self._request(replayed, tuple(tasks), last, now_ms, requested_by)
            await producer.deliver(MEDIA_JOBS, self._video.video_id, request)
            for number, made in enumerate(tasks.values()):
                await producer.deliver(MEDIA_JOBS, self._video.video_id, self._finished(replayed, number, made, now_ms))

    def _request(
        self, replayed: Replayed, starts: tuple[int, ...], last: int, now_ms: int, requested_by: str
    ) -> RenditionRequested:
        return RenditionRequested(
            video_id=self._video.video_id,
            channel=self._video.channel,
            rendition=replayed.name,
            height=replayed.rung.short_side,
            bitrate_bps=replayed.rung.bitrate_bps,
            starts=starts,
            last_segment=last,
            requested_ms=now_ms,
            requested_by=requested_by,
            replayed=True,
        )

    def _finished(self, replayed: Replayed, number: int, made: Remade, now_ms: int) -> TaskFinished:
        return TaskFinished(
            video_id=self._video.video_id,
            channel=self._video.channel,
            rendition=replayed.name,
            task=number,
            segments=made.segments,
            info=made.info,
            problem=made.problem[:300],
            finished_ms=now_ms,
        )


def whole_tasks(tasks: dict[int, Remade], last: int) -> dict[int, Remade]:
    """The tasks by their first segment, in order, without a hole: what the log did not have is lost."""
    whole: dict[int, Remade] = {}
    due = 0
    for first in sorted(tasks):
        if first > due:
            whole[due] = lost(due, first - 1, "the log has lost it")
        whole[first] = tasks[first]
        due = _last(tasks[first]) + 1
    if due <= last:
        whole[due] = lost(due, last, "the log has lost it")
    return whole


def _last(made: Remade) -> int:
    return made.segments[-1].segment


def _rendition(source: Source, init: bytes, rung: Rung) -> Rendition:
    width, height = source_size(source, init)
    try:
        return requested_rendition(width, height, rung)
    except MediaError as error:
        raise ReplayError(str(error)) from error


def _info(chunk: MediaChunk) -> TrackInfo:
    return TrackInfo(
        codecs=chunk.codecs,
        width=chunk.width,
        height=chunk.height,
        frame_rate=chunk.frame_rate,
        sample_rate=chunk.sample_rate,
        channels=chunk.channels,
    )
