"""Where each picture of a GOP belongs: its number, its part, its place on the decode grid. Pure.

The theory. The source's samples come in decode order; chunk k of the GOP holds some of them. The pictures come out of
the decoder in the order they are shown. A rendition has no reordered pictures, so its n-th sample is the n-th picture
shown, and it takes the n-th place of the source's decode grid: the decode time and duration of the n-th source sample.
So part k of every rendition has the decode time, the duration and the number of samples of chunk k, to the tick,
whatever the frame rate does and however the source reorders; parts join without gap because the source's do.

The number of a picture is how many of the GOP's samples are shown before it. It is final when the decoder gives the
picture: everything shown earlier was decoded earlier.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from media.cmaf import Sample
from schemas.events import MediaChunk


@dataclass(frozen=True, slots=True)
class Timing:
    """When one sample is decoded and shown, and for how long, in ticks of its track."""

    dts: int
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """The part that a chunk becomes in every rendition.

    Attributes:
        chunk: what the source says of it, without its bytes.
        first: number within the GOP of its first picture.
        end: number after its last picture.
    """

    chunk: MediaChunk
    first: int
    end: int


class GopPlan:
    """The parts of one GOP, as far as its chunks are known."""

    def __init__(self) -> None:
        self._parts: list[PlannedPart] = []
        self._grid: list[Timing] = []
        self._shown: list[int] = []
        self._ends: list[int] = []

    def add(self, chunk: MediaChunk, timings: Sequence[Timing]) -> PlannedPart:
        """The next chunk of the GOP and the timings of its samples in decode order, at least one."""
        first = len(self._grid)
        self._grid.extend(timings)
        for timing in timings:
            insort(self._shown, timing.pts)
        part = PlannedPart(replace(chunk, data=b"", init=None), first, len(self._grid))
        self._parts.append(part)
        self._ends.append(part.end)
        return part

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> PlannedPart:
        return self._parts[index]

    @property
    def pictures(self) -> int:
        """Pictures that the chunks so far hold."""
        return len(self._grid)

    def number(self, pts: int) -> int:
        """The number of the picture that is shown at `pts`."""
        return bisect_left(self._shown, pts)

    def part_of(self, number: int) -> int:
        """The index of the part that a picture belongs to; one past the last for a number that is not planned."""
        return bisect_right(self._ends, number)

    def place(self, number: int) -> Timing:
        """The place of a picture: decode time and duration of the grid, and when it is shown."""
        return replace(self._grid[number], pts=self._shown[number])


def timings_of(samples: Sequence[Sample]) -> tuple[Timing, ...]:
    """The timings of samples as a chunk has them."""
    return tuple(Timing(s.dts, s.dts + s.cts_offset, s.duration) for s in samples)


def even_timings(chunk: MediaChunk) -> tuple[Timing, ...]:
    """Timings for a chunk that cannot be read: what its record says, evenly spread."""
    count = max(1, chunk.frames)
    edges = [chunk.dts + chunk.duration * n // count for n in range(count + 1)]
    return tuple(Timing(start, start, end - start) for start, end in pairwise(edges))


def reorder_depth(timings: Sequence[Timing]) -> int:
    """How many pictures precede another one in decode order and follow it in showing order, at most.

    That is `max_num_reorder_frames` (ITU-T H.264, E.2.1): what a decoder must hold back. Encoders do not always say it.
    """
    decoded: list[int] = []
    depth = 0
    for timing in timings:
        depth = max(depth, len(decoded) - bisect_right(decoded, timing.pts))
        insort(decoded, timing.pts)
    return depth
