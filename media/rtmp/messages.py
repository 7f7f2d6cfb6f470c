"""RTMP messages: their types, and the bodies that are not media or AMF0 (RTMP 1.0, 5.4, 6 and 7.1)."""

from dataclasses import dataclass
from enum import IntEnum

from media.rtmp.errors import LimitError, MessageError
from media.rtmp.limits import RtmpLimits

_TAG_HEADER_BYTES = 11
_BACK_POINTER_BYTES = 4


class MessageType(IntEnum):
    """Message type ids (5.4 and 7.1)."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_ACKNOWLEDGEMENT_SIZE = 5
    SET_PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    SHARED_OBJECT_AMF3 = 16
    COMMAND_AMF3 = 17
    DATA_AMF0 = 18
    SHARED_OBJECT_AMF0 = 19
    COMMAND_AMF0 = 20
    AGGREGATE = 22


class UserControl(IntEnum):
    """Event types of user control messages that matter to a server that is published to (7.1.7)."""

    STREAM_BEGIN = 0
    PING_REQUEST = 6
    PING_RESPONSE = 7


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type, the 32 bits of its timestamp (ms), its message stream and its body."""

    type_id: int
    timestamp: int
    stream_id: int
    body: bytes


def control_value(message: Message, what: str) -> int:
    """Read the 32-bit number that a protocol control message starts with (5.4).

    Raises:
        MessageError: the body is shorter.
    """
    if len(message.body) < 4:
        raise MessageError(f"read {len(message.body)} bytes of {what}, expected 4")
    return int.from_bytes(message.body[:4], "big")


def chunk_size(message: Message) -> int:
    """Read Set Chunk Size (5.4.1).

    Raises:
        MessageError: the size is 0 or uses the bit that must be zero.
    """
    size = control_value(message, "Set Chunk Size")
    if not 1 <= size <= 0x7FFFFFFF:
        raise MessageError(f"found chunk size {size}, expected 1 to {0x7FFFFFFF}")
    return size


def ping_response(message: Message) -> bytes | None:
    """Give the body that answers a ping request, or None when the user control message is anything else (7.1.7)."""
    if message.body[:2] != UserControl.PING_REQUEST.to_bytes(2, "big"):
        return None
    return UserControl.PING_RESPONSE.to_bytes(2, "big") + message.body[2:6]


def amf0_body(message: Message) -> bytes:
    """Give the AMF0 part of a command or data message.

    The AMF3 types start with a format selector; 0, AMF0, is the only one defined (E-RTMP v2, "Important AMF3-encoded
    Historical Specification Clarification"). Encoders that leave it out are understood as well.
    """
    amf3 = message.type_id in (MessageType.COMMAND_AMF3, MessageType.DATA_AMF3)
    return message.body[1:] if amf3 and message.body[:1] == b"\x00" else message.body


def split_aggregate(message: Message, limits: RtmpLimits) -> list[Message]:
    """Take an aggregate message apart (7.1.6).

    Its body is a row of FLV tags with back pointers. Their times are moved so that the first one falls on the time of
    the aggregate, and their stream ids give way to its own. The last back pointer may be missing.

    Raises:
        MessageError: a tag is cut off, or is itself an aggregate.
        LimitError: there are more tags than `limits.aggregate_messages`.
    """
    body, position = message.body, 0
    found: list[Message] = []
    offset: int | None = None
    while position < len(body):
        if len(found) == limits.aggregate_messages:
            raise LimitError(f"aggregate message holds more than {limits.aggregate_messages} messages")
        header = body[position : position + _TAG_HEADER_BYTES]
        size = int.from_bytes(header[1:4], "big")
        end = position + _TAG_HEADER_BYTES + size
        if len(header) < _TAG_HEADER_BYTES or end > len(body):
            raise MessageError(f"aggregate message of {len(body)} bytes ends inside the part that starts at {position}")
        if header[0] == MessageType.AGGREGATE:
            raise MessageError("aggregate message inside an aggregate message, expected audio, video or data")
        time = int.from_bytes(header[4:7], "big") | header[7] << 24
        offset = message.timestamp - time if offset is None else offset
        found.append(Message(header[0], (time + offset) % (1 << 32), message.stream_id, body[end - size : end]))
        position = end + _BACK_POINTER_BYTES
    return found
