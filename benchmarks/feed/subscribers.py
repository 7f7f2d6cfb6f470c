"""Subscribers that read frames as cheaply as they can, so that they do not take the CPU of what is measured."""

import asyncio
import gc
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Final

import uvloop

JOIN: Final = b'{"type":"join","history":0}'
AT_ONCE: Final = 50


@dataclass(slots=True)
class Heard:
    """What the subscribers of a process heard together; delays in seconds, of one subscriber in `SAMPLE`."""

    messages: int = 0
    wrong: int = 0
    lost_connections: int = 0
    delays_s: list[float] = field(default_factory=list)


SAMPLE: Final = 20


class Subscriber(asyncio.Protocol):
    """One connection: handshake, join, then frames are counted; a sampled one reads the numbers and times too."""

    def __init__(self, heard: Heard, head: bytes, *, sampled: bool) -> None:
        self._heard = heard
        self._head = head
        self._sampled = sampled
        self._rest = b""
        self._seq = 0
        self._open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport
        transport.write(self._head)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._rest:
            data = self._rest + data
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            self._open, data = True, data[end + 4 :]
            masked = bytes([0x81, 0x80 | len(JOIN), 0, 0, 0, 0]) + JOIN
            self._transport.write(masked)  # type: ignore[attr-defined]
        self._frames(data)

    def _frames(self, data: bytes) -> None:  # noqa: C901  (one loop without calls: it runs for every delivery)
        at, count, size = 0, 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, start = data[at + 2] << 8 | data[at + 3], at + 4
            if start + length > size:
                break
            if data[at] == 0x81:
                if not self.ready.done():
                    if data.startswith(b'{"type":"joined"', start):
                        self.ready.set_result(None)
                elif data.startswith(b'{"type":"comment"', start):
                    count += 1
                    if self._sampled:
                        self._read(data[start : start + length])
            elif data[at] == 0x89:
                pong = bytes([0x8A, 0x80 | length, 0, 0, 0, 0]) + data[start : start + length]
                self._transport.write(pong)  # type: ignore[attr-defined]
            at = start + length
        self._rest = data[at:]
        self._heard.messages += count

    def _read(self, message: bytes) -> None:
        seq_at = message.index(b'"seq":') + 6
        seq = int(message[seq_at : message.index(b",", seq_at)])
        self._heard.wrong += self._seq != 0 and seq != self._seq + 1
        self._seq = seq
        at = message.index(b'"at_ms":') + 8
        made = int(message[at : message.index(b",", at)])
        self._heard.delays_s.append(time.monotonic() - made / 1e6)

    def connection_lost(self, _error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._heard.lost_connections += 1


def subscribe(port: int, path: str, count: int, orders: Pipe) -> None:
    """Be so many subscribers: says True once all have joined; gives a `Heard` for each ("heard",), until ("stop",)."""
    uvloop.run(_subscribe(port, path, count, orders))


async def _subscribe(port: int, path: str, count: int, orders: Pipe) -> None:
    loop = asyncio.get_running_loop()
    heard, gate = Heard(), asyncio.Semaphore(AT_ONCE)
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: logcast.v1\r\n\r\n"
    ).encode()
    crowd = [Subscriber(heard, head, sampled=n % SAMPLE == 0) for n in range(count)]

    async def join(one: Subscriber) -> None:
        async with gate:
            await loop.create_connection(lambda: one, "127.0.0.1", port)
            await one.ready

    await asyncio.gather(*map(join, crowd))
    gc.freeze()
    gc.disable()
    orders.send(True)
    while (await loop.run_in_executor(None, orders.recv))[0] != "stop":
        orders.send(heard)
        heard.messages = heard.wrong = 0
        heard.delays_s = []
