"""CMAF chunks moved to another place on the time line: only their times change, so sizes and offsets stay."""

import struct

from media.boxes import Box, CmafError, iter_boxes

_TFDT_TIME = 4
_PRFT_TIME = 16


def rebased(data: bytes, ticks: int) -> bytes:
    """The chunks with `ticks` taken from their decode times (`tfdt`, and the media time of a `prft`).

    Raises:
        CmafError: a time would be below 0, is written in 32 bits, or these are no chunks.
    """
    moved = bytearray(data)
    for found in iter_boxes(data):
        if found.kind == b"prft":
            _move(moved, found, _PRFT_TIME, ticks)
        elif found.kind == b"moof":
            for traf in iter_boxes(data, found.start, found.end):
                if traf.kind == b"traf":
                    for inner in iter_boxes(data, traf.start, traf.end):
                        if inner.kind == b"tfdt":
                            _move(moved, inner, _TFDT_TIME, ticks)
    return bytes(moved)


def _move(data: bytearray, inside: Box, offset: int, ticks: int) -> None:
    at = inside.start + offset
    if data[inside.start] != 1 or at + 8 > inside.end:
        raise CmafError(f"{inside.name} of version {data[inside.start]}, expected 1 with a time of 64 bits")
    (time,) = struct.unpack_from(">Q", data, at)
    if time < ticks:
        raise CmafError(f"{inside.name} at {time}, expected at least {ticks}")
    struct.pack_into(">Q", data, at, time - ticks)
