"""One keyspace for all tests of Cassandra."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from stores.cassandra import Cassandra, apply_schema
from stores.settings import Settings, load_settings


@pytest.fixture(scope="session")
def keyspace(cassandra: tuple[str, int], drop_keyspace: Callable[[str], None]) -> Iterator[Settings]:
    """Settings with a keyspace that has the tables; tests keep apart by their `video`."""
    host, port = cassandra
    name = f"t{secrets.token_hex(8)}"
    settings = load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=name)
    apply_schema(settings)
    yield settings
    drop_keyspace(name)


@pytest.fixture
async def session(keyspace: Settings) -> AsyncIterator[Cassandra]:
    """A session on the keyspace."""
    async with Cassandra.open(keyspace) as session:
        yield session


@pytest.fixture
def video() -> str:
    """A video id that no other test uses."""
    return secrets.token_hex(10)
