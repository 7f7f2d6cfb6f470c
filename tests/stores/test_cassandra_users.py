"""A real node that asks for passwords over TLS: our user makes its tables, and the user of a new cluster is locked."""

import asyncio
import datetime as dt
from collections.abc import Iterator

import pytest
from cassandra.cluster import NoHostAvailable
from pydantic import SecretStr

from logcast.cluster_secrets import make_secrets
from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.java import find_java
from logcast.stack.probes import port_answers
from stores.cassandra import Cassandra, CassandraAwayError, apply_schema, cluster_of
from stores.cassandra_users import ADMIN, apply_cassandra_users
from stores.settings import Settings, load_settings
from tests.conftest import faster, free_ports, jars_of, server

pytestmark = pytest.mark.integration

ADMIN_PASSWORD = "of the admin"
PASSWORD = "of the roles"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of our user on a node that has its users and tables."""
    directory = tmp_path_factory.mktemp("guarded")
    secrets = directory / "secrets"
    make_secrets(secrets, ["elsewhere"], dt.datetime.now(dt.UTC))
    port, storage_port = free_ports(2)
    tls = secrets / "cassandra.pem"
    node = CassandraNode(directory, port, storage_port, find_java(), jars_of("cassandra"), passwords=True, tls=tls)
    node.prepare()
    settings = load_settings(
        cassandra_port=port,
        cassandra_user="logcast",
        cassandra_password=PASSWORD,
        cassandra_tls=True,
        cassandra_tls_name="cassandra",
        cassandra_ca_file=secrets / "ca.pem",
    )
    with server(faster(node, "cassandra"), directory, lambda: port_answers(port)):
        apply_cassandra_users(settings, ADMIN_PASSWORD)
        apply_schema(settings)
        yield settings


def connects(settings: Settings, user: str, password: str) -> bool:
    nodes = cluster_of(settings.model_copy(update={"cassandra_user": user, "cassandra_password": SecretStr(password)}))
    try:
        nodes.connect()
    except NoHostAvailable:
        return False
    finally:
        nodes.shutdown()
    return True


async def test_our_user_writes_and_reads_its_tables(guarded: Settings) -> None:
    async with Cassandra.open(guarded) as session:
        assert await session.rows("SELECT seq FROM $keyspace.comment_heads WHERE video_id = ?", ("none",)) == []
    await asyncio.to_thread(apply_schema, guarded)


def test_the_user_of_a_new_cluster_is_locked_and_wrong_passwords_open_nothing(guarded: Settings) -> None:
    assert connects(guarded, ADMIN, ADMIN_PASSWORD)
    assert not connects(guarded, "cassandra", "cassandra")
    assert not connects(guarded, "logcast", "wrong")


def test_who_speaks_no_tls_or_expects_another_node_is_not_heard(guarded: Settings) -> None:
    for other in ({"cassandra_tls": False}, {"cassandra_tls_name": ""}, {"cassandra_ca_file": None}):
        assert not connects(guarded.model_copy(update=other), "logcast", PASSWORD)


def test_users_may_be_applied_again_and_with_another_password(guarded: Settings) -> None:
    changed = guarded.model_copy(update={"cassandra_password": SecretStr("another")})
    apply_cassandra_users(changed, ADMIN_PASSWORD)
    assert connects(guarded, "logcast", "another")
    apply_cassandra_users(guarded, ADMIN_PASSWORD)
    assert connects(guarded, "logcast", PASSWORD)


def test_who_has_not_the_admin_s_password_makes_no_users(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stores.cassandra_users.BORN_DEADLINE_S", 0.0)
    with pytest.raises(CassandraAwayError, match="may log in"):
        apply_cassandra_users(guarded, "wrong")
