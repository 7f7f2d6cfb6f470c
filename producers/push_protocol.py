"""`logcast.ingest.v1`: a push over a WebSocket that loses nothing. docs/publishing.md describes it.

The stream is what FFmpeg's FLV muxer writes, from its header on. Binary messages carry pieces of it: the offset of the first byte (64 bits, big
endian), then the bytes. Text messages are JSON objects.
"""

import json
import struct
from typing import Any, Final

PROTOCOL: Final = "logcast.ingest.v1"
PIECE_BYTES: Final = 32 * 1024
MAX_MESSAGE_BYTES: Final = 60 * 1024
MAX_TAG_BYTES: Final = 8 * 1024 * 1024

BAD_MESSAGE: Final = 4400
WRONG_KEY: Final = 4401
ON_AIR: Final = 4409
MISSING_BYTES: Final = 4413
UNSUPPORTED: Final = 4415
NOT_NOW: Final = 4503
RESTART: Final = 1012

FINAL_CODES: Final = frozenset({BAD_MESSAGE, WRONG_KEY, MISSING_BYTES, UNSUPPORTED})
"""After these a client need not try again."""

_OFFSET: Final = struct.Struct("!Q")


class ProtocolError(ValueError):
    """A message that the protocol does not know, or that does not fit; `code` closes the connection."""

    def __init__(self, sentence: str, code: int = BAD_MESSAGE) -> None:
        super().__init__(sentence)
        self.code = code


def piece(offset: int, data: bytes) -> bytes:
    """A binary message."""
    return _OFFSET.pack(offset) + data


def read_piece(message: bytes) -> tuple[int, bytes]:
    """Offset and bytes of a binary message; ProtocolError when it has none."""
    if len(message) <= _OFFSET.size:
        raise ProtocolError(f"binary message of {len(message)} bytes, expected an offset of 8 bytes and data")
    return _OFFSET.unpack_from(message)[0], message[_OFFSET.size :]


def text(kind: str, **fields: object) -> str:
    """A text message."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def read_text(message: str) -> dict[str, Any]:
    """The object of a text message; ProtocolError when it is none."""
    try:
        found = json.loads(message)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise ProtocolError("text message, expected a JSON object with a type")
    return found


def read_push(message: str | bytes) -> tuple[str, int]:
    """Id of the push, and the first offset that the client still has, of its first message."""
    found = read_text(message) if isinstance(message, str) else {}
    push, offset = found.get("push"), found.get("from")
    if found.get("type") != "push" or not isinstance(push, str) or not 8 <= len(push) <= 64:
        raise ProtocolError('first message, expected {"type":"push","push":ID,"from":OFFSET} with an id of 8 to 64')
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < 1 << 63:
        raise ProtocolError(f"from is {offset!r}, expected an offset")
    return push, offset
