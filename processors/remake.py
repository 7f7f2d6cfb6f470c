"""Transcodes one GOP of a kept video, from its stored segments, into one rendition. Blocking, without effects.

The same work as live (`processors.gop`), so the same source gives the same bytes on any worker.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from media.cmaf import Chunk, parse_chunk, parse_init, split_chunks
from media.errors import MediaError
from media.ladder import Rendition
from processors.encoder import MadePart
from processors.gop import Gop
from processors.parts import keyframe_size
from schemas import events
from schemas.events import MadeSegment, MediaChunk, Track, TrackInfo
from stores.segments import init_name


@dataclass(frozen=True, slots=True)
class Source:
    """The video whose source is transcoded, and what that source is."""

    video_id: str
    channel: str
    info: TrackInfo


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment of the source as it is kept; `start_ms` is the wall clock of its first sample."""

    number: int
    epoch: int
    epoch_ms: int
    timescale: int
    start_ms: int
    init: bytes = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remade:
    """What became of a GOP.

    Attributes:
        segments: one for each segment asked for, in order.
        objects: what is to be stored, by name within the rendition: init segments and whole segments.
        info: what the rendition is; None where nothing was made.
        problem: why something is missing; empty where nothing is.
    """

    segments: tuple[MadeSegment, ...]
    objects: dict[str, bytes] = field(repr=False)
    info: TrackInfo | None
    problem: str

    def with_lost(self, rest: "Remade") -> "Remade":
        """The same, followed by segments whose source is not there."""
        return replace(self, segments=self.segments + rest.segments, problem=self.problem or rest.problem)


def remake(source: Source, stored: Sequence[StoredSegment], rendition: Rendition, preset: str) -> Remade:
    """Transcode the stored segments of one GOP; the first of them begins with its IDR picture.

    A chunk that cannot be decoded is covered as it would be live; segments that nothing could be made of have no parts.
    """
    problems: list[str] = []
    made: list[MadePart] = []
    chunks = list(_chunks(source, stored, problems))
    if chunks:
        gop = Gop(chunks[0], (rendition,), preset)
        for chunk in chunks:
            scaled = gop.step(chunk)
            made += gop.encode(0, scaled)
            problems += [scaled.problem] if scaled.problem else []
        made += gop.encode(0, gop.finish())
    found = {number: list(parts) for number, parts in groupby(made, key=lambda part: part.planned.chunk.segment)}
    objects: dict[str, bytes] = {}
    segments = tuple(_segment(source.video_id, segment, found.get(segment.number, []), objects) for segment in stored)
    problems += [f"nothing of segment {s.segment} could be made" for s in segments if not s.parts]
    return Remade(segments, objects, made[0].info if made else None, problems[0] if problems else "")


def source_size(source: Source, init: bytes) -> tuple[int, int]:
    """Width and height of the source as shown; the init segment knows the shape of a sample, where it can be read."""
    try:
        info = parse_init(init)
    except MediaError:
        return source.info.width, source.info.height
    return info.display_width, info.height


def lost(first: int, last: int, problem: str) -> Remade:
    """A GOP whose source is not there."""
    segments = tuple(
        MadeSegment(segment=number, epoch=0, epoch_ms=-1, timescale=0, init="", parts=())
        for number in range(first, last + 1)
    )
    return Remade(segments, {}, None, problem)


def _chunks(source: Source, stored: Sequence[StoredSegment], problems: list[str]) -> Iterator[MediaChunk]:
    """The chunks as the ingest once wrote them; up to the first segment that cannot be read."""
    index = 0
    for segment in stored:
        try:
            pieces = [(data, parse_chunk(data)) for data in split_chunks(segment.data)]
        except MediaError as error:
            problems.append(f"segment {segment.number}: {error}")
            return
        began = pieces[0][1].base_decode_time
        for part, (data, chunk) in enumerate(pieces):
            captured_ms = segment.start_ms + (chunk.base_decode_time - began) * 1000 // segment.timescale
            yield _chunk(source, segment, (index, part, captured_ms), data, chunk)
            index += 1


def _chunk(
    source: Source, segment: StoredSegment, place: tuple[int, int, int], data: bytes, chunk: Chunk
) -> MediaChunk:
    index, part, captured_ms = place
    info = source.info
    return MediaChunk(
        video_id=source.video_id,
        channel=source.channel,
        track=Track.VIDEO,
        gop=0,
        segment=segment.number,
        part=part,
        index=index,
        epoch=segment.epoch,
        dts=chunk.base_decode_time,
        duration=chunk.duration,
        timescale=segment.timescale,
        independent=chunk.samples[0].keyframe,
        frames=len(chunk.samples),
        captured_ms=captured_ms,
        received_ms=captured_ms,
        codecs=info.codecs,
        width=info.width,
        height=info.height,
        frame_rate=info.frame_rate,
        sample_rate=0,
        channels=0,
        init=segment.init if index == 0 else None,
        data=data,
    )


def _segment(
    video_id: str, segment: StoredSegment, parts: Sequence[MadePart], objects: dict[str, bytes]
) -> MadeSegment:
    if not parts:
        return MadeSegment(
            segment=segment.number, epoch=segment.epoch, epoch_ms=segment.epoch_ms, timescale=0, init="", parts=()
        )
    rendition, init = parts[0].rendition, parts[0].init
    name = init_name(video_id, rendition, init)
    objects[name.rpartition("/")[2]] = init
    objects[f"{segment.number:08d}.m4s"] = b"".join(part.data for part in parts)
    return MadeSegment(
        segment=segment.number,
        epoch=segment.epoch,
        epoch_ms=segment.epoch_ms,
        timescale=parts[0].planned.chunk.timescale,
        init=name,
        parts=tuple(_part(part) for part in parts),
    )


def _part(part: MadePart) -> events.MadePart:
    chunk = part.planned.chunk
    return events.MadePart(
        dts=chunk.dts,
        duration=chunk.duration,
        size=len(part.data),
        frames=part.frames,
        independent=part.independent,
        captured_ms=chunk.captured_ms,
        keyframe_size=keyframe_size(part.data) if part.independent else 0,
    )
