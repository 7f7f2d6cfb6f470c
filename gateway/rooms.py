"""Who listens to which channel, and what is written to them: a message is serialised and framed once for all.

The subscribers of a channel that hear exactly the same are a `Group`. A group writes at most once a tick: the message
after a quiet tick leaves at once (the "lead"), what follows within the tick leaves together, each in a frame of its own,
so that clients see no difference. Most of the cost of a message is one `send()` a subscriber; fewer sends are the only
lever. Large groups are written in slices, between which the event loop does other things.

Nothing waits in a queue of its own: transports hold what is not sent. A subscriber whose transport holds too much is
told to resume by number and closed; what is on its way to it still arrives, in order, so that it loses nothing. What is
fleeting (a burst of reactions) is only written to those who keep up.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
from prometheus_client import Counter, Gauge

from gateway.feed_socket import text_frame

TICK_S: Final = 0.05
SLICE: Final = 1_000
MAX_BATCH_BYTES: Final = 64 * 1024
MAX_BACKLOG_BYTES: Final = 8 * 1024 * 1024
"""More than that a group cannot be behind; its subscribers read it again by number."""

SLOW: Final = 1013
RESTART: Final = 1012
SLOW_RETRY_MS: Final = (1_000, 3_000)

SUBSCRIBERS = Gauge("logcast_feed_subscribers", "Feed connections that have joined")
DELIVERED = Counter("logcast_feed_messages_total", "Messages written to feed connections")
WRITES = Counter("logcast_feed_writes_total", "Writes to feed connections; each has one message or several")
CUT_OFF = Counter("logcast_feed_cut_off_total", "Feed connections closed because they read too slowly")

Message = dict[str, Any]


def frame_of(message: Message) -> bytes:
    """A message as it goes over the wire."""
    return text_frame(orjson.dumps(message))


def goodbye(code: int, reason: str, retry_ms: int, *, resume: bool = True) -> Message:
    """The last message of a connection: come back after `retry_ms`, and resume by number."""
    return {"type": "goodbye", "code": code, "reason": reason, "retry_ms": retry_ms, "resume": resume}


class Outlet(Protocol):
    """A connection that frames are written to (`FeedProtocol`, or a test's). `paused`: much of what was written waits."""

    paused: bool

    def write(self, frames: bytes) -> bool:
        """Write whole frames, or say False: too much waits."""

    def end(self, code: int, reason: str, last: bytes = b"") -> None:
        """Close after what was written."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a subscriber hears. Those with the same make a group.

    Attributes:
        video: this video only; None: whatever the channel's current video is.
        trusted: private videos of the channel too.
        moderator: what is for moderators too.
        renditions: whose parts are told.
    """

    video: str | None = None
    trusted: bool = False
    moderator: bool = False
    renditions: frozenset[str] = frozenset()


class Subscriber:
    """One connection that has joined."""

    __slots__ = ("hearing", "outlet")

    def __init__(self, outlet: Outlet, hearing: Hearing | None = None) -> None:
        self.outlet: Final = outlet
        self.hearing = hearing or Hearing()

    def say(self, message: Message) -> None:
        """Write to this one alone, at once; cut it off when it reads too slowly."""
        if not self.outlet.write(frame_of(message)):
            self.cut_off()

    def cut_off(self) -> None:
        """It reads too slowly: have it come back in a moment, and resume."""
        CUT_OFF.inc()
        self.dismiss(SLOW, "you read too slowly; join again with `after`", random.randint(*SLOW_RETRY_MS))  # noqa: S311

    def dismiss(self, code: int, reason: str, retry_ms: int) -> None:
        """Close after what was written, with advice when to come back."""
        self.outlet.end(code, reason, frame_of(goodbye(code, reason, retry_ms)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are written together: `count` of them, and what is fleeting after them, if there is something."""

    data: bytes
    count: int
    fleeting: bytes = b""


class Group:
    """Subscribers that hear the same; writes to them in order.

    Args:
        tick_s: how long messages are gathered after a write.
        size: subscribers in a slice.
    """

    def __init__(self, tick_s: float, size: int) -> None:
        self._tick_s = tick_s
        self._slice = size
        self._members: dict[Subscriber, Callable[[bytes], bool]] = {}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._fleeting = b""
        self._timer: asyncio.TimerHandle | None = None
        self._sliced: tuple[Batch, list[Subscriber]] | None = None
        self._written_s = -1e9

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(list(self._members))

    def add(self, subscriber: Subscriber) -> None:
        """Take in; it hears what is put from now on (call `flush` before, so that nothing waits)."""
        if subscriber not in self._members:
            SUBSCRIBERS.inc()
        self._members[subscriber] = subscriber.outlet.write

    def remove(self, subscriber: Subscriber) -> bool:
        """Let go; False when it was not here."""
        if self._members.pop(subscriber, None) is None:
            return False
        SUBSCRIBERS.dec()
        return True

    def put(self, frame: bytes) -> None:
        """Write a message with this tick or the next."""
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > MAX_BACKLOG_BYTES:
            self._give_up()
        elif self._timer is None and self._sliced is None:
            self._schedule()

    def put_fleeting(self, frame: bytes) -> None:
        """Write a message after what waits, to those who keep up; one that is still to be written gives way to it."""
        self._fleeting = frame
        if self._timer is None and self._sliced is None:
            self._schedule()

    @property
    def quiet_s(self) -> float:
        """How long nothing was written."""
        return asyncio.get_running_loop().time() - self._written_s

    def flush(self) -> None:
        """Write everything that waits to everybody, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sliced is not None:
            batch, rest = self._sliced
            self._sliced = None
            self._write(batch, rest)
        while self._waiting or self._fleeting:
            self._write(self._batch(), list(self._members))

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self._written_s + self._tick_s - loop.time()
        if wait_s > 0:
            self._timer = loop.call_later(wait_s, self._due)
        else:
            self._due()

    def _due(self) -> None:
        self._timer = None
        if self._waiting or self._fleeting:
            self._sliced = self._batch(), list(self._members)
            self._next_slice()

    def _next_slice(self) -> None:
        """Write a slice; the next one in the next turn of the loop, new messages after the last."""
        if self._sliced is None:
            return
        batch, rest = self._sliced
        self._write(batch, rest[: self._slice])
        loop = asyncio.get_running_loop()
        if len(rest) > self._slice:
            self._sliced = batch, rest[self._slice :]
            loop.call_soon(self._next_slice)
            return
        self._sliced = None
        self._written_s = loop.time()  # after the write: a loop with too much to do gathers more, not less
        if self._waiting or self._fleeting:
            self._schedule()

    def _batch(self) -> Batch:
        """The oldest messages that wait, as one write; with the last of them what is fleeting."""
        size, count = 0, 0
        for frame in self._waiting:
            if count and size + len(frame) > MAX_BATCH_BYTES:
                break
            size += len(frame)
            count += 1
        data = self._waiting[0] if count == 1 else b"".join(self._waiting[:count])
        del self._waiting[:count]
        self._waiting_bytes -= size
        fleeting = b""
        if not self._waiting:
            fleeting, self._fleeting = self._fleeting, b""
        return Batch(data, count, fleeting)

    def _write(self, batch: Batch, members: list[Subscriber]) -> None:
        slow: list[Subscriber] = []
        find, data, count = self._members.get, batch.data, batch.count
        if batch.fleeting:
            if not count:
                members = [member for member in members if not member.outlet.paused]
            elif any(member.outlet.paused for member in members):
                self._write(Batch(data, count), [member for member in members if member.outlet.paused])
                members = [member for member in members if not member.outlet.paused]
            data, count = data + batch.fleeting, count + 1
        for member in members:
            write = find(member)
            if write is not None and not write(data):
                slow.append(member)
        for member in slow:
            self.remove(member)
            member.cut_off()
        DELIVERED.inc(count * len(members))
        WRITES.inc(len(members))

    def _give_up(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        for member in self:
            self.remove(member)
            member.cut_off()


class Rooms:
    """Subscribers by channel: a channel's next video reaches the same people."""

    def __init__(self, tick_s: float = TICK_S, slice_size: int = SLICE) -> None:
        self._tick_s = tick_s
        self._slice = slice_size
        self._rooms: defaultdict[str, dict[Hearing, Group]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(map(self.size, self._rooms))

    def flush(self, channel: str) -> None:
        """Write what waits for those who listen to a channel, so that a newcomer hears nothing twice."""
        for group in self._rooms.get(channel, {}).values():
            group.flush()

    def join(self, channel: str, subscriber: Subscriber) -> None:
        """Take a subscriber in: it hears what is sent from now on."""
        groups = self._rooms[channel]
        group = groups.get(subscriber.hearing)
        if group is None:
            group = groups[subscriber.hearing] = Group(self._tick_s, self._slice)
        group.flush()
        group.add(subscriber)

    def leave(self, channel: str, subscriber: Subscriber) -> None:
        """Let a subscriber go."""
        groups = self._rooms.get(channel)
        group = groups.get(subscriber.hearing) if groups is not None else None
        if groups is None or group is None:
            return
        group.remove(subscriber)
        if not len(group):
            del groups[subscriber.hearing]
            if not groups:
                del self._rooms[channel]

    def rehear(self, channel: str, subscriber: Subscriber, hearing: Hearing) -> None:
        """Have a subscriber hear something else from now on, without a gap."""
        self.flush(channel)
        self.leave(channel, subscriber)
        subscriber.hearing = hearing
        self.join(channel, subscriber)

    def size(self, channel: str) -> int:
        """How many listen."""
        return sum(map(len, self._rooms[channel].values())) if channel in self._rooms else 0

    def channels(self) -> Iterator[str]:
        """Where somebody listens."""
        return iter(list(self._rooms))

    def wanted(self, channel: str) -> frozenset[str]:
        """The renditions whose parts somebody wants to hear of."""
        return frozenset().union(*(hearing.renditions for hearing in self._rooms.get(channel, ())))

    def send(
        self,
        channel: str,
        message: Message,
        video_id: str | None = None,
        *,
        current: bool = True,
        private: bool = False,
        moderators: bool = False,
        rendition: str | None = None,
        fleeting: bool = False,
    ) -> None:
        """Write to those who listen to a channel.

        Args:
            channel: the channel.
            message: what to write.
            video_id: what it is about; who wants another video only is left out.
            current: the video is the channel's current one; if not, only who wants just this video hears it.
            private: only who is trusted hears it.
            moderators: only moderators of the channel hear it.
            rendition: only who asked for this rendition's parts hears it.
            fleeting: who is slow does not hear it.
        """
        frame = b""
        for hearing, group in list(self._rooms.get(channel, {}).items()):
            if (
                (hearing.trusted or not private)
                and (hearing.moderator or not moderators)
                and (rendition is None or rendition in hearing.renditions)
                and ((current and hearing.video is None) or video_id is None or hearing.video == video_id)
            ):
                frame = frame or frame_of(message)
                group.put_fleeting(frame) if fleeting else group.put(frame)

    def beat(self, quiet_s: float, message: Message) -> None:
        """Write to those who have heard nothing for so long: the connection is alive."""
        frame = frame_of(message)
        for group in self._groups():
            if group.quiet_s > quiet_s:
                group.put(frame)

    def close_all(self, code: int, reason: str, retry_ms: Callable[[], int]) -> None:
        """Say goodbye to everybody after what waits; each is told a time of its own to come back."""
        for group in self._groups():
            group.flush()
            for subscriber in group:
                subscriber.dismiss(code, reason, retry_ms())

    def _groups(self) -> Iterable[Group]:
        return [group for groups in self._rooms.values() for group in groups.values()]
