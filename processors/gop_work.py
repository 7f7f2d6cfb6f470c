"""The work on one open GOP: its chunks are passed on at once, and transcoded beside that.

Two lines with a task each: `source` and `audio` never wait for the encoders. The GOP is done when both are.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from processors import metrics
from processors.acks import Held
from processors.part_writer import Arrived
from processors.room import Line, Room
from schemas.events import GopClosed, MediaChunk, Track

log = logging.getLogger(__name__)


class Step(Protocol):
    """What is done with the chunks of one GOP, in their order."""

    async def chunk(self, arrived: Arrived) -> None:
        """The next chunk; its effects are written when this returns."""

    async def close(self, last_segment: int, *, pictures: bool) -> None:
        """There are no more; not `pictures`: the GOP is of audio alone."""


class GopWork:
    """One GOP between its first chunk and its closing marker.

    Attributes:
        held: the records that are acknowledged when the GOP is done.
        seen_s: when the last of them came, by a monotonic clock.
        closed: nothing more is taken.
    """

    def __init__(
        self,
        first: MediaChunk,
        relay: Step,
        ladder: Step,
        relay_room: Room,
        ladder_room: Room,
    ) -> None:
        self.held: list[Held] = []
        self.seen_s = 0.0
        self._arrivals: deque[float] = deque()
        self._name = f"{first.video_id}/{first.gop}"
        self._last_segment = first.segment
        self._next = {Track.VIDEO: 0, Track.AUDIO: 0}
        self._relay, self._relay_line = relay, Line[Arrived](relay_room)
        self._ladder, self._ladder_line = ladder, Line[Arrived](ladder_room)
        self._pictures = True
        self.closed = False

    def expects(self, chunk: MediaChunk) -> bool:
        """Whether the chunk is new here; one that is not was done before, here or by another worker.

        A track whose first chunk never came was acknowledged whole: the log was read on from its middle.
        """
        due = self._next[chunk.track]
        return not self.closed and chunk.index >= due and (chunk.index == 0 or due > 0)

    async def put(self, arrived: Arrived) -> None:
        """Queue a chunk that is expected; waits while too much is waiting."""
        chunk = arrived.chunk
        due = self._next[chunk.track]
        if chunk.index > due:
            log.error(
                "%s: %s chunk %d follows %d; the log has lost some", self._name, chunk.track, chunk.index, due - 1
            )
            metrics.DROPPED.inc(chunk.index - due)
        self._next[chunk.track] = chunk.index + 1
        self._last_segment = max(self._last_segment, chunk.segment)
        await self._relay_line.put(arrived)
        if chunk.track is Track.VIDEO:
            self._arrivals.append(arrived.at_s)
            await self._ladder_line.put(arrived)

    def close(self, closed: GopClosed | None) -> None:
        """No more chunks will come; None: nothing says so, but nothing came for long. `run` ends when all is done."""
        if not self.closed:
            self.closed = True
            self._last_segment = max(self._last_segment, closed.last_segment if closed else 0)
            self._pictures = closed is None or closed.video_chunks != 0
            self._relay_line.end()
            self._ladder_line.end()

    def let_go(self) -> None:
        """Acknowledge the records that came so far."""
        for held in self.held:
            held.finish()
        self.held.clear()

    def lag_s(self, now_s: float) -> float:
        """How long the oldest chunk that is not transcoded has been here."""
        return now_s - self._arrivals[0] if self._arrivals else 0.0

    async def run(self) -> None:
        """Do the work until the GOP is closed and all of it is written.

        Raises:
            ExceptionGroup: of what the store or the log refused; the GOP must be done again.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._through(self._relay_line, self._relay.chunk, self._relay))
            tasks.create_task(self._through(self._ladder_line, self._transcode, self._ladder))

    async def _through(self, line: Line[Arrived], work: Callable[[Arrived], Awaitable[None]], step: Step) -> None:
        await line.each(work)
        await step.close(self._last_segment, pictures=self._pictures)

    async def _transcode(self, arrived: Arrived) -> None:
        await self._ladder.chunk(arrived)
        self._arrivals.popleft()
