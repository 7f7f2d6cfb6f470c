"""FLV files put one behind the other: a publisher whose picture changes its size in the midst of the connection."""

from collections.abc import Iterator
from pathlib import Path

HEADER_BYTES = 13
SCRIPT = 18


def join_flv(paths: list[Path], joined: Path, seconds: int) -> Path:
    """Each of `paths` behind the one before, which lasts `seconds`; each keeps its own codec configuration."""
    pieces = [paths[0].read_bytes()[:HEADER_BYTES]]
    for index, path in enumerate(paths):
        for kind, time_ms, body in tags(path.read_bytes()):
            if kind != SCRIPT or index == 0:
                pieces.append(tag(kind, time_ms + 1000 * seconds * index, body))
    joined.write_bytes(b"".join(pieces))
    return joined


def tags(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, time in ms, body) of each tag of a file."""
    at = HEADER_BYTES
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time_ms = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        yield data[at], time_ms, data[at + 11 : at + 11 + size]
        at += 11 + size + 4


def tag(kind: int, time_ms: int, body: bytes) -> bytes:
    """A tag and the size behind it."""
    time = (time_ms & 0xFFFFFF).to_bytes(3, "big") + bytes((time_ms >> 24 & 0xFF,))
    return bytes((kind,)) + len(body).to_bytes(3, "big") + time + bytes(3) + body + (11 + len(body)).to_bytes(4, "big")
