"""ISO base media file format boxes: writing and bounded reading (ISO/IEC 14496-12, clause 4.2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from media.errors import MediaError

MAX_BOXES = 256


class CmafError(MediaError):
    """Bytes that are no CMAF header or chunk as this program writes them, or that exceed a limit."""


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of a four-character `kind` around `parts`."""
    payload = b"".join(parts)
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that begins with a version and 24 flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@dataclass(frozen=True, slots=True)
class Box:
    """A box found in bytes: it begins at `begin`, and its payload is `data[start:end]`."""

    kind: bytes
    begin: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """The kind in printable characters."""
        return self.kind.decode("latin-1")


def iter_boxes(data: bytes, start: int = 0, end: int | None = None, *, limit: int = MAX_BOXES) -> Iterator[Box]:
    """The boxes side by side in `data[start:end]`; CmafError where a size does not fit, or past `limit` boxes."""
    stop = len(data) if end is None else end
    at = start
    for _ in range(limit):
        if at == stop:
            return
        found, at = _box_at(data, at, stop)
        yield found
    if at != stop:
        raise CmafError(f"more than {limit} boxes side by side")


def _box_at(data: bytes, at: int, stop: int) -> tuple[Box, int]:
    if stop - at < 8:
        raise CmafError(f"expected a box header of 8 bytes at byte {at}, found {stop - at}")
    size, kind = struct.unpack_from(">I4s", data, at)
    head = 8
    if size == 1:
        if stop - at < 16:
            raise CmafError(f"expected a box header of 16 bytes at byte {at}, found {stop - at}")
        size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
    if size < head or at + size > stop:
        raise CmafError(f"box {kind!r} of {size} bytes at byte {at}, expected {head} to {stop - at}")
    return Box(kind, at, at + head, at + size), at + size


def child(data: bytes, parent: Box, kind: bytes, skip: int = 0) -> Box:
    """The one box of `kind` inside `parent`, past the first `skip` bytes; CmafError when there is none or a second."""
    found = [inner for inner in iter_boxes(data, parent.start + skip, parent.end) if inner.kind == kind]
    if len(found) != 1:
        raise CmafError(f"expected one {kind!r} in {parent.kind!r}, found {len(found)}")
    return found[0]


def descend(data: bytes, parent: Box, *kinds: bytes) -> Box:
    """The box at the end of a path of single children."""
    for kind in kinds:
        parent = child(data, parent, kind)
    return parent


class FieldReader:
    """Reads big-endian fields of one box, never past its end."""

    def __init__(self, data: bytes, inside: Box) -> None:
        self._data = data
        self._box = inside
        self._at = inside.start

    @property
    def position(self) -> int:
        """Byte of `data` that comes next."""
        return self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        left = self._box.end - self._at
        if count > left:
            raise CmafError(f"box {self._box.kind!r}: expected {count} more bytes at byte {self._at}, found {left}")
        self._at += count
        return self._data[self._at - count : self._at]

    def uint(self, size: int) -> int:
        """The next unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def int32(self) -> int:
        """The next signed 32-bit number."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def version_and_flags(self) -> tuple[int, int]:
        """What a full box begins with."""
        return self.uint(1), self.uint(3)

    def rest(self) -> bytes:
        """All that is left of the box."""
        return self.take(self._box.end - self._at)
