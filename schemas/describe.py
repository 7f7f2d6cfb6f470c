"""The page `docs/events.md`, made from the schemas: `python -m schemas.describe > docs/events.md`."""

import json
from collections.abc import Iterator
from typing import Any

from schemas.registry import newest_schemas
from schemas.topics import ALL_TOPICS, Cleanup, Topic

INTRODUCTION = """# The events

Everything that happens is an event on a Kafka topic, in Avro, in the Confluent wire format: a zero byte, the id of the schema
(4 bytes, big endian), Avro binary. Ids are pinned in `schemas/avro/registry.json`; the gateway serves the read side of the
Schema Registry API at `/registry`, so the usual tools decode the topics as they are:

```sh
kcat -b 127.0.0.1:9092 -t comments.feed -s value=avro -r http://127.0.0.1:8080/registry
logcast tail comments.feed --from-beginning
```

The promise: schemas are append-only. A new field has a default, a meaning never changes, an id is never used twice, and
what was ever written can be read for ever (golden bytes of each version decode in CI).

Read with `isolation.level=read_committed`: results of the processors are written in transactions. Keys are UTF-8 text; records of
one key keep their order; the partition is that of the Java client's default partitioner, except on `media.source`, where
GOP *n* of a video goes to partition (murmur2(video_id) + stride · n) mod N.

This page is made from the schemas by `python -m schemas.describe`.
"""


def page() -> str:
    """The whole page as Markdown."""
    return (
        "\n".join([INTRODUCTION, *_overview(), "", *(line for t in ALL_TOPICS for line in _topic(t))]).rstrip() + "\n"
    )


def _overview() -> Iterator[str]:
    yield "| topic | key | events | kept | largest record |"
    yield "| --- | --- | --- | --- | --- |"
    for topic in ALL_TOPICS:
        events = ", ".join(topic.events + topic.also) or "private to one agent"
        yield f"| `{topic.name}` | {topic.key} | {events} | {_kept(topic)} | {topic.max_message_bytes // 1024:,} KiB |"


def _kept(topic: Topic) -> str:
    if topic.cleanup is Cleanup.COMPACT:
        return "the newest of each key, for ever"
    hours = (topic.retention_ms or 0) // 3_600_000
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _topic(topic: Topic) -> Iterator[str]:
    for event in topic.events:
        schema = newest_schemas()[event]
        record = json.loads(schema.text)
        yield f"## {event}"
        yield ""
        others = ", ".join(f"`{other.name}`" for other in ALL_TOPICS if event in other.also)
        where = f"Topic `{topic.name}`{f' (and {others})' if others else ''}"
        yield f"{where}, schema id {schema.id}, version {schema.version}. {record['doc']}"
        yield ""
        yield "| field | type | meaning |"
        yield "| --- | --- | --- |"
        for field in record["fields"]:
            yield f"| `{field['name']}` | {_type(field['type'])} | {field['doc']} |"
        yield ""


def _type(avro: Any) -> str:
    """An Avro type in words."""
    if isinstance(avro, str):
        return avro
    if isinstance(avro, list):
        return f"{' or '.join(_type(member) for member in avro if member != 'null')}, or null"
    kind = avro["type"]
    if kind == "array":
        return f"list of {_type(avro['items'])}"
    if kind == "map":
        return f"map of {_type(avro['values'])}"
    if kind == "enum":
        return " · ".join(avro["symbols"])
    return f"{avro['name']} {{{', '.join(f['name'] for f in avro['fields'])}}}"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  (it is what the program is for)
