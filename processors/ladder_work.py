"""Transcodes the video chunks of one GOP in threads, and writes the parts of each rendition as soon as it is encoded."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import ParamSpec, TypeVar

from media.ladder import Rendition, Rung, rung_names
from processors import metrics, parts
from processors.gop import Gop, Scaled, renditions_of
from processors.part_writer import Arrived, PartWriter
from processors.parts import SegmentCount
from schemas.events import MediaChunk, Track, TranscodeTask

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class LadderWork:
    """The renditions of one GOP.

    Args:
        admit: how many rungs, from the largest, to leave out, given the pixels of the source and of each rung. Every
            segment of theirs is a gap; when the GOP is over they are put on the log as tasks, for the recording.
        stands_by: another worker makes the same; what is left out here is neither announced as a gap nor made later.
        spent: told the CPU seconds of each step.
        now_ms: the wall clock, ms since 1970.
    """

    def __init__(
        self,
        first: MediaChunk,
        writer: PartWriter,
        encoders: Executor,
        rungs: tuple[Rung, ...],
        preset: str,
        *,
        stands_by: bool,
        admit: Callable[[Sequence[int]], int],
        spent: Callable[[float], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._first = first
        self._writer = writer
        self._encoders = encoders
        self._rungs = rungs
        self._preset = preset
        self._stands_by = stands_by
        self._admit = admit
        self._spent = spent
        self._now_ms = now_ms
        self._gop: Gop | None = None
        self._counts: list[SegmentCount] = []
        self._left_out: tuple[Rendition, ...] = ()
        self._stored: set[str] = set()

    async def chunk(self, arrived: Arrived) -> None:
        """Transcode the next chunk; what cannot be decoded becomes a dead letter, and its place is covered."""
        if arrived.chunk.track is not Track.VIDEO:
            return
        if arrived.chunk.index == 0:
            await self._begin(arrived.chunk)
        if self._gop is None:
            return
        scaled = await self._on_encoders(self._gop.step, arrived.chunk)
        problem = scaled.problem if scaled else "the decoder or the scaler failed; the log says how"
        if scaled:
            await self._emit(self._gop, scaled)
        if problem:
            await self._writer.dead_letter(arrived.record, f"cannot transcode: {problem}")

    async def close(self, last_segment: int, *, pictures: bool) -> None:
        """Write what the decoder held back, and announce what is complete: the GOP is over.

        Where a video that had pictures before has none now, all renditions have a gap: nobody waits for them.
        """
        if not pictures and self._first.ladder_below:
            names = rung_names(self._first.ladder_below, self._rungs)
            self._counts = [SegmentCount(self._first, name) for name in names]
        if self._gop:
            scaled = await self._on_encoders(self._gop.finish)
            if scaled:
                await self._emit(self._gop, scaled)
        for count in self._counts:
            await self._writer.announce(*count.close(last_segment))
        if not self._stands_by:
            await self._leave_for_later(last_segment)

    async def _begin(self, chunk: MediaChunk) -> None:
        renditions = renditions_of(chunk, self._rungs)
        if not renditions:
            return
        left_out = self._admit([chunk.width * chunk.height, *(r.width * r.height for r in renditions)])
        self._left_out, renditions = renditions[:left_out], renditions[left_out:]
        self._counts = [SegmentCount(self._first, rendition.name) for rendition in renditions]
        if renditions:
            self._gop = await self._on_encoders(Gop, chunk, renditions, self._preset)

    async def _leave_for_later(self, last_segment: int) -> None:
        for rendition in self._left_out:
            lost = SegmentCount(self._first, rendition.name).close(last_segment)
            await self._writer.announce(*(replace(closed, left_out=True) for closed in lost))
        await self._writer.defer(*(self._task(rendition, last_segment) for rendition in self._left_out))

    def _task(self, rendition: Rendition, last_segment: int) -> TranscodeTask:
        """What is left out, to be made when there is time."""
        first = self._first
        return TranscodeTask(
            video_id=first.video_id,
            channel=first.channel,
            rendition=rendition.name,
            height=min(rendition.width, rendition.height),
            bitrate_bps=rendition.video_bitrate_bps,
            task=first.gop,
            first_segment=first.segment,
            last_segment=last_segment,
            requested_ms=self._now_ms(),
        )

    async def _emit(self, gop: Gop, scaled: Scaled) -> None:
        """Encode all renditions side by side."""
        async with asyncio.TaskGroup() as tasks:
            for index, count in enumerate(self._counts):
                tasks.create_task(self._rendition(gop, index, scaled, count))

    async def _rendition(self, gop: Gop, index: int, scaled: Scaled, count: SegmentCount) -> None:
        for part in await self._on_encoders(gop.encode, index, scaled) or ():
            ready = parts.made(part)
            if ready.init not in self._stored:
                await self._writer.store(ready.init, part.init)
                self._stored.add(ready.init)
            await self._writer.part(ready, part.data, count.note(ready))

    async def _on_encoders(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Run a step in a thread; None when it failed: then the GOP gets no more parts."""
        loop = asyncio.get_running_loop()

        def timed() -> T:
            before = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                cpu_s = time.thread_time() - before
                metrics.ENCODE_CPU.inc(cpu_s)
                loop.call_soon_threadsafe(self._spent, cpu_s)

        try:
            return await loop.run_in_executor(self._encoders, timed)
        except Exception:
            # Only data from a stranger gets here, and the same data would fail again: do without, never stop.
            log.exception(
                "%s/%d: transcoding failed; the rest of the GOP is a gap", self._first.video_id, self._first.gop
            )
            self._gop = None
            return None
