"""Folds what the log has of videos into `Logged`; the folds of comments are those that everybody uses. Pure."""

from collections.abc import Callable
from typing import Any, Final

from consumers.soundness.facts import Logged, LoggedSegment, Part
from schemas.comment_state import CommentNow
from schemas.events import (
    CommentAccepted,
    CommentChanged,
    Event,
    PartReady,
    PollChanged,
    SegmentArchived,
    SegmentClosed,
    TaskFinished,
    TotalsChanged,
)


def fold(logged: Logged, event: Event, told_ms: int) -> None:
    """Take one event of a video; Kafka's time of its record is `told_ms`. What the comparison does not need is passed over."""
    take = _FOLDS.get(type(event))
    if take is not None:
        take(logged, event, told_ms)


def _closed(logged: Logged, event: SegmentClosed, told_ms: int) -> None:
    segment = logged.segments.setdefault((event.rendition, event.segment), LoggedSegment())
    if not segment.made:
        segment.part_count = max(event.parts, segment.part_count or 0)
    segment.told_ms = max(segment.told_ms, told_ms)


def _archived(logged: Logged, event: SegmentArchived, _: int) -> None:
    known = logged.archived.get((event.rendition, event.segment))
    if known is None or known.archived_ms <= event.archived_ms:
        logged.archived[event.rendition, event.segment] = event


def _accepted(logged: Logged, event: CommentAccepted, told_ms: int) -> None:
    logged.comments.setdefault(event.seq, CommentNow.of(event))
    logged.commented_ms = told_ms


def _totals(logged: Logged, event: TotalsChanged, told_ms: int) -> None:
    if logged.totals is None or logged.totals.as_of_offset <= event.as_of_offset:
        logged.totals, logged.totals_ms = event, told_ms


def _poll(logged: Logged, event: PollChanged, told_ms: int) -> None:
    poll = logged.polls.get(event.poll_id)
    if poll is None or poll.as_of_offset <= event.as_of_offset:
        logged.polls[event.poll_id], logged.totals_ms = event, told_ms


def _part(logged: Logged, event: PartReady, told_ms: int) -> None:
    segment = logged.segments.setdefault((event.rendition, event.segment), LoggedSegment())
    if segment.made:
        return
    segment.parts[event.part] = Part(event.dts, event.duration, event.size, event.sha256)
    segment.init, segment.epoch, segment.timescale = event.init, event.epoch, event.timescale
    segment.ready_ms = segment.ready_ms or told_ms
    segment.told_ms = max(segment.told_ms, told_ms)


def _made(logged: Logged, event: TaskFinished, told_ms: int) -> None:
    """What was made later stands for what was live; a segment that could not be made changes nothing."""
    for made in event.segments:
        key = event.rendition, made.segment
        if not made.parts:
            segment = logged.segments.setdefault(key, LoggedSegment(part_count=0))
            segment.told_ms = max(segment.told_ms, told_ms)
            continue
        parts = {n: Part(part.dts, part.duration, part.size) for n, part in enumerate(made.parts)}
        known = logged.segments.get(key)
        if known is not None and known.whole:  # done twice: the same bytes, and of the first the hashes are known
            parts = {n: known.parts[n] if _alike(known.parts.get(n), part) else part for n, part in parts.items()}
        logged.segments[key] = LoggedSegment(
            parts,
            len(parts),
            made.init,
            made.epoch,
            made.timescale,
            told_ms,
            made=known is None or not known.whole or known.made,
            ready_ms=known.ready_ms if known is not None else 0,
        )


def _alike(known: Part | None, part: Part) -> bool:
    return known is not None and (known.dts, known.duration, known.size) == (part.dts, part.duration, part.size)


def _changed(logged: Logged, event: CommentChanged, told_ms: int) -> None:
    if event.seq in logged.changes:
        return
    logged.changes[event.seq] = event
    logged.commented_ms = told_ms
    comment = logged.comments.get(event.comment_seq)
    if comment is not None:
        logged.comments[event.comment_seq] = comment.after(event)


_FOLDS: Final[dict[type[Event], Callable[[Logged, Any, int], None]]] = {
    PartReady: _part,
    SegmentClosed: _closed,
    TaskFinished: _made,
    SegmentArchived: _archived,
    CommentAccepted: _accepted,
    CommentChanged: _changed,
    TotalsChanged: _totals,
    PollChanged: _poll,
}
