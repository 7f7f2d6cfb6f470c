"""What of a video is on the log since a time: so that outputs which a packager gives a second time are left out."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

from producers.outlet import Outlet
from schemas import codec
from schemas.events import Event, GopClosed, GopOpened, MediaChunk
from schemas.topics import MEDIA_GOPS, MEDIA_SOURCE, Topic
from stores.log_since import records_since
from stores.settings import Settings


@dataclass(slots=True)
class Already:
    """The chunks and GOPs of one video that are there."""

    video_id: str
    chunks: set[tuple[str, int, int]] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    segment: int = -1

    def add(self, event: Event) -> None:
        """It is there, if it is of the video."""
        if isinstance(event, MediaChunk) and event.video_id == self.video_id:
            self.chunks.add((event.track, event.gop, event.index))
        elif isinstance(event, GopClosed) and event.video_id == self.video_id:
            self.closed.add(event.gop)
        elif isinstance(event, GopOpened) and event.video_id == self.video_id:
            self.segment = max(self.segment, event.segment)

    def has(self, event: Event) -> bool:
        """Whether it is there; of announcements the log keeps the last only, which stands for those before."""
        if isinstance(event, MediaChunk):
            return (event.track, event.gop, event.index) in self.chunks
        if isinstance(event, GopClosed):
            return event.gop in self.closed
        return isinstance(event, GopOpened) and event.segment <= self.segment


def already_there(settings: Settings, video_id: str, since_ms: int, stop: threading.Event) -> Already:
    """Read the log; blocking. LogError when it cannot be read."""
    found = Already(video_id)
    for topic in (MEDIA_GOPS, MEDIA_SOURCE):
        for message in records_since(settings, topic, since_ms, stop, "push"):
            value, key = message.value(), message.key() or b""
            if value is not None and key.partition(b"/")[0] == video_id.encode():
                found.add(codec.decode(value))
    return found


class OnceOutlet:
    """An `Outlet` that leaves out what is there."""

    def __init__(self, outlet: Outlet, already: Already) -> None:
        self._outlet = outlet
        self.already = already

    async def put(self, topic: Topic, key: str, event: Event, *, partition: int | None = None) -> asyncio.Future[Any]:
        """See `Outlet`."""
        if self.already.has(event):
            there: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            there.set_result(None)
            return there
        return await self._outlet.put(topic, key, event, partition=partition)
