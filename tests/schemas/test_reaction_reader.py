"""Reactions read by hand are those that fastavro reads, of every version, and broken ones are refused."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import HEADER, CodecError, decode, encode
from schemas.events import Like, Reaction, ReactionsRecorded, Vote
from schemas.reaction_reader import VERSIONS
from schemas.registry import all_schemas

texts = st.text(max_size=20) | st.text(min_size=60, max_size=200)
longs = st.integers(-(2**63), 2**63 - 1) | st.integers(1_790_000_000_000, 1_790_000_000_200)
ints = st.integers(-(2**31), 2**31 - 1)
events = st.builds(
    ReactionsRecorded,
    video_id=texts,
    channel=texts,
    gateway_id=texts,
    batch=longs,
    recorded_ms=longs,
    likes=st.lists(
        st.builds(Like, user_id=texts, comment_id=st.none() | texts, liked=st.booleans(), at_ms=longs), max_size=5
    ).map(tuple),
    reactions=st.lists(st.builds(Reaction, user_id=texts, kind=texts, count=ints), max_size=5).map(tuple),
    votes=st.lists(st.builds(Vote, user_id=texts, poll_id=texts, option=st.none() | ints, at_ms=longs), max_size=3).map(
        tuple
    ),
    home=ints,
    share=ints,
)


def by_fastavro(data: bytes) -> dict[str, Any]:
    schema_id = HEADER.unpack_from(data)[1]
    values: Any = fastavro.schemaless_reader(io.BytesIO(data[HEADER.size :]), all_schemas()[schema_id].parsed, None)
    assert isinstance(values, dict)
    return values


def as_values(event: ReactionsRecorded) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return [plain(one) for one in value] if isinstance(value, tuple) else _members(value)

    def _members(value: Any) -> Any:
        return {n: plain(getattr(value, n)) for n in value.__slots__} if hasattr(value, "__slots__") else value

    return {name: plain(getattr(event, name)) for name in event.__slots__}


def test_the_newest_version_is_read_by_hand() -> None:
    versions = {schema.id: schema.version for schema in all_schemas().values() if schema.event == "ReactionsRecorded"}
    assert versions == VERSIONS


@given(events)
def test_what_was_written_is_read_as_it_was_and_as_fastavro_reads_it(event: ReactionsRecorded) -> None:
    data = encode(event)
    found = decode(data)
    assert found == event
    assert isinstance(found, ReactionsRecorded)
    assert as_values(found) == by_fastavro(data)


@given(events)
def test_the_first_version_is_read_with_defaults(event: ReactionsRecorded) -> None:
    values = as_values(event)
    out = io.BytesIO()
    out.write(HEADER.pack(0, 10))
    fastavro.schemaless_writer(out, all_schemas()[10].parsed, values)
    found = decode(out.getvalue())
    assert isinstance(found, ReactionsRecorded)
    assert (found.votes, found.home, found.share) == ((), -1, -1)
    assert as_values(found) == values | {"votes": [], "home": -1, "share": -1}


def test_arrays_may_come_in_blocks_with_their_size() -> None:
    like = b"\x06g_1\x00\x01\x04"
    body = b"\x02v\x02c\x02g\x02\x02" + b"\x01\x0e" + like + b"\x02" + like + b"\x00" + b"\x00" + b"\x00" + b"\x01\x01"
    found = decode(HEADER.pack(0, 85) + body)
    assert isinstance(found, ReactionsRecorded)
    assert found.likes == (Like(user_id="g_1", liked=True, at_ms=2),) * 2


@given(events, st.integers(1, 400))
def test_a_record_that_ends_early_is_refused(event: ReactionsRecorded, missing: int) -> None:
    data = encode(event)
    with pytest.raises(CodecError):
        decode(data[: max(HEADER.size, len(data) - missing)])


@given(st.binary(max_size=200), st.sampled_from(sorted(VERSIONS)))
def test_any_bytes_are_an_event_or_refused(body: bytes, schema_id: int) -> None:
    try:
        found = decode(HEADER.pack(0, schema_id) + body)
    except CodecError:
        return
    assert isinstance(found, ReactionsRecorded)


@pytest.mark.parametrize("body", [b"\x01", b"\x02", b"\xff" * 11, b"\x02\xff", b"\x00\x00\x00\x00\x00\x02\x00\x04"])
def test_broken_texts_longs_and_unions_are_refused(body: bytes) -> None:
    with pytest.raises(CodecError, match="broken ReactionsRecorded record"):
        decode(HEADER.pack(0, 85) + body)
