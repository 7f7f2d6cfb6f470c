"""RTMP over TCP: many publishers at once, each in its own `RtmpPublisher`; who may publish is the `Studio`'s business.

Theory. The protocol is `media.rtmp`'s, the way into the log is `Broadcast`'s; here are sockets and timers. Reading is
paused for four reasons (admission, a publisher above its rate, a log that does not keep up, closing) and goes on when
none of them holds. Whatever one peer does, only its own connection ends.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self, cast

from prometheus_client import Counter, Gauge

from media.rtmp.connection import (
    AudioReceived,
    Event,
    LimitError,
    Metadata,
    PublishEnded,
    PublishRequested,
    RtmpError,
    ServerConnection,
    State,
    VideoReceived,
    WrongStateError,
)
from producers.backup import Source
from producers.broadcast import UnsupportedMediaError
from stores.settings import Settings

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S: Final = 10.0
IDLE_TIMEOUT_S: Final = 30.0
FLUSH_TIMEOUT_S: Final = 2.0
BURST_S: Final = 4.0
SLICE_BYTES: Final = 8 * 1024
MAX_MESSAGES_PER_S: Final = 5_000
CONNECTIONS_PER_PUBLISHER: Final = 4

PUBLISHERS = Gauge("logcast_ingest_publishers", "Publishers now")
CONNECTIONS = Gauge("logcast_ingest_connections", "RTMP connections now")
RECEIVED = Counter("logcast_ingest_received_bytes_total", "Bytes read from publishers")
REFUSED = Counter("logcast_ingest_refused_total", "Connections refused or ended by us", ["why"])
HELD_BACK = Counter("logcast_ingest_held_back_total", "Times that a publisher was held back", ["why"])


class Refusal(Exception):  # noqa: N818  (an answer, not a fault)
    """A publisher may not publish: an RTMP status code and a sentence for it."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class Admission(Protocol):
    """Who judges publishers (`producers.studio.Studio`; tests bring their own)."""

    async def admit(self, publisher: "RtmpPublisher", stream_key: str) -> Source:
        """Open the broadcast of a publisher, or raise `Refusal`."""

    async def leave(self, publisher: "RtmpPublisher", broadcast: Source) -> None:
        """Finish the broadcast of a publisher that has gone."""


class Hold(Enum):
    """Why reading from a publisher is paused."""

    ADMISSION = auto()
    RATE = auto()
    LOG = auto()
    CLOSING = auto()


class RtmpPublisher(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "RtmpServer") -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._connection = ServerConnection(epoch_ms=int(time.monotonic() * 1000), random_bytes=os.urandom(1528))
        self._transport: asyncio.Transport | None = None
        self._broadcast: Source | None = None
        self._holds: set[Hold] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._credit_bytes = self._rate_bytes * BURST_S
        self._credit_at = self._loop.time()
        self._events = 0
        self._events_second = 0
        self.peer = "?"
        self.heard_at = self._loop.time()

    @property
    def _rate_bytes(self) -> float:
        return self._server.settings.max_publisher_mbps * 125_000

    @property
    def silent_s(self) -> float:
        """How long nothing has come."""
        return self._loop.time() - self.heard_at

    @property
    def leaving(self) -> bool:
        """It publishes nothing (any more)."""
        return self._broadcast is None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer within which a publish must come."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the class
        self.peer = "{}:{}".format(*(transport.get_extra_info("peername") or ("?", "?"))[:2])
        if not self._server.join(self):
            REFUSED.labels("full").inc()
            self._transport.abort()
            return
        self._timer = self._loop.call_later(PUBLISH_TIMEOUT_S, self._on_timer)

    def data_received(self, data: bytes) -> None:
        """Feed the protocol and act on what it says."""
        self.heard_at = self._loop.time()
        RECEIVED.inc(len(data))
        self._guarded(lambda: self._feed(data))
        self._spend(len(data))

    def _feed(self, data: bytes) -> None:
        for at in range(0, len(data), SLICE_BYTES):
            self._connection.receive_data(data[at : at + SLICE_BYTES])
            self._act()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do a step of the protocol; what the peer did wrong ends this connection with a status."""
        try:
            step()
        except RtmpError as error:
            self._act_quietly()
            self.end("protocol", "NetConnection.Connect.Failed", str(error))
        except UnsupportedMediaError as error:
            self.end("codec", "NetStream.Publish.Rejected", str(error))
        except ValueError as error:
            self.end("media", "NetStream.Publish.Rejected", f"broken media: {error}")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio calls it)
        """Leave; what was taken still goes to the log."""
        if self._timer is not None:
            self._timer.cancel()
        self._server.part(self)
        if self._broadcast is not None:
            self._broadcast.meter.went_wrong("the connection was cut: the encoder or the network went away")
        self._leave()

    # -- what the protocol says

    def _act(self) -> None:
        for event in self._connection.events():
            self._count_event()
            self._on_event(event)
        broadcast = self._broadcast
        if broadcast is not None and broadcast.failure is not None:
            self.end("log", "NetStream.Publish.Failed", f"the log refuses this stream: {broadcast.failure}")
        elif broadcast is not None and broadcast.overfull:
            self._hold(Hold.LOG)

    def _count_event(self) -> None:
        """Bound the messages a second: tiny ones cost as much work as large ones."""
        second = int(self._loop.time())
        self._events = self._events + 1 if second == self._events_second else 1
        self._events_second = second
        if self._events > MAX_MESSAGES_PER_S:
            raise LimitError(f"more than {MAX_MESSAGES_PER_S} messages a second")

    def _act_quietly(self) -> None:
        """Take the media that came before a violation."""
        with contextlib.suppress(ValueError, RtmpError):
            self._act()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, VideoReceived) and self._broadcast is not None:
            self._broadcast.feed_video(event.timestamp_ms, event.payload)
        elif isinstance(event, AudioReceived) and self._broadcast is not None:
            self._broadcast.feed_audio(event.timestamp_ms, event.payload)
        elif isinstance(event, Metadata) and self._broadcast is not None:
            self._broadcast.feed_metadata(event.values)
        elif isinstance(event, PublishRequested):
            self._hold(Hold.ADMISSION)
            self._server.spawn(self._admit(event.stream_key))
        elif isinstance(event, PublishEnded):
            self._leave()

    async def _admit(self, stream_key: str) -> None:
        try:
            broadcast = await self._server.admission.admit(self, stream_key)
        except Refusal as refusal:
            REFUSED.labels("admission").inc()
            log.info("%s may not publish: %s", self.peer, refusal)
            if self._connected:
                self._guarded(partial(self._connection.refuse_publish, refusal.code, refusal.description))
                self._close()
            return
        if not self._connected:
            await self._server.admission.leave(self, broadcast)
            return
        self._broadcast = broadcast
        broadcast.on_room = self._on_room
        PUBLISHERS.inc()
        log.info("%s publishes to %s, video %s", self.peer, broadcast.channel, broadcast.video_id)
        self._guarded(self._begin)
        self._release(Hold.ADMISSION)

    def _begin(self) -> None:
        """Accept; the media that was sent ahead of the answer comes out now."""
        self._connection.accept_publish()
        self._act()

    @property
    def _connected(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # -- ending

    def end(self, why: str, code: str, description: str) -> None:
        """Tell the publisher why, and close."""
        REFUSED.labels(why).inc()
        log.warning("ending %s: %s", self.peer, description)
        if self._broadcast is not None:
            self._broadcast.meter.went_wrong(description)
        if self._connection.state is not State.AWAITING_C1:
            with contextlib.suppress(WrongStateError):
                self._connection.report("error", code, description)
        self._close()

    def _close(self) -> None:
        """Send what is to be sent, then close; a peer that does not read is cut off."""
        self._hold(Hold.CLOSING)
        self._flush()
        if self._transport is not None:
            self._transport.close()
            self._loop.call_later(FLUSH_TIMEOUT_S, self._transport.abort)

    def _leave(self) -> None:
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            PUBLISHERS.dec()
            log.info("%s left %s", self.peer, broadcast.channel)
            self._server.spawn(self._server.admission.leave(self, broadcast))

    def _on_timer(self) -> None:
        if self._broadcast is None and self._connection.state is not State.PUBLISHING:
            self.end("idle", "NetConnection.Connect.Closed", f"nothing was published within {PUBLISH_TIMEOUT_S:g} s")
        elif self.silent_s > IDLE_TIMEOUT_S and not self._holds:
            self.end("idle", "NetConnection.Connect.Closed", f"nothing came for {IDLE_TIMEOUT_S:g} s")
        else:
            self._timer = self._loop.call_later(PUBLISH_TIMEOUT_S, self._on_timer)

    # -- flow

    def _flush(self) -> None:
        data = self._connection.data_to_send()
        if data and self._connected:
            assert self._transport is not None
            self._transport.write(data)

    def _spend(self, size: int) -> None:
        """Hold a publisher back that sends more than its rate, bursts of `BURST_S` apart."""
        now = self._loop.time()
        rate = self._rate_bytes
        self._credit_bytes = min(rate * BURST_S, self._credit_bytes + (now - self._credit_at) * rate) - size
        self._credit_at = now
        if self._credit_bytes < 0:
            self._hold(Hold.RATE)
            self._loop.call_later(-self._credit_bytes / rate, self._release, Hold.RATE)

    def _on_room(self) -> None:
        if self._broadcast is not None and self._broadcast.failure is not None:
            self.end("log", "NetStream.Publish.Failed", f"the log refuses this stream: {self._broadcast.failure}")
        self._release(Hold.LOG)

    def _hold(self, why: Hold) -> None:
        if not self._holds and self._transport is not None:
            self._transport.pause_reading()
        if why not in self._holds:
            HELD_BACK.labels(why.name.lower()).inc()
            if why in {Hold.RATE, Hold.LOG} and self._broadcast is not None:
                self._broadcast.meter.held_back += 1
        self._holds.add(why)

    def _release(self, why: Hold) -> None:
        if why not in self._holds:
            return
        self._holds.discard(why)
        if not self._holds and self._connected:
            assert self._transport is not None
            self.heard_at = self._loop.time()
            self._transport.resume_reading()


class RtmpServer:
    """Listens for publishers; leaving the context ends them all and writes what they sent."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self.settings = settings
        self.admission = admission
        self._members: set[RtmpPublisher] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: RtmpPublisher(self), self.settings.bind_host, self.settings.rtmp_port, backlog=256
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for member in list(self._members):
            member.end("stop", "NetConnection.Connect.AppShutdown", "the server stops; come back in a moment")
        while self._members or self._tasks:
            if self._tasks:
                await asyncio.wait(self._tasks)
            else:
                await asyncio.sleep(0)  # connection_lost is on its way
        await self._server.wait_closed()

    def join(self, member: RtmpPublisher) -> bool:
        """Count a connection; False when there are too many."""
        if len(self._members) >= self.settings.max_publishers * CONNECTIONS_PER_PUBLISHER:
            return False
        self._members.add(member)
        CONNECTIONS.set(len(self._members))
        return True

    def part(self, member: RtmpPublisher) -> None:
        """The connection has gone."""
        self._members.discard(member)
        CONNECTIONS.set(len(self._members))

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run work that outlives a callback; its failure is logged, and stopping waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a publisher's task failed", exc_info=task.exception())
