"""A partition of `comments.submitted` in a few words, and what the fold says to it."""

from typing import Any, TypeGuard

from processors.comments import CommentsFold
from processors.fold import Row, Write
from schemas.codec import decode
from schemas.events import (
    Act,
    ChannelRules,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CommentRevised,
    CommentSubmitted,
    Event,
    ModerationActed,
    ModerationOrdered,
    Queued,
)
from schemas.topics import COMMENTS_STATE, COMMENTS_SUBMITTED

START_MS = 1_000_000
Told = CommentAccepted | CommentChanged | CommentHeld | CommentRejected


def submitted(comment_id: str, **options: Any) -> CommentSubmitted:
    facts: dict[str, Any] = {
        "video_id": "video-a",
        "channel": "ann",
        "user_id": "g_bob",
        "name": "Bob",
        "text": f"text of {comment_id}",
        "submitted_ms": START_MS,
        "gateway_id": "g1",
    }
    return CommentSubmitted(comment_id=comment_id, **(facts | options))


def revised(revision_id: str, comment_id: str = "comment-1", **options: Any) -> CommentRevised:
    facts: dict[str, Any] = {
        "video_id": "video-a",
        "channel": "ann",
        "user_id": "g_bob",
        "name": "Bob",
        "text": f"text of {revision_id}",
        "submitted_ms": START_MS + 1_000,
        "gateway_id": "g1",
        "role": "",
        "address": "",
    }
    return CommentRevised(revision_id=revision_id, comment_id=comment_id, **(facts | options))


def ordered(act_id: str, kind: Act = Act.HIDE, **options: Any) -> ModerationOrdered:
    """An act; of the video unless it is about a user, an address or the rules."""
    of_comment = kind in {Act.HIDE, Act.SHOW, Act.PIN, Act.UNPIN, Act.APPROVE, Act.DECLINE} and "undoes" not in options
    facts: dict[str, Any] = {
        "channel": "ann",
        "video_id": "video-a" if of_comment else "",
        "comment_id": "comment-1" if of_comment else "",
        "user_id": "",
        "address": "",
        "until_ms": 0,
        "reason": "",
        "by": "u_mod",
        "by_name": "Mod",
        "undoes": "",
        "at_ms": START_MS + 2_000,
    }
    act = ModerationActed(act_id=act_id, kind=kind, **(facts | options))
    return ModerationOrdered(video_id=act.video_id, channel=act.channel, act=act)


def undone(act_id: str, undoes: str, **options: Any) -> ModerationOrdered:
    return ordered(act_id, Act.SHOW, undoes=undoes, **options)


class Partition:
    """A fold whose process may die after any record: `again()` is one that was loaded from the rows."""

    def __init__(self, rules: ChannelRules | None = None, remembered: int = 100_000) -> None:
        self._rules = rules or ChannelRules()
        self._remembered = remembered
        self.rows: list[Row] = []
        self.told: list[Told] = []
        self.left_queue: list[CommentHeld] = []
        self.offset = 0
        self.fold = CommentsFold(self._rules, remembered)

    def say(self, *events: Event) -> list[Told]:
        """What is told of some records, each committed for itself."""
        told: list[Told] = []
        for event in events:
            self.fold.apply(COMMENTS_SUBMITTED.name, self.offset, event)
            self.offset += 1
            writes = self.fold.take()
            self.rows += [(w.key, w.value) for w in writes if w.topic == COMMENTS_STATE.name]
            told += results(writes)
            self.left_queue += [event for event in decoded(writes) if has_left(event)]
        self.told += told
        return told

    def again(self) -> "Partition":
        self.fold = CommentsFold(self._rules, self._remembered)
        self.fold.load(iter(self.rows))
        return self

    def left(self) -> dict[bytes, bytes]:
        """The rows as compaction leaves them."""
        last = dict(self.rows)
        return {key: value for key, value in last.items() if value is not None}


def decoded(writes: list[Write]) -> list[Told]:
    events = [decode(w.value) for w in writes if w.topic != COMMENTS_STATE.name and w.value is not None]
    told = [event for event in events if isinstance(event, Told)]
    assert len(told) == len(events)
    return told


def has_left(event: Event) -> TypeGuard[CommentHeld]:
    """Whether moderators are told that a comment does not wait any more."""
    return isinstance(event, CommentHeld) and event.state is not Queued.WAITING


def results(writes: list[Write]) -> list[Told]:
    """What is told but for how comments left the queue."""
    return [event for event in decoded(writes) if not has_left(event)]


def fate(told: list[Told]) -> list[str]:
    """In a word each: `accepted`, `held REASON`, a reason, a change."""
    return [_word(event) for event in told]


def _word(event: Told) -> str:
    if isinstance(event, CommentAccepted):
        return "accepted"
    if isinstance(event, CommentHeld):
        return f"held {event.reason}"
    return event.reason if isinstance(event, CommentRejected) else event.change.value
