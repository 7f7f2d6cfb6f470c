"""The comments of a partition that are remembered: the last ones that were accepted, and what became of them.

Rows of `comments.state`:

- `c/VIDEO/COMMENT`: number, root, writer, time, digest, text. Written once and never changed, so that the order of the
  rows is the order of the comments. (Rows of before there was moderation end with the digest: their text is not known.)
- `m/VIDEO/COMMENT`: only of those that changed: removed, text, digest, acts, the last revisions.

Both are deleted in the transaction that forgets the comment, or its video. Memory: at most 100,000 comments and 16 million characters
of their texts: 80 MB when each has another writer and 160 ASCII characters.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from processors.act_entries import Entry, in_force, packed, unpacked
from processors.fold import pack_row, row_key
from processors.state_rows import StateRows

REMEMBERED: Final = 100_000
MAX_CHARACTERS: Final = 16_000_000
MAX_REVISIONS: Final = 16


@dataclass(slots=True, eq=False)
class Marks:
    """What became of a comment after it was accepted."""

    removed: bool = False
    acts: list[Entry] = field(default_factory=list)
    revisions: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Comment:
    """An accepted comment.

    Attributes:
        key: `VIDEO/COMMENT`.
        seq: its number.
        root: the comment that its thread began with; None: itself.
        writer: `VIDEO/USER`.
        at_ms: event time.
        digest: of its text.
        text: as it is now; None: written before texts were remembered, or removed.
        before: the writer's comment before it.
        forgotten: it is only still here as somebody's `before`.
        marks: None: nothing became of it.
    """

    key: str
    seq: int
    root: str | None
    writer: str
    at_ms: int
    digest: int
    text: str | None
    before: "Comment | None" = None
    forgotten: bool = False
    marks: Marks | None = None

    @property
    def comment_id(self) -> str:
        """Its id."""
        return self.key.partition("/")[2]

    @property
    def video_id(self) -> str:
        """Its video."""
        return self.key.partition("/")[0]

    @property
    def user_id(self) -> str:
        """Its writer."""
        return self.writer.partition("/")[2]

    @property
    def shown(self) -> bool:
        """Neither removed by its writer nor hidden by an act."""
        return self.marks is None or not (self.marks.removed or in_force(self.marks.acts))


class CommentMemory:
    """The comments, by id and by writer."""

    def __init__(self, rows: StateRows, most: int = REMEMBERED, most_characters: int = MAX_CHARACTERS) -> None:
        self._rows = rows
        self._most = most
        self._most_characters = most_characters
        self._known: dict[str, Comment] = {}
        self._order: deque[Comment] = deque()
        self._latest: dict[str, Comment] = {}
        self._characters = 0

    def load(self, comments: Mapping[str, list[Any]], marks: Mapping[str, list[Any]]) -> None:
        """Build from the rows `c` and `m`."""
        for key, (seq, root, user_id, at_ms, digest, *rest) in comments.items():
            writer = row_key(key.partition("/")[0], user_id)
            self._keep(Comment(key, seq, root, writer, at_ms, digest, rest[0] if rest else None))
        for key, (removed, text, digest, acts, revisions) in marks.items():
            comment = self._known[key]
            comment.marks = Marks(removed, unpacked(acts), revisions)
            self._say(comment, text, digest)

    def get(self, video_id: str, comment_id: str) -> Comment | None:
        """A remembered comment."""
        return self._known.get(row_key(video_id, comment_id))

    def latest(self, video_id: str, user_id: str) -> Comment | None:
        """The last comment of a user on a video."""
        return self._latest.get(row_key(video_id, user_id))

    def back_from(self, comment: Comment | None) -> Iterator[Comment]:
        """A comment and its writer's earlier ones on the video, the latest first."""
        while comment is not None and not comment.forgotten:
            yield comment
            comment = comment.before

    def remember(self, comment: Comment) -> list[Comment]:
        """Keep a comment that was just accepted; gives those that are forgotten for it."""
        self._keep(comment)
        row = pack_row(comment.seq, comment.root, comment.user_id, comment.at_ms, comment.digest, comment.text)
        self._rows.put(f"c/{comment.key}", row)
        forgotten = []
        while len(self._order) > self._most or (self._characters > self._most_characters and len(self._order) > 1):
            forgotten.append(self._forget())
        return forgotten

    def forget(self, video_id: str) -> None:
        """Forget all comments of a video that is gone; looks at every comment."""
        gone = [comment for comment in self._order if comment.video_id == video_id]
        if not gone:
            return
        for comment in gone:
            comment.forgotten, comment.before = True, None
            self._let_go(comment)
        self._order = deque(comment for comment in self._order if not comment.forgotten)

    def marked(self, comment: Comment) -> Marks:
        """The marks of a comment, about to change."""
        if comment.marks is None:
            comment.marks = Marks()
        marks = comment.marks
        self._rows.later(
            f"m/{comment.key}",
            lambda: (marks.removed, comment.text, comment.digest, packed(marks.acts), marks.revisions),
        )
        return marks

    def rewrite(self, comment: Comment, text: str | None, digest: int, revision_id: str) -> None:
        """Another text; None: its writer removed it."""
        marks = self.marked(comment)
        marks.removed = text is None
        marks.revisions = [*marks.revisions, revision_id][-MAX_REVISIONS:]
        self._say(comment, text, digest)

    def _keep(self, comment: Comment) -> None:
        comment.before = self._latest.get(comment.writer)
        if comment.before is not None:
            comment.writer = comment.before.writer
        self._known[comment.key] = self._latest[comment.writer] = comment
        self._order.append(comment)
        self._characters += len(comment.text or "")

    def _say(self, comment: Comment, text: str | None, digest: int) -> None:
        self._characters += len(text or "") - len(comment.text or "")
        comment.text, comment.digest = text, digest

    def _forget(self) -> Comment:
        comment = self._order.popleft()
        comment.forgotten, comment.before = True, None
        self._let_go(comment)
        return comment

    def _let_go(self, comment: Comment) -> None:
        self._characters -= len(comment.text or "")
        del self._known[comment.key]
        if self._latest.get(comment.writer) is comment:
            del self._latest[comment.writer]
        self._rows.drop(f"c/{comment.key}")
        if comment.marks is not None:
            self._rows.drop(f"m/{comment.key}")
