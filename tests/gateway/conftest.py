"""A gateway's application without a log: tests fold events into it by hand, and ask it over ASGI."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.state import GatewayState
from schemas.events import Event, PartReady
from stores.cassandra import apply_schema
from stores.log_reader import Place
from stores.segments import LocalSegmentStore
from stores.settings import Settings, load_settings
from stores.sql import open_engine
from tests.conftest import free_ports
from tests.gateway.feed_system import System, running
from tests.gateway.tape import START_MS, data_of


@dataclass
class Clock:
    """Wall clock of a test, in ms."""

    now_ms: int = START_MS + 5_000

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Gateway:
    """The application, its state, its clock and its store."""

    app: Starlette
    state: GatewayState
    client: httpx.AsyncClient
    store: LocalSegmentStore
    clock: Clock = field(default_factory=Clock)

    def fold(self, *events: Event) -> None:
        """Fold events as the log reader does, one batch; parts get their bytes in the store."""
        for event in events:
            if isinstance(event, PartReady):
                self.store.put(event.name, data_of(event.name))
                if event.part == 0:
                    self.store.put(event.init, b"init " + event.init.encode())
            for subscription in self.state.subscriptions:
                if type(event).__name__ in subscription.topic.events:
                    subscription.handler(event, Place(subscription.topic.name, 0, 0, self.clock()))
        self.state.batch_folded()

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET with headers given as keyword arguments."""
        return await self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
async def gateway(make_settings: Callable[..., Settings]) -> AsyncIterator[Gateway]:
    """A gateway that reads no log; its window is a minute."""
    settings, clock = make_settings(window_s=60), Clock()
    state = GatewayState(settings, clock)
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=10) as client:
        yield Gateway(app, state, client, LocalSegmentStore(settings.segments_path), clock)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a database on the server that has the tables and nothing else; copying it is quicker than making them."""
    name = "logcast_template"

    async def make() -> None:
        await in_postgresql(postgresql_server, f"CREATE DATABASE {name}")
        async with open_engine(postgresql_server + name):
            pass

    asyncio.run(make())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Where the accounts of a test are: an empty URL (SQLite in its own directory), or a new database of PostgreSQL."""
    if request.param == "sqlite":
        return ""
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    name = f"logcast_{secrets.token_hex(6)}"
    asyncio.run(in_postgresql(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return f"{server}{name}"


async def in_postgresql(server: str, statement: str) -> None:
    """Do one thing on a server of PostgreSQL."""
    connection = await asyncpg.connect(server + "postgres")
    await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def keyspace(cassandra: tuple[str, int], drop_keyspace: Callable[[str], None]) -> Iterator[str]:
    """The name of a keyspace with the tables; tests keep apart by their video."""
    host, port = cassandra
    name = f"t{secrets.token_hex(8)}"
    apply_schema(load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=name))
    yield name
    drop_keyspace(name)


@pytest.fixture
async def system(
    make_settings: Callable[..., Settings], kafka: str, cassandra: tuple[str, int]
) -> AsyncIterator[System]:
    """Gateway, worker (without transcoding) and consumers as processes, and a channel that is live as far as the log says."""
    assert kafka
    assert cassandra
    http, worker, consumers = free_ports(3)
    settings = make_settings(
        http_port=http,
        health_port_worker=worker,
        health_port_consumers=consumers,
        worker_agents="comments,reactions,viewers,cues",
        slow_mode_ms=0,
        blocked_words="spam",
    )
    async with running(settings) as system:
        yield system
