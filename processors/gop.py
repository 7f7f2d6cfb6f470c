"""Transcodes one GOP, chunk by chunk, into the ladder. Nothing is known from before, nothing is left behind.

A source whose pictures are reordered (B-frames) comes out of the decoder late: part k then goes out with chunk k + 1.
What cannot be decoded is covered as players need it: a lost picture's time goes to the picture before it, a part whose
pictures are all lost shows the last one again, and a GOP without its IDR picture gives no parts at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from av.video.frame import VideoFrame

from media.cmaf import CmafError, Sample, parse_chunk, parse_init
from media.errors import MediaError
from media.ladder import Rendition, Rung, choose_ladder
from processors.decoder import DecodeError, SourceDecoder
from processors.encoder import MadePart, Picture, RenditionEncoder
from processors.gop_plan import GopPlan, even_timings, reorder_depth, timings_of
from schemas.events import MediaChunk


@dataclass(frozen=True, slots=True)
class Scaled:
    """What one step gave: pictures for each encoder, and what could not be decoded, if anything.

    Attributes:
        pictures: per encoder of `Gop.encoders`, in the same order.
        done: no picture with a lower number will come.
        problem: why pictures are missing, None when none is.
    """

    pictures: list[list[Picture]] = field(repr=False)
    done: int
    problem: str | None = None


def renditions_of(chunk: MediaChunk, rungs: tuple[Rung, ...]) -> tuple[Rendition, ...]:
    """The renditions to encode for a source, largest first; none for a size that no ladder fits.

    The size is taken from the init segment where it can be read (it knows the shape of a sample), else from the record.
    """
    width, height = chunk.width, chunk.height
    try:
        info = parse_init(chunk.init or b"")
        width, height = info.display_width, info.height
    except MediaError:
        pass  # decoding will say it of this chunk; the gaps still need the names
    try:
        stands_in = not chunk.codecs.startswith("avc1")
        ladder = choose_ladder(width, height, chunk.frame_rate, rungs, stands_in=stands_in, below=chunk.ladder_below)
        return tuple(rendition for rendition in ladder if not rendition.is_source)
    except MediaError:
        return ()


class Gop:
    """The work on one GOP. `step` and `finish` never at the same time as each other or as `encode` of an encoder."""

    def __init__(self, first: MediaChunk, renditions: Sequence[Rendition], preset: str) -> None:
        """Begin with the chunk of index 0, which `step` still has to be given."""
        self._plan = GopPlan()
        self._init = first.init or b""
        self._decoder: SourceDecoder | None = None
        self._hopeless: str | None = None
        self._done = 0
        self._segment: int | None = None
        self._last: VideoFrame | None = None
        self.encoders = [RenditionEncoder(r, self._plan, preset) for r in renditions]

    def step(self, chunk: MediaChunk) -> Scaled:
        """Decode one more chunk and scale its pictures. Broken data is told in `Scaled.problem`, never raised."""
        try:
            samples = _samples(chunk)
        except MediaError as error:
            self._plan.add(chunk, even_timings(chunk))
            if chunk.index == 0:
                self._hopeless = "the GOP's IDR picture is lost"
            return self._scaled([], str(error))
        timings = timings_of(samples)
        self._plan.add(chunk, timings)
        if self._hopeless:
            return self._scaled([], self._hopeless)
        frames: list[VideoFrame] = []
        problem = None
        for sample in samples:
            try:
                decoder = self._decoder or self._open(reorder_depth(timings))
                frames += decoder.decode(sample)
            except (DecodeError, MediaError) as error:
                problem = problem or str(error)
                if sample is samples[0] and chunk.index == 0:
                    self._hopeless = "the GOP's IDR picture is lost"
                    break
        return self._scaled(self._numbered(frames), problem)

    def finish(self) -> Scaled:
        """The pictures that the decoder held back; every part is complete then."""
        frames = self._decoder.flush() if self._decoder else []
        pictures = self._numbered(frames)
        pictures += self._repeats(len(self._plan))
        self._done = self._plan.pictures
        return self._scaled(pictures, None)

    def encode(self, encoder: int, scaled: Scaled) -> list[MadePart]:
        """The parts of one rendition that are complete after a step."""
        return self.encoders[encoder].encode(scaled.pictures[encoder], done=scaled.done)

    def _open(self, depth: int) -> SourceDecoder:
        self._decoder = SourceDecoder(parse_init(self._init), depth)
        return self._decoder

    def _scaled(self, pictures: list[Picture], problem: str | None) -> Scaled:
        return Scaled([encoder.scale(pictures) for encoder in self.encoders], self._done, problem)

    def _numbered(self, frames: list[VideoFrame]) -> list[Picture]:
        """The decoder's frames with their numbers; before each one, what stands in for parts that are lost whole."""
        pictures: list[Picture] = []
        for frame in frames:
            number = self._plan.number(frame.pts) if frame.pts is not None else -1
            if not self._done <= number < self._plan.pictures:
                continue  # no sample of ours was shown then
            pictures += self._repeats(self._plan.part_of(number))
            pictures.append(self._picture(number, frame))
        return pictures

    def _repeats(self, before: int) -> list[Picture]:
        """The last picture again, for each part from that of the next picture up to part `before`."""
        if self._last is None:
            return []
        following = self._plan.part_of(self._done - 1) + 1
        return [self._picture(self._plan[index].first, self._last) for index in range(following, before)]

    def _picture(self, number: int, frame: VideoFrame) -> Picture:
        segment = self._plan[self._plan.part_of(number)].chunk.segment
        idr = segment != self._segment
        self._segment, self._last, self._done = segment, frame, number + 1
        return Picture(number, frame, idr)


def _samples(chunk: MediaChunk) -> tuple[Sample, ...]:
    """The samples of a chunk, as many and as long as its record says; CmafError otherwise."""
    found = parse_chunk(chunk.data)
    have, said = (found.base_decode_time, found.duration, len(found.samples)), (chunk.dts, chunk.duration, chunk.frames)
    if have != said:
        raise CmafError(f"expected decode time, duration and samples {said} as the record says, found {have}")
    return found.samples
