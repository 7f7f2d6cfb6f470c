"""A keyspace with the tables for all tests of this folder, and settings that join it with a test's own topics."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from stores.cassandra import Cassandra, apply_schema
from stores.settings import Settings, load_settings
from tests.conftest import free_ports


@pytest.fixture(scope="session")
def keyspace(cassandra: tuple[str, int], drop_keyspace: Callable[[str], None]) -> Iterator[str]:
    """The name of a keyspace; tests keep apart by their video ids."""
    host, port = cassandra
    name = f"t{secrets.token_hex(8)}"
    apply_schema(load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=name))
    yield name
    drop_keyspace(name)


@pytest.fixture
def system(topics: Settings, keyspace: str) -> Settings:
    """Settings of the test's topics, the shared keyspace, and a free port for the consumers."""
    (port,) = free_ports(1)
    return topics.model_copy(update={"cassandra_keyspace": keyspace, "health_port_consumers": port})


@pytest.fixture
async def session(system: Settings) -> AsyncIterator[Cassandra]:
    """A session to look at the rows with."""
    async with Cassandra.open(system) as session:
        yield session
