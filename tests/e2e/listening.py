"""A viewer of the feed that keeps all it hears."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from logcast.client import FeedClient
from tests.waiting import eventually

Message = dict[str, Any]


class Listener:
    """A `FeedClient` whose messages are gathered in `messages`."""

    def __init__(self, feed: FeedClient) -> None:
        self.feed = feed
        self.messages: list[Message] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.feed.__aenter__()
        self._task = asyncio.create_task(self._listen())
        await self.heard(lambda m: m["type"] == "joined", "to have joined")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.feed.__aexit__(kind, error, trace)

    async def _listen(self) -> None:
        async for message in self.feed:
            self.messages.append(message)

    def of_type(self, kind: str) -> list[Message]:
        """What was heard of one kind, in order."""
        return [message for message in self.messages if message["type"] == kind]

    async def heard(self, condition: Callable[[Message], bool], what: str, deadline_s: float = 60.0) -> Message:
        """Wait for a message; gives the first such one."""

        def find() -> Message | None:
            assert self._task is not None
            if self._task.done():
                self._task.result()
            return next((message for message in self.messages if condition(message)), None)

        message = await eventually(find, deadline_s, what)
        assert message is not None
        return message

    async def hears_comment(self, text: str) -> Message:
        """Wait for a comment with this text."""
        return await self.heard(lambda m: m["type"] == "comment" and m["text"] == text, f"the comment {text!r}")
