"""What a gateway knows: folds over the log, who waits for their changes, and what to open and close with the server."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.cassandra_link import CassandraLink
from gateway.link_keys import LinkKeys
from gateway.memory_cache import MemoryCache
from gateway.standings import Standings
from gateway.videos import VideoDirectory
from schemas.events import Event, VideoForgotten, VideoRemoved
from schemas.topics import VIDEOS, VIDEOS_SETTINGS, Topic
from stores.accounts import Accounts
from stores.block_lists import BlockLists
from stores.email_verifications import EmailVerifications
from stores.emotes import Emotes
from stores.hot_tier import open_segment_store
from stores.link_keys import link_keys_path
from stores.log_reader import BEGINNING, Gone, Handler, LogReader, Place, Subscription, now_ms
from stores.memberships import Memberships
from stores.sessions import Sessions
from stores.settings import Settings
from stores.sql import open_engine
from stores.users import Users

if TYPE_CHECKING:
    from gateway.auth import Auth
    from gateway.captions import Captions
    from gateway.media_access import MediaAccess
    from gateway.players import Players

Resource = Callable[[], AbstractAsyncContextManager[object]]


class GatewayState:
    """One for each application, at `app.state.gateway`; everything is used from the event loop only.

    A module of routes gets it in its `install(state)` and says there what it needs: topics (`subscribe`), things to
    open and close (`resource`), what to do once a batch of events was folded (`after_batch`).

    Attributes:
        settings: of the process.
        clock: wall clock in ms; tests give their own.
        videos: every video by id, the current one of every channel.
        segments: the hot segment store; blocks, call it in threads.
        memory: bytes that may be asked for again: parts, init segments, pictures. Keys are tuples or names.
        link_keys: sign and check links that carry the right to watch.
        engine: of the SQL database, while the server runs.
        accounts: channels and their owners, likewise.
        emotes, block_lists: of channels, while the server runs.
        users: who has an account, while the server runs; on the same engine.
        memberships: their roles and follows, likewise.
        sessions: of those who are logged in, likewise.
        verifications: tokens that verify addresses for mail, likewise.
        standings: what users are to channels, kept for some seconds.
        secret: signs what gateways give out: guests, access tokens. The same on all of them when it is set.
        cassandra: the one session of the process, once it is there.
        media: the folds and bytes of all videos, once `gateway.media_access` was asked for them.
        captions: of all videos, once `gateway.captions` was asked for them.
        auth: what the routes of accounts share, once they are installed.
        players: told of who asks for media playlists, if they are counted.
        stopping: set when the server begins to stop; whoever parks requests or sockets lets them go then.
        ready_checks: named conditions of /readyz besides the log.
        subscriptions: who folds which topic.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int] = now_ms) -> None:
        self.settings: Final = settings
        self.clock: Final = clock
        self.videos: Final = VideoDirectory()
        self.segments: Final = open_segment_store(settings)
        self.memory: Final = MemoryCache[bytes]("media", settings.gateway_memory_mb * 1024 * 1024 // 2, len)
        self.link_keys: Final = LinkKeys(link_keys_path(settings))
        self.engine: AsyncEngine | None = None
        self.accounts: Accounts | None = None
        self.users: Users | None = None
        self.memberships: Memberships | None = None
        self.emotes: Emotes | None = None
        self.block_lists: BlockLists | None = None
        self.sessions: Sessions | None = None
        self.verifications: EmailVerifications | None = None
        self.standings: Final = Standings()
        self.secret: Final = settings.guest_secret.get_secret_value().encode() or secrets.token_bytes(32)
        self.cassandra: Final = CassandraLink(settings)
        self.media: MediaAccess | None = None
        self.captions: Captions | None = None
        self.auth: Auth | None = None
        self.players: Players | None = None
        self.stopping: Final = asyncio.Event()
        self.ready_checks: Final[dict[str, Callable[[], bool]]] = {}
        self.reader: LogReader | None = None
        self.subscriptions: Final[list[Subscription]] = []
        self._resources: list[Resource] = []
        self._after_batch: list[Callable[[], None]] = []
        self._on_stop: list[Callable[[], None]] = []
        self._on_removed: list[Callable[[str], None]] = []
        self._stack = AsyncExitStack()
        self.subscribe(VIDEOS, self.videos.apply, gone=self.videos.gone)
        self.subscribe(VIDEOS_SETTINGS, self.videos.apply, gone=self.videos.gone)
        self.subscribe(VIDEOS_SETTINGS, self._removed)
        self.resource(lambda: self.cassandra)

    def subscribe(self, topic: Topic, handler: Handler, start_ms: int = BEGINNING, gone: Gone | None = None) -> None:
        """Fold a topic from `start_ms` (wall clock) on, and with `gone` which keys are deleted; before the server starts."""
        assert self.reader is None, "subscribe before the gateway starts"
        self.subscriptions.append(Subscription(topic, handler, start_ms, gone))

    def resource(self, opener: Resource) -> None:
        """Open with the server (before the log is read), close in reverse order after it."""
        self._resources.append(opener)

    def use_sql(self, engine: AsyncEngine) -> None:
        """Use the database of this engine, until its owner closes it."""
        self.engine = engine
        self.accounts, self.users = Accounts(engine, self.clock), Users(engine, self.clock)
        self.memberships = Memberships(engine, self.users, self.clock)
        self.verifications = EmailVerifications(engine, self.clock)
        self.emotes, self.block_lists = Emotes(engine, self.clock), BlockLists(engine, self.clock)
        self.sessions = Sessions(engine, self.settings.session_days * 86_400_000, self.clock)

    def after_batch(self, callback: Callable[[], None]) -> None:
        """Call after each batch of events was folded: wake who waits."""
        self._after_batch.append(callback)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call when the server begins to stop."""
        self._on_stop.append(callback)

    def on_removed(self, *forget: Callable[[str], None]) -> None:
        """Call with the id of each video that was removed: whatever is in memory for it goes."""
        self._on_removed += forget

    def batch_folded(self) -> None:
        """A batch of events has been folded."""
        for callback in self._after_batch:
            callback()

    def stop(self) -> None:
        """Begin to stop: parked requests are let go, so that the server can close their connections."""
        if not self.stopping.is_set():
            self.stopping.set()
            if self.reader is not None:
                self.reader.stop()
            for callback in self._on_stop:
                callback()

    def readiness(self) -> dict[str, bool]:
        """What must be true for the gateway to be sent requests, by name."""
        reader = self.reader
        checks = {name: check() for name, check in self.ready_checks.items()}
        return {"log": reader is not None and reader.caught_up, "running": not self.stopping.is_set(), **checks}

    def _removed(self, event: Event, _place: Place) -> None:
        if isinstance(event, VideoRemoved | VideoForgotten):
            for forget in self._on_removed:
                forget(event.video_id)

    async def __aenter__(self) -> Self:
        try:
            engine = await self._stack.enter_async_context(open_engine(self.settings.sql_url))
            self.use_sql(engine)
            for opener in self._resources:
                await self._stack.enter_async_context(opener())
            reader = LogReader(self.settings, self.subscriptions, self.batch_folded)
            self.reader = await self._stack.enter_async_context(reader)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await self._stack.aclose()
        await asyncio.to_thread(self.segments.close)
