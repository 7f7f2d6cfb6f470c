"""Lossless pushes: the gateway checks the stream key and passes the messages on to the ingest, both ways, as they are.

What the messages mean is between the client and the ingest (docs/publishing.md). A peer that does not read is waited for, so that
what is held here is a few messages.
"""

import asyncio
import logging
from hashlib import blake2b
from typing import Final

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from gateway.state import GatewayState
from stores.settings import Settings

log = logging.getLogger(__name__)

PROTOCOL: Final = "logcast.ingest.v1"
MAX_MESSAGE_BYTES: Final = 60 * 1024
OPEN_S: Final = 10.0
WRONG_KEY: Final = 4401
WRONG_PROTOCOL: Final = 4406
TOO_MANY: Final = 4429
AWAY: Final = 4503
GOING: Final = 1001
TEXT_BYTES: Final = 120


class IngestRelay:
    """The route of one gateway."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._open = 0

    def routes(self) -> list[BaseRoute]:
        """What it serves."""
        return [WebSocketRoute("/v1/channels/{channel}/ingest", self.socket)]

    async def socket(self, socket: WebSocket) -> None:
        """One push."""
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        channel = socket.path_params["channel"]
        if PROTOCOL not in socket.scope["subprotocols"]:
            await socket.close(WRONG_PROTOCOL, f"expected the subprotocol {PROTOCOL}")
        elif not await self._has_key(socket, channel):
            await socket.close(WRONG_KEY, "expected the channel's stream key as bearer token")
        elif self._open >= self._state.settings.max_publishers:
            await socket.close(TOO_MANY, "too many pushes now; try again later")
        else:
            self._open += 1
            try:
                await self._relay(socket, channel)
            finally:
                self._open -= 1

    async def _has_key(self, socket: WebSocket, channel: str) -> bool:
        key = socket.headers.get("authorization", "").partition(" ")[2].strip()
        owned = await self._state.accounts.channel_of_key(key) if self._state.accounts is not None else None
        return owned is not None and owned.name == channel

    async def _relay(self, socket: WebSocket, channel: str) -> None:
        url = f"{ingest_url(self._state.settings, channel)}/v1/channels/{channel}/ingest"
        try:
            ingest = await connect(
                url,
                subprotocols=[Subprotocol(PROTOCOL)],
                additional_headers={"Authorization": socket.headers["authorization"]},
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=OPEN_S,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            log.warning("the ingest at %s does not answer: %s", url, error)
            await socket.close(AWAY, "the ingest does not answer; try again in a moment")
            return
        async with ingest:
            await self._both_ways(socket, ingest)

    async def _both_ways(self, socket: WebSocket, ingest: ClientConnection) -> None:
        """Pass messages on until one side ends, then end the other with the same code."""
        up = asyncio.create_task(_up(socket, ingest), name="push-up")
        down = asyncio.create_task(_down(socket, ingest), name="push-down")
        stopping = asyncio.create_task(self._state.stopping.wait(), name="push-stop")
        tasks = {up, down, stopping}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if up in done:
            return  # the client is gone
        code, reason = GOING, "the gateway stops; come back in a moment"
        if down in done:
            code, reason = ingest.close_code or AWAY, ingest.close_reason or ""
        try:
            await socket.close(AWAY if code == 1006 else code, reason[:TEXT_BYTES])
        except (RuntimeError, WebSocketDisconnect):
            log.debug("the client left before it was told why")


def ingest_url(settings: Settings, channel: str) -> str:
    """Where the ingest takes pushes to a channel.

    Of several always the same one, for a push goes on where its state is; one more takes its share of the channels from all, and
    moves no other (rendezvous hashing).
    """
    urls = settings.ingest_url.split(",") if settings.ingest_url else []
    if not urls:
        return f"ws://{settings.local_host}:{settings.push_port_or_next}"
    return max(urls, key=lambda url: blake2b(f"{url} {channel}".encode(), digest_size=8).digest())


async def _up(socket: WebSocket, ingest: ClientConnection) -> None:
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return
        data = message.get("bytes")
        try:
            await ingest.send(data if data is not None else message["text"])
        except ConnectionClosed:
            await asyncio.Event().wait()  # the other way says why


async def _down(socket: WebSocket, ingest: ClientConnection) -> None:
    async for message in ingest:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)


def install(state: GatewayState) -> list[BaseRoute]:
    """The route."""
    return IngestRelay(state).routes()
