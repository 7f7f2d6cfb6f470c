"""What `logcast up --cluster` runs: every process once by name and address, and what each is told."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from logcast.errors import CannotStartError
from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.java import Java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.layout import CLUSTER, ONE
from logcast.stack.local import LocalStack
from logcast.stack.ports import port_claims
from logcast.stack.process import ProcessSpec
from stores.settings import Settings

JAVA = Java(Path(sys.executable), "test")


@pytest.fixture
def specs(settings: Settings, tmp_path: Path) -> dict[str, ProcessSpec]:
    stack = LocalStack(settings, JAVA, lambda _: (Path(__file__),), tmp_path / "archives", layout=CLUSTER)
    return {spec.name: spec for spec in stack.specs()}


def test_a_cluster_has_three_nodes_of_each_server_and_two_of_each_role(specs: dict[str, ProcessSpec]) -> None:
    assert list(specs) == [
        *("kafka-1", "kafka-2", "kafka-3", "cassandra-1", "cassandra-2", "cassandra-3"),
        *("consumers-1", "consumers-2", "worker-1", "worker-2", "gateway-1", "gateway-2", "ingest-1", "ingest-2"),
    ]
    assert len({spec.log for spec in specs.values()}) == len(specs)
    assert len({spec.cwd for spec in specs.values() if "kafka" in spec.name or "cassandra" in spec.name}) == 6


def test_every_gateway_finds_both_ingests_for_lossless_pushes(
    specs: dict[str, ProcessSpec], settings: Settings
) -> None:
    port = settings.push_port_or_next
    found = {specs[f"gateway-{n}"].environ["LOGCAST_INGEST_URL"] for n in (1, 2)}
    assert found == {f"ws://127.0.0.1:{port},ws://127.0.0.2:{port}"}


def test_every_role_knows_every_node_and_keeps_three_copies(specs: dict[str, ProcessSpec]) -> None:
    for name in ("consumers-1", "worker-2", "gateway-1", "ingest-2"):
        environ = specs[name].environ
        assert environ["LOGCAST_KAFKA_BOOTSTRAP"] == "127.0.0.1:9092,127.0.0.2:9092,127.0.0.3:9092"
        assert environ["LOGCAST_CASSANDRA_HOSTS"] == "127.0.0.1,127.0.0.2,127.0.0.3"
        assert environ["LOGCAST_REPLICATION"] == "3"


def test_two_of_a_role_differ_in_address_and_in_their_place_in_the_group(specs: dict[str, ProcessSpec]) -> None:
    first, second = (specs[f"worker-{n}"].environ for n in (1, 2))
    assert (first["LOGCAST_BIND_HOST"], second["LOGCAST_BIND_HOST"]) == ("127.0.0.1", "127.0.0.2")
    assert (first["LOGCAST_WORKER_SLOT"], second["LOGCAST_WORKER_SLOT"]) == ("1", "2")
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"LOGCAST_BIND_HOST", "LOGCAST_PUBLIC_HOST", "LOGCAST_WORKER_SLOT"}


def test_nobody_waits_for_a_node_that_has_been_there(specs: dict[str, ProcessSpec]) -> None:
    """A role that is started again while a broker is away finds the others."""
    assert not any(spec.needs for spec in specs.values())
    assert {"kafka-1", "kafka-2", "kafka-3"} <= set(specs["worker-1"].needs_once)
    assert specs["cassandra-3"].needs_once == ("cassandra-1",)


def test_a_stack_of_one_is_told_what_it_was_told_before(settings: Settings, tmp_path: Path) -> None:
    stack = LocalStack(settings, JAVA, lambda _: (Path(__file__),), tmp_path / "archives", layout=ONE)
    specs = {spec.name: spec for spec in stack.specs()}
    assert list(specs) == ["kafka", "cassandra", "consumers", "worker", "gateway", "ingest"]
    assert specs["gateway"].needs == ("kafka", "cassandra")
    assert specs["gateway"].environ["LOGCAST_KAFKA_BOOTSTRAP"] == settings.kafka_bootstrap


def test_every_address_of_the_cluster_is_claimed_once(settings: Settings) -> None:
    claims = [(claim.host, claim.port) for claim in port_claims(settings, CLUSTER)]
    assert len(claims) == len(set(claims)) == 3 * 4 + 2 * 5


def test_a_cluster_serves_on_its_own_addresses_only(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(CannotStartError, match="unset LOGCAST_BIND_HOST"):
        port_claims(make_settings(bind_host="0.0.0.0"), CLUSTER)


def kafka(tmp_path: Path, number: int, hosts: tuple[str, ...]) -> dict[str, str]:
    text = KafkaNode(tmp_path, 9092, 9093, JAVA, (), hosts=hosts, number=number).server_properties()
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_brokers_of_a_cluster_vote_together_and_keep_two_copies_in_step(tmp_path: Path) -> None:
    properties = kafka(tmp_path, 2, CLUSTER.nodes)
    assert properties["node.id"] == "2"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9093,2@127.0.0.2:9093,3@127.0.0.3:9093"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.2:9092"
    copies = {name: value for name, value in properties.items() if re.search(r"replication\.factor$", name)}
    assert len(copies) == 4
    assert set(copies.values()) == {"3"}
    assert {value for name, value in properties.items() if re.search(r"min\.(isr|insync\.replicas)$", name)} == {"2"}


def test_a_broker_alone_keeps_one_copy(tmp_path: Path) -> None:
    properties = kafka(tmp_path, 1, ONE.nodes)
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert properties["offsets.topic.replication.factor"] == properties["min.insync.replicas"] == "1"


def test_nodes_of_cassandra_share_the_ring_evenly(tmp_path: Path) -> None:
    nodes = [CassandraNode(tmp_path, 9042, 7000, JAVA, (), hosts=CLUSTER.nodes, number=n) for n in (1, 2, 3)]
    tokens = sorted(int(found[1]) for node in nodes if (found := re.search(r"initial_token: (-?\d+)", node.yaml())))
    assert len(tokens) == 3
    assert {round((after - before) / 2**64, 6) for before, after in pairwise(tokens)} == {0.333333}
    assert all('seeds: "127.0.0.1:7000,127.0.0.2:7000"' in node.yaml() for node in nodes)
    assert [f"listen_address: {node.host}\n" in node.yaml() for node in nodes] == [True] * 3


def test_with_a_standby_every_worker_has_a_double_in_a_group_of_its_own(settings: Settings, tmp_path: Path) -> None:
    layout = replace(ONE, standby=True)
    stack = LocalStack(settings, JAVA, lambda _: (Path(__file__),), tmp_path / "archives", layout=layout)
    specs = {spec.name: spec for spec in stack.specs()}
    assert specs["standby"].argv() == specs["worker"].argv()
    worker, standby = specs["worker"].environ, specs["standby"].environ
    differing = {name: standby[name] for name in worker if worker[name] != standby[name]}
    assert differing == {
        "LOGCAST_WORKER_STANDBY": "true",
        "LOGCAST_HEALTH_PORT_WORKER": str(settings.health_port_standby),
    }
    assert settings.health_port_standby in {claim.port for claim in port_claims(settings, layout)}
