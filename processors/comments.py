"""Checks comments and numbers them: `comments.submitted` → `comments.feed` or `comments.rejected`.

`CommentsFold` is the whole decision. A comment's number (`seq`) counts the accepted comments of a video from 1 without
gaps. A comment id that was accepted before is the same comment: it gives nothing new. One that was rejected is judged
again, so that a writer may send it once more.

State, on `comments.state`:

- `c/VIDEO/COMMENT`: one row for each accepted comment: number, root, writer, time, digest of the text. It answers three
  questions: is this id known, is the parent known and what is its root, and what did this writer say last. A row is
  written once and never changed, so a comment costs one row of some 100 bytes, and no row grows.
- `v/VIDEO`: the video's last number, at most one row a transaction.

Only the last `REMEMBERED` accepted comments of a partition are kept: in memory (50 MB when each has another writer) and
on the topic, where rows are deleted in the transaction that forgets them. Older ones cannot be answered
(`unknown_parent`), and a repeat of their id would be a new comment; but repeats come within seconds, and a video's
number goes on whatever is forgotten.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import faust

from processors.comment_text import MAX_TEXT, CommentPolicy, Reason, clean, clean_name, digest, judge, policy_of
from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, result, row_key, unpack_row
from schemas.events import CommentAccepted, CommentRejected, CommentSubmitted, Event
from schemas.ids import COMMENT_ID
from schemas.topics import COMMENTS_FEED, COMMENTS_REJECTED, COMMENTS_STATE, COMMENTS_SUBMITTED
from stores.settings import Settings

REMEMBERED: Final = 100_000
MAX_USER_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Remembered:
    """An accepted comment.

    Attributes:
        root: the comment that its thread began with; None: itself.
        writer: `VIDEO/USER`.
        at_ms: event time.
        digest: of its text.
    """

    root: str | None
    writer: str
    at_ms: int
    digest: int


class CommentsFold:
    """The comments of one partition. See the module's text for its state."""

    def __init__(self, policy: CommentPolicy, remembered: int = REMEMBERED) -> None:
        self._policy = policy
        self._limit = remembered
        self._last_seq: dict[str, int] = {}
        self._known: dict[str, Remembered] = {}
        self._order: deque[str] = deque()
        self._latest: dict[str, Remembered] = {}
        self._writes: list[Write] = []
        self._counted: set[str] = set()

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        for raw, value in rows:
            kind, _, key = raw.decode().partition("/")
            if kind == "v" and value is not None:
                (self._last_seq[key],) = unpack_row(value)
            elif kind == "c" and value is not None:
                _, root, user_id, at_ms, of_text = unpack_row(value)
                video_id = key.partition("/")[0]
                self._known[key] = Remembered(root, row_key(video_id, user_id), at_ms, of_text)
            elif kind == "c":
                self._known.pop(key, None)
            elif kind != "v":
                raise RowError(f"expected a row of comments.state (c/… or v/…), found {raw!r}")
        self._order.extend(self._known)
        self._latest.update((comment.writer, comment) for comment in self._known.values())

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (one source only)
        """Judge one submitted comment."""
        if not isinstance(event, CommentSubmitted):
            raise FoldError(f"expected CommentSubmitted, found {type(event).__name__}")
        if not COMMENT_ID.fullmatch(event.comment_id):
            raise FoldError(
                f"expected a comment id of 8 to 64 letters, digits, _ or -, found {event.comment_id[:80]!r}"
            )
        if not 0 < len(event.user_id) <= MAX_USER_ID:
            raise FoldError(f"expected a user id of 1 to {MAX_USER_ID} characters, found {len(event.user_id)}")
        if row_key(event.video_id, event.comment_id) in self._known:
            return
        text = clean(event.text)
        of_text = digest(text[: MAX_TEXT + 1])
        reason = judge(text, self._policy) or self._judge_in_context(event, of_text)
        if reason is None:
            self._accept(event, text, of_text, offset)
        else:
            self._reject(event, text, reason, offset)

    def take(self) -> list[Write]:
        """The verdicts since the last time, new comments' rows, the videos' numbers."""
        writes = self._writes
        for video_id in sorted(self._counted):
            writes.append(
                Write(COMMENTS_STATE.name, row_key("v", video_id).encode(), pack_row(self._last_seq[video_id]))
            )
        self._writes, self._counted = [], set()
        return writes

    def _judge_in_context(self, event: CommentSubmitted, of_text: int) -> Reason | None:
        """Time is the gateways' clocks, compared in both directions: a clock that is ahead locks nobody out."""
        if event.parent_id is not None and row_key(event.video_id, event.parent_id) not in self._known:
            return Reason.UNKNOWN_PARENT
        last = self._latest.get(row_key(event.video_id, event.user_id))
        if last is None:
            return None
        apart_ms = abs(event.submitted_ms - last.at_ms)
        if apart_ms < self._policy.slow_mode_ms:
            return Reason.SLOW_MODE
        if apart_ms < self._policy.duplicate_ms and of_text == last.digest:
            return Reason.DUPLICATE
        return None

    def _accept(self, event: CommentSubmitted, text: str, of_text: int, offset: int) -> None:
        seq = self._last_seq[event.video_id] = self._last_seq.get(event.video_id, 0) + 1
        self._counted.add(event.video_id)
        root = None
        if event.parent_id is not None:
            root = self._known[row_key(event.video_id, event.parent_id)].root or event.parent_id
        accepted = CommentAccepted(
            video_id=event.video_id,
            channel=event.channel,
            seq=seq,
            comment_id=event.comment_id,
            user_id=event.user_id,
            name=clean_name(event.name, event.user_id),
            text=text,
            parent_id=event.parent_id,
            root_id=root,
            submitted_ms=event.submitted_ms,
            media_ms=event.media_ms,
            source_offset=offset,
        )
        self._writes.append(result(COMMENTS_FEED, accepted))
        self._remember(event, seq, root, of_text)

    def _remember(self, event: CommentSubmitted, seq: int, root: str | None, of_text: int) -> None:
        key, writer = row_key(event.video_id, event.comment_id), row_key(event.video_id, event.user_id)
        self._known[key] = self._latest[writer] = Remembered(root, writer, event.submitted_ms, of_text)
        self._order.append(key)
        row = pack_row(seq, root, event.user_id, event.submitted_ms, of_text)
        self._writes.append(Write(COMMENTS_STATE.name, row_key("c", key).encode(), row))
        while len(self._order) > self._limit:
            self._forget(self._order.popleft())

    def _forget(self, key: str) -> None:
        comment = self._known.pop(key)
        if self._latest[comment.writer] is comment:
            del self._latest[comment.writer]
        self._writes.append(Write(COMMENTS_STATE.name, row_key("c", key).encode(), None))

    def _reject(self, event: CommentSubmitted, text: str, reason: Reason, offset: int) -> None:
        rejected = CommentRejected(
            video_id=event.video_id,
            channel=event.channel,
            comment_id=event.comment_id,
            user_id=event.user_id,
            name=clean_name(event.name, event.user_id),
            text=text[:MAX_TEXT],
            reason=reason,
            message=self._policy.message(reason),
            submitted_ms=event.submitted_ms,
            source_offset=offset,
        )
        self._writes.append(result(COMMENTS_REJECTED, rejected))


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: a verdict is written as soon as the one before it is done."""
    policy = policy_of(settings)
    agent = ExactAgent("comments", (COMMENTS_SUBMITTED,), COMMENTS_STATE, lambda: CommentsFold(policy))
    run_exactly(app, settings, agent)
