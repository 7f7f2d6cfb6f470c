"""A request is one job however often it comes; tasks are counted once each, and survive a restart at any step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.fold import FoldError, Row, RowError, Write
from processors.jobs import BLOCK_TASKS, MAX_OF_VIDEO, JobsFold
from schemas.codec import decode
from schemas.events import (
    Event,
    GopClosed,
    JobState,
    MadePart,
    MadeSegment,
    RenditionChanged,
    RenditionRequested,
    TaskFinished,
    TrackInfo,
    TranscodeTask,
)
from schemas.topics import JOBS_STATE, MEDIA_JOBS, MEDIA_RENDITIONS, MEDIA_TASKS

PARTITIONS = 4
INFO = TrackInfo(codecs="avc1.4d000c", width=256, height=144, frame_rate=30.0, sample_rate=0, channels=0)
PART = MadePart(dts=0, duration=90_000, size=1_000, frames=30, independent=True, captured_ms=7, keyframe_size=99)


def request(starts: tuple[int, ...] = (0, 2, 3), last: int = 4, **options: Any) -> RenditionRequested:
    facts: dict[str, Any] = {
        "video_id": "video-a",
        "channel": "ann",
        "rendition": "144p150k",
        "requested_ms": 1_000,
        "replayed": False,
    }
    return RenditionRequested(
        height=144, bitrate_bps=150_000, starts=starts, last_segment=last, requested_by="ann", **(facts | options)
    )


def finished(task: int, *, made: bool = True, video_id: str = "video-a") -> TaskFinished:
    segment = MadeSegment(segment=task, epoch=0, epoch_ms=0, timescale=90_000, init="i", parts=(PART,) if made else ())
    return TaskFinished(
        video_id=video_id,
        channel="ann",
        rendition="144p150k",
        task=task,
        segments=(segment,),
        info=INFO if made else None,
        problem="" if made else "its source is lost",
        finished_ms=2_000 + task,
    )


def feed(fold: JobsFold, *events: Event) -> list[Write]:
    for offset, event in enumerate(events):
        fold.apply(MEDIA_JOBS.name, offset, event)
    return fold.take()


def tasks(writes: list[Write]) -> list[TranscodeTask]:
    found = [decode(w.value) for w in writes if w.topic == MEDIA_TASKS.name and w.value]
    return [event for event in found if isinstance(event, TranscodeTask)]


def changes(writes: list[Write]) -> list[RenditionChanged]:
    found = [decode(w.value) for w in writes if w.topic == MEDIA_RENDITIONS.name and w.value]
    return [event for event in found if isinstance(event, RenditionChanged)]


def rows(writes: list[Write]) -> list[Row]:
    return [(w.key, w.value) for w in writes if w.topic == JOBS_STATE.name]


def test_a_request_becomes_one_task_for_each_gop_of_the_source() -> None:
    writes = feed(JobsFold(PARTITIONS), request())
    assert [(t.task, t.first_segment, t.last_segment) for t in tasks(writes)] == [(0, 0, 1), (1, 2, 2), (2, 3, 4)]
    assert [(c.state, c.tasks, c.finished) for c in changes(writes)] == [(JobState.RUNNING, 3, 0)]


def test_tasks_of_one_job_are_spread_over_all_partitions() -> None:
    writes = feed(JobsFold(PARTITIONS), request(tuple(range(8)), 7))
    partitions = [w.partition for w in writes if w.topic == MEDIA_TASKS.name]
    assert sorted(p for p in partitions if p is not None) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_asking_twice_is_one_job() -> None:
    fold = JobsFold(PARTITIONS)
    feed(fold, request())
    assert feed(fold, request(requested_ms=9_000)) == []


def test_a_job_that_is_replayed_from_the_log_gives_the_workers_nothing_to_do() -> None:
    fold = JobsFold(PARTITIONS)
    assert tasks(feed(fold, request(replayed=True))) == []
    assert changes(feed(fold, finished(0), finished(1), finished(2)))[-1].state is JobState.DONE


def test_the_rendition_is_done_when_every_task_is_and_a_repeated_task_counts_once() -> None:
    fold = JobsFold(PARTITIONS)
    feed(fold, request())
    (half,) = changes(feed(fold, finished(2), finished(2), finished(0)))
    assert (half.state, half.finished, half.lost) == (JobState.RUNNING, 2, 0)
    (whole,) = changes(feed(fold, finished(1, made=False)))
    assert (whole.state, whole.finished, whole.lost, whole.info) == (JobState.DONE, 3, 1, INFO)
    assert feed(fold, finished(1)) == []


def test_a_job_without_any_segment_has_failed() -> None:
    fold = JobsFold(PARTITIONS)
    (change,) = changes(feed(fold, request((0,), 0), finished(0, made=False)))
    assert (change.state, change.lost) == (JobState.FAILED, 1)


@given(order=st.permutations([0, 1, 2, 2, 1]), restart_after=st.integers(0, 5))
def test_a_restart_at_any_step_changes_nothing(order: list[int], restart_after: int) -> None:
    fold, log = JobsFold(PARTITIONS), []
    log += feed(fold, request())
    for step, task in enumerate(order):
        if step == restart_after:
            fold = JobsFold(PARTITIONS)
            fold.load(rows(log))
        log += feed(fold, finished(task))
    last = changes(log)[-1]
    assert (last.state, last.finished, last.info, last.changed_ms) == (JobState.DONE, 3, INFO, 2_002)


def test_tasks_past_the_first_block_are_remembered_too() -> None:
    fold, count = JobsFold(PARTITIONS), BLOCK_TASKS + 2
    log = feed(fold, request(tuple(range(count)), count - 1), finished(BLOCK_TASKS + 1), finished(0))
    again = JobsFold(PARTITIONS)
    again.load(rows(log))
    assert feed(again, finished(BLOCK_TASKS + 1), finished(0)) == []


def test_jobs_that_are_over_leave_when_there_are_too_many() -> None:
    fold = JobsFold(PARTITIONS, max_jobs=1)
    log = feed(fold, request((0,), 0), finished(0))
    log += feed(fold, request((0,), 0, video_id="video-b"))
    deleted = {key for key, value in rows(log) if value is None}
    assert deleted == {b"j/video-a/144p150k", b"d/video-a/144p150k/0"}


@pytest.mark.parametrize(("starts", "last"), [((), 0), ((0, 0), 1), ((2, 1), 3), ((0, 5), 4), ((-1,), 3)], ids=str)
def test_a_request_that_makes_no_sense_is_refused(starts: tuple[int, ...], last: int) -> None:
    fold = JobsFold(PARTITIONS)
    with pytest.raises(FoldError):
        fold.apply(MEDIA_JOBS.name, 0, request(starts, last))
    assert fold.take() == []


def test_a_video_has_a_bounded_number_of_requested_renditions() -> None:
    fold = JobsFold(PARTITIONS)
    feed(fold, *(request(rendition=f"144p{n}k") for n in range(100, 100 + MAX_OF_VIDEO)))
    with pytest.raises(FoldError, match="has 16 requested renditions already"):
        fold.apply(MEDIA_JOBS.name, 0, request(rendition="144p99k"))


def test_a_task_that_the_job_does_not_have_is_refused() -> None:
    fold = JobsFold(PARTITIONS)
    feed(fold, request())
    with pytest.raises(FoldError, match="expected a task below 3, found 3"):
        fold.apply(MEDIA_JOBS.name, 1, finished(3))


def test_other_events_and_rows_are_refused() -> None:
    fold = JobsFold(PARTITIONS)
    closed = GopClosed(
        video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=1, audio_chunks=0
    )
    with pytest.raises(FoldError, match="found GopClosed"):
        fold.apply(MEDIA_JOBS.name, 0, closed)
    with pytest.raises(RowError, match=r"expected a row of jobs\.state"):
        fold.load([(b"x/1", b"[1]")])
