"""Renditions on request: `media.jobs` → `media.tasks` and `media.renditions`.

The map and reduce of "the transformation service". A request becomes one task for each GOP of the source, spread over the
partitions, so that any worker does any of them (`processors.transform`); finished tasks come back on `media.jobs` and are
counted here. A request for what was asked for before, and a task that was done twice, change nothing.

State, on `jobs.state`: `j/VIDEO/RENDITION`, one row a job, and `d/VIDEO/RENDITION/BLOCK`, which of `BLOCK_TASKS` tasks are
done, as a number in hex. Jobs that are over leave after `MAX_JOBS` a partition; what they made stays.
With a video that is gone its jobs go, and their keys on `media.renditions`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import faust

from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, row_key, unpack_row
from schemas.codec import encode
from schemas.events import Event, JobState, RenditionChanged, RenditionRequested, TaskFinished, TrackInfo, TranscodeTask
from schemas.topics import JOBS_STATE, MEDIA_JOBS, MEDIA_RENDITIONS, MEDIA_TASKS, partition_of
from stores.settings import Settings

BLOCK_TASKS: Final = 1_024
MAX_TASKS: Final = 100_000
"""A day of one-second GOPs has 86,400."""
MAX_JOBS: Final = 1_000
MAX_OF_VIDEO: Final = 16


@dataclass(slots=True)
class Job:
    """One rendition of one video that somebody asked for."""

    video_id: str
    channel: str
    rendition: str
    height: int
    bitrate_bps: int
    tasks: int
    requested_ms: int
    requested_by: str
    changed_ms: int
    state: JobState = JobState.RUNNING
    finished: int = 0
    lost: int = 0
    made: int = 0
    info: TrackInfo | None = None
    done: dict[int, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`VIDEO/RENDITION`."""
        return row_key(self.video_id, self.rendition)

    def finish(self, event: TaskFinished) -> int | None:
        """Count a task; gives its block, None when it was counted before."""
        block, bit = divmod(event.task, BLOCK_TASKS)
        bits = self.done.get(block, 0)
        if bits >> bit & 1:
            return None
        self.done[block] = bits | 1 << bit
        self.finished += 1
        made = sum(1 for segment in event.segments if segment.parts)
        self.made += made
        self.lost += len(event.segments) - made
        self.info = self.info or event.info
        self.changed_ms = max(self.changed_ms, event.finished_ms)
        if self.finished == self.tasks:
            self.state = JobState.DONE if self.made else JobState.FAILED
        return block

    def changed(self) -> RenditionChanged:
        """The job as others see it."""
        return RenditionChanged(
            video_id=self.video_id,
            channel=self.channel,
            rendition=self.rendition,
            height=self.height,
            bitrate_bps=self.bitrate_bps,
            state=self.state,
            tasks=self.tasks,
            finished=self.finished,
            lost=self.lost,
            info=self.info,
            requested_ms=self.requested_ms,
            requested_by=self.requested_by,
            changed_ms=self.changed_ms,
        )

    def rows(self, blocks: Iterable[int]) -> list[Write]:
        """Its state rows, with those of the blocks that changed."""
        info = self.info
        packed = info and [
            info.codecs,
            info.width,
            info.height,
            info.frame_rate,
            info.sample_rate,
            info.channels,
        ]
        value = pack_row(
            self.channel,
            self.height,
            self.bitrate_bps,
            self.tasks,
            self.requested_ms,
            self.requested_by,
            self.changed_ms,
            self.state,
            self.finished,
            self.lost,
            self.made,
            packed,
        )
        return [
            Write(JOBS_STATE.name, row_key("j", self.key).encode(), value),
            *(_block_row(self.key, block, pack_row(f"{self.done[block]:x}")) for block in sorted(blocks)),
        ]

    def gone(self) -> list[Write]:
        """What deletes its rows."""
        return [
            Write(JOBS_STATE.name, row_key("j", self.key).encode(), None),
            *(_block_row(self.key, block, None) for block in sorted(self.done)),
        ]


def _block_row(key: str, block: int, value: bytes | None) -> Write:
    return Write(JOBS_STATE.name, row_key("d", key, str(block)).encode(), value)


class JobsFold:
    """The jobs of one partition. See the module's text for its state."""

    def __init__(self, partitions: int, max_jobs: int = MAX_JOBS) -> None:
        self._partitions = partitions
        self._max_jobs = max_jobs
        self._jobs: dict[str, Job] = {}
        self._changed: dict[str, set[int]] = {}
        self._writes: list[Write] = []

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        jobs: dict[str, list[Any]] = {}
        blocks: dict[str, dict[int, int]] = {}
        for raw, value in rows:
            kind, _, key = raw.decode().partition("/")
            if kind == "j":
                jobs.pop(key, None)
                if value is not None:
                    jobs[key] = unpack_row(value)
            elif kind == "d":
                name, _, block = key.rpartition("/")
                of_job = blocks.setdefault(name, {})
                of_job.pop(int(block), None)
                if value is not None:
                    of_job[int(block)] = int(unpack_row(value)[0], 16)
            else:
                raise RowError(f"expected a row of jobs.state (j/… or d/…), found {raw!r}")
        loaded = [_job(key, values, blocks.get(key, {})) for key, values in jobs.items()]
        self._jobs = {job.key: job for job in sorted(loaded, key=lambda job: (job.requested_ms, job.key))}

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (the event's kind says it)
        """Take a request or a finished task."""
        if isinstance(event, RenditionRequested):
            self._begin(event)
        elif isinstance(event, TaskFinished):
            self._finish(event)
        else:
            raise FoldError(f"expected RenditionRequested or TaskFinished, found {type(event).__name__}")

    def forget(self, video_id: str) -> None:
        """Keep nothing of a video that is gone, and say so of its renditions."""
        for job in [job for job in self._jobs.values() if job.video_id == video_id]:
            del self._jobs[job.key]
            self._changed.pop(job.key, None)
            self._writes += [Write(MEDIA_RENDITIONS.name, job.key.encode(), None), *job.gone()]

    def take(self) -> list[Write]:
        """Tasks, progress, and the rows that changed since the last time."""
        writes, self._writes = self._writes, []
        for key, blocks in self._changed.items():
            job = self._jobs[key]
            writes += [Write(MEDIA_RENDITIONS.name, key.encode(), encode(job.changed())), *job.rows(blocks)]
        self._changed = {}
        return writes + self._let_go()

    def _begin(self, event: RenditionRequested) -> None:
        starts = event.starts
        if not 0 < len(starts) <= MAX_TASKS:
            raise FoldError(f"expected 1 to {MAX_TASKS} GOPs, found {len(starts)}")
        rising = all(a < b for a, b in zip(starts, (*starts[1:], event.last_segment + 1), strict=True))
        if starts[0] < 0 or not rising:
            raise FoldError(f"expected rising segments up to {event.last_segment}, found {starts[:3]}…{starts[-3:]}")
        key = row_key(event.video_id, event.rendition)
        if key in self._jobs:
            return
        if sum(1 for job in self._jobs.values() if job.video_id == event.video_id) >= MAX_OF_VIDEO:
            raise FoldError(f"video {event.video_id} has {MAX_OF_VIDEO} requested renditions already")
        self._jobs[key] = Job(
            video_id=event.video_id,
            channel=event.channel,
            rendition=event.rendition,
            height=event.height,
            bitrate_bps=event.bitrate_bps,
            tasks=len(starts),
            requested_ms=event.requested_ms,
            requested_by=event.requested_by,
            changed_ms=event.requested_ms,
        )
        self._changed.setdefault(key, set())
        if not event.replayed:
            self._writes += self._tasks(event)

    def _tasks(self, event: RenditionRequested) -> list[Write]:
        ends = [*(start - 1 for start in event.starts[1:]), event.last_segment]
        writes = []
        for number, (first, last) in enumerate(zip(event.starts, ends, strict=True)):
            task = TranscodeTask(
                video_id=event.video_id,
                channel=event.channel,
                rendition=event.rendition,
                height=event.height,
                bitrate_bps=event.bitrate_bps,
                task=number,
                first_segment=first,
                last_segment=last,
                requested_ms=event.requested_ms,
            )
            key = row_key(event.video_id, event.rendition, str(number))
            partition = (partition_of(event.video_id, self._partitions) + number) % self._partitions
            writes.append(Write(MEDIA_TASKS.name, key.encode(), encode(task), partition))
        return writes

    def _finish(self, event: TaskFinished) -> None:
        job = self._jobs.get(row_key(event.video_id, event.rendition))
        if job is None or job.state is not JobState.RUNNING:
            return  # it was let go, or is over: a task that was done twice
        if not 0 <= event.task < job.tasks:
            raise FoldError(f"expected a task below {job.tasks}, found {event.task}")
        block = job.finish(event)
        if block is not None:
            self._changed.setdefault(job.key, set()).add(block)

    def _let_go(self) -> list[Write]:
        writes: list[Write] = []
        if len(self._jobs) > self._max_jobs:
            over = [job for job in self._jobs.values() if job.state is not JobState.RUNNING]
            for job in over[: len(self._jobs) - self._max_jobs]:
                writes += self._jobs.pop(job.key).gone()
        return writes


def _job(key: str, values: list[Any], done: dict[int, int]) -> Job:
    video_id, _, rendition = key.partition("/")
    channel, height, bitrate_bps, tasks, requested_ms, requested_by, changed_ms, state, finished, lost, made, info = (
        values
    )
    names = ("codecs", "width", "height", "frame_rate", "sample_rate", "channels")
    return Job(
        video_id=video_id,
        channel=channel,
        rendition=rendition,
        height=height,
        bitrate_bps=bitrate_bps,
        tasks=tasks,
        requested_ms=requested_ms,
        requested_by=requested_by,
        changed_ms=changed_ms,
        state=JobState(state),
        finished=finished,
        lost=lost,
        made=made,
        info=TrackInfo(**dict(zip(names, info, strict=True))) if info else None,
        done=done,
    )


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker."""
    agent = ExactAgent("jobs", (MEDIA_JOBS,), JOBS_STATE, lambda: JobsFold(settings.partitions), interval_s=0.1)
    run_exactly(app, settings, agent)
