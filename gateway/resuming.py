"""What a newcomer lacks: everything after its number, or the newest of the conversation, without a gap and nothing twice.

    gather what only Cassandra has, page by page, each written before the next is read
    then, without a wait in between: what memory has, `joined` before all of it, and into the room

Memory holds the newest numbers without a gap (`VideoTalk`), the room whatever comes. Between memory and room nothing can
come as long as nobody waits; so the newcomer has every number once.
"""

import asyncio
import time
from typing import Final

from gateway.conversation import Conversation
from gateway.history import History, HistoryError
from schemas.comment_state import Entry

CATCH_UP_S: Final = 5.0
PAGE: Final = 200
MAX_RESUME: Final = 10_000
"""Who missed more begins anew with the newest; `joined` says so."""


class Resuming:
    """Reads what was missed, out of memory and Cassandra."""

    def __init__(self, conversation: Conversation, history: History) -> None:
        self._conversation = conversation
        self._history = history

    def newest(self, video_id: str) -> int:
        """The greatest number that memory knows of; 0 without any."""
        return self._conversation.talk(video_id).last_seq

    def held(self, video_id: str, after: int) -> list[Entry] | None:
        """Everything after a number, where memory has all of it; None where it has not. Does not wait."""
        talk = self._conversation.talk(video_id)
        if talk.first_seq == 0 or after + 1 < talk.first_seq:
            return None
        return talk.after(after)

    async def latest(self, video_id: str, history: int) -> list[Entry]:
        """The newest, so many, oldest first.

        Raises:
            HistoryError: they are in Cassandra only, and it does not answer.
        """
        talk = self._conversation.talk(video_id)
        if not history or len(talk.entries) >= history or talk.first_seq == 1:
            return self.held_latest(video_id, history)
        older = await self._history.latest(video_id, history)
        held = list(talk.entries)
        first = held[0].seq if held else None
        return contiguous([c for c in older if first is None or c.seq < first] + held)[-history:]

    def held_latest(self, video_id: str, history: int) -> list[Entry]:
        """The newest that memory has, at most so many, oldest first."""
        return list(self._conversation.talk(video_id).entries)[-history:] if history else []

    async def page(self, video_id: str, after: int) -> list[Entry]:
        """The next ones after a number that memory does not reach back to; empty: there are none.

        Raises:
            HistoryError: Cassandra does not answer, or does not have yet what memory gave up.
        """
        deadline = time.monotonic() + CATCH_UP_S
        while not (page := await self._history.after(video_id, after, PAGE)):
            if self._conversation.talk(video_id).first_seq == 0 or self.held(video_id, after) is not None:
                return []
            if time.monotonic() > deadline:
                raise HistoryError("the comments in between are not there yet; join again with `after` in a moment")
            await asyncio.sleep(0.1)
        return page


def contiguous(entries: list[Entry]) -> list[Entry]:
    """The newest entries, as far back as no number is missing: Cassandra may be a little behind."""
    first = len(entries) - 1
    while first > 0 and entries[first - 1].seq == entries[first].seq - 1:
        first -= 1
    return entries[max(first, 0) :]
