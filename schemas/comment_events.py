"""Events of comments: submitted, judged, changed, held."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentSubmitted:
    """A viewer wrote a comment; not yet checked (topic `comments.submitted`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    submitted_ms: int
    media_ms: int | None = None
    gateway_id: str
    role: str = ""
    address: str = ""
    screened: str = ""
    screened_reason: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentAccepted:
    """A comment passed the checks and has its number (topic `comments.feed`)."""

    video_id: str
    channel: str
    seq: int
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    root_id: str | None = None
    submitted_ms: int
    media_ms: int | None = None
    source_offset: int
    role: str = ""
    comments: int = 0
    approved_by: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRejected:
    """A comment did not pass the checks (topic `comments.rejected`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    reason: str
    message: str
    submitted_ms: int
    source_offset: int
    revision_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRevised:
    """The writer of a comment wants it changed, or gone (`text` None); not yet checked (topic `comments.submitted`)."""

    video_id: str
    channel: str
    revision_id: str
    comment_id: str
    user_id: str
    name: str
    text: str | None = None
    submitted_ms: int
    gateway_id: str
    role: str
    address: str


class Change(StrEnum):
    """What became of a comment; removed: by its writer, for good."""

    EDITED = "edited"
    REMOVED = "removed"
    HIDDEN = "hidden"
    SHOWN = "shown"
    PINNED = "pinned"
    UNPINNED = "unpinned"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentChanged:
    """A comment of the feed is not as it was (topic `comments.feed`, numbered together with the comments)."""

    video_id: str
    channel: str
    seq: int
    comment_id: str
    comment_seq: int
    user_id: str
    change: Change
    text: str | None = None
    by: str
    act_id: str
    revision_id: str
    comments: int
    changed_ms: int
    source_offset: int


class Queued(StrEnum):
    """Whether a comment waits for a moderator, or how it left the queue; withdrawn: by its writer."""

    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentHeld:
    """A comment waits for a moderator, or does not wait any more; nobody else sees it (topic `comments.review`)."""

    video_id: str
    channel: str
    comment_id: str
    user_id: str
    name: str
    text: str
    parent_id: str | None = None
    reason: str
    message: str
    note: str
    role: str
    submitted_ms: int
    media_ms: int | None = None
    source_offset: int
    state: Queued = Queued.WAITING
    revision_id: str = ""
