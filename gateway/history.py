"""What Cassandra keeps of the conversation, for the gateway. Viewers are served without it when it is away."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from schemas.events import CommentAccepted
from stores.cassandra import Cassandra, CassandraError
from stores.comments import CommentStore
from stores.settings import Settings

T = TypeVar("T")

log = logging.getLogger(__name__)

RETRY_S: Final = 2.0


class HistoryError(RuntimeError):
    """Cassandra does not answer; live comments go on."""


class History:
    """Opens Cassandra when it is there, and keeps trying while it is not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: CommentStore | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether Cassandra has answered."""
        return self._store is not None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_open(), name="history")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def latest(self, video_id: str, limit: int) -> list[CommentAccepted]:
        """The newest comments of a video, oldest first.

        Raises:
            HistoryError: Cassandra does not answer.
        """
        return await self._asked(lambda store: store.latest(video_id, limit))

    async def before(self, video_id: str, seq: int, limit: int) -> list[CommentAccepted]:
        """The comments just before a number, oldest first. Errors as `latest`."""
        return await self._asked(lambda store: store.before(video_id, seq, limit))

    async def after(self, video_id: str, seq: int, limit: int) -> list[CommentAccepted]:
        """The comments just after a number, oldest first. Errors as `latest`."""
        return await self._asked(lambda store: store.after(video_id, seq, limit))

    async def replies(self, video_id: str, comment_id: str, limit: int) -> list[CommentAccepted]:
        """The replies to a comment, oldest first. Errors as `latest`."""
        return await self._asked(lambda store: store.replies(video_id, comment_id, limit))

    async def likes(self, video_id: str, comment_ids: list[str]) -> dict[str, int]:
        """Likes of comments, of those that have some. Errors as `latest`."""
        return await self._asked(lambda store: store.likes(video_id, comment_ids)) if comment_ids else {}

    async def _asked(self, ask: Callable[[CommentStore], Awaitable[T]]) -> T:
        if self._store is None:
            raise HistoryError("older comments cannot be read now: Cassandra does not answer; try again in a moment")
        try:
            return await ask(self._store)
        except CassandraError as error:
            raise HistoryError(f"older comments cannot be read now: {error}") from error

    async def _keep_open(self) -> None:
        """Connect, as often as it takes; once connected, the driver itself reconnects."""
        while True:
            try:
                async with Cassandra.open(self._settings) as cassandra:
                    self._store = CommentStore(cassandra)
                    await asyncio.Event().wait()
            except CassandraError as error:
                log.warning("no history yet: %s", error)
            finally:
                self._store = None
            await asyncio.sleep(RETRY_S)
