"""Transcodes the video chunks of one GOP in threads, and writes the parts of each rendition as soon as it is encoded."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

from media.ladder import Rung, rung_names
from processors import metrics, parts
from processors.gop import Gop, Scaled, renditions_of
from processors.part_writer import Arrived, PartWriter
from processors.parts import SegmentCount
from schemas.events import MediaChunk, Track

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class LadderWork:
    """The renditions of one GOP.

    With `skip` nothing is encoded and every segment of every rendition is a gap: the worker is behind.
    """

    def __init__(
        self,
        first: MediaChunk,
        writer: PartWriter,
        encoders: Executor,
        rungs: tuple[Rung, ...],
        preset: str,
        *,
        skip: bool,
    ) -> None:
        self._first = first
        self._writer = writer
        self._encoders = encoders
        self._rungs = rungs
        self._preset = preset
        self._skip = skip
        self._gop: Gop | None = None
        self._counts: list[SegmentCount] = []
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

    async def _begin(self, chunk: MediaChunk) -> None:
        renditions = renditions_of(chunk, self._rungs)
        self._counts = [SegmentCount(self._first, rendition.name) for rendition in renditions]
        if renditions and not self._skip:
            self._gop = await self._on_encoders(Gop, chunk, renditions, self._preset)

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

        def timed() -> T:
            before = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                metrics.ENCODE_CPU.inc(time.thread_time() - before)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._encoders, timed)
        except Exception:
            # Only data from a stranger gets here, and the same data would fail again: do without, never stop.
            log.exception(
                "%s/%d: transcoding failed; the rest of the GOP is a gap", self._first.video_id, self._first.gop
            )
            self._gop = None
            return None
