"""What Cassandra keeps of the conversation, for the gateway. Viewers are served without it when it is away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.cassandra_link import CassandraLink
from schemas.comment_state import CommentNow, Entry
from schemas.events import TotalsChanged
from stores.cassandra import Cassandra, CassandraError
from stores.comments import CommentStore
from stores.engagement import EngagementStore
from stores.own_marks import OwnMarks, OwnMarkStore
from stores.reaction_bursts import Burst, BurstStore

T = TypeVar("T")


class HistoryError(RuntimeError):
    """Cassandra does not answer; live comments go on."""


class History:
    """The comments of all videos, over the gateway's session."""

    def __init__(self, link: CassandraLink) -> None:
        self._link = link
        self._session: Cassandra | None = None
        self._store: CommentStore | None = None

    @property
    def ready(self) -> bool:
        """Whether Cassandra has answered."""
        return self._link.session is not None

    async def latest(self, video_id: str, limit: int) -> list[Entry]:
        """What has the newest numbers of a video's feed, oldest first.

        Raises:
            HistoryError: Cassandra does not answer.
        """
        return await self.asked(lambda store: store.newest_entries(video_id, limit))

    async def after(self, video_id: str, seq: int, limit: int) -> list[Entry]:
        """What has the next numbers after one, oldest first. Errors as `latest`."""
        return await self.asked(lambda store: store.entries(video_id, seq, limit))

    async def find(self, video_id: str, comment_id: str) -> CommentNow | None:
        """A comment by its id. Errors as `latest`."""
        return await self.asked(lambda store: store.find(video_id, comment_id))

    async def likes(self, video_id: str, comment_ids: list[str]) -> dict[str, int]:
        """Likes of comments, of those that have some. Errors as `latest`."""
        return await self.asked(lambda store: store.likes(video_id, comment_ids)) if comment_ids else {}

    async def totals(self, video_id: str) -> TotalsChanged | None:
        """Likes and reactions of a video, as of before everything on the log; None: there are none. Errors as `latest`."""
        found = await self._with_session(lambda session: EngagementStore(session).totals(video_id))
        if found is None:
            return None
        return TotalsChanged(
            video_id=video_id,
            channel="",
            as_of_offset=-1,
            as_of_ms=found.as_of_ms,
            likes=found.likes,
            reactions=found.reactions,
            comment_likes={},
        )

    async def marks(self, video_id: str, user_id: str) -> OwnMarks:
        """What a user likes of a video, and voted for. Errors as `latest`."""
        return await self._with_session(lambda session: OwnMarkStore(session).of(video_id, user_id))

    async def bursts(self, video_id: str, from_ms: int, to_ms: int) -> list[Burst]:
        """Reactions by position. Errors as `latest`."""
        return await self._with_session(lambda session: BurstStore(session).between(video_id, from_ms, to_ms))

    async def asked(self, ask: Callable[[CommentStore], Awaitable[T]]) -> T:
        """What the comments of Cassandra answer to a question. Errors as `latest`."""
        return await self._with_session(lambda session: ask(self._store_of(session)))

    def _store_of(self, session: Cassandra) -> CommentStore:
        """The store over the session: one for long, because it remembers where feeds end."""
        if self._store is None or self._session is not session:
            self._session, self._store = session, CommentStore(session)
        return self._store

    async def _with_session(self, ask: Callable[[Cassandra], Awaitable[T]]) -> T:
        session = self._link.session
        if session is None:
            raise HistoryError("what was before cannot be read now: Cassandra does not answer; try again in a moment")
        try:
            return await ask(session)
        except CassandraError as error:
            raise HistoryError(f"what was before cannot be read now: {error}") from error
