import pytest

from media.rtmp import messages
from media.rtmp.errors import LimitError, MessageError
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import Message
from tests.rtmp_client import flv_tag

LIMITS = RtmpLimits()


def aggregate(body: bytes, timestamp: int = 0) -> Message:
    return Message(22, timestamp, 1, body)


def test_the_parts_of_an_aggregate_move_to_its_time() -> None:
    body = flv_tag(9, 0x1000010, b"v") + flv_tag(8, 0x1000000, b"a") + flv_tag(9, 0x1000038, b"")
    assert messages.split_aggregate(aggregate(body, 5000), LIMITS) == [
        Message(9, 5000, 1, b"v"),
        Message(8, 4984, 1, b"a"),
        Message(9, 5040, 1, b""),
    ]


def test_the_last_back_pointer_of_an_aggregate_may_be_missing() -> None:
    body = flv_tag(9, 0, b"v") + flv_tag(8, 10, b"a")
    assert len(messages.split_aggregate(aggregate(body[:-4]), LIMITS)) == 2
    assert messages.split_aggregate(aggregate(b""), LIMITS) == []


@pytest.mark.parametrize("size", [1, 10, 11, 12])
def test_an_aggregate_that_is_cut_off_is_refused(size: int) -> None:
    body = flv_tag(9, 0, b"first") + flv_tag(8, 10, b"ab")[:size]
    with pytest.raises(MessageError, match="ends inside the part that starts at 20"):
        messages.split_aggregate(aggregate(body), LIMITS)


def test_an_aggregate_inside_an_aggregate_is_refused() -> None:
    with pytest.raises(MessageError, match="aggregate message inside"):
        messages.split_aggregate(aggregate(flv_tag(22, 0, flv_tag(9, 0, b"v"))), LIMITS)


def test_an_aggregate_of_too_many_parts_is_refused() -> None:
    body = flv_tag(9, 0, b"v") * 4
    assert len(messages.split_aggregate(aggregate(body), RtmpLimits(aggregate_messages=4))) == 4
    with pytest.raises(LimitError, match="more than 3 messages"):
        messages.split_aggregate(aggregate(body), RtmpLimits(aggregate_messages=3))


def test_only_ping_requests_are_answered() -> None:
    assert messages.ping_response(Message(4, 0, 0, bytes.fromhex("0006 0000002a"))) == bytes.fromhex("0007 0000002a")
    assert messages.ping_response(Message(4, 0, 0, bytes.fromhex("0003 00000001 00000bb8"))) is None
    assert messages.ping_response(Message(4, 0, 0, b"")) is None


def test_the_format_selector_of_amf3_messages_is_stepped_over() -> None:
    assert messages.amf0_body(Message(17, 0, 0, b"\x00\x02\x00\x01a")) == b"\x02\x00\x01a"
    assert messages.amf0_body(Message(17, 0, 0, b"\x02\x00\x01a")) == b"\x02\x00\x01a"
    assert messages.amf0_body(Message(20, 0, 0, b"\x00\x02\x00\x01a")) == b"\x00\x02\x00\x01a"
    assert messages.amf0_body(Message(17, 0, 0, b"")) == b""
