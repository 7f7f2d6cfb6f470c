"""A real broker with TLS, SCRAM and rights: each role may do what it has to, nobody else's, and strangers nothing."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from logcast.cluster_secrets import make_secrets, password_file
from logcast.stack.java import find_java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.probes import kafka_serves
from logcast.stack.security import Security
from processors.app import broker_credentials
from schemas.rights import rules
from schemas.topics import COMMENTS_FEED, COMMENTS_STATE, COMMENTS_SUBMITTED, MEDIA_SOURCE, Topic
from stores.kafka import LogError, consumer_config, producer_config, transactional_config
from stores.kafka_security import kafka_ssl_context, librdkafka_security
from stores.kafka_users import apply_rights, apply_users, rights_there
from stores.settings import Settings, load_settings
from stores.topics import apply_topics, describe_topics
from tests.conftest import faster, free_ports, jars_of, server
from tests.waiting import eventually_blocking

pytestmark = pytest.mark.integration

As = Callable[[str], Settings]
WAIT_S = 60.0


@pytest.fixture(scope="module")
def as_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[As]:
    """Settings of a user on a broker with topics, users and rights."""
    directory = tmp_path_factory.mktemp("secure")
    port, controller_port, _ = free_ports(3)
    security = Security(directory / "secrets")
    security.prepare(["127.0.0.1"])
    settings = load_settings(kafka_bootstrap=f"127.0.0.1:{port}", partitions=2, data_dir=directory)
    node_files = security.broker_files
    node = KafkaNode(directory / "kafka", port, controller_port, find_java(), jars_of("kafka"), security=node_files)
    node.prepare()
    admin = security.settings_of(settings)
    with server(
        faster(node, "kafka"), node.directory, lambda: kafka_serves(admin.kafka_bootstrap, librdkafka_security(admin))
    ):
        apply_topics(admin)
        apply_users(admin, security.passwords())
        assert len(apply_rights(admin).added) == len(set(rules("", "logcast")))
        yield lambda user: security.settings_of(settings, user)


def write(settings: Settings, topic: Topic) -> KafkaError | None:
    """Write one record; gives why not."""
    errors: list[KafkaError | None] = []
    producer = Producer(producer_config(settings, "test") | {"message.timeout.ms": 30_000})
    producer.produce(topic.name, b"value", b"key", partition=0, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(WAIT_S) == 0
    return errors[0]


def test_a_role_writes_what_is_its_own_and_is_refused_what_is_not(as_user: As) -> None:
    assert write(as_user("ingest"), MEDIA_SOURCE) is None
    assert write(as_user("gateway"), COMMENTS_SUBMITTED) is None
    refused = write(as_user("ingest"), COMMENTS_FEED)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_role_reads_in_its_own_groups_only(as_user: As) -> None:
    """The archiver's group is the consumers'; a gateway that joined it would take records from them."""
    consumer = Consumer(consumer_config(as_user("gateway"), "test", "logcast-archiver"))
    consumer.subscribe([COMMENTS_FEED.name])
    try:
        message = consumer.poll(WAIT_S)
        error = message.error() if message is not None else None
        assert error is not None
        assert error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    finally:
        consumer.close()


def test_the_worker_opens_ledgers_by_its_transactional_ids_and_the_gateway_does_not(as_user: As) -> None:
    name = f"{COMMENTS_STATE.name}-0"
    producer = Producer(transactional_config(as_user("worker"), "test", name))
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    producer.produce(COMMENTS_STATE.name, b"row", b"key", partition=0)
    producer.commit_transaction(WAIT_S)
    with pytest.raises(KafkaException, match="authorization failed"):
        Producer(transactional_config(as_user("gateway"), "test", name)).init_transactions(WAIT_S)


async def test_the_worker_s_own_client_reads_by_tls_and_scram(as_user: As) -> None:
    """Faust reads by aiokafka, which is told of users in another way than the rest."""
    settings = as_user("worker")
    assert await asyncio.to_thread(write, as_user("ingest"), MEDIA_SOURCE) is None
    consumer = AIOKafkaConsumer(
        MEDIA_SOURCE.name,
        bootstrap_servers=settings.kafka_bootstrap,
        group_id="logcast",
        auto_offset_reset="earliest",
        **credentials_to_aiokafka_auth(broker_credentials(settings)),
    )
    await consumer.start()
    try:
        assert (await asyncio.wait_for(consumer.getone(), WAIT_S)).value == b"value"
    finally:
        await consumer.stop()


def test_nobody_comes_in_with_another_password(as_user: As) -> None:
    right = as_user("worker")
    wrong = right.model_copy(update={"kafka_password": as_user("gateway").kafka_password})
    assert kafka_serves(right.kafka_bootstrap, librdkafka_security(right))
    assert not kafka_serves(right.kafka_bootstrap, librdkafka_security(wrong))


def test_a_broker_of_another_authority_is_not_believed(as_user: As, tmp_path: Path) -> None:
    settings = as_user("worker")
    make_secrets(tmp_path, ["127.0.0.1"], dt.datetime.now(dt.UTC))
    deceived = kafka_ssl_context(settings.model_copy(update={"kafka_ca_file": tmp_path / "ca.pem"}))
    believing = kafka_ssl_context(settings)
    host, _, port = settings.kafka_bootstrap.rpartition(":")
    for context in (believing, deceived):
        assert context is not None
        with socket.create_connection((host, int(port)), WAIT_S) as line:
            if context is believing:
                context.wrap_socket(line, server_hostname=host).close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    context.wrap_socket(line, server_hostname=host)


def test_rights_that_are_too_much_are_taken_away_and_a_role_may_not_give_itself_some(as_user: As) -> None:
    admin, ours = as_user("admin"), set(rules("", "logcast"))
    more = admin.model_copy(update={"worker_group": "another"})
    eventually_blocking(lambda: rights_there(admin) == ours, what="the broker knows what the controller has taken")
    assert {rule.name for rule in apply_rights(more).added} == {"another", "another-standby"}
    eventually_blocking(lambda: rights_there(admin) == set(rules("", "another")))
    back = apply_rights(admin)
    assert {rule.name for rule in back.added} == {"logcast", "logcast-standby"}
    assert {rule.name for rule in back.taken} == {"another", "another-standby"}
    eventually_blocking(lambda: rights_there(admin) == ours)
    with pytest.raises(LogError, match="cannot make a right"):
        apply_rights(as_user("gateway").model_copy(update={"worker_group": "mine"}))
    assert rights_there(admin) == ours
    assert {state.name for state in describe_topics(as_user("admin"))} > {MEDIA_SOURCE.name}


def test_the_admin_s_password_is_in_no_file_but_its_own(as_user: As) -> None:
    settings = as_user("admin")
    secret = settings.kafka_password.get_secret_value()
    home = settings.data_dir
    mine = password_file(home / "secrets", "admin")
    holders = [
        path for path in home.rglob("*") if path.is_file() and path != mine and secret.encode() in path.read_bytes()
    ]
    assert holders == []
    assert mine.stat().st_mode & 0o777 == 0o600
