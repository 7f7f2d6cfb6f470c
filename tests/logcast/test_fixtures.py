"""The session's servers are real: what is written to them is read back."""

from collections.abc import Callable

import pytest

from logcast.stack.probes import local_cluster
from schemas.topics import ALL_TOPICS
from stores.settings import Settings
from stores.topics import describe_topics


@pytest.mark.integration
def test_every_topic_exists_on_the_session_broker(topics: Settings) -> None:
    assert {state.name for state in describe_topics(topics)} >= {topics.topic(topic.name) for topic in ALL_TOPICS}


@pytest.mark.integration
def test_the_session_cassandra_keeps_what_it_is_told(
    cassandra: tuple[str, int], settings: Settings, drop_keyspace: Callable[[str], None]
) -> None:
    assert (settings.cassandra_hosts, settings.cassandra_port) == cassandra
    cluster = local_cluster(*cassandra)
    with cluster.connect() as session:
        keyspace = settings.cassandra_keyspace
        session.execute(
            f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
        session.execute(f"CREATE TABLE {keyspace}.facts (name text PRIMARY KEY, value int)", timeout=60)
        session.execute(f"INSERT INTO {keyspace}.facts (name, value) VALUES ('answer', 42)")
        assert session.execute(f"SELECT value FROM {keyspace}.facts").one().value == 42
    cluster.shutdown()
    drop_keyspace(settings.cassandra_keyspace)
