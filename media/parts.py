"""Cutting a track into parts (RFC 8216bis, 4.4.4.9).

A part lasts at most the part target, and every part but a segment's last at least 85 % of it. What a whole number of
frames lasts need not come near the wanted length: five frames at 24 fps are 83 % of 250 ms, six may be rounded to more.
So the target that is advertised follows from the frame duration, with room for frames that come early or late. That is measured on the frames of the first part, and
on three of them at least, before anything is given out: publishers count whole milliseconds, and often say nothing, or
nothing true, of their frame rate. A part holds at least one frame; below 4 fps the frame's duration is the target.
"""

import math
from collections import deque
from collections.abc import Iterable
from fractions import Fraction

from media.cmaf import MAX_SAMPLES, Sample

MIN_FILL = 0.85
_AMPLE_FILL = 0.925  # halfway between the least fill and the target: room for jitter on both sides
_ROUNDING_MS = 1  # how much publishers' whole milliseconds may add to or take from a run of frames
_GRAIN_MS = 5
_RECENT_FRAMES = 32
_MEASURED_FRAMES = 3
_USUAL_RATES = (10.0, 12.0, 12.5, 15.0, 20.0, 23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 120.0)


def part_target_ms(frame_ms: float, wanted_ms: int) -> int:
    """The part target to advertise for frames of `frame_ms`: one that as many frames as fit into `wanted_ms` fill well.

    They fill 92.5 % of it where that is not above `wanted_ms`, so that frames may come a little early or late and every
    part still lasts 85 to 100 % of it. It is a multiple of 5 ms, and above `wanted_ms` only where a single frame is.
    """
    frames = max(1, int((wanted_ms - _ROUNDING_MS) / frame_ms))
    lasts = frames * frame_ms
    ample = _GRAIN_MS * math.ceil(lasts / _AMPLE_FILL / _GRAIN_MS)
    target = min(ample, max(wanted_ms, _above(lasts)))
    return target if is_filled(target, frame_ms) else _above(lasts)


def is_filled(target_ms: int, frame_ms: float) -> bool:
    """Whether a whole number of frames lasts 85 to 100 % of a target, and stays there when it is rounded to ms."""
    frames = int((target_ms - _ROUNDING_MS) / frame_ms)
    return frames > 0 and frames * frame_ms >= MIN_FILL * target_ms + _ROUNDING_MS


def _above(lasts_ms: float) -> int:
    return _GRAIN_MS * math.ceil((lasts_ms + _ROUNDING_MS) / _GRAIN_MS)


def nominal_rate(frame_ms: float, announced: Fraction | None) -> float:
    """Frames per second for frames that were measured: the announced rate where it agrees, else the usual one near."""
    measured = 1000 / frame_ms
    if announced is not None and abs(float(announced) - measured) <= 0.05 * measured:
        return round(float(announced), 3)
    nearest = min(_USUAL_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) <= 0.02 * measured else round(measured, 3)


class PartBuilder:
    """Gathers the samples of one track, whose durations are known, into parts.

    A part is given out as soon as another frame would not fit: there is no waiting for the frame that shows it. It is
    given out short of 85 % only where a frame of unusual duration does not fit, where `max_bytes` would be passed, and
    before a hole.
    """

    def __init__(
        self, timescale: int, wanted_ms: int, max_bytes: int, *, announced: Fraction | None, cut_at_keyframes: bool
    ) -> None:
        self._timescale = timescale
        self._wanted_ms = wanted_ms
        self._max_bytes = max_bytes
        self._announced = announced
        self._cut_at_keyframes = cut_at_keyframes
        self._target_ms = 0
        self._frame_ms = 0.0
        self._first: list[Sample] = []
        self._samples: list[Sample] = []
        self._duration = 0
        self._bytes = 0
        self._recent: deque[int] = deque(maxlen=_RECENT_FRAMES)

    @property
    def target_ms(self) -> int:
        """The part target to advertise; the wanted one until frames were measured."""
        return self._target_ms or self._wanted_ms

    @property
    def frame_rate(self) -> float:
        """Frames per second; 0 until known."""
        if not self._recent:
            return round(float(self._announced), 3) if self._announced else 0.0
        return nominal_rate(self._frame_ms or self._usual_frame_ms(), self._announced)

    def add(self, sample: Sample) -> list[tuple[Sample, ...]]:
        """Take the next sample; gives the parts that are complete now: none or one, and rarely more."""
        self._recent.append(sample.duration)
        if self._target_ms:
            return self._gather(sample)
        self._first.append(sample)
        return self._begin() if self._is_measured() else []

    def flush(self) -> list[tuple[Sample, ...]]:
        """What was gathered so far, if anything; the next sample begins another part."""
        parts = self._begin() if self._first else []
        return parts + self._take()

    def reconsider(self) -> None:
        """Choose another target where the source's frame rate has changed so that frames do not fill this one."""
        if self._target_ms and not is_filled(self._target_ms, frame_ms := self._usual_frame_ms()):
            self._decide(frame_ms)

    def _is_measured(self) -> bool:
        total_ms = self._ms(sum(sample.duration for sample in self._first))
        long = total_ms + self._usual_frame_ms() > self._wanted_ms - _ROUNDING_MS
        heavy = sum(len(sample.data) for sample in self._first) > self._max_bytes
        return heavy or (long and len(self._first) >= _MEASURED_FRAMES)

    def _begin(self) -> list[tuple[Sample, ...]]:
        """Settle the target, and gather the samples that it was measured on."""
        self._decide(self._usual_frame_ms())
        first, self._first = self._first, []
        return [part for sample in first for part in self._gather(sample)]

    def _gather(self, sample: Sample) -> list[tuple[Sample, ...]]:
        parts = [] if self._fits(sample) else self._take()
        self._samples.append(sample)
        self._duration += sample.duration
        self._bytes += len(sample.data)
        if self._is_full():
            parts += self._take()
        return parts

    def _take(self) -> list[tuple[Sample, ...]]:
        part = tuple(self._samples)
        self._samples, self._duration, self._bytes = [], 0, 0
        return [part] if part else []

    def _fits(self, sample: Sample) -> bool:
        if not self._samples:
            return True
        last = self._samples[-1]
        if sample.dts != last.dts + last.duration:  # a hole: the samples of a chunk follow one another
            return False
        if self._bytes + len(sample.data) > self._max_bytes or len(self._samples) == MAX_SAMPLES:
            return False
        if self._cut_at_keyframes and sample.keyframe and self._is_long_enough():
            return False
        return (self._duration + sample.duration) * 1000 <= self._target_ms * self._timescale

    def _is_full(self) -> bool:
        """Whether a further frame of the usual duration would pass the target."""
        full = self._ms(self._duration) + self._usual_frame_ms() > self._target_ms - _ROUNDING_MS
        return full and self._is_long_enough()

    def _is_long_enough(self) -> bool:
        return self._ms(self._duration) >= MIN_FILL * self._target_ms

    def _decide(self, frame_ms: float) -> None:
        self._frame_ms = frame_ms
        self._target_ms = part_target_ms(frame_ms, self._wanted_ms)

    def _usual_frame_ms(self) -> float:
        """Mean duration of the recent frames, outliers aside: means outlive rounding, medians do not."""
        middle = sorted(self._recent)[len(self._recent) // 2]
        return self._ms(_mean(duration for duration in self._recent if 2 * duration <= 3 * middle))

    def _ms(self, ticks: float) -> float:
        return ticks * 1000 / self._timescale


def _mean(values: Iterable[int]) -> float:
    items = list(values)
    return sum(items) / len(items)
