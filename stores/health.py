"""/healthz, /readyz and /metrics for the processes that serve no HTTP of their own."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

MAX_REQUEST_BYTES: Final = 8 * 1024
REQUEST_TIMEOUT_S: Final = 5.0

TASKS = Gauge("logcast_asyncio_tasks", "Tasks of the event loop that answers.")
BLOCKS = Gauge(
    "logcast_python_blocks", "Pieces of memory that Python objects take now: what leaks in Python shows here first."
)

Ready = Callable[[], Mapping[str, bool]]
"""What must be true for the process to be ready, by name."""


def answer(path: str, ready: Ready) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and body of a request for `path`."""
    if path == "/healthz":
        return HTTPStatus.OK, "application/json", b'{"status":"ok"}'
    if path == "/readyz":
        checks = dict(ready())
        status = HTTPStatus.OK if all(checks.values()) else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps({"ready": status is HTTPStatus.OK, "checks": checks}).encode()
    if path == "/metrics":
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest()
    return HTTPStatus.NOT_FOUND, "text/plain", b"expected /healthz, /readyz or /metrics\n"


def _tasks() -> float:
    try:
        return float(len(asyncio.all_tasks()))
    except RuntimeError:  # asked for outside of a loop
        return 0.0


TASKS.set_function(_tasks)
BLOCKS.set_function(lambda: float(sys.getallocatedblocks()))


class HealthServer:
    """A small HTTP server in the process's own event loop: it answers only while the loop does."""

    def __init__(self, host: str, port: int, ready: Ready) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=MAX_REQUEST_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            status, kind, body = answer(path.partition("?")[0], self._ready)
            writer.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n".encode()
            )
            writer.write(body if method != "HEAD" else b"")
            await writer.drain()
        except (TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # no HTTP request, or the caller has gone: there is nobody to answer
        finally:
            writer.close()
