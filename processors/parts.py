"""The events about parts and segments, made from chunks. Pure."""

from dataclasses import replace
from hashlib import sha256

from media.captions.sei import announces_captions, chunk_captions
from media.cmaf import keyframe_end
from media.errors import MediaError
from processors.encoder import MadePart
from schemas.events import CaptionsFound, MediaChunk, PartReady, PictureCaptions, SegmentClosed, Track, TrackInfo
from stores.segments import init_name, part_name

SOURCE = "source"
AUDIO = "audio"


def passed_on(chunk: MediaChunk, init: str) -> PartReady:
    """The part that a source chunk is, untouched; `init` names its init segment."""
    rendition = SOURCE if chunk.track is Track.VIDEO else AUDIO
    info = TrackInfo(
        codecs=chunk.codecs,
        width=chunk.width,
        height=chunk.height,
        frame_rate=chunk.frame_rate,
        sample_rate=chunk.sample_rate,
        channels=chunk.channels,
    )
    return _ready(chunk, rendition, chunk.data, init, info, chunk.independent, chunk.frames)


def captions_in(chunk: MediaChunk) -> tuple[CaptionsFound, ...]:
    """The captions that a source chunk carries, if any; a chunk that cannot be read has none.

    The same chunk fails in the ladder, which says so. At the start of a GOP an event without pictures says that the
    source has a place for captions, so that they are offered before the first one comes.
    """
    if chunk.track is not Track.VIDEO:
        return ()
    try:
        pictures = chunk_captions(chunk.data, chunk.codecs)
    except MediaError:
        return ()
    if not pictures and not (chunk.index == 0 and announces_captions(chunk.data, chunk.codecs)):
        return ()
    found = CaptionsFound(
        video_id=chunk.video_id,
        channel=chunk.channel,
        gop=chunk.gop,
        segment=chunk.segment,
        part=chunk.part,
        epoch=chunk.epoch,
        timescale=chunk.timescale,
        pictures=tuple(PictureCaptions(pts=picture.pts, data=picture.data) for picture in pictures),
    )
    return (found,)


def made(part: MadePart) -> PartReady:
    """The part of a transcoded rendition."""
    chunk = part.planned.chunk
    init = init_name(chunk.video_id, part.rendition, part.init)
    shape = part.independent, part.frames
    return replace(_ready(chunk, part.rendition, part.data, init, part.info, *shape), encoder=part.encoder)


def _ready(
    chunk: MediaChunk, rendition: str, data: bytes, init: str, info: TrackInfo, independent: bool, frames: int
) -> PartReady:
    return PartReady(
        video_id=chunk.video_id,
        channel=chunk.channel,
        rendition=rendition,
        track=chunk.track,
        gop=chunk.gop,
        segment=chunk.segment,
        part=chunk.part,
        epoch=chunk.epoch,
        dts=chunk.dts,
        duration=chunk.duration,
        timescale=chunk.timescale,
        independent=independent,
        frames=frames,
        captured_ms=chunk.captured_ms,
        received_ms=chunk.received_ms,
        name=part_name(chunk.video_id, rendition, chunk.segment, chunk.part),
        size=len(data),
        sha256=sha256(data).digest(),
        init=init,
        info=info if chunk.part == 0 else None,
        part_target_ms=chunk.part_target_ms,
        epoch_ms=chunk.epoch_ms,
        keyframe_size=keyframe_size(data) if independent and chunk.track is Track.VIDEO else 0,
    )


def keyframe_size(data: bytes) -> int:
    """Bytes that an I-frame playlist lists of a part; 0 where the part cannot be read."""
    try:
        return keyframe_end(data)
    except MediaError:
        return 0


class SegmentCount:
    """Which segments of one rendition of one GOP are complete, and how many parts they have.

    Parts come in order. A segment is complete when a part of a later one comes, or when the GOP closes; one that no
    part came for has 0 parts: it is lost.
    """

    def __init__(self, first: MediaChunk, rendition: str) -> None:
        """Begin with the segment of the GOP's first chunk."""
        self._first = first
        self._rendition = rendition
        self._segment = first.segment
        self._parts = 0

    def note(self, part: PartReady) -> list[SegmentClosed]:
        """A part came: the segments that are complete by it, in order."""
        closed = self._up_to(part.segment)
        self._parts = max(self._parts, part.part + 1)
        return closed

    def close(self, last_segment: int) -> list[SegmentClosed]:
        """The GOP is over: the segments that are complete by it, in order."""
        return self._up_to(last_segment + 1)

    def _up_to(self, segment: int) -> list[SegmentClosed]:
        closed = []
        while self._segment < segment:
            closed.append(
                SegmentClosed(
                    video_id=self._first.video_id,
                    channel=self._first.channel,
                    rendition=self._rendition,
                    gop=self._first.gop,
                    segment=self._segment,
                    parts=self._parts,
                )
            )
            self._segment, self._parts = self._segment + 1, 0
        return closed
