"""What somebody likes of a video and how they voted: Cassandra's, and what they have just said here, which is newer.

Told over the feed (`mine`) to who comes with a token, so that a page shows it on every device of an account, and given by
`GET /v1/videos/VIDEO/me`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stores.own_marks import OwnMarks

FRESH_MS: Final = 60_000
"""So long what was said here counts for newer than Cassandra, which has it a moment later."""
MOST_FRESH: Final = 20_000
MOST_OF_ONE: Final = 200
AT_ONCE: Final = 32
"""Readings under way: everybody comes back at once after a restart."""

Key = tuple[str, str]


@dataclass(slots=True)
class Said:
    """What one user has just said about one video: wanted likes by comment ("": the video), wanted votes by poll."""

    at_ms: int = 0
    likes: dict[str, bool] = field(default_factory=dict)
    votes: dict[str, int | None] = field(default_factory=dict)


class Marks:
    """The marks of all users; one for a gateway. `read` gives Cassandra's of a video and a user."""

    def __init__(self, read: Callable[[str, str], Awaitable[OwnMarks]], now_ms: Callable[[], int]) -> None:
        self._read = read
        self._now_ms = now_ms
        self._said: OrderedDict[Key, Said] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, video_id: str, user_id: str) -> OwnMarks:
        """The marks of a user on a video.

        Raises:
            HistoryError: Cassandra does not answer.
        """
        async with self._turns:
            stored = await self._read(video_id, user_id)
        said = self._said.get((video_id, user_id))
        return stored if said is None or self._now_ms() - said.at_ms > FRESH_MS else with_said(stored, said)

    def liked(self, video_id: str, user_id: str, comment_id: str | None, *, liked: bool) -> None:
        """Somebody likes something, or not any more."""
        _put(self._saying(video_id, user_id).likes, comment_id or "", liked)

    def voted(self, video_id: str, user_id: str, poll_id: str, option: int | None) -> None:
        """Somebody votes, or not any more."""
        _put(self._saying(video_id, user_id).votes, poll_id, option)

    def _saying(self, video_id: str, user_id: str) -> Said:
        now_ms = self._now_ms()
        said = self._said.pop((video_id, user_id), None)
        if said is None or now_ms - said.at_ms > FRESH_MS:
            said = Said()
        said.at_ms = now_ms
        self._said[video_id, user_id] = said
        if len(self._said) > MOST_FRESH:
            self._said.popitem(last=False)
        return said


def _put(wishes: dict[str, Any], target: str, wish: object) -> None:
    wishes.pop(target, None)
    wishes[target] = wish
    if len(wishes) > MOST_OF_ONE:
        del wishes[next(iter(wishes))]


def with_said(stored: OwnMarks, said: Said) -> OwnMarks:
    """Marks after what was said since."""
    comments = stored.comments - {target for target, liked in said.likes.items() if not liked}
    comments |= {target for target, liked in said.likes.items() if liked and target}
    votes = {poll: option for poll, option in (stored.votes | said.votes).items() if option is not None}
    return replace(stored, liked=said.likes.get("", stored.liked), comments=comments, votes=votes)


def marks_row(marks: OwnMarks) -> dict[str, Any]:
    """Marks as JSON has them."""
    return {"liked": marks.liked, "comments": sorted(marks.comments), "votes": marks.votes}
