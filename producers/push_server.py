"""Lossless pushes over WebSockets (`logcast.ingest.v1`); gateways pass them on to here."""

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Final, Protocol, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from producers import push_protocol as protocol
from producers.push_protocol import ProtocolError
from producers.push_session import PushSession
from producers.rtmp_server import PUBLISHERS, RECEIVED, Refusal
from stores.kafka import LogError
from stores.settings import Settings

log = logging.getLogger(__name__)

HELLO_S: Final = 10.0
BURST_S: Final = 4.0
REASON_BYTES: Final = 120
"""Of a close frame; RFC 6455 allows 123."""


class PushAdmission(Protocol):
    """Who judges pushes (`producers.studio.Studio`)."""

    async def admit_push(
        self, publisher: "PushPublisher", stream_key: str, channel: str, push: str, first: int
    ) -> PushSession | int:
        """Open the session of a push, or give its length when all of it is there; or raise `Refusal`, `ProtocolError`."""

    async def leave_push(self, publisher: "PushPublisher", session: PushSession) -> None:
        """The connection is gone."""


class PushPublisher:
    """One connection, as the studio sees it."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Task[None] | None = None
        self.heard_at = self._loop.time()
        self.leaving = False

    @property
    def silent_s(self) -> float:
        """How long nothing has come."""
        return self._loop.time() - self.heard_at

    def end(self, why: str, code: str, description: str) -> None:
        """Close the connection, with a sentence."""
        log.warning("ending a push (%s, %s): %s", why, code, description)
        self._closing = asyncio.create_task(self._connection.close(protocol.RESTART, _reason(description)))


class _Allowance:
    """Bytes a second, in bursts of `BURST_S`."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._credit = rate * BURST_S
        self._at = asyncio.get_running_loop().time()

    async def spend(self, size: int) -> None:
        """Wait while more came than may."""
        now = asyncio.get_running_loop().time()
        self._credit = min(self._rate * BURST_S, self._credit + (now - self._at) * self._rate) - size
        self._at = now
        if self._credit < 0:
            await asyncio.sleep(-self._credit / self._rate)


class PushServer:
    """Listens for gateways that pass pushes on."""

    def __init__(self, settings: Settings, admission: PushAdmission) -> None:
        self._settings = settings
        self._admission = admission
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._settings.bind_host,
            self._settings.push_port_or_next,
            subprotocols=[Subprotocol(protocol.PROTOCOL)],
            compression=None,
            max_size=protocol.MAX_MESSAGE_BYTES,
            max_queue=16,
            server_header=None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close(code=protocol.RESTART, reason="the server stops; come back in a moment")
        await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            await self._push(connection)
        except ConnectionClosed:
            return
        except ProtocolError as error:
            await connection.close(error.code, _reason(str(error)))
        except Refusal as error:
            code = protocol.ON_AIR if error.code.endswith("BadName") else protocol.NOT_NOW
            await connection.close(code, _reason(str(error)))
        except LogError as error:
            await connection.close(protocol.NOT_NOW, _reason(str(error)))
        except ValueError as error:  # broken media, or a codec that is not taken
            await connection.close(protocol.UNSUPPORTED, _reason(str(error)))

    async def _push(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        channel = connection.request.path.partition("?")[0].removesuffix("/ingest").rpartition("/")[2]
        key = connection.request.headers.get("Authorization", "").partition(" ")[2].strip()
        async with asyncio.timeout(HELLO_S):
            push, first = protocol.read_push(await connection.recv())
        publisher = PushPublisher(connection)
        session = await self._admission.admit_push(publisher, key, channel, push, first)
        if isinstance(session, int):
            await connection.send(protocol.text("ended", offset=session))
            return
        PUBLISHERS.inc()
        telling = asyncio.create_task(_tell(connection, session))
        try:
            await connection.send(protocol.text("ready", offset=session.offset, video=session.broadcast.video_id))
            await self._take(connection, publisher, session)
        finally:
            PUBLISHERS.dec()
            publisher.leaving = True
            telling.cancel()
            await self._admission.leave_push(publisher, session)

    async def _take(self, connection: ServerConnection, publisher: PushPublisher, session: PushSession) -> None:
        """Feed the session until the stream or the connection ends."""
        room = asyncio.Event()
        session.broadcast.on_room = room.set
        allowance = _Allowance(self._settings.max_publisher_mbps * 125_000)
        async for message in connection:
            publisher.heard_at = asyncio.get_running_loop().time()
            if isinstance(message, str):
                if protocol.read_text(message)["type"] != "end":
                    raise ProtocolError('text message, expected {"type":"end"}')
                await session.finish()
                await connection.send(protocol.text("ended", offset=session.offset))
                return
            RECEIVED.inc(len(message))
            session.feed(*protocol.read_piece(message))
            await allowance.spend(len(message))
            while session.broadcast.overfull and session.broadcast.failure is None:
                room.clear()
                await room.wait()
            if session.broadcast.failure is not None:
                raise session.broadcast.failure


async def _tell(connection: ServerConnection, session: PushSession) -> None:
    """Say what the client may forget."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.send(protocol.text("ack", offset=await session.acknowledged()))


def _reason(sentence: str) -> str:
    return sentence.encode()[:REASON_BYTES].decode(errors="ignore")
