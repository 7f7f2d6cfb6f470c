"""Judges, numbers and counts comments: `comments.submitted` → `comments.feed`, `comments.rejected`, `comments.review`.

`CommentsFold` is the whole decision about a partition: what viewers submit, what writers revise, what moderators order, in
the one order of the log. It gives `CommentAccepted` and `CommentChanged`, numbered together from 1 without gaps in each
video, each with the number of comments that are shown then; `CommentRejected`; `CommentHeld`.

Repeats: a comment id that was accepted or is held is the same comment and gives nothing new; one that was rejected is judged
again, so that a writer may send it once more. The same holds for revisions; an act is done once.

State is on `comments.state`, one row a thing; the modules say which: `comment_memory` (comments), `comment_videos` (numbers,
pins), `comment_queue` (held), `moderation_state` (acts, sanctions, rules). All of it is bounded but for one small row a video, which goes
with the video.
Only the last comments of a partition are remembered. Older ones cannot be answered, revised or hidden, and a repeat of
their id would be a new comment; but repeats come within seconds, and a video's numbers go on whatever is forgotten.
"""

from collections.abc import Iterable
from typing import Final

import faust

from processors.comment_judge import judge, judge_held_revision, judge_revision
from processors.comment_memory import REMEMBERED
from processors.comment_queue import Held
from processors.comment_rules import MAX_USER_ID, Rank, Reason, operators_rules, rank_of
from processors.comment_state import CommentState
from processors.comment_text import MAX_TEXT, clean, clean_colour, clean_name, digest
from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, Write
from processors.moderated import order
from schemas.events import Change, ChannelRules, CommentRevised, CommentSubmitted, Event, ModerationOrdered
from schemas.ids import COMMENT_ID
from schemas.topics import COMMENTS_STATE, COMMENTS_SUBMITTED
from stores.settings import Settings

MAX_NAMES: Final = 64
INTERVAL_S: Final = 0.025
"""A transaction takes 0.65 ms of the worker's processor and 0.07 ms more for each comment, and the broker more than that: on a
busy evening, partitions that write as fast as they can would take all the time there is."""


class CommentsFold:
    """The comments of one partition, of so many that there are. `rules` are those of channels that chose none."""

    def __init__(self, rules: ChannelRules, remembered: int = REMEMBERED, partitions: int = 0) -> None:
        self._state = CommentState(rules, remembered, partitions)

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        self._state.load(rows)

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (one source only)
        """Decide about one record of `comments.submitted`."""
        if isinstance(event, CommentSubmitted):
            _check_place(event.video_id or "/", event.channel)
            _check_ids(event.user_id, event.comment_id)
            self._submit(event, offset)
        elif isinstance(event, CommentRevised):
            _check_place(event.video_id or "/", event.channel)
            _check_ids(event.user_id, event.comment_id, event.revision_id)
            self._revise(event, offset)
        elif isinstance(event, ModerationOrdered):
            _check_place(event.video_id, event.channel)
            order(self._state, event, offset)
        else:
            raise FoldError(f"expected a comment, a revision or an act, found {type(event).__name__}")

    def forget(self, video_id: str) -> None:
        """Keep nothing of a video that is gone."""
        self._state.forget(video_id)

    def take(self) -> list[Write]:
        """What was decided since the last time, and the rows that changed."""
        return self._state.take()

    def _submit(self, event: CommentSubmitted, offset: int) -> None:
        state = self._state
        if state.comments.get(event.video_id, event.comment_id) is not None:
            return
        comment = state.queue.get(event.video_id, event.comment_id)
        if comment is not None:
            if comment.declined:
                state.reject(comment, Reason.DECLINED, offset)
            return
        comment = self._submitted(event, offset)
        finding = judge(state, comment, event)
        if finding is None:
            state.accept(comment, offset)
            if state.rules.of(comment.channel).first_review and rank_of(comment.role) < Rank.MODERATOR:
                state.known.add(comment.channel, comment.user_id, offset)
        elif not finding.held:
            state.reject(comment, finding.reason, offset)
        elif state.queue.is_full_for(comment.video_id, comment.user_id):
            state.reject(comment, Reason.QUEUE_FULL, offset)
        else:
            comment.reason, comment.note = finding.reason, finding.note
            comment.message = state.rules.of(comment.channel).message(finding)
            state.hold(comment)

    def _submitted(self, event: CommentSubmitted, offset: int) -> Held:
        text = clean(event.text)
        parent = None if event.parent_id is None else self._state.comments.get(event.video_id, event.parent_id)
        return Held(
            video_id=event.video_id,
            comment_id=event.comment_id,
            channel=event.channel,
            user_id=event.user_id,
            name=clean_name(event.name, event.user_id),
            text=text,
            parent_id=event.parent_id,
            root=None if parent is None else parent.root or event.parent_id,
            role=event.role,
            submitted_ms=event.submitted_ms,
            media_ms=event.media_ms,
            digest=digest(text[: MAX_TEXT + 1]),
            offset=offset,
            colour=clean_colour(event.colour),
        )

    def _revise(self, event: CommentRevised, offset: int) -> None:
        state = self._state
        held = state.queue.get(event.video_id, event.comment_id)
        if held is not None and not held.declined:
            self._revise_held(held, event, offset)
            return
        comment = state.comments.get(event.video_id, event.comment_id)
        if comment is not None and comment.marks is not None and event.revision_id in comment.marks.revisions:
            return
        revised = _revised(event, offset)
        finding = judge_revision(state, revised, event)
        if finding is not None or comment is None:
            reason = finding.reason if finding else Reason.UNKNOWN_COMMENT
            state.reject(revised, reason, offset, event.revision_id)
            return
        was = comment.shown
        text = None if event.text is None else revised.text
        state.comments.rewrite(comment, text, comment.digest if text is None else revised.digest, event.revision_id)
        video = state.videos.entered(event.video_id, event.channel)
        change = Change.REMOVED if text is None else Change.EDITED
        state.change(comment, video, change, event, offset, comment.shown - was)
        state.repin(video, event, offset)

    def _revise_held(self, held: Held, event: CommentRevised, offset: int) -> None:
        """The writer of a comment that waits changes it, or takes it back; moderators see that."""
        if event.revision_id in held.revisions:
            return
        state, revised = self._state, _revised(event, offset)
        finding = judge_held_revision(state, held, revised, event)
        if finding is not None:
            state.reject(revised, finding.reason, offset, event.revision_id)
        elif event.text is None:
            state.withdraw(held, event.revision_id)
        else:
            state.queue.rewrite(held, revised.text, revised.digest, event.revision_id)
            state.tell_held(held, held.offset, revision_id=event.revision_id)


def _revised(event: CommentRevised, offset: int) -> Held:
    text = clean(event.text or "")
    return Held(
        video_id=event.video_id,
        comment_id=event.comment_id,
        channel=event.channel,
        user_id=event.user_id,
        name=clean_name(event.name, event.user_id),
        text=text,
        role=event.role,
        submitted_ms=event.submitted_ms,
        digest=digest(text[: MAX_TEXT + 1]),
        offset=offset,
    )


def _check_place(video_id: str, channel: str) -> None:
    if "/" in video_id or "/" in channel or max(len(video_id), len(channel)) > MAX_NAMES:
        raise FoldError(f"expected a video and a channel without '/', found {video_id[:80]!r} and {channel[:80]!r}")


def _check_ids(user_id: str, *ids: str) -> None:
    for given in ids:
        if not COMMENT_ID.fullmatch(given):
            raise FoldError(f"expected an id of 8 to 64 letters, digits, _ or -, found {given[:80]!r}")
    if not 0 < len(user_id) <= MAX_USER_ID:
        raise FoldError(f"expected a user id of 1 to {MAX_USER_ID} characters, found {len(user_id)}")


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: after a quiet moment a verdict is written at once, then those of `INTERVAL_S` together."""
    rules = operators_rules(settings)

    def make() -> CommentsFold:
        return CommentsFold(rules, partitions=settings.partitions)

    agent = ExactAgent("comments", (COMMENTS_SUBMITTED,), COMMENTS_STATE, make, INTERVAL_S)
    run_exactly(app, settings, agent)
