"""What is wrong with the bytes of an object, against what the log and the index say of its parts. Pure."""

from hashlib import sha256

from consumers.soundness.facts import Expected, Part
from media.cmaf import parse_chunk, parse_init
from media.errors import MediaError
from stores.segments import init_name


def object_problem(data: bytes, must: Expected, gaps: tuple[int, ...] = ()) -> str:
    """What is wrong with a segment's object, in words; empty when nothing is. Parts that are `gaps` in it are not judged."""
    if len(data) != must.size:
        return f"it has {len(data)} bytes, its parts {must.size}"
    at = 0
    for number, part in enumerate(must.parts):
        piece = data[at : at + part.size]
        at += part.size
        if number not in gaps and (problem := part_problem(piece, part)):
            return f"part {number}: {problem}"
    return ""


def part_problem(data: bytes, must: Part) -> str:
    """What is wrong with the bytes of a part, in words; empty when nothing is."""
    if must.sha256 and sha256(data).digest() != must.sha256:
        return "its bytes are not those that the log tells of (SHA-256)"
    try:
        chunk = parse_chunk(data)
    except MediaError as error:
        return f"it is no CMAF chunk: {error}"
    if (chunk.base_decode_time, chunk.duration) != (must.dts, must.duration):
        return (
            f"it lasts from {chunk.base_decode_time} for {chunk.duration} ticks, expected from {must.dts} for "
            f"{must.duration}"
        )
    return ""


def init_problem(name: str, data: bytes) -> str:
    """What is wrong with an init segment, whose name tells its bytes; empty when nothing is."""
    video_id, rendition, _ = name.split("/", 2)
    if init_name(video_id, rendition, data) != name:
        return "its bytes are not those that its name tells of"
    try:
        parse_init(data)
    except MediaError as error:
        return f"it is no CMAF header: {error}"
    return ""
