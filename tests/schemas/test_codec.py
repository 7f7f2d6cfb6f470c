"""Every event survives the log; every version that was ever written can be read; bad bytes are refused."""

import dataclasses
import json
import types
import typing
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, events
from schemas.registry import all_schemas, newest_schemas

GOLDEN = Path(__file__).parent / "golden"
EVENTS = {kind.__name__: kind for kind in typing.get_args(events.Event)}
LONG = st.integers(-(2**63), 2**63 - 1)
BY_NAME = {  # Avro int is 32 bits wide
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONG,
}


def avro_type(event: str, name: str) -> object:
    fields = json.loads(newest_schemas()[event].text)["fields"]
    return next(f["type"] for f in fields if f["name"] == name)


def values(  # noqa: PLR0911  (one line a type)
    kind: typing.Any, avro: typing.Any
) -> st.SearchStrategy[typing.Any]:
    """A strategy for the values of a field, from its type in the dataclass and in Avro."""
    if isinstance(kind, types.UnionType):
        inner = next(a for a in typing.get_args(kind) if a is not type(None))
        return st.none() | values(inner, avro[1])
    if typing.get_origin(kind) is tuple:
        return st.lists(values(typing.get_args(kind)[0], avro["items"]), max_size=3).map(tuple)
    if typing.get_origin(kind) is dict:
        return st.dictionaries(st.text(max_size=5), LONG, max_size=3)
    if dataclasses.is_dataclass(kind):
        return instances(kind, avro["fields"])
    if kind is int:
        return BY_NAME[avro]
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return st.from_type(kind)


def instances(kind: typing.Any, fields: typing.Any) -> st.SearchStrategy[typing.Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f["name"]: values(hints[f["name"]], f["type"]) for f in fields})


def any_event() -> st.SearchStrategy[events.Event]:
    return st.one_of(
        *(instances(EVENTS[name], json.loads(schema.text)["fields"]) for name, schema in newest_schemas().items())
    )


@given(event=any_event())
def test_every_event_comes_back_as_it_was(event: events.Event) -> None:
    assert codec.decode(codec.encode(event)) == event


def test_dataclasses_have_the_fields_of_their_newest_schema_in_order() -> None:
    assert set(EVENTS) == set(newest_schemas())
    for name, schema in newest_schemas().items():
        in_avro = [f["name"] for f in json.loads(schema.text)["fields"]]
        assert [f.name for f in dataclasses.fields(EVENTS[name])] == in_avro


def test_every_field_of_every_schema_says_what_it_means() -> None:
    for schema in all_schemas().values():
        record = json.loads(schema.text)
        assert record["doc"]
        assert all(f["doc"] for f in record["fields"])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.bin")), ids=lambda p: p.stem)
def test_bytes_that_were_ever_written_still_decode(path: Path) -> None:
    event = codec.decode(path.read_bytes())
    written = path.with_suffix(".txt").read_text()
    assert repr(event).startswith(written.removesuffix(")"))  # fields that came later take their defaults
    if all_schemas()[codec.schema_id_of(path.read_bytes())] is newest_schemas()[type(event).__name__]:
        assert repr(event) == written


def test_every_schema_version_has_golden_bytes() -> None:
    ids = {codec.schema_id_of(path.read_bytes()) for path in GOLDEN.glob("*.bin")}
    assert ids == set(all_schemas())


def test_ids_and_texts_of_schemas_are_pinned() -> None:
    """An id never changes its meaning: the fingerprint of each published schema is written down."""
    pinned = json.loads((GOLDEN / "fingerprints.json").read_text())
    found = {
        str(s.id): f"{s.subject}/{s.version} {fastavro.schema.fingerprint(canonical(s.parsed), 'SHA-256')}"
        for s in all_schemas().values()
    }
    assert {key: found.get(key) for key in pinned} == pinned, "a published schema changed: add a new version instead"
    assert set(found) == set(pinned), "a new schema needs its fingerprint: tests/schemas/renew_golden.py"


def canonical(parsed: typing.Any) -> str:
    return str(fastavro.schema.to_parsing_canonical_form(parsed))


def test_each_version_can_be_read_by_the_newest() -> None:
    for schema in all_schemas().values():
        if schema is not newest_schemas()[schema.event]:
            added = incompatible(json.loads(schema.text), json.loads(newest_schemas()[schema.event].text))
            assert not added, f"{schema.event} v{schema.version} cannot be read: {added}"


def incompatible(old: typing.Any, new: typing.Any) -> list[str]:
    """What stands in the way of reading `old` records as `new`: fields without default, types that changed."""
    before = {f["name"]: f for f in old["fields"]}
    after = {f["name"]: f for f in new["fields"]}
    problems = [f"{n} is gone" for n in before if n not in after]
    problems += [f"{n} has no default" for n, f in after.items() if n not in before and "default" not in f]
    problems += [f"{n} changed type" for n, f in after.items() if n in before and before[n]["type"] != f["type"]]
    return problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda fields: fields[1:], "video_id is gone"),
        (lambda fields: [*fields, {"name": "x", "type": "int"}], "x has no default"),
        (lambda fields: [{**fields[0], "type": "long"}, *fields[1:]], "video_id changed type"),
    ],
)
def test_an_incompatible_change_is_found(change: typing.Any, problem: str) -> None:
    old = json.loads(newest_schemas()["GopOpened"].text)
    assert incompatible(old, {**old, "fields": change(old["fields"])}) == [problem]


@given(data=st.binary(max_size=200))
def test_garbage_is_refused_with_a_codec_error_only(data: bytes) -> None:
    for candidate in (data, codec.HEADER.pack(0, 1) + data, codec.HEADER.pack(0, 6) + data):
        try:
            codec.decode(candidate)
        except codec.CodecError:
            continue


def test_an_unknown_schema_id_says_what_to_do() -> None:
    with pytest.raises(codec.CodecError, match="4711 is not in the registry of this version; upgrade the reader"):
        codec.decode(codec.HEADER.pack(0, 4711))


def test_an_event_that_does_not_fit_is_refused_with_its_name() -> None:
    event = dataclasses.replace(golden_event("GopOpened"), gop="seven")
    with pytest.raises(codec.CodecError, match="GopOpened does not fit"):
        codec.encode(event)


def test_json_shows_short_bytes_as_hex_and_long_ones_as_their_length() -> None:
    part = codec.as_json(golden_event("PartReady"))
    chunk = codec.as_json(golden_event("MediaChunk"))
    assert part["sha256"] == "ab" * 32
    assert chunk["data"] == "<40 bytes>"
    assert json.loads(json.dumps(part))["event"] == "PartReady"


def golden_event(name: str) -> typing.Any:
    schema = newest_schemas()[name]
    return codec.decode((GOLDEN / f"{schema.event}.v{schema.version}.bin").read_bytes())
