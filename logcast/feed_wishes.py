"""Wishes of a client of the feed: likes and votes, said again over any number of connections until the log has them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from logcast.feed_errors import NotConnectedError, WishError
from logcast.feed_types import Raw

PASSING: Final = frozenset({"too_fast", "log_away", "internal"})
"""Errors after which the same is said again, a little later."""
AGAIN_S: Final = 1.0


@dataclass(slots=True)
class _Wish:
    """A state that somebody wants, and who waits until the log has it."""

    message: Raw
    video_id: str | None
    taken: asyncio.Future[None]


class Wishes:
    """The wishes that wait for an answer, one a target: the latest is the one that counts.

    Args:
        say: sends a message, or raises NotConnectedError.
    """

    def __init__(self, say: Callable[[Raw], Awaitable[None]]) -> None:
        self._say = say
        self._waiting: dict[tuple[str, str], _Wish] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Say nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def wish(self, target: tuple[str, str], message: Raw, video_id: str | None) -> None:
        """Say a wish until the log has it, or a later one for the same target.

        Args:
            target: what it is about: a kind, and an id.
            message: with an `id` of its own.
            video_id: the video that is meant.

        Raises:
            WishError: it was not taken.
        """
        earlier = self._waiting.pop(target, None)
        taken = asyncio.get_running_loop().create_future() if earlier is None else earlier.taken
        wish = self._waiting[target] = _Wish(message, video_id, taken)
        await self._try(wish)  # without a connection it is said after the join
        await asyncio.shield(taken)

    async def say_again(self, video_id: str | None) -> None:
        """After a join: what may have been lost with the last connection. Wishes for another video have failed."""
        for target, wish in list(self._waiting.items()):
            if wish.video_id in {None, video_id}:
                await self._try(wish)
            else:
                del self._waiting[target]
                _fail(wish, WishError("other_video", "the channel shows another video now"))

    def answered(self, message: Raw) -> bool:
        """Take a `taken` or an `error`; False: it answers no wish, or whoever reads the messages is to act on it."""
        found = ((t, w) for t, w in self._waiting.items() if w.message["id"] == message.get("id"))
        target, wish = next(found, (None, None))
        if target is None or wish is None:
            return False
        if message["type"] == "taken":
            if not wish.taken.done():
                wish.taken.set_result(None)
        elif message["code"] == "token_lapsed":
            return False  # it is sent again when the token is renewed
        elif message["code"] in PASSING:
            again = asyncio.create_task(self._say_later(target, wish), name="feed-again")
            self._tasks.add(again)
            again.add_done_callback(self._tasks.discard)
            return True
        else:
            _fail(wish, WishError(message["code"], message["message"]))
        del self._waiting[target]
        return True

    async def _say_later(self, target: tuple[str, str], wish: _Wish) -> None:
        """Say a wish again that came at a bad moment, if it still holds."""
        await asyncio.sleep(AGAIN_S)
        if self._waiting.get(target) is wish:
            await self._try(wish)

    async def _try(self, wish: _Wish) -> None:
        with contextlib.suppress(NotConnectedError):
            await self._say(wish.message)


def _fail(wish: _Wish, error: WishError) -> None:
    if not wish.taken.done():
        wish.taken.set_exception(error)
