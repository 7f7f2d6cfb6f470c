"""Whose comment is held hears on the feed what the moderators decide, for as long as they stay."""

import asyncio
from typing import Final

from gateway import feed_messages
from gateway.audience import Audience, verdict_message
from gateway.conversation import Verdict
from gateway.feed_actions import Voice
from schemas.events import CommentAccepted, CommentHeld, Queued

MOST_OF_ONE: Final = 20


class HeldComments:
    """The held comments that somebody who is connected waits for."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._waiting: dict[int, dict[str, asyncio.Future[Verdict]]] = {}
        audience.actions.watch(lambda _voice: None, self._went)

    def wait(self, voice: Voice, held: CommentHeld) -> None:
        """Tell of the decision once it is there; of more than `MOST_OF_ONE` the oldest is forgotten."""
        conversation = self._audience.conversation
        known = conversation.known(held.video_id, held.comment_id)
        if isinstance(known, CommentAccepted):
            voice.say(feed_messages.accepted(known.comment_id, known.seq))
            return
        mine = self._waiting.setdefault(id(voice), {})
        if (before := mine.pop(held.comment_id, None)) is not None:
            before.cancel()
        decision = mine[held.comment_id] = conversation.verdict(held.video_id, held.comment_id)
        decision.add_done_callback(lambda done: self._decided(voice, held, done))
        if len(mine) > MOST_OF_ONE:
            mine.pop(next(iter(mine))).cancel()

    def _decided(self, voice: Voice, held: CommentHeld, done: "asyncio.Future[Verdict]") -> None:
        if done.cancelled():
            return
        self._waiting.get(id(voice), {}).pop(held.comment_id, None)
        verdict = done.result()
        if isinstance(verdict, CommentHeld) and verdict.state is Queued.WAITING:  # again: the decision was taken back
            self.wait(voice, verdict)
        else:
            voice.say(verdict_message(verdict))

    def _went(self, voice: Voice) -> None:
        for decision in self._waiting.pop(id(voice), {}).values():
            decision.cancel()
