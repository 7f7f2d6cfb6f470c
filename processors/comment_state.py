"""All that the fold of comments knows of its partition, and how it tells what it decides.

`CommentState` loads every kind of row and gives back those that changed. Its `accept`, `change`, `reject` and `hold` are
the only ways to the feed: numbering, counting and pinning are here and nowhere else.
"""

from collections.abc import Iterable
from typing import Final

from processors.act_entries import Entry
from processors.comment_memory import REMEMBERED, Comment, CommentMemory
from processors.comment_queue import Held, Queue
from processors.comment_rules import Finding, Reason
from processors.comment_text import MAX_TEXT
from processors.comment_videos import Pinned, Video, Videos
from processors.fold import Row, Write, result
from processors.moderation_state import Acts, KnownWriters, RulesInForce, Sanctions
from processors.state_rows import StateRows, by_kind
from schemas.codec import encode
from schemas.events import (
    Act,
    Change,
    ChannelRules,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CommentRevised,
    ModerationActed,
    ModerationOrdered,
    Queued,
)
from schemas.topics import COMMENTS_FEED, COMMENTS_REJECTED, COMMENTS_REVIEW, COMMENTS_STATE, COMMENTS_SUBMITTED

KINDS: Final = "vpcmhasrk"
TELLS_TEXT: Final = frozenset({Change.EDITED, Change.SHOWN})
Cause = ModerationActed | CommentRevised


class CommentState:
    """The state of a partition, and the results since they were taken."""

    def __init__(self, rules: ChannelRules, remembered: int = REMEMBERED, partitions: int = 0) -> None:
        self._partitions = partitions
        self._rows = StateRows(COMMENTS_STATE)
        self._results: list[Write] = []
        self.videos = Videos(self._rows)
        self.comments = CommentMemory(self._rows, remembered)
        self.queue = Queue(self._rows)
        self.acts = Acts(self._rows)
        self.sanctions = Sanctions(self._rows)
        self.rules = RulesInForce(self._rows, rules)
        self.known = KnownWriters(self._rows)

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        found = by_kind(rows, KINDS, COMMENTS_STATE.name)
        self.videos.load(found["v"], found["p"])
        self.comments.load(found["c"], found["m"])
        self.queue.load(found["h"])
        self.acts.load(found["a"])
        self.sanctions.load(found["s"])
        self.rules.load(found["r"])
        self.known.load(found["k"])

    def forget(self, video_id: str) -> None:
        """Nothing of a video that is gone is kept; what holds for its channel stays."""
        self.videos.forget(video_id)
        self.comments.forget(video_id)
        self.queue.forget(video_id)
        self.acts.forget(video_id)

    def take(self) -> list[Write]:
        """The results and the rows since the last time."""
        results, self._results = self._results, []
        return results + self._rows.take()

    def accept(self, held: Held, offset: int, approved: ModerationActed | None = None) -> None:
        """A comment enters the feed, by the rules or by a moderator."""
        video = self.videos.entered(held.video_id, held.channel)
        accepted = CommentAccepted(
            video_id=held.video_id,
            channel=held.channel,
            seq=self.videos.numbered(video, 1),
            comment_id=held.comment_id,
            user_id=held.user_id,
            name=held.name,
            text=held.text,
            parent_id=held.parent_id,
            root_id=held.root,
            submitted_ms=held.submitted_ms,
            media_ms=held.media_ms,
            source_offset=offset,
            role=held.role,
            comments=video.shown,
            approved_by=approved.by if approved else "",
            colour=held.colour,
        )
        self._results.append(result(COMMENTS_FEED, accepted))
        comment = Comment(held.key, accepted.seq, held.root, held.writer, held.submitted_ms, held.digest, held.text)
        for forgotten in self.comments.remember(comment):
            self._unpin_for_ever(forgotten)
        if approved:
            marks = self.comments.marked(comment)
            marks.acts.append(Entry(approved.act_id, Act.APPROVE))
            marks.revisions += held.revisions
            self.tell_held(held, offset, Queued.APPROVED)

    def hold(self, held: Held) -> None:
        """A comment waits for a moderator."""
        self.queue.hold(held)
        self.tell_held(held, held.offset)

    def withdraw(self, held: Held, revision_id: str) -> None:
        """The writer of a comment that waits takes it back; nothing of it stays."""
        self.queue.remove(held)
        self.tell_held(held, held.offset, Queued.WITHDRAWN, revision_id)

    def tell_held(self, held: Held, offset: int, state: Queued = Queued.WAITING, revision_id: str = "") -> None:
        """Tell that a comment waits, for the first time, again or with another text; or how it left the queue."""
        waits = state is Queued.WAITING
        event = CommentHeld(
            video_id=held.video_id,
            channel=held.channel,
            comment_id=held.comment_id,
            user_id=held.user_id,
            name=held.name,
            text=held.text if waits else "",
            parent_id=held.parent_id,
            reason=held.reason,
            message=held.message,
            note=held.note if waits else "",
            role=held.role,
            submitted_ms=held.submitted_ms,
            media_ms=held.media_ms,
            source_offset=offset,
            state=state,
            revision_id=revision_id,
        )
        self._results.append(result(COMMENTS_REVIEW, event))

    def decline(self, held: Held, offset: int) -> None:
        """A comment that waited is declined: its writer and the moderators are told."""
        self.reject(held, Reason.DECLINED, offset)
        self.tell_held(held, offset, Queued.DECLINED)

    def reject(self, comment: Held, reason: Reason, offset: int, revision_id: str = "") -> None:
        """A comment or a revision is not taken."""
        rejected = CommentRejected(
            video_id=comment.video_id,
            channel=comment.channel,
            comment_id=comment.comment_id,
            user_id=comment.user_id,
            name=comment.name,
            text=comment.text[:MAX_TEXT],
            reason=reason,
            message=self.rules.of(comment.channel).message(Finding(reason)),
            submitted_ms=comment.submitted_ms,
            source_offset=offset,
            revision_id=revision_id,
        )
        self._results.append(result(COMMENTS_REJECTED, rejected))

    def change(
        self, comment: Comment | Pinned, video: Video, change: Change, cause: Cause, offset: int, more_shown: int = 0
    ) -> None:
        """A comment of the feed is not as it was, and so many more are shown."""
        by, act_id, revision_id, at_ms = _origin(cause)
        event = CommentChanged(
            video_id=video.video_id,
            channel=video.channel,
            seq=self.videos.numbered(video, more_shown),
            comment_id=comment.comment_id,
            comment_seq=comment.seq,
            user_id=comment.user_id,
            change=change,
            text=comment.text if isinstance(comment, Comment) and change in TELLS_TEXT else None,
            by=by,
            act_id=act_id,
            revision_id=revision_id,
            comments=video.shown,
            changed_ms=at_ms,
            source_offset=offset,
        )
        self._results.append(result(COMMENTS_FEED, event))

    def order_everywhere(self, act: ModerationActed) -> None:
        """Give an act on the whole channel to every partition, this one too."""
        value = encode(ModerationOrdered(video_id="", channel=act.channel, act=act))
        self._results += [
            Write(COMMENTS_SUBMITTED.name, act.channel.encode(), value, partition)
            for partition in range(self._partitions)
        ]

    def repin(self, video: Video, cause: Cause, offset: int) -> None:
        """Tell what is pinned now and was not, and the other way round. Who is not shown is not pinned."""
        if video.pins is None:
            return
        wanted = [pinned for pinned in video.pins.wanted() if self._is_shown(video, pinned)]
        before = video.pins.shown
        if wanted == before:
            return
        self.videos.pins(video).shown = wanted
        for pinned in before:
            if pinned not in wanted:
                self.change(pinned, video, Change.UNPINNED, cause, offset)
        for pinned in wanted:
            if pinned not in before:
                self.change(pinned, video, Change.PINNED, cause, offset)

    def _is_shown(self, video: Video, pinned: Pinned) -> bool:
        comment = self.comments.get(video.video_id, pinned.comment_id)
        return comment is None or comment.shown

    def _unpin_for_ever(self, forgotten: Comment) -> None:
        """A comment that is not shown and is forgotten can never be pinned again."""
        video = self.videos.get(forgotten.video_id)
        if video is not None and video.pins is not None and not forgotten.shown:
            self.videos.pins(video).forget(forgotten.comment_id)


def _origin(cause: Cause) -> tuple[str, str, str, int]:
    """Who, the act, the revision, and when."""
    if isinstance(cause, ModerationActed):
        return cause.by, cause.act_id, "", cause.at_ms
    return cause.user_id, "", cause.revision_id, cause.submitted_ms
