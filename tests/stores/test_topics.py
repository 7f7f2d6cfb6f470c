"""Topics are there for everybody once they have been applied."""

import secrets

import pytest
from confluent_kafka.admin import AdminClient

from schemas.topics import ALL_TOPICS
from stores.settings import Settings
from stores.topics import apply_topics, describe_topics

pytestmark = pytest.mark.integration


def test_topics_that_were_just_made_have_leaders_for_whoever_asks_next(kafka: str, settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for _ in range(5):
        mine = settings.model_copy(update={"topic_prefix": f"t{secrets.token_hex(4)}.", "partitions": 2})
        report = apply_topics(mine)
        known = admin.list_topics(timeout=20).topics
        names = [mine.topic(topic.name) for topic in ALL_TOPICS]
        assert sorted(report.created) == sorted(names)
        assert all(p.leader >= 0 for name in names for p in known[name].partitions.values())
        assert len(describe_topics(mine)) == len(names)
        for deleted in admin.delete_topics(names).values():
            deleted.result(timeout=30)
