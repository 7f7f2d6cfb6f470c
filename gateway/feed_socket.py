"""uvicorn's WebSocket protocol, with a way to write one prebuilt frame to many connections.

A frame of a server is not masked (RFC 6455 section 5.1): the bytes of a message are the same for everybody, as long as no
extension is negotiated, so they are built once and handed to every transport. Accepting, reading, pings and closing stay
uvicorn's; the names of uvicorn's that are used here are in `USED`, which `tests/gateway/test_feed_socket.py` checks, and
pyproject.toml holds uvicorn to the minor version that was looked at.

The application finds the connection at `scope["extensions"][EXTENSION]`.

What a peer can make this side hold is bounded: unread messages by uvicorn's flow control, one message by `ws_max_size`, its
pieces by `MAX_PIECES`, unread pongs and broadcasts by `MAX_UNREAD_BYTES`.
"""

import asyncio
import socket
import struct
from asyncio.transports import BaseTransport
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

EXTENSION: Final = "logcast.frames"
HIGH_WATER_BYTES: Final = 32 * 1024
"""A connection is paused while its transport holds more."""

MAX_UNREAD_BYTES: Final = 256 * 1024
"""A paused connection for which more waits is cut off; the kernel holds `SEND_BUFFER_BYTES` besides."""

SEND_BUFFER_BYTES: Final = 128 * 1024
MAX_PIECES: Final = 64
"""Frames of one message (RFC 6455 section 5.4)."""

GOING_S: Final = 10.0
"""A connection that was told to close is dropped when it does not answer in time."""

USED: Final = (
    "close_sent",
    "close_timer",
    "conn",
    "curr_msg_data_type",
    "disconnected",
    "frames",
    "handshake_complete",
    "loop",
    "queue",
    "read_paused",
    "transport",
    "writable",
)
"""Attributes of uvicorn's protocol that this one relies on."""


def text_frame(payload: bytes) -> bytes:
    """One whole text message of a server as its only frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


class FeedProtocol(WebSocketsSansIOProtocol):
    """One connection.

    Attributes:
        paused: its transport holds more than the high-water mark.
    """

    paused = False

    def connection_made(self, transport: BaseTransport) -> None:
        """See `asyncio.Protocol`; bounds what the transport and the kernel hold."""
        super().connection_made(transport)
        cast("asyncio.Transport", transport).set_write_buffer_limits(HIGH_WATER_BYTES)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Uvicorn's; the application's task has not run yet, so it finds the connection in its scope."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][EXTENSION] = self

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.paused = False
        super().resume_writing()

    # -- what a peer may not make us hold

    def handle_cont(self, event: Frame) -> None:
        """A further piece of a message, unless there are too many (empty ones count for no size)."""
        if len(self.frames) >= MAX_PIECES:
            self.end(1009, f"expected at most {MAX_PIECES} frames a message")
            self.frames = []
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A whole message for the application, unless its text is no UTF-8 (RFC 6455 section 8.1): that is not worth a traceback."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.end(1007, "expected text as UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """A pong, unless the peer sends pings and reads nothing."""
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()
            return
        super().handle_ping()

    def keepalive_timeout(self) -> None:
        """The peer did not answer a ping: close; at once when it does not even read."""
        unread = self.transport.get_write_buffer_size()
        super().keepalive_timeout()
        if unread:
            self.transport.abort()

    # -- what the application calls, from the event loop

    @property
    def open(self) -> bool:
        """Whether messages can be written."""
        return self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())

    def accepted(self) -> None:
        """The handshake is over: let go what it needed (some KiB for each of many idle connections)."""
        self.scope = cast("Any", {"client": self.client, "path": "", "query_string": b""})
        del self.request, self.response

    def write(self, frames: bytes) -> bool:
        """Write one or more whole frames; never waits. False when too much waits already, and nothing was written."""
        if self.paused and self.transport.get_write_buffer_size() + len(frames) > MAX_UNREAD_BYTES:
            return False
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frames)
        return True

    async def drained(self) -> None:
        """Wait until the peer has read most of what was written, or is gone."""
        await self.writable.wait()

    def end(self, code: int, reason: str, last: bytes = b"") -> None:
        """Close after what is written, however much waits; `last` are frames that go before the close frame.

        Unlike ASGI's `websocket.close` it does not wait, and a peer that reads nothing is dropped after `GOING_S`.
        """
        if not self.open:
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(last + b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOING_S, self.transport.abort)
