"""What a client may say of polls, checked: the same for feed and API. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.feed_messages import MessageError, message_id
from schemas.ids import COMMENT_ID

LEAST_OPTIONS: Final = 2
MOST_OPTIONS: Final = 8
MAX_QUESTION: Final = 200
MAX_OPTION: Final = 80
MAX_POLLS: Final = 50
LEAST_SECONDS: Final = 5
MAX_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A poll that somebody wants to open; without an id the gateway makes one."""

    id: str | None
    question: str
    options: tuple[str, ...]
    seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteWanted:
    """The number of the option that somebody wants to have voted for in a poll; None: no vote any more.

    With an `id` it is answered by `taken`.
    """

    poll: str
    option: int | None
    id: str | None = None


def question_of(values: Mapping[str, Any]) -> Question:
    """A poll out of JSON members.

    Raises:
        MessageError: a member is missing or wrong; its code is `bad_MEMBER`.
    """
    poll_id, seconds, options = values.get("id"), values.get("seconds"), values.get("options")
    if poll_id is not None and not _is_id(poll_id):
        raise MessageError("bad_id", f"expected id of 8 to 64 letters, digits, '-', '_'; found {poll_id!r:.80}")
    if seconds is not None and not _is_whole(seconds, LEAST_SECONDS, MAX_SECONDS):
        raise MessageError(
            "bad_seconds", f"expected seconds from {LEAST_SECONDS} to {MAX_SECONDS}; found {seconds!r:.40}"
        )
    if not isinstance(options, list) or not LEAST_OPTIONS <= len(options) <= MOST_OPTIONS:
        raise MessageError("bad_options", f"expected {LEAST_OPTIONS} to {MOST_OPTIONS} options; found {options!r:.60}")
    clean = tuple(_text(option, "options", MAX_OPTION) for option in options)
    if len(set(clean)) < len(clean):
        raise MessageError("bad_options", "expected options that differ")
    return Question(
        id=poll_id, question=_text(values.get("question"), "question", MAX_QUESTION), options=clean, seconds=seconds
    )


def vote_of(values: Mapping[str, Any], poll_id: object = None) -> VoteWanted:
    """A vote out of JSON members; `poll_id` where it is not among them. Errors as `question_of`."""
    poll = values.get("poll") if poll_id is None else poll_id
    if not _is_id(poll):
        raise MessageError("bad_poll", f"expected poll to be the id of a poll; found {poll!r:.80}")
    option = values.get("option", "nothing")
    if option is not None and not _is_whole(option, 0, MOST_OPTIONS - 1):
        raise MessageError("bad_option", f"expected option: a number from 0, or null; found {option!r:.40}")
    return VoteWanted(poll=str(poll), option=option, id=message_id(values))


def _text(found: object, member: str, most: int) -> str:
    clean = " ".join(found.encode("utf-8", "replace").decode().split()) if isinstance(found, str) else ""
    if not 0 < len(clean) <= most:
        raise MessageError(f"bad_{member}", f"expected {member} of 1 to {most} characters; found {found!r:.80}")
    return clean


def _is_id(found: object) -> bool:
    return isinstance(found, str) and COMMENT_ID.fullmatch(found) is not None


def _is_whole(found: object, least: int, most: int) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and least <= found <= most
