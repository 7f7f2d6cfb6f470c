"""Who may publish what: stream keys, one publisher a channel, and the life of videos over reconnects."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from producers.backup import Source, Switch
from producers.broadcast import Broadcast, Clock
from producers.push_protocol import WRONG_KEY, ProtocolError
from producers.push_session import PushSession
from producers.push_states import PushStates
from producers.rtmp_server import Refusal
from producers.spool import Spool
from producers.video_index import VideoIndex, last_gop_closed
from schemas.events import VideoChanged, VideoState
from schemas.topics import INGEST_HEALTH, MEDIA_SOURCE, VIDEOS, source_partition
from stores.accounts import Accounts
from stores.kafka import EventProducer, LogError
from stores.log_reader import LogReader
from stores.settings import Settings

log = logging.getLogger(__name__)

LOST_AFTER_S: Final = 5.0
"""A publisher that is silent for so long may be replaced by its own return over a new connection."""
TWO: Final = "stop one of the two, or make another key"
LEAVE_TIMEOUT_S: Final = 10.0
SWEEP_S: Final = 1.0


def monotonic_ms() -> int:
    """A clock that does not run back."""
    return time.monotonic_ns() // 1_000_000


class Publisher(Protocol):
    """A connection that publishes."""

    @property
    def silent_s(self) -> float:
        """How long nothing has come."""

    @property
    def leaving(self) -> bool:
        """It publishes nothing (any more)."""

    def end(self, why: str, code: str, description: str) -> None:
        """Tell the publisher why, and close."""


@dataclass(slots=True)
class OnAir:
    """Who holds a channel; `broadcast` is None while it is being opened, `gone` is set when it has left.

    `switch` is between the broadcast and its `publishers`, a primary and a backup; lossless pushes have none.
    """

    publisher: Publisher
    gone: asyncio.Event
    broadcast: Broadcast | None = None
    switch: Switch | None = None
    publishers: dict[Source, Publisher] = field(default_factory=dict)

    def add(self, publisher: Publisher, *, backup: bool) -> Source:
        """Another publisher; the first is on the air."""
        assert self.switch is not None
        source = self.switch.join(backup=backup)
        self.publishers[source] = publisher
        return source

    def went_on(self, source: Source) -> None:
        """Another one is on the air."""
        self.publisher = self.publishers[source]


class Studio:
    """Judges publishers and keeps the videos' states true."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        index: VideoIndex,
        reader: LogReader,
        spool: Spool,
        producer: EventProducer,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._index = index
        self._reader = reader
        self._spool = spool
        self._producer = producer
        self._clock = clock
        self._on_air: dict[str, OnAir] = {}
        self._pushes = PushStates(settings.spool_path / "pushes")

    async def admit(self, publisher: Publisher, stream_key: str) -> Source:
        """Open the broadcast of the channel whose key this is, or let a second publisher wait as the other's backup.

        `?backup=1` behind the key says that it is the backup.

        Raises:
            Refusal: a wrong key, a channel that is on the air, too many publishers, or a log that does not answer.
        """
        key, _, more = stream_key.partition("?")
        backup = "backup=1" in more.split("&")
        channel = await self._accounts.channel_of_key(key)
        if channel is None:
            raise Refusal("NetStream.Publish.BadName", "wrong stream key; `logcast channel create NAME` prints one")
        waiting = self._join(publisher, channel.name, backup=backup)
        if waiting is not None:
            return waiting
        broadcast = Broadcast(self._settings, channel, self._index, self._spool, self._clock)
        seat = await self._seat(publisher, broadcast, broadcast.open)
        await asyncio.to_thread(self._pushes.forget, channel.name)  # its numbers are used now
        seat.switch = Switch(broadcast, self._settings.backup_after_ms, monotonic_ms, seat.went_on)
        return seat.add(publisher, backup=backup)

    def _join(self, publisher: Publisher, channel: str, *, backup: bool) -> Source | None:
        """Let a publisher wait beside the one on the air, if one of them is the backup and no other waits."""
        seat = self._on_air.get(channel)
        if seat is None or seat.switch is None or seat.switch.active is None:
            return None
        if not (backup or seat.switch.active.backup):
            return None
        waiting = seat.switch.standby
        if waiting is not None:
            other = seat.publishers[waiting]
            if other.silent_s <= LOST_AFTER_S:
                return None
            seat.switch.leave(waiting)
            del seat.publishers[waiting]
            other.end("replaced", "NetStream.Publish.Rejected", "replaced by a new connection with this key")
        log.info("%s: a %s waits", channel, "backup" if backup else "primary")
        return seat.add(publisher, backup=backup)

    async def admit_push(
        self, publisher: Publisher, stream_key: str, channel: str, push: str, first: int
    ) -> PushSession | int:
        """Open the session of a lossless push, or give its length when all of it is there.

        Raises:
            ProtocolError: a wrong key, or bytes that the client does not have any more.
            Refusal: as for `admit`.
        """
        found = await self._accounts.channel_of_key(stream_key)
        if found is None or found.name != channel:
            raise ProtocolError(f"wrong stream key for channel {channel:.40}", WRONG_KEY)
        state = await asyncio.to_thread(self._pushes.of, channel)
        if state is not None and state.push == push and state.ended:
            return state.offset
        session = PushSession(self._settings, found, self._index, self._spool, self._clock, self._pushes, push)
        await self._seat(publisher, session.broadcast, partial(session.open, first))
        return session

    async def leave_push(self, publisher: Publisher, session: PushSession) -> None:
        """Write what the push brought, free its channel, and hold its video open for its return."""
        try:
            await session.suspend()
            self._tell_health(session.broadcast, left=True)
        finally:
            seat = self._on_air.get(session.broadcast.channel)
            if seat is not None and seat.publisher is publisher:
                self._vacate(session.broadcast.channel, seat)

    async def _seat(self, publisher: Publisher, broadcast: Broadcast, opening: Callable[[], Awaitable[None]]) -> OnAir:
        """Give a publisher its channel, and open the broadcast when the log is known."""
        if len(self._on_air) >= self._settings.max_publishers:
            raise Refusal("NetStream.Publish.Denied", "too many publishers now; try again later")
        if self._spool.full:
            raise Refusal("NetStream.Publish.Denied", f"nothing can be taken now, try again later: {self._spool.full}")
        channel = broadcast.channel
        await self._take_over(channel)
        seat = self._on_air[channel] = OnAir(publisher, asyncio.Event())
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await self._spool.delivered()  # what publishers before left, so that their numbers are on the log
                await self._reader.catch_up(LEAVE_TIMEOUT_S)
                await opening()
        except (LogError, TimeoutError) as error:
            self._vacate(channel, seat)
            raise Refusal("NetStream.Publish.Failed", f"the log does not answer, try again: {error}") from error
        except BaseException:
            self._vacate(channel, seat)
            raise
        seat.broadcast = broadcast
        return seat

    async def _take_over(self, channel: str) -> None:
        """Make the channel free: a publisher that has gone silent gives way, one that sends does not."""
        held = self._on_air.get(channel)
        if held is None:
            return
        if held.broadcast is not None and held.publisher.silent_s > LOST_AFTER_S:
            held.publisher.end("replaced", "NetStream.Publish.Rejected", "replaced by a new connection with this key")
        elif held.broadcast is not None and not held.publisher.leaving:
            held.broadcast.meter.went_wrong(f"a second encoder came with the same key; it was refused: {TWO}")
            raise Refusal("NetStream.Publish.BadName", f"channel {channel} is on the air already with this key")
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await held.gone.wait()
        except TimeoutError:
            raise Refusal("NetStream.Publish.BadName", f"channel {channel} is still being closed, try again") from None
        if channel in self._on_air:
            raise Refusal("NetStream.Publish.BadName", f"channel {channel} is on the air already with this key")

    async def leave(self, publisher: Publisher, source: Source) -> None:
        """Let the other publisher go on, if there is one; else write what was sent, then free the channel."""
        seat = self._on_air.get(source.channel)
        if seat is None or seat.publishers.pop(source, None) is not publisher:
            return
        try:
            stays = source.switch.leave(source)
        except ValueError as error:
            log.warning("%s: the other publisher's media is broken: %s", source.channel, error)
            stays = True  # and with what it sends next its own connection hears so
        if stays:
            return
        broadcast = source.broadcast
        try:
            await broadcast.finish()
            self._tell_health(broadcast, left=True)
        finally:
            self._vacate(broadcast.channel, seat)

    def _tell_healths(self) -> None:
        """Say of each publisher whose time it is how its stream arrives."""
        now_ms = self._clock.now_ms()
        for seat in list(self._on_air.values()):
            if seat.broadcast is not None and not seat.publisher.leaving and seat.broadcast.meter.is_due(now_ms):
                self._tell_health(seat.broadcast)

    def _tell_health(self, broadcast: Broadcast, *, left: bool = False) -> None:
        """Give a measurement to the log, and wait for nothing: what it does not take is not told again."""
        with contextlib.suppress(LogError):
            told = self._producer.send(INGEST_HEALTH, broadcast.channel, broadcast.measured(left=left))
            told.add_done_callback(lambda future: future.cancelled() or future.exception())

    def _vacate(self, channel: str, seat: OnAir) -> None:
        if self._on_air.get(channel) is seat:
            del self._on_air[channel]
        seat.gone.set()

    async def sweep_for_ever(self) -> None:
        """Once a second, say what time has brought: videos whose publisher was lost, videos whose grace is over."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._tell_healths()
            await self._spool.delivered()  # while Kafka is away, nobody knows what is due
            try:
                await self._sweep()
            except LogError as error:
                log.warning("what is due is not said yet: %s", error)

    async def _sweep(self) -> None:
        here = frozenset(seat.broadcast.video_id for seat in self._on_air.values() if seat.broadcast is not None)
        here |= self._pushes.unfinished(self._clock.now_ms(), self._settings.push_grace_s * 1000)
        busy = frozenset(self._on_air)
        for change in self._index.due(self._clock.now_ms(), self._settings.grace_s * 1000, here):
            if change.channel not in busy:
                log.info("video %s of %s is now %s", change.video_id, change.channel, change.state.value)
                await self._close_last_gop(change)
                await self._spool.put(VIDEOS, change.video_id, change)
                self._index.apply(change)

    async def _close_last_gop(self, change: VideoChanged) -> None:
        """A video that ends without its publisher: an ingest that was killed, or a push that was cut, left its GOP open."""
        standing = self._index.standing(change.video_id)
        if change.state is VideoState.ENDED and standing is not None and standing.gop >= 0:
            marker = last_gop_closed(standing)
            partition = source_partition(marker.video_id, marker.gop, self._settings.partitions)
            await self._spool.put(MEDIA_SOURCE, f"{marker.video_id}/{marker.gop}", marker, partition=partition)
