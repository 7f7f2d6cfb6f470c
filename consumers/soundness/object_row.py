"""The row of a segment out of its recorded object, where log and index have forgotten the segment. Pure.

The object tells the parts, their times, sizes, pictures and wall clock; a neighbour in the index tells epoch and init
segment. Without a neighbour that it joins in time, nothing tells to which epoch it belongs.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from media.cmaf import keyframe_end, parse_chunk, parse_init, produced_ms, split_chunks
from media.errors import MediaError
from schemas.events import MadePart, MadeSegment, Track
from stores.segment_index import IndexedSegment


class UntoldError(ValueError):
    """The object does not tell what its row must say; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known around an object: its neighbours' rows by number, its folder's init segments by file name.

    `alone`: no segment of the rendition has a row.
    """

    started_ms: int
    rows: dict[int, IndexedSegment]
    alone: bool
    inits: dict[str, bytes] = field(repr=False)


def segment_of_object(folder: str, number: int, data: bytes, known: Recording) -> tuple[MadeSegment, Track]:
    """The segment that an object of `folder` (`VIDEO/RENDITION`) is.

    Raises:
        UntoldError: the object cannot be read, or nothing tells its init segment or epoch.
    """
    try:
        pieces = split_chunks(data)
        chunks = [parse_chunk(piece) for piece in pieces]
    except MediaError as error:
        raise UntoldError(f"the object is no CMAF segment: {error}") from error
    if not chunks:
        raise UntoldError("the object is empty")
    began, end = chunks[0].base_decode_time, chunks[-1].base_decode_time + chunks[-1].duration
    beside = _beside(number, began, end, known)
    file = beside.init if beside is not None else _only(known.inits)
    init = known.inits.get(file)
    if init is None:
        raise UntoldError(f"its init segment {file} is not there")
    track = Track(parse_init(init).kind)
    timescale = parse_init(init).timescale
    start_ms = known.started_ms + began * 1000 // timescale
    if beside is not None:
        start_ms = beside.start_ms + (began - beside.dts) * 1000 // timescale
    captured_ms = produced_ms(pieces[0])
    start_ms = start_ms if captured_ms is None else captured_ms
    parts = tuple(
        MadePart(
            dts=chunk.base_decode_time,
            duration=chunk.duration,
            size=len(piece),
            frames=len(chunk.samples),
            independent=chunk.samples[0].keyframe,
            captured_ms=start_ms + (chunk.base_decode_time - began) * 1000 // timescale,
            keyframe_size=keyframe_end(piece) if track is Track.VIDEO and chunk.samples[0].keyframe else 0,
        )
        for piece, chunk in zip(pieces, chunks, strict=True)
    )
    epoch, epoch_ms = (beside.epoch, beside.epoch_ms) if beside is not None else (0, None)
    made = MadeSegment(
        segment=number,
        epoch=epoch,
        epoch_ms=-1 if epoch_ms is None else epoch_ms,
        timescale=timescale,
        init=f"{folder}/{file}",
        parts=parts,
    )
    return made, track


def _beside(number: int, began: int, end: int, known: Recording) -> IndexedSegment | None:
    """A neighbour that the object follows, or that follows it, without a gap in time.

    Raises:
        UntoldError: there are rows, and it joins none of them.
    """
    before, after = known.rows.get(number - 1), known.rows.get(number + 1)
    if before is not None and before.complete and before.dts + before.duration == began:
        return before
    if after is not None and after.parts and after.dts == end:
        return after
    if not known.alone:
        raise UntoldError("nothing tells its epoch: it joins no neighbour whose row is there")
    return None


def _only(inits: Collection[str]) -> str:
    if len(inits) != 1:
        raise UntoldError(f"nothing tells its init segment: the recording has {len(inits)} of them")
    return next(iter(inits))
