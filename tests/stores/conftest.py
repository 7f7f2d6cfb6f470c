"""A real PostgreSQL for the contract tests of the SQL stores, and one keyspace for all tests of Cassandra."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from stores.cassandra import Cassandra, apply_schema
from stores.settings import Settings, load_settings

HOW = "PostgreSQL's server programs are not here: `make test-deps` (Debian: apt-get install postgresql) installs them"


def _programs() -> Path | None:
    """The directory of initdb and postgres, newest version first."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    return versions[0].parent if versions else None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL server of our own, as `postgresql://…/` without a database name."""
    programs = _programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    home = Path(tempfile.mkdtemp(prefix="logcast-postgresql-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses root; pytest's own directory is closed to other users
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    _run([*as_user, programs / "initdb", "-D", data, "-U", "logcast", "-A", "trust", "-N"], home)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    start = [programs / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-o", options, "start"]
    _run([*as_user, *map(str, start)], home)
    try:
        yield f"postgresql://logcast@127.0.0.1:{port}/"
    finally:
        _run([*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], home)
        shutil.rmtree(home)


def _run(command: list[str | Path], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


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
