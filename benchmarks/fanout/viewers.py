"""Low-latency HLS viewers, many in a process: raw connections, as little work as can be, the arithmetic of a player.

A viewer has a connection for playlists and one for media, as a browser has. It asks for the next playlist by blocking reload
(with a delta update), and for each part that a playlist lists. It begins at a whole segment, with PART-HOLD-BACK of media
in its buffer, and then plays at the speed of the clock: a part that comes when its buffer is empty is a stall.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

import uvloop

from benchmarks.fanout.source import PART_MS, PARTS_PER_SEGMENT, RENDITION

HOLD_BACK_S: Final = 3 * PART_MS / 1000
JOIN_OVER_S: Final = 10.0

Answered = Callable[[int, bytes, int], None]
"""Status, body (of a part its first bytes only), and size."""


class HttpConnection(asyncio.Protocol):
    """HTTP/1.1, one request at a time, connected again when it was closed."""

    def __init__(self, host: str, port: int, *, whole: bool) -> None:
        self._address = host, port
        self._whole = whole
        self._head = f" HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._left = -1
        self._size = 0
        self._status = 0
        self._answered: Answered | None = None
        self.closed = False

    async def open(self) -> None:
        """Connect."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._address)

    def get(self, path: str, answered: Answered) -> None:
        """Ask; `answered` is called once."""
        self._answered = answered
        self._left = -1
        self._buffer.clear()
        if self._transport is None:
            answered(0, b"", 0)
            return
        self._transport.write(b"GET " + path.encode() + self._head)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's own class

    def connection_lost(self, _error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        answered, self._answered = self._answered, None
        if answered is not None and not self.closed:
            answered(0, b"", 0)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._left < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._status = int(head[9:12])
            at = head.find(b"content-length: ")
            self._size = (
                int(head[at + 16 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else end]) if at >= 0 else 0
            )
            del self._buffer[: end + 4]
            self._left = self._size - len(self._buffer)
        else:
            self._left -= len(data)
            if self._whole or len(self._buffer) < 8:
                self._buffer += data
        if self._left <= 0:
            answered, self._answered = self._answered, None
            if answered is not None:
                answered(self._status, bytes(self._buffer[: None if self._whole else 8]), self._size)

    def close(self) -> None:
        """Leave."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()


@dataclass(slots=True)
class Seen:
    """What the viewers of a process saw together. Times in seconds."""

    viewers: int = 0
    requests: int = 0
    parts: int = 0
    bytes: int = 0
    errors: int = 0
    stalls: int = 0
    stalled_viewers: int = 0
    stalled_s: float = 0.0
    pauses_s: list[float] = field(default_factory=list)
    ages_s: list[float] = field(default_factory=list)
    margins_s: list[float] = field(default_factory=list)


class Viewer:
    """One of them."""

    def __init__(self, host: str, port: int, below: str, seen: Seen, counting: Callable[[], bool]) -> None:
        self._playlists = HttpConnection(host, port, whole=True)
        self._media = HttpConnection(host, port, whole=False)
        self._below = below
        self._seen = seen
        self._counting = counting
        self._next: tuple[int, int] | None = None
        self._listed = (0, 0)
        self._busy = False
        self._started_s: float | None = None
        self._buffered = 0
        self._made_s = 0.0
        self._stalls = 0
        self._failures = 0
        self.over = False

    async def open(self) -> None:
        """Join."""
        await asyncio.gather(self._playlists.open(), self._media.open())
        self._playlists.get(f"{self._below}media.m3u8", self._playlist)

    def close(self) -> None:
        """Leave."""
        self.over = True
        self._seen.stalled_viewers += bool(self._stalls)
        self._playlists.close()
        self._media.close()

    def _playlist(self, status: int, body: bytes, _size: int) -> None:
        if self.over:
            return
        self._seen.requests += self._counting()
        hint = body.rfind(b'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="')
        if status != 200 or hint < 0:
            self._failed(self._again)
            return
        name = body[hint + 35 : hint + 48]  # 00000007.0002
        segment, part = int(name[:8]), int(name[9:13])
        self._listed = segment, part
        if self._next is None:
            self._next = max(0, segment - 1), 0
        self._ask_playlist()
        self._ask_media()

    def _again(self) -> None:
        self._playlists.get(f"{self._below}media.m3u8", self._playlist)

    def _ask_playlist(self) -> None:
        segment, part = self._listed
        self._playlists.get(
            f"{self._below}media.m3u8?_HLS_msn={segment}&_HLS_part={part}&_HLS_skip=YES", self._playlist
        )

    def _ask_media(self) -> None:
        if self._busy or self._next is None or self._next >= self._listed:
            return
        self._busy = True
        segment, part = self._next
        self._media.get(f"{self._below}{segment:08d}.{part:04d}.m4s", self._part)

    def _part(self, status: int, body: bytes, size: int) -> None:
        if self.over:
            return
        self._busy = False
        self._seen.requests += self._counting()
        if status != 200:
            self._failed(self._ask_media)
            return
        assert self._next is not None
        segment, part = self._next
        at_edge = self._listed <= (segment, part + 1) or self._listed == (segment + 1, 0)
        self._next = (segment, part + 1) if part + 1 < PARTS_PER_SEGMENT else (segment + 1, 0)
        self._play(time.time(), int.from_bytes(body, "big") / 1e6, size, at_edge=at_edge)
        self._ask_media()

    def _play(self, now_s: float, made_s: float, size: int, *, at_edge: bool) -> None:
        counting = self._counting()
        if counting and self._made_s:
            self._seen.pauses_s.append(made_s - self._made_s - PART_MS / 1000)
        self._made_s = made_s
        if self._started_s is not None:
            margin_s = self._started_s + self._buffered * PART_MS / 1000 - now_s
            if counting:
                self._seen.margins_s.append(margin_s)
            if margin_s < 0:
                self._started_s -= margin_s
                if counting:
                    self._stalls += 1
                    self._seen.stalls += 1
                    self._seen.stalled_s -= margin_s
        self._buffered += 1
        if self._started_s is None and at_edge and self._buffered * PART_MS / 1000 >= HOLD_BACK_S:
            # The newest part is here: play what is PART-HOLD-BACK behind it.
            self._started_s = now_s - self._buffered * PART_MS / 1000 + HOLD_BACK_S
        if counting:
            self._seen.parts += 1
            self._seen.bytes += size
            if at_edge:
                self._seen.ages_s.append(now_s - made_s)

    def _failed(self, again: Callable[[], None]) -> None:
        self._seen.errors += self._counting()
        self._failures += 1
        asyncio.get_running_loop().call_later(0.2, again)


def watch(host: str, port: int, below: str, viewers: int, warm_s: float, seconds: float, results: Pipe) -> None:
    """Be so many viewers; sends a `Seen` of the `seconds` after the warming up."""
    gc.freeze()
    gc.disable()
    uvloop.run(_watch(host, port, below, viewers, warm_s, seconds, results))


async def _watch(host: str, port: int, below: str, viewers: int, warm_s: float, seconds: float, results: Any) -> None:
    seen, began_s = Seen(viewers), time.monotonic()

    def counting() -> bool:
        return warm_s <= time.monotonic() - began_s < warm_s + seconds

    crowd = [Viewer(host, port, below, seen, counting) for _ in range(viewers)]

    async def join(viewer: Viewer) -> None:
        await asyncio.sleep(random.random() * min(JOIN_OVER_S, warm_s / 2))
        await viewer.open()

    await asyncio.gather(*map(join, crowd))
    await asyncio.sleep(began_s + warm_s + seconds - time.monotonic())
    for viewer in crowd:
        viewer.close()
    results.send(seen)


BELOW: Final = "/v1/videos/{}/" + RENDITION + "/"
