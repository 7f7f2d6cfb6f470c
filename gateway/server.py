"""Runs the gateway under uvicorn and stops it in order: let parked requests go, drain, close."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from gateway.app import create_app
from gateway.feed_socket import FeedProtocol
from gateway.state import GatewayState
from stores.settings import Settings

BACKLOG: Final = 4096
DRAIN_S: Final = 4
"""Open answers get so long at a stop; the log reader's close fits in the fifth second."""


async def run_gateway(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, or until reading the log fails.

    Raises:
        KafkaException: the log cannot be read any more; the process should be started again.
        OSError: the address cannot be listened on.
    """
    state = GatewayState(settings)
    with listen(settings.bind_host, settings.http_port) as listening:
        server = _Server(server_config(settings, state))
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_stop_when_asked(server, state, stop))
            await server.serve([listening])
            watch.cancel()
    failed = state.reader.failed if state.reader is not None else None
    if failed is not None and not failed.cancelled():
        failed.result()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the port is taken or the host is not of this machine; names both.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            error.errno,
            f"the gateway cannot listen on {host}:{port} ({error.strerror}); choose another LOGCAST_HTTP_PORT",
        ) from error


def server_config(settings: Settings, state: GatewayState) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        create_app(settings, state),
        http="httptools",
        ws=FeedProtocol,
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,  # one frame for all must not differ by connection
        ws_ping_interval=20,
        ws_ping_timeout=20,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `gateway/identity.py` reads them, by our setting
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_S,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the command owns them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def _stop_when_asked(server: uvicorn.Server, state: GatewayState, stop: asyncio.Event) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    waits: set[asyncio.Future[Any]] = {stopping}
    try:
        while state.reader is None and not stopping.done():
            await asyncio.wait({stopping}, timeout=0.05)
        if state.reader is not None and state.reader.failed is not None:
            waits.add(state.reader.failed)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        state.stop()
        server.should_exit = True
