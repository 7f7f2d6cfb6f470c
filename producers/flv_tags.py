"""The tags of an FLV stream as it is written: what FFmpeg's muxer makes, one tag at a time (Adobe FLV 10.1, annex E)."""

from collections.abc import Callable
from typing import Final

AUDIO: Final = 8
VIDEO: Final = 9
_FILE_HEAD_BYTES: Final = 9
_TAG_HEAD_BYTES: Final = 11
_LENGTH_BYTES: Final = 4

OnTag = Callable[[int, int, bytes], None]
"""Type (`AUDIO`, `VIDEO` or another), time stamp in ms, body."""


class FlvTags:
    """A file to write to, which cannot be sought in; calls `on_tag` for every tag that is complete."""

    def __init__(self, on_tag: OnTag, *, headed: bool = True) -> None:
        """Begin at the head of the file, or else at a tag."""
        self._on_tag = on_tag
        self._buffer = bytearray()
        self._skip = _FILE_HEAD_BYTES + _LENGTH_BYTES if headed else 0

    @property
    def held(self) -> int:
        """Bytes of a tag that is not complete."""
        return len(self._buffer)

    def write(self, data: bytes) -> int:
        """Take the next bytes of the stream."""
        self._buffer += data
        while self._take():
            pass
        return len(data)

    def _take(self) -> bool:
        buffer = self._buffer
        if self._skip:
            gone = min(self._skip, len(buffer))
            del buffer[:gone]
            self._skip -= gone
        size = _TAG_HEAD_BYTES + int.from_bytes(buffer[1:4], "big") + _LENGTH_BYTES
        if self._skip or len(buffer) < _TAG_HEAD_BYTES or len(buffer) < size:
            return False
        at_ms = int.from_bytes(buffer[4:7], "big") | buffer[7] << 24
        body = bytes(buffer[_TAG_HEAD_BYTES : size - _LENGTH_BYTES])
        kind = buffer[0]
        del buffer[:size]
        self._on_tag(kind, at_ms, body)
        return True
