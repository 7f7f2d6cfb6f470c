"""Keys find their partitions as other Kafka tools expect, and GOPs spread as the workers need."""

import itertools

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import newest_schemas
from schemas.topics import ALL_TOPICS, partition_of, source_partition


@given(key=st.text(max_size=40), partitions=st.integers(1, 1024))
def test_keys_go_where_the_java_client_puts_them(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == confluent_kafka.murmur2(key.encode(), partitions)


@pytest.mark.parametrize("partitions", [1, 2, 3, 4, 6, 8, 12, 16, 31, 64])
def test_consecutive_gops_reach_every_partition_equally(partitions: int) -> None:
    hit = [source_partition("0abcdefghjkmnpqrstvw", gop, partitions) for gop in range(partitions * 3)]
    assert sorted(hit) == sorted(list(range(partitions)) * 3)


@pytest.mark.parametrize("partitions", [8, 12, 16, 32])
def test_neighbouring_gops_alternate_between_two_workers_with_contiguous_ranges(partitions: int) -> None:
    owners = [source_partition("v", gop, partitions) * 2 // partitions for gop in range(partitions * 8)]
    changes = sum(a != b for a, b in itertools.pairwise(owners))
    assert changes >= len(owners) * 0.7


def test_every_event_has_exactly_one_topic() -> None:
    on_topics = [event for topic in ALL_TOPICS for event in topic.events]
    assert sorted(on_topics) == sorted(newest_schemas())


def test_subjects_name_their_topic_and_record() -> None:
    for topic in ALL_TOPICS:
        for event in topic.events:
            assert newest_schemas()[event].subject == f"{topic.name}-logcast.events.{event}"
