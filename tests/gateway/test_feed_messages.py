"""What clients may say is checked field by field; garbage never gets further."""

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feed_actions import Actions
from gateway.feed_messages import (
    Join,
    LikeWanted,
    MessageError,
    Ping,
    Post,
    React,
    Want,
    ad_break,
    join_of,
    like_of,
    post_of,
    reaction_of,
    want_of,
)
from schemas.events import BreakPlanned

MESSAGES = Actions()
for kind, reader in {
    "join": join_of,
    "comment": post_of,
    "like": like_of,
    "reaction": reaction_of,
    "ping": lambda _values: Ping(),
    "want": want_of,
}.items():
    MESSAGES.add(kind, reader, lambda _voice, _value: None)


def parse(text: str | bytes) -> Any:
    return MESSAGES.read(text).value


GOOD: list[tuple[dict[str, Any], object]] = [
    ({"type": "join"}, Join(name=None, token=None, video=None, after=None, history=50)),
    (
        {"type": "join", "name": " Ann ", "after": 7, "history": 0},
        Join(name="Ann", token=None, video=None, after=7, history=0),
    ),
    ({"type": "comment", "id": "c-123456", "text": "hi"}, Post(id="c-123456", text="hi", parent=None, media_ms=None)),
    (
        {"type": "comment", "id": "c-123456", "text": "hi", "parent": "c-000000", "media_ms": 5},
        Post(id="c-123456", text="hi", parent="c-000000", media_ms=5),
    ),
    ({"type": "like", "liked": True}, LikeWanted(liked=True, comment=None)),
    ({"type": "like", "liked": False, "comment": "c-123456"}, LikeWanted(liked=False, comment="c-123456")),
    ({"type": "like", "liked": True, "id": "wish-001"}, LikeWanted(liked=True, comment=None, id="wish-001")),
    ({"type": "reaction", "kind": "wow", "id": "wish-002"}, React(kind="wow", count=1, id="wish-002")),
    ({"type": "reaction", "kind": "heart"}, React(kind="heart", count=1)),
    ({"type": "reaction", "kind": "fire", "count": 100}, React(kind="fire", count=100)),
    ({"type": "reaction", "kind": "wow", "media_ms": 7}, React(kind="wow", count=1, media_ms=7)),
    ({"type": "ping"}, Ping()),
    ({"type": "want", "parts": ["480p", "audio"]}, Want(parts=frozenset({"480p", "audio"}))),
    ({"type": "want"}, Want(parts=frozenset())),
    (
        {"type": "join", "wants": ["source"]},
        Join(name=None, token=None, video=None, after=None, history=50, wants=frozenset({"source"})),
    ),
]

BAD: list[tuple[object, str]] = [
    ("no json", "bad_json"),
    ([], "bad_json"),
    ({}, "bad_type"),
    ({"type": "shout"}, "bad_type"),
    ({"type": ["join"]}, "bad_type"),
    ({"type": "join", "name": "x" * 33}, "bad_name"),
    ({"type": "join", "after": -1}, "bad_after"),
    ({"type": "join", "after": True}, "bad_after"),
    ({"type": "join", "history": 201}, "bad_history"),
    ({"type": "join", "video": "../x"}, "bad_video"),
    ({"type": "join", "token": 5}, "bad_token"),
    ({"type": "join", "wants": ["../x"]}, "bad_wants"),
    ({"type": "want", "parts": "source"}, "bad_parts"),
    ({"type": "want", "parts": ["a"] * 9}, "bad_parts"),
    ({"type": "want", "parts": [["a"]]}, "bad_parts"),
    ({"type": "comment", "text": "hi"}, "bad_id"),
    ({"type": "comment", "id": "short", "text": "hi"}, "bad_id"),
    ({"type": "comment", "id": "a/b/c/d/e", "text": "hi"}, "bad_id"),
    ({"type": "comment", "id": "c-123456"}, "bad_text"),
    ({"type": "comment", "id": "c-123456", "text": "x" * 4_001}, "too_long"),
    ({"type": "comment", "id": "c-123456", "text": "hi", "parent": 5}, "bad_parent"),
    ({"type": "comment", "id": "c-123456", "text": "hi", "media_ms": "now"}, "bad_media_ms"),
    ({"type": "like"}, "bad_liked"),
    ({"type": "like", "liked": 1}, "bad_liked"),
    ({"type": "like", "liked": True, "id": "short"}, "bad_id"),
    ({"type": "reaction", "kind": "heart", "id": 7}, "bad_id"),
    ({"type": "reaction", "kind": "boo"}, "bad_kind"),
    ({"type": "reaction", "kind": "heart", "count": 0}, "bad_count"),
    ({"type": "reaction", "kind": "heart", "media_ms": "now"}, "bad_media_ms"),
    ({"type": "reaction", "kind": ["heart"], "count": 1}, "bad_kind"),
]


@pytest.mark.parametrize(("message", "meaning"), GOOD)
def test_good_messages_are_understood(message: dict[str, Any], meaning: object) -> None:
    assert parse(orjson.dumps(message)) == meaning


@pytest.mark.parametrize(("message", "code"), BAD)
def test_bad_messages_are_refused_with_a_code(message: object, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(message if isinstance(message, str) else orjson.dumps(message))
    assert caught.value.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(MESSAGES.kinds),
    fields=st.dictionaries(
        st.sampled_from(
            [
                "id",
                "text",
                "name",
                "token",
                "video",
                "after",
                "history",
                "parent",
                "liked",
                "comment",
                "kind",
                "count",
                "media_ms",
                "wants",
                "parts",
            ]
        ),
        JSON,
    ),
)
def test_no_combination_of_fields_gets_past_the_checks(kind: str, fields: dict[str, Any]) -> None:
    try:
        message = parse(orjson.dumps(fields | {"type": kind}))
    except MessageError:
        return
    orjson.dumps(dataclasses.asdict(message), default=sorted)


@given(data=st.binary(max_size=100))
def test_bytes_that_are_no_message_are_refused_with_a_message_error_only(data: bytes) -> None:
    with pytest.raises(MessageError):
        parse(data)


def test_a_break_is_planned_then_started_then_ended() -> None:
    event = BreakPlanned(
        video_id="v",
        channel="demo",
        break_id="b",
        segment=3,
        start_ms=1_000,
        media_time_ms=0,
        duration_ms=500,
        requested_ms=0,
    )
    assert [ad_break(event, now)["state"] for now in (999, 1_000, 1_499, 1_500)] == [
        "planned",
        "started",
        "started",
        "ended",
    ]
