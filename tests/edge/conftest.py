"""A real nginx before a real gateway, both on loopback; the gateway is folded by hand and counts what it is asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app
from gateway.server import _Server, listen, server_config
from gateway.signed_links import Link
from gateway.state import GatewayState
from logcast.edge_config import Edge, write_edge
from logcast.stack.probes import port_answers
from stores.accounts import Accounts
from stores.link_keys import link_keys_path, rotate_link_keys
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.conftest import free_ports, server
from tests.gateway.conftest import Clock, Gateway
from tests.waiting import eventually


@dataclass
class Origin:
    """The gateway as the edge sees it: asked paths are counted, and it can be away."""

    gateway: Gateway
    port: int
    asked: Counter[str] = field(default_factory=Counter)
    _server: uvicorn.Server | None = None
    _task: asyncio.Task[None] | None = None

    def counting(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.asked[scope["path"].partition("/v1/")[2]] += 1
            await app(scope, receive, send)

        return counted

    async def start(self) -> None:
        config = server_config(self.gateway.state.settings, self.gateway.state)
        config.app, config.lifespan = self.counting(self.gateway.app), "off"
        self._server = _Server(config)
        listening = listen("127.0.0.1", self.port)
        self._task = asyncio.create_task(self._server.serve([listening]))
        await eventually(lambda: self._server is not None and self._server.started)

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None


@dataclass
class EdgeRig:
    """What a test drives."""

    origin: Origin
    gateway: Gateway
    client: httpx.AsyncClient
    url: str
    metrics_url: str

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def token(self, *, lasts_s: int = 600, video_id: str = "", channel: str = "", tag: str = "-") -> str:
        return self.gateway.state.link_keys.token(Link(self.gateway.clock() // 1000 + lasts_s, video_id, channel, tag))


@pytest.fixture
async def edge(make_settings: Callable[..., Settings]) -> AsyncIterator[EdgeRig]:
    """nginx with two workers before a gateway that reads no log. Its clock is the real one: the edge has no other."""
    gateway_port, edge_port, metrics_port = free_ports(3)
    settings = make_settings(window_s=60, http_port=gateway_port)
    rotate_link_keys(link_keys_path(settings))
    async with _gateway(settings) as gateway:
        origin = Origin(gateway, gateway_port)
        await origin.start()
        directory = settings.data_dir / "edge"
        nginx = Edge(
            directory,
            [f"127.0.0.1:{gateway_port}"],
            f"127.0.0.1:{edge_port}",
            link_keys_path(settings),
            "2",
            metrics=f"127.0.0.1:{metrics_port}",
        )
        write_edge(nginx)
        url = f"http://127.0.0.1:{edge_port}"
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        with server(nginx.argv, directory, lambda: port_answers(edge_port)):
            async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
                yield EdgeRig(origin, gateway, client, url, f"http://127.0.0.1:{metrics_port}/metrics")
            gateway.state.stop()
        await origin.stop()


@asynccontextmanager
async def _gateway(settings: Settings) -> AsyncIterator[Gateway]:
    from stores.log_reader import now_ms

    state = GatewayState(settings)
    app = create_app(settings, state)
    async with Accounts.open(settings) as accounts, httpx.AsyncClient() as client:
        state.accounts = accounts
        yield Gateway(app, state, client, LocalSegmentStore(settings.segments_path), Clock(now_ms()))
