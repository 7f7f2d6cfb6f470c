"""Nobody is answered from half a log: while the gateway reads what was there before it, requests wait for it.

A gateway that has just started knows the newest videos last. Answering then would be wrong in ways that clients take for
final: 404 for a stream that is live, a feed without the comments that its viewer missed.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import Problem
from gateway.state import GatewayState

WAIT_S: Final = 8.0
"""Then clients are told to come again: what is between us and them gives up on a silent server, too."""

MAX_WAITING: Final = 10_000
FREE: Final = ("/healthz", "/readyz", "/metrics", "/static/")
RESTARTING: Final = 1012
"""WebSocket close code "service restart" (IANA registry of RFC 6455 section 7.4)."""


class UntilCaughtUp:
    """ASGI middleware: holds requests until the log is folded, at most `WAIT_S` and `MAX_WAITING` of them."""

    def __init__(self, app: ASGIApp, state: GatewayState) -> None:
        self._app = app
        self._state = state
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, now or once the log is folded; else a 503, or for a WebSocket a refused handshake."""
        if self._needs_no_log(scope) or await self._caught_up():
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": RESTARTING, "reason": "starting; come back in a moment"})
        else:
            problem = Problem(
                503, "starting", "this gateway still reads the log; come back in a moment", headers={"Retry-After": "1"}
            )
            await problem.response()(scope, receive, send)

    def _needs_no_log(self, scope: Scope) -> bool:
        reader = self._state.reader
        caught_up = reader is None or reader.caught_up
        return caught_up or scope["type"] not in {"http", "websocket"} or scope["path"].startswith(FREE)

    async def _caught_up(self) -> bool:
        """Wait for it; False when it takes too long, too many wait, reading breaks, or the gateway stops."""
        reader = self._state.reader
        assert reader is not None
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        waits = {asyncio.ensure_future(reader.wait_caught_up()), asyncio.ensure_future(self._state.stopping.wait())}
        try:
            done, _ = await asyncio.wait(waits, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.exception()  # looked at: a failure of the reader ends the process elsewhere
        finally:
            self._waiting -= 1
            for task in waits:
                task.cancel()
        return reader.caught_up
