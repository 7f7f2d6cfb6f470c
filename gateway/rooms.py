"""Who listens to which video, and what is written to them. A message is serialised once for all."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from prometheus_client import Counter, Gauge

MAX_WAITING_MESSAGES: Final = 2_000
MAX_WAITING_BYTES: Final = 1024 * 1024

SUBSCRIBERS = Gauge("logcast_feed_subscribers", "Feed connections that have joined")
DELIVERED = Counter("logcast_feed_messages_total", "Messages queued for feed connections")
CUT_OFF = Counter("logcast_feed_cut_off_total", "Feed connections closed because they read too slowly")


def text_of(message: dict[str, Any]) -> str:
    """A message as it goes over the wire."""
    return orjson.dumps(message).decode()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last entry of a subscriber's queue: close with this code."""

    code: int
    reason: str


class Subscriber:
    """One connection's queue. A reader that falls too far behind is cut off, to resume by number.

    Attributes:
        trusted: whether it may hear of private videos of the channel.
    """

    def __init__(self, *, trusted: bool = False) -> None:
        self.trusted: Final = trusted
        self._waiting: deque[str | Goodbye] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._closed = False

    def put(self, text: str) -> None:
        """Queue a message; never waits."""
        if self._closed:
            return
        if len(self._waiting) >= MAX_WAITING_MESSAGES or self._bytes + len(text) > MAX_WAITING_BYTES:
            CUT_OFF.inc()
            self._waiting.clear()
            self.close(1013, "you read too slowly; join again with `after`")
            return
        self._waiting.append(text)
        self._bytes += len(text)
        self._more.set()

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued."""
        if not self._closed:
            self._closed = True
            self._waiting.append(Goodbye(code, reason))
            self._more.set()

    async def take(self) -> list[str | Goodbye]:
        """Everything that waits, at least one entry."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken


class Rooms:
    """Subscribers by channel: a channel's next video reaches the same people."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, dict[Subscriber, str | None]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def join(self, channel: str, subscriber: Subscriber, video_id: str | None) -> None:
        """Take a subscriber in; `video_id` when it wants this video only."""
        self._rooms[channel][subscriber] = video_id
        self._count += 1
        SUBSCRIBERS.set(self._count)

    def leave(self, channel: str, subscriber: Subscriber) -> None:
        """Let a subscriber go."""
        room = self._rooms.get(channel)
        if room is not None and room.pop(subscriber, self) is not self:
            self._count -= 1
            SUBSCRIBERS.set(self._count)
            if not room:
                del self._rooms[channel]

    def size(self, channel: str) -> int:
        """How many listen."""
        room = self._rooms.get(channel)
        return len(room) if room is not None else 0

    def channels(self) -> Iterator[str]:
        """Where somebody listens."""
        return iter(list(self._rooms))

    def send(
        self,
        channel: str,
        message: dict[str, Any],
        video_id: str | None = None,
        *,
        current: bool = True,
        private: bool = False,
    ) -> None:
        """Write to those who listen to a channel.

        Args:
            channel: the channel.
            message: what to write.
            video_id: what it is about; who wants another video only is left out.
            current: the video is the channel's current one; if not, only who wants just this video hears it.
            private: only who is trusted hears it.
        """
        room = self._rooms.get(channel)
        if not room:
            return
        text = text_of(message)
        for subscriber, only in room.items():
            if private and not subscriber.trusted:
                continue
            if (current and only is None) or video_id is None or only == video_id:
                subscriber.put(text)
        DELIVERED.inc(len(room))

    def close_all(self, code: int, reason: str) -> None:
        """Say goodbye to everybody."""
        for room in self._rooms.values():
            for subscriber in room:
                subscriber.close(code, reason)
