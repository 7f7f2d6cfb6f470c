"""One real Kafka and one real Cassandra a session, started by the first test that asks, and settings of a test's own.

A test that names `kafka` or `cassandra` among its fixtures gets them in its `settings`. While developing, a pair that
runs already is used when LOGCAST_TEST_KAFKA and LOGCAST_TEST_CASSANDRA name it (`host:port`).
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from rich.console import Console

from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.class_archive import class_archive
from logcast.stack.downloads import download
from logcast.stack.jars import cache_dir, class_path, locked_jars
from logcast.stack.java import find_java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.probes import cassandra_serves, kafka_serves, local_cluster, port_answers
from logcast.stack.tether import tethered
from media.realtime import give_up_realtime
from stores.settings import Settings, load_settings
from tests.needed import missing
from tests.running_stack import channel, clips, http, say, stack  # noqa: F401  (fixtures for several directories)
from tests.s3_server import S3Server, s3_server

give_up_realtime()  # encoders of clips, ours and ffmpeg's, would run before all servers of the tests
hypothesis.settings.register_profile(
    "logcast",
    deadline=None,  # the machine's noise is no failure
    derandomize=bool(
        os.environ.get("CI")
    ),  # CI judges the change, not the luck of the draw; at home every run tries others
)
hypothesis.settings.load_profile("logcast")

START_DEADLINE_S = 120
STOP_DEADLINE_S = 60


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now, nor the one after each (Kafka's controller).

    They lie below the range from which the system takes ports for clients (ip(7), ip_local_port_range), so that no
    connection comes to sit on one before its server does.
    """
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = 10_000 + secrets.randbelow(11_000) * 2
            try:
                for one in (port, port + 1):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", one))
            except OSError:
                continue
            found.append(port)
    return found


@contextmanager
def server(argv: list[str], directory: Path, serves: Callable[[], bool]) -> Iterator[None]:
    """Run a server until it serves; stop it in the end."""
    log = directory / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(tethered(argv), cwd=directory, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_DEADLINE_S
        while not serves():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{directory.name} does not serve: {log.read_text()[-4000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def jars_of(product: str) -> tuple[Path, ...]:
    """The class path of a product, downloaded if this is the first time."""
    jars = locked_jars()
    download(jars, cache_dir(), Console(stderr=True))
    return class_path(jars, product, cache_dir())


def faster(node: KafkaNode | CassandraNode, product: str) -> list[str]:
    """The command line of a node, with the class archive of an earlier `logcast up` if there is one."""
    archive = class_archive(cache_dir() / "class-archives", product, node.java, node.jars, node.directory / "classes")
    return node.argv(archive.flags())


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real broker."""
    if given := os.environ.get("LOGCAST_TEST_KAFKA"):
        yield given
        return
    directory = tmp_path_factory.mktemp("kafka")
    port, controller_port = free_ports(2)
    node = KafkaNode(directory, port, controller_port, find_java(), jars_of("kafka"))
    node.prepare()
    bootstrap = f"127.0.0.1:{port}"
    with server(faster(node, "kafka"), directory, lambda: kafka_serves(bootstrap)):
        yield bootstrap


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Host and native port of a real node."""
    if given := os.environ.get("LOGCAST_TEST_CASSANDRA"):
        host, _, given_port = given.rpartition(":")
        yield host, int(given_port)
        return
    directory = tmp_path_factory.mktemp("cassandra")
    port, storage_port = free_ports(2)
    node = CassandraNode(directory, port, storage_port, find_java(), jars_of("cassandra"))
    node.prepare()
    with server(faster(node, "cassandra"), directory, lambda: cassandra_serves("127.0.0.1", port)):
        yield "127.0.0.1", port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a real Redis on 127.0.0.1 that keeps nothing on disk."""
    directory = tmp_path_factory.mktemp("redis")
    (port,) = free_ports(1)
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with server(argv, directory, lambda: port_answers(port)):
        yield port


HOW_POSTGRESQL = "`make test-deps` (Debian: apt-get install postgresql) gets its server programs"


def _postgresql_programs() -> Path | None:
    """The directory of initdb and postgres, newest version first."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    return versions[0].parent if versions else None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL server of our own, as `postgresql://…/` without a database name."""
    programs = _postgresql_programs()
    if programs is None:
        missing("PostgreSQL", HOW_POSTGRESQL)
    home = Path(tempfile.mkdtemp(prefix="logcast-postgresql-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses root; pytest's own directory is closed to other users
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    _run_to_end([*as_user, programs / "initdb", "-D", data, "-U", "logcast", "-A", "trust", "-N"], home)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    start = [programs / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-o", options, "start"]
    _run_to_end([*as_user, *map(str, start)], home)
    try:
        yield f"postgresql://logcast@127.0.0.1:{port}/"
    finally:
        _run_to_end([*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], home)
        shutil.rmtree(home)


def _run_to_end(command: list[str | Path], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def drop_keyspace(cassandra: tuple[str, int]) -> Iterator[Callable[[str], None]]:
    """Drops a keyspace, if there is one, through one session for all tests."""
    cluster = local_cluster(*cassandra)
    session = cluster.connect()
    yield lambda name: session.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)
    cluster.shutdown()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server with one bucket; tests keep apart by their prefix."""
    with s3_server(tmp_path_factory.mktemp("s3"), free_ports(1)[0]) as serves:
        yield serves


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Makes settings with topics, keyspace and directory that no other test has; options win."""
    options: dict[str, Any] = {
        "data_dir": tmp_path,
        "partitions": 4,
        "topic_prefix": f"t{secrets.token_hex(4)}.",
        "cassandra_keyspace": f"t{secrets.token_hex(8)}",
        "admin_token": secrets.token_urlsafe(24),
        "guest_secret": secrets.token_urlsafe(24),
    }
    if "kafka" in request.fixturenames:
        options["kafka_bootstrap"] = request.getfixturevalue("kafka")
    if "cassandra" in request.fixturenames:
        options["cassandra_hosts"], options["cassandra_port"] = request.getfixturevalue("cassandra")
    drop = request.getfixturevalue("drop_keyspace") if "cassandra" in request.fixturenames else None
    yield lambda **chosen: load_settings(**(options | chosen))
    if "kafka" in request.fixturenames:
        _delete_topics(options["kafka_bootstrap"], options["topic_prefix"])
    if drop is not None:
        drop(options["cassandra_keyspace"])


def _delete_topics(bootstrap: str, prefix: str) -> None:
    """Take away what a test made: a broker with the topics of a thousand tests answers nobody in time."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": bootstrap})
    mine = [name for name in admin.list_topics(timeout=60).topics if name.startswith(prefix)]
    for deleted in (admin.delete_topics(mine, operation_timeout=60) if mine else {}).values():
        deleted.result(timeout=60)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings of this test alone."""
    return make_settings()


@pytest.fixture
def topics(kafka: str, settings: Settings) -> Settings:
    """The settings, with every topic made."""
    from stores.topics import apply_topics

    assert kafka
    apply_topics(settings)
    return settings


@pytest.fixture
def unused_ports() -> Callable[[int], list[int]]:
    """Gives so many ports of 127.0.0.1 that nobody listens on now."""
    return free_ports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a command that did not end in time had written is shown, too."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, subprocess.TimeoutExpired):
        written: tuple[Any, ...] = (call.excinfo.value.stdout, call.excinfo.value.stderr)  # bytes even of text=True
        for said in filter(None, written):
            text = said if isinstance(said, str) else said.decode("utf-8", "replace")
            report.sections.append(("What it wrote", text))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs least comes first; the whole system runs only while its own tests do, at the end."""

    def needs(item: pytest.Item) -> int:
        return 2 if item.get_closest_marker("e2e") else 1 if item.get_closest_marker("integration") else 0

    items.sort(key=needs)
