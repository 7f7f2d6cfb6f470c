"""Writes golden bytes for schemas that have none yet: `python tests/schemas/renew_golden.py`. Never changes old ones."""

import dataclasses
import enum
import json
import types
import typing
from pathlib import Path

import fastavro

from schemas import codec, events
from schemas.registry import all_schemas, newest_schemas

GOLDEN = Path(__file__).parent / "golden"


def sample(kind: typing.Any, name: str) -> typing.Any:
    """A value of a field's type that is easy to recognise."""
    if isinstance(kind, types.UnionType):
        return sample(typing.get_args(kind)[0], name)
    if typing.get_origin(kind) is tuple:
        return (sample(typing.get_args(kind)[0], name),)
    if typing.get_origin(kind) is dict:
        return {"heart": 3}
    if dataclasses.is_dataclass(kind):
        return kind(**{key: sample(hint, key) for key, hint in typing.get_type_hints(kind).items()})  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return next(iter(kind))
    samples = {str: f"<{name}>", int: len(name) * 1000 + 7, float: 29.97, bool: True}
    return samples.get(kind, b"\xab" * (32 if name == "sha256" else 40))


def main() -> None:
    """Write what is missing."""
    pins = GOLDEN / "fingerprints.json"
    pinned = json.loads(pins.read_text()) if pins.exists() else {}
    for schema in all_schemas().values():
        text = fastavro.schema.fingerprint(str(fastavro.schema.to_parsing_canonical_form(schema.parsed)), "SHA-256")
        pinned.setdefault(str(schema.id), f"{schema.subject}/{schema.version} {text}")
        path = GOLDEN / f"{schema.event}.v{schema.version}.bin"
        if not path.exists() and schema is newest_schemas()[schema.event]:
            event = sample(getattr(events, schema.event), schema.event)
            path.write_bytes(codec.encode(event))
            path.with_suffix(".txt").write_text(repr(event))
    pins.write_text(json.dumps(pinned, indent=2) + "\n")


if __name__ == "__main__":
    main()
