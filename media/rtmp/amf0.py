"""AMF0, the values of RTMP commands and metadata (Action Message Format specification, AMF 0).

| AMF0 | Python |
| --- | --- |
| number | float (int is encoded too) |
| boolean | bool |
| string, long string, XML document | str |
| object, typed object (its class name is dropped) | dict |
| ECMA array | EcmaArray, a dict |
| strict array | list |
| date | AmfDate |
| null, undefined, unsupported | None |

A reference (2.9) gives the very object it points to; it counts against the limit on values as if it were written out, so
that whoever walks over the result meets no more values than the limit, and a cycle is refused.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from media.rtmp.errors import AmfError, LimitError
from media.rtmp.limits import RtmpLimits

_NUMBER, _BOOLEAN, _STRING, _OBJECT = 0x00, 0x01, 0x02, 0x03
_NULL, _UNDEFINED, _REFERENCE, _ECMA_ARRAY, _OBJECT_END = 0x05, 0x06, 0x07, 0x08, 0x09
_STRICT_ARRAY, _DATE, _LONG_STRING, _UNSUPPORTED, _XML, _TYPED_OBJECT, _AMF3 = 0x0A, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11
_END = b"\x00\x00\x09"
_DOUBLE = struct.Struct(">d")
_SHORT_STRING_BYTES = 0xFFFF


class EcmaArray(dict[str, "AmfValue"]):
    """An object that is an ECMA array on the wire (2.10), as `onMetaData` carries it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AmfDate:
    """A point in time (2.13): milliseconds since 1970-01-01 UTC."""

    epoch_ms: float


AmfValue: TypeAlias = "float | bool | str | dict[str, AmfValue] | list[AmfValue] | AmfDate | None"
Encodable: TypeAlias = "float | bool | str | Mapping[str, Encodable] | Sequence[Encodable] | AmfDate | None"


def decode(data: bytes, limits: RtmpLimits) -> list[AmfValue]:
    """Read all values of a message body.

    Raises:
        AmfError: the bytes are not AMF0, or end too early.
        LimitError: a string, the number of values or their depth is over the limit.
    """
    reader = _Reader(data, limits)
    values: list[AmfValue] = []
    while not reader.at_end:
        values.append(reader.value(0))
    return values


def encode(*values: Encodable) -> bytes:
    """Write values one after the other; a tuple or list becomes a strict array, a mapping an object or ECMA array.

    Raises:
        TypeError: a value has no form in AMF0.
        ValueError: the name of a member has more than 65535 bytes.
    """
    out = bytearray()
    for value in values:
        _write(out, value)
    return bytes(out)


class _Reader:
    """A position in the bytes of one message, and what was spent of its limits."""

    __slots__ = ("_data", "_known", "_limits", "_position", "_values")

    def __init__(self, data: bytes, limits: RtmpLimits) -> None:
        self._data = data
        self._limits = limits
        self._position = 0
        self._values = 0
        self._known: list[tuple[dict[str, AmfValue] | list[AmfValue], int] | None] = []

    @property
    def at_end(self) -> bool:
        return self._position == len(self._data)

    def value(self, depth: int) -> AmfValue:
        self._spend(1)
        marker = self._take(1)[0]
        if marker in _COMPLEX:
            return self._complex(marker, depth)
        read = _READERS.get(marker)
        if read is None:
            raise AmfError(self._unknown(marker))
        return read(self)

    def _complex(self, marker: int, depth: int) -> AmfValue:
        if depth == self._limits.amf_depth:
            raise LimitError(f"AMF0 values are nested deeper than {self._limits.amf_depth}")
        index, before = len(self._known), self._values
        self._known.append(None)
        value: dict[str, AmfValue] | list[AmfValue]
        if marker == _STRICT_ARRAY:
            value = self._items(depth + 1)
        elif marker == _ECMA_ARRAY:
            self._take(4)  # the count is a hint only, and encoders write 0
            value = EcmaArray()
            self._members(value, depth + 1, open_ended=True)
        else:
            if marker == _TYPED_OBJECT:
                self._text(2)
            value = {}
            self._members(value, depth + 1, open_ended=False)
        self._known[index] = (value, self._values - before)
        return value

    def _items(self, depth: int) -> list[AmfValue]:
        count = self._integer(4)
        left = self._limits.amf_values - self._values
        if count > left:
            raise LimitError(f"AMF0 array of {count} values, but only {left} more are allowed in this message")
        return [self.value(depth) for _ in range(count)]

    def _members(self, into: dict[str, AmfValue], depth: int, *, open_ended: bool) -> None:
        """Read names and values up to the end marker; some encoders leave it out of the array that ends a message."""
        while not (open_ended and self.at_end):
            if self._data.startswith(_END, self._position):
                self._position += len(_END)
                return
            name = self._text(2)
            into[name] = self.value(depth)

    def _referenced(self) -> AmfValue:
        index = self._integer(2)
        known = self._known[index] if index < len(self._known) else None
        if known is None:
            raise AmfError(
                f"AMF0 reference to object {index}, expected one of the {len(self._known)} read completely before"
            )
        value, size = known
        self._spend(size)
        return value

    def _spend(self, values: int) -> None:
        self._values += values
        if self._values > self._limits.amf_values:
            raise LimitError(f"AMF0 message has more than {self._limits.amf_values} values")

    def _double(self) -> float:
        number: float = _DOUBLE.unpack(self._take(8))[0]
        return number

    def _integer(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _text(self, length_bytes: int) -> str:
        length = self._integer(length_bytes)
        if length > self._limits.amf_string_bytes:
            raise LimitError(f"AMF0 string of {length} bytes, at most {self._limits.amf_string_bytes} are allowed")
        return self._take(length).decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        start = self._position
        taken = self._data[start : start + size]
        if len(taken) != size:
            raise AmfError(f"AMF0 data ends early: read {len(taken)} bytes at offset {start}, expected {size}")
        self._position = start + size
        return taken

    def _boolean(self) -> bool:
        return self._take(1) != b"\x00"

    def _string(self) -> str:
        return self._text(2)

    def _long_string(self) -> str:
        return self._text(4)

    def _date(self) -> AmfDate:
        date = AmfDate(self._double())
        self._take(2)  # a time zone that "should not be filled or used" (2.13)
        return date

    def _nothing(self) -> None:
        return None

    def _unknown(self, marker: int) -> str:
        where = f"0x{marker:02x} at offset {self._position - 1}"
        if marker == _AMF3:
            return f"found AMF3 value {where}, expected AMF0: the answer to connect said objectEncoding 0"
        if marker == _OBJECT_END:
            return f"found AMF0 object end {where}, outside of an object"
        return f"found AMF0 type marker {where}, expected one of 0x00 to 0x10"


_COMPLEX = frozenset({_OBJECT, _ECMA_ARRAY, _TYPED_OBJECT, _STRICT_ARRAY})
_READERS: Final[dict[int, Callable[[_Reader], AmfValue]]] = {
    _NUMBER: _Reader._double,  # noqa: SLF001 - the table belongs to the class
    _BOOLEAN: _Reader._boolean,  # noqa: SLF001
    _STRING: _Reader._string,  # noqa: SLF001
    _NULL: _Reader._nothing,  # noqa: SLF001
    _UNDEFINED: _Reader._nothing,  # noqa: SLF001
    _UNSUPPORTED: _Reader._nothing,  # noqa: SLF001
    _REFERENCE: _Reader._referenced,  # noqa: SLF001
    _DATE: _Reader._date,  # noqa: SLF001
    _LONG_STRING: _Reader._long_string,  # noqa: SLF001
    _XML: _Reader._long_string,  # noqa: SLF001
}


def _write(out: bytearray, value: Encodable) -> None:
    if value is None:
        out.append(_NULL)
    elif isinstance(value, bool):
        out += bytes((_BOOLEAN, value))
    elif isinstance(value, (int, float)):
        out.append(_NUMBER)
        out += _DOUBLE.pack(value)
    elif isinstance(value, str):
        _write_text(out, value)
    elif isinstance(value, AmfDate):
        out.append(_DATE)
        out += _DOUBLE.pack(value.epoch_ms) + bytes(2)
    elif isinstance(value, Mapping):
        _write_members(out, value)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        out.append(_STRICT_ARRAY)
        out += len(value).to_bytes(4, "big")
        for item in value:
            _write(out, item)
    else:
        raise TypeError(f"{type(value).__name__} has no form in AMF0")


def _write_text(out: bytearray, text: str) -> None:
    raw = text.encode("utf-8", "replace")
    if len(raw) > _SHORT_STRING_BYTES:
        out.append(_LONG_STRING)
        out += len(raw).to_bytes(4, "big")
    else:
        out.append(_STRING)
        out += len(raw).to_bytes(2, "big")
    out += raw


def _write_members(out: bytearray, members: Mapping[str, Encodable]) -> None:
    if isinstance(members, EcmaArray):
        out.append(_ECMA_ARRAY)
        out += len(members).to_bytes(4, "big")
    else:
        out.append(_OBJECT)
    for name, value in members.items():
        raw = name.encode("utf-8", "replace")
        if len(raw) > _SHORT_STRING_BYTES:
            raise ValueError(f"AMF0 member name has {len(raw)} bytes, at most {_SHORT_STRING_BYTES} fit")
        out += len(raw).to_bytes(2, "big") + raw
        _write(out, value)
    out += _END
