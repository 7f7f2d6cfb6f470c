"""What a comment is now: as it was accepted, and what became of it. Pure."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from schemas.events import Change, CommentAccepted, CommentChanged


class Shown(StrEnum):
    """Whether people see a comment. Removed: by its writer, for good; hidden: by a moderator, who may show it again."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    REMOVED = "removed"


CONTENT: Final = frozenset({Change.EDITED, Change.REMOVED, Change.HIDDEN, Change.SHOWN})
"""Changes of what people can read."""
TELLS_TEXT: Final = frozenset({Change.EDITED, Change.SHOWN})


@dataclass(frozen=True, slots=True)
class CommentNow:
    """A comment with all its changes. `text` is what it says now, also where it is hidden."""

    accepted: CommentAccepted
    text: str
    hidden: bool = False
    removed: bool = False
    edited_ms: int | None = None
    pinned: bool = False

    @classmethod
    def of(cls, accepted: CommentAccepted) -> Self:
        """A comment of which nothing has become yet."""
        return cls(accepted, accepted.text)

    @property
    def seq(self) -> int:
        """Its number."""
        return self.accepted.seq

    @property
    def comment_id(self) -> str:
        """Its id."""
        return self.accepted.comment_id

    @property
    def shown(self) -> Shown:
        """Whether people see it."""
        return Shown.REMOVED if self.removed else Shown.HIDDEN if self.hidden else Shown.SHOWN

    def after(self, event: CommentChanged) -> "CommentNow":
        """The comment after its next change."""
        match event.change:
            case Change.EDITED:
                text = self.text if self.removed or event.text is None else event.text
                return dataclasses.replace(self, text=text, edited_ms=event.changed_ms)
            case Change.REMOVED:
                return dataclasses.replace(self, text="", removed=True)
            case Change.HIDDEN | Change.SHOWN:
                return dataclasses.replace(self, hidden=event.change is Change.HIDDEN)
            case Change.PINNED | Change.UNPINNED:
                return dataclasses.replace(self, pinned=event.change is Change.PINNED)


Entry = CommentNow | CommentChanged
"""What has a number in the feed of a video."""


def as_told_now(event: CommentChanged, comment: CommentNow | None) -> CommentChanged:
    """A change as it is told later: with what the comment says now, and without text where nobody is to read it.

    Who was away needs no text that was taken back in the meantime.
    """
    if comment is None or event.change not in TELLS_TEXT:
        return dataclasses.replace(event, text=None)
    return dataclasses.replace(event, text=comment.text if comment.shown is Shown.SHOWN else None)
