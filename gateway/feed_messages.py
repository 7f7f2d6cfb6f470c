"""The messages of the feed `logcast.v1`: what a client may say, checked; what a server says, built. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.guests import GuestError, checked_name
from gateway.video_fold import RENDITION_NAME
from schemas.comment_state import CommentNow, Entry, Shown
from schemas.events import BreakPlanned, Change, CommentAccepted, CommentChanged, VideoChanged
from schemas.ids import COMMENT_ID, VIDEO_ID

MAX_MESSAGE_BYTES: Final = 16 * 1024
MAX_TEXT_CHARS: Final = 500
MAX_RAW_TEXT_CHARS: Final = 4_000
"""Longer texts are not even taken to the checks, which reject above 500 characters."""
MAX_HISTORY: Final = 200
MAX_REACTIONS: Final = 100
MAX_WANTED: Final = 8
REACTIONS: Final = frozenset({"heart", "clap", "laugh", "wow", "fire"})


class MessageError(ValueError):
    """A message of a client that cannot be taken.

    Attributes:
        code: for programs.
        comment_id: of the comment that it was, if it had a good one.
    """

    def __init__(self, code: str, message: str, comment_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.comment_id = comment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The first message: who, and from where on."""

    name: str | None
    token: str | None
    video: str | None
    after: int | None
    history: int
    wants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A comment; `media_ms` is the wall clock of the picture that its author sees."""

    id: str
    text: str
    parent: str | None
    media_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeWanted:
    """Like (or not) the video, or a comment of it; with an `id` it is answered by `taken`."""

    liked: bool
    comment: str | None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class React:
    """A reaction that repeats; with an `id` it is answered by `taken`. `media_ms`: wall clock of the picture that is seen."""

    kind: str
    count: int
    media_ms: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """Is the connection alive?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A newer token of the same user, before or after the old one lapsed."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Of which renditions to tell the parts, from now on."""

    parts: frozenset[str]


def post_of(values: dict[str, Any]) -> Post:
    """A comment out of JSON members (feed and REST have the same)."""
    comment_id = values.get("id")
    if not isinstance(comment_id, str) or COMMENT_ID.fullmatch(comment_id) is None:
        raise MessageError("bad_id", f"expected id of 8 to 64 letters, digits, '-', '_'; found {comment_id!r:.80}")
    return Post(
        id=comment_id,
        text=text_of_comment(values, comment_id),
        parent=_comment_id(values, "parent"),
        media_ms=_integer(values, "media_ms", 0, 2**53),
    )


def text_of_comment(values: dict[str, Any], comment_id: str | None = None) -> str:
    """The text out of JSON members."""
    text = values.get("text")
    if not isinstance(text, str):
        raise MessageError(
            "bad_text", f"expected text of 1 to {MAX_TEXT_CHARS} characters; found {text!r:.60}", comment_id
        )
    if len(text) > MAX_RAW_TEXT_CHARS:
        raise MessageError("too_long", f"expected at most {MAX_TEXT_CHARS} characters; found {len(text)}", comment_id)
    return _storable(text)


def reaction_of(values: dict[str, Any]) -> React:
    """A reaction out of JSON members."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in REACTIONS:
        raise MessageError("bad_kind", f"expected kind {', '.join(sorted(REACTIONS))}; found {kind!r:.60}")
    count = _integer(values, "count", 1, MAX_REACTIONS)
    media_ms = _integer(values, "media_ms", 0, 2**53)
    return React(kind=kind, count=1 if count is None else count, media_ms=media_ms, id=message_id(values))


def join_of(values: dict[str, Any]) -> Join:
    """A join out of JSON members."""
    name, token, video = values.get("name"), values.get("token"), values.get("video")
    if token is not None and not isinstance(token, str):
        raise MessageError("bad_token", "expected token as text")
    if video is not None and (not isinstance(video, str) or VIDEO_ID.fullmatch(video) is None):
        raise MessageError("bad_video", f"expected the id of a video; found {video!r:.60}")
    try:
        clean = None if name is None else checked_name(name)
    except GuestError as error:
        raise MessageError("bad_name", str(error)) from error
    history = _integer(values, "history", 0, MAX_HISTORY)
    return Join(
        name=clean,
        token=token,
        video=video,
        after=_integer(values, "after", 0, 2**53),
        history=50 if history is None else history,
        wants=_renditions(values, "wants"),
    )


def want_of(values: dict[str, Any]) -> Want:
    """Which parts somebody wants to hear of, out of JSON members."""
    return Want(parts=_renditions(values, "parts"))


def renewal_of(values: dict[str, Any]) -> Renewal:
    """A newer token, out of JSON members."""
    token = values.get("token")
    if not isinstance(token, str):
        raise MessageError("bad_token", "expected token as text")
    return Renewal(token=token)


def like_of(values: dict[str, Any]) -> LikeWanted:
    """A like out of JSON members."""
    liked = values.get("liked")
    if not isinstance(liked, bool):
        raise MessageError("bad_liked", f"expected liked true or false; found {liked!r:.60}")
    return LikeWanted(liked=liked, comment=_comment_id(values, "comment"), id=message_id(values))


def message_id(values: Mapping[str, Any]) -> str | None:
    """The id that a client gave a message to have it acknowledged; None: it gave none."""
    found = values.get("id")
    if found is not None and (not isinstance(found, str) or COMMENT_ID.fullmatch(found) is None):
        raise MessageError("bad_id", f"expected id of 8 to 64 letters, digits, '-', '_'; found {found!r:.80}")
    return found


def _renditions(values: dict[str, Any], name: str) -> frozenset[str]:
    found = values.get(name) or []
    if (
        not isinstance(found, list)
        or len(found) > MAX_WANTED
        or not all(isinstance(one, str) and RENDITION_NAME.fullmatch(one) for one in found)
    ):
        raise MessageError(
            f"bad_{name}", f"expected {name}: at most {MAX_WANTED} names of renditions; found {found!r:.60}"
        )
    return frozenset(found)


def _comment_id(values: dict[str, Any], name: str) -> str | None:
    found = values.get(name)
    if found is not None and (not isinstance(found, str) or COMMENT_ID.fullmatch(found) is None):
        raise MessageError(f"bad_{name}", f"expected {name} to be the id of a comment; found {found!r:.80}")
    return found


def _integer(values: dict[str, Any], name: str, least: int, most: int) -> int | None:
    found = values.get(name)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise MessageError(f"bad_{name}", f"expected {name} from {least} to {most}; found {found!r:.60}")
    return found


def _storable(text: str) -> str:
    """Text that UTF-8 can carry: half surrogate pairs become replacement characters."""
    return text.encode("utf-8", "replace").decode()


# -- what the server says


def comment(entry: CommentNow | CommentAccepted, *, hidden_too: bool = False) -> dict[str, Any]:
    """A comment of the feed as it is now; of one that is not shown there is no more than its place.

    Args:
        entry: the comment.
        hidden_too: for moderators, who read what they hid.
    """
    now = entry if isinstance(entry, CommentNow) else CommentNow.of(entry)
    event = now.accepted
    message: dict[str, Any] = {
        "type": "comment",
        "seq": event.seq,
        "id": event.comment_id,
        "parent": event.parent_id,
        "root": event.root_id,
        "at_ms": event.submitted_ms,
        "media_ms": event.media_ms,
        "state": now.shown.value,
    }
    if now.shown is not Shown.SHOWN and not (hidden_too and now.shown is Shown.HIDDEN):
        return message
    user = {"id": event.user_id, "name": event.name, "role": event.role or "guest"}
    message |= {"user": user | ({"colour": event.colour} if event.colour else {}), "text": now.text}
    if now.edited_ms is not None:
        message["edited_ms"] = now.edited_ms
    if now.pinned:
        message["pinned"] = True
    return message


def changed(event: CommentChanged, comment_now: CommentNow | None = None) -> dict[str, Any]:
    """A change of a comment; it has a number of its own, in one row with the comments.

    One that is shown again, or pinned, comes whole where it is known (`comment_now`): who joined meanwhile has never
    read it.
    """
    message: dict[str, Any] = {
        "type": "changed",
        "seq": event.seq,
        "id": event.comment_id,
        "comment_seq": event.comment_seq,
        "change": event.change.value,
        "at_ms": event.changed_ms,
    }
    if event.text is not None:
        message["text"] = event.text
    if comment_now is not None and event.change in {Change.SHOWN, Change.PINNED}:
        message["comment"] = comment(comment_now)
    return message


def numbered(entry: Entry) -> dict[str, Any]:
    """Anything that has a number."""
    return changed(entry) if isinstance(entry, CommentChanged) else comment(entry)


def video(event: VideoChanged) -> dict[str, Any]:
    """A video's state."""
    return {
        "type": "video",
        "id": event.video_id,
        "channel": event.channel,
        "state": event.state.value,
        "title": event.title,
        "started_ms": event.started_ms,
        "ended_ms": event.ended_ms,
        "tags": list(event.tags),
        "description": event.description,
    }


def ad_break(event: BreakPlanned, now_ms: int) -> dict[str, Any]:
    """A break and where it stands."""
    ends_ms = event.start_ms + event.duration_ms
    state = "planned" if now_ms < event.start_ms else "started" if now_ms < ends_ms else "ended"
    return {
        "type": "break",
        "id": event.break_id,
        "state": state,
        "start_ms": event.start_ms,
        "duration_ms": event.duration_ms,
    }


def error(code: str, message: str, comment_id: str | None = None) -> dict[str, Any]:
    """Something that the client sent was not taken; with the comment's id when it was one."""
    about = {"id": comment_id} if comment_id is not None else {}
    return {"type": "error", "code": code, "message": message} | about


def rejected(comment_id: str, reason: str, message: str) -> dict[str, Any]:
    """To the author: the comment did not pass."""
    return {"type": "rejected", "id": comment_id, "reason": reason, "message": message}


def held(comment_id: str, reason: str, message: str) -> dict[str, Any]:
    """To the author: a moderator looks at the comment first."""
    return {"type": "held", "id": comment_id, "reason": reason, "message": message}


def withdrawn(revision_id: str, comment_id: str) -> dict[str, Any]:
    """To the author: the comment that waited is taken back."""
    return {"type": "withdrawn", "id": revision_id, "comment": comment_id}


def taken(message_id: str) -> dict[str, Any]:
    """To who liked, voted or reacted with an id: the log has it, and it will be counted."""
    return {"type": "taken", "id": message_id}


def accepted(comment_id: str, seq: int) -> dict[str, Any]:
    """To the author: the comment has its number."""
    return {"type": "accepted", "id": comment_id, "seq": seq}
