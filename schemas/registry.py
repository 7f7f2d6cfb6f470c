"""Which Avro schemas there are: ids pinned in `avro/registry.json`, one file a version. Append-only.

A new version of an event gets a new file, a new id, and only fields with a default; the old entries stay for ever, so
every record that was ever written can be read.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import fastavro


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of one event's schema.

    Attributes:
        id: the number in the Confluent wire format; never used twice.
        subject: name in the Schema Registry API (TopicRecordNameStrategy: topic-record).
        event: name of the event and of its dataclass.
        version: counts the versions of the event from 1.
        text: the Avro schema as JSON text.
        parsed: the same, parsed by fastavro.
    """

    id: int
    subject: str
    event: str
    version: int
    text: str
    parsed: Any


@cache
def all_schemas() -> dict[int, Schema]:
    """Every schema by id."""
    folder = files("schemas") / "avro"
    entries = json.loads((folder / "registry.json").read_text())["schemas"]
    schemas = {}
    for entry in entries:
        text = (folder / entry["file"]).read_text()
        parsed = fastavro.parse_schema(json.loads(text), named_schemas={})
        schemas[entry["id"]] = Schema(entry["id"], entry["subject"], entry["event"], entry["version"], text, parsed)
    return schemas


@cache
def newest_schemas() -> dict[str, Schema]:
    """The newest version of each event by its name."""
    newest: dict[str, Schema] = {}
    for schema in sorted(all_schemas().values(), key=lambda s: s.version):
        newest[schema.event] = schema
    return newest
