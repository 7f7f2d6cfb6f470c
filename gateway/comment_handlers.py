"""What the feed does with `revise`: the writer of a comment changes it, or takes it back."""

import secrets
from dataclasses import dataclass
from typing import Any

from gateway import feed_messages
from gateway.audience import Audience, verdict_message
from gateway.authors import author_of
from gateway.feed_actions import Actions, Voice
from gateway.feed_handlers import video_of
from gateway.feed_messages import MessageError
from schemas.ids import COMMENT_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """Another text for a comment, or None: it goes. `id` is that of the revision; a repeat is the same revision."""

    id: str
    comment: str
    text: str | None


def revise_of(values: dict[str, Any]) -> Revise:
    """A revision out of JSON members.

    Raises:
        MessageError: a field is missing or wrong.
    """
    revision_id = values.get("id")
    revision_id = secrets.token_hex(10) if revision_id is None else revision_id
    if not isinstance(revision_id, str) or COMMENT_ID.fullmatch(revision_id) is None:
        raise MessageError("bad_id", f"expected id of 8 to 64 letters, digits, '-', '_'; found {revision_id!r:.80}")
    comment = values.get("comment")
    if not isinstance(comment, str) or COMMENT_ID.fullmatch(comment) is None:
        raise MessageError("bad_comment", f"expected comment to be the id of one; found {comment!r:.80}", revision_id)
    if "text" not in values:
        raise MessageError("bad_text", "expected text: the new one, or null to take the comment back", revision_id)
    text = None if values["text"] is None else feed_messages.text_of_comment(values, revision_id)
    return Revise(id=revision_id, comment=comment, text=text)


def add_comment_handlers(actions: Actions, audience: Audience) -> None:
    """Add them to the table."""

    async def revise(voice: Voice, wanted: Revise) -> None:
        author = author_of(voice.identity, await voice.role(), voice.address)
        verdict = await audience.revise(video_of(voice), author, wanted.comment, wanted.id, wanted.text)
        if verdict is not None:
            voice.say(verdict_message(verdict))

    actions.add("revise", revise_of, revise)
