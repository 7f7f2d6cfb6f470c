"""A batch read for counting is what counts of the event, whatever its ids look like and however it is cut into blocks."""

import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import HEADER, CodecError, decode, decode_counted, encode
from schemas.events import Like, Reaction, ReactionsRecorded, Vote
from schemas.reaction_batch import ReactionBatch, batch_of
from schemas.reaction_reader import VERSIONS
from schemas.registry import all_schemas

USERS = (
    st.text("ab0é", min_size=18, max_size=18)
    | st.sampled_from(["", "g_1", "u_0123456789abcdef", "é" * 9, "x" * 63, "x" * 64, "$" * 18])
    | st.text(max_size=70)
)
COMMENTS = st.none() | st.sampled_from(["c" * 26, "c" * 25, "ü" * 13, "4" * 26]) | st.text(min_size=1, max_size=70)
KINDS = st.sampled_from(["heart", "clap", "laugh", "wow", "fire", "hé", "", "thunder"]) | st.text(max_size=8)
TIMES = st.integers(1_790_000_000_000, 1_790_000_000_999) | st.integers(-(2**63), 2**63 - 1)
likes = st.builds(Like, user_id=USERS, comment_id=COMMENTS, liked=st.booleans(), at_ms=TIMES)
reactions = st.builds(
    Reaction,
    user_id=USERS,
    kind=KINDS,
    count=st.sampled_from([1, 2, 63, 64, 100, -1]) | st.integers(-(2**31), 2**31 - 1),
)
events = st.builds(
    ReactionsRecorded,
    video_id=st.text(max_size=20),
    channel=st.text(max_size=20),
    gateway_id=st.text(max_size=20),
    batch=st.integers(0, 2**40),
    recorded_ms=TIMES,
    likes=st.lists(likes, max_size=40).map(tuple),
    reactions=st.lists(reactions, max_size=40).map(tuple),
    votes=st.lists(
        st.builds(Vote, user_id=USERS, poll_id=USERS, option=st.none() | st.integers(0, 7), at_ms=TIMES), max_size=2
    ).map(tuple),
    home=st.integers(-1, 70),
    share=st.integers(-1, 70),
)


@given(events)
def test_what_counts_is_read_as_from_the_event(event: ReactionsRecorded) -> None:
    assert decode_counted(encode(event)) == batch_of(event)


@given(events)
def test_the_first_version_is_read_with_defaults(event: ReactionsRecorded) -> None:
    out = io.BytesIO()
    out.write(HEADER.pack(0, 10))
    likes_of = [{name: getattr(like, name) for name in Like.__slots__} for like in event.likes]
    reactions_of = [{name: getattr(reaction, name) for name in Reaction.__slots__} for reaction in event.reactions]
    facts = {name: getattr(event, name) for name in event.__slots__}
    values = facts | {"likes": likes_of, "reactions": reactions_of}
    fastavro.schemaless_writer(out, all_schemas()[10].parsed, values)
    assert decode_counted(out.getvalue()) == batch_of(event)._replace(votes=(), home=-1, share=-1)


@given(st.lists(likes, min_size=1, max_size=30), st.data())
def test_an_array_may_come_in_any_blocks(wanted: list[Like], data: st.DataObject) -> None:
    parsed = all_schemas()[85].parsed
    assert isinstance(parsed, dict)
    like_schema = next(field["type"]["items"] for field in parsed["fields"] if field["name"] == "likes")
    body, at = b"\x02v\x02c\x02g\x02\x02", 0
    while at < len(wanted):
        size = data.draw(st.integers(1, len(wanted) - at))
        out = io.BytesIO()
        for like in wanted[at : at + size]:
            fastavro.schemaless_writer(out, like_schema, {name: getattr(like, name) for name in Like.__slots__})
        with_size = data.draw(st.booleans())
        body += _long(-size) + _long(len(out.getvalue())) if with_size else _long(size)
        body += out.getvalue()
        at += size
    record = HEADER.pack(0, 85) + body + b"\x00" + b"\x00" + b"\x00" + b"\x01\x01"
    found, event = decode_counted(record), decode(record)
    assert isinstance(event, ReactionsRecorded)
    assert event.likes == tuple(wanted)
    assert found == batch_of(event)


def test_what_follows_the_last_entry_is_not_taken_for_one_more() -> None:
    user = "g_0123456789abcdef"
    like = Like(user_id=user, liked=True, at_ms=1)
    record = encode(
        ReactionsRecorded(
            video_id="v",
            channel="c",
            gateway_id="g",
            batch=1,
            recorded_ms=1,
            likes=(like,) * 18,
            reactions=(Reaction(user_id=user, kind="heart", count=1),) * 18,
        )
    )
    found = decode_counted(record)
    assert isinstance(found, ReactionBatch)
    assert (len(found.likes), found.reactions) == (18, {("heart", 1): 18})


@given(events, st.integers(1, 400))
def test_a_record_that_ends_early_is_refused(event: ReactionsRecorded, missing: int) -> None:
    data = encode(event)
    with pytest.raises(CodecError):
        decode_counted(data[: max(HEADER.size, len(data) - missing)])


@given(st.binary(max_size=200), st.sampled_from(sorted(VERSIONS)))
def test_any_bytes_are_read_like_the_event_or_refused_like_it(body: bytes, schema_id: int) -> None:
    record = HEADER.pack(0, schema_id) + body
    try:
        event = decode(record)
    except CodecError:
        with pytest.raises(CodecError):
            decode_counted(record)
        return
    assert isinstance(event, ReactionsRecorded)
    assert decode_counted(record) == batch_of(event)


def _long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema("long"), number)
    return out.getvalue()
