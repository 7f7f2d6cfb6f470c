"""Cutting a track into parts (RFC 8216bis, 4.4.4.9).

A part lasts at most the part target, and every part but a segment's last at least 85 % of it. What a whole number of
frames lasts need not come near the wanted length (five frames at 24 fps are 208 ms, four are 83 % of 200 ms), publishers
count whole milliseconds, and many stutter. Two tracks, two ways out:

- Audio frames last what they last, but all the same: where no whole number of them fills the wanted length, the target
  of the track is another one.
- Pictures are shown when the publisher says, but when they are *decoded* is ours to say. Where frames do not fit, the
  last one of a part ends, on the decode clock, where the part does, and the next one is decoded so much earlier than
  it would be; its composition offset makes up for it. Such an advance is used up by the frames that follow. So a picture
  that lingers for a second makes a part of just the target, and a few short ones behind it, and no playlist ever has to
  change its target:

      shown     a    b    c    d              e    f    g
      decoded   a    b    c    d    |e    f    g      |        parts that keep to their target

Only when frame upon frame lasts longer than the target is it raised, for good: below some five frames a second.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from media.cmaf import MAX_SAMPLES, Sample

MIN_FILL = 0.85
_SLOW_FILL = 0.9  # how far a frame of a slow source fills a part: room for those that take a little longer
_SLOW_MS = 3000  # pictures that linger for so long together, and nearly all of them, are no accident
_GRAIN_MS = 5
_RECENT_FRAMES = 32
_MEASURED_FRAMES = 3
_USUAL_RATES = (10.0, 12.0, 12.5, 15.0, 20.0, 23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 120.0)


def video_part_target_ms(frame_ms: float, wanted_ms: int) -> int:
    """The part target to advertise for pictures of `frame_ms`: `wanted_ms`, unless a single one lasts longer."""
    return wanted_ms if frame_ms <= wanted_ms else _GRAIN_MS * math.ceil(frame_ms / _SLOW_FILL / _GRAIN_MS)


def audio_part_target_ms(frame_ms: float, wanted_ms: int) -> int:
    """The part target to advertise for audio frames of just `frame_ms`: `wanted_ms` where whole ones fill it well.

    Else what they do fill, rounded up to 5 ms; it is above `wanted_ms` only where a single frame is.
    """
    lasts = max(1, int(wanted_ms / frame_ms)) * frame_ms
    if MIN_FILL * wanted_ms <= lasts <= wanted_ms:
        return wanted_ms
    return _GRAIN_MS * math.ceil(lasts / _GRAIN_MS)


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
    given out short of 85 % only where `max_bytes` would be passed and, in audio, before a hole.
    """

    def __init__(
        self, timescale: int, wanted_ms: int, max_bytes: int, *, announced: Fraction | None, video: bool
    ) -> None:
        self._timescale = timescale
        self._wanted_ms = wanted_ms
        self._max_bytes = max_bytes
        self._announced = announced
        self._video = video
        self._target_ms = 0
        self._frame_ms = 0.0
        self._first: list[Sample] = []
        self._samples: list[Sample] = []
        self._bytes = 0
        self._at: int | None = None
        self._recent: deque[int] = deque(maxlen=_RECENT_FRAMES)
        self._cut: deque[int] = deque(maxlen=2 * _RECENT_FRAMES)

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

    def begin(self) -> None:
        """The next sample goes on from nothing: an epoch starts. All that came before must have been flushed."""
        self._at = None
        self._cut.clear()

    def add(self, sample: Sample) -> list[tuple[Sample, ...]]:
        """Take the next sample; gives the parts that are complete now: none or one, and rarely more.

        Samples of video must follow one another; their decode times may be others when they come out.
        """
        self._recent.append(sample.duration)
        if self._target_ms:
            return self._gather(sample)
        self._first.append(sample)
        return self._begin() if self._is_measured() else []

    def flush(self) -> list[tuple[Sample, ...]]:
        """What was gathered so far, if anything; the next sample begins another part."""
        parts = self._begin() if self._first else []
        return parts + self._take()

    def _is_measured(self) -> bool:
        total_ms = self._ms(sum(sample.duration for sample in self._first))
        long = total_ms + self._usual_frame_ms() > self._wanted_ms
        heavy = sum(len(sample.data) for sample in self._first) > self._max_bytes
        return heavy or (long and len(self._first) >= _MEASURED_FRAMES)

    def _begin(self) -> list[tuple[Sample, ...]]:
        """Settle the target, and gather the samples that it was measured on: one or two pictures may just linger."""
        first, self._first = self._first, []
        frame_ms = self._usual_frame_ms()
        self._decide(min(frame_ms, self._wanted_ms) if self._video and len(first) < _MEASURED_FRAMES else frame_ms)
        return [part for sample in first for part in self._gather(sample)]

    def _gather(self, sample: Sample) -> list[tuple[Sample, ...]]:
        start = self._at if self._video and self._at is not None else sample.dts
        end = sample.dts + sample.duration
        parts = [] if self._takes(sample, start, end) else self._take()
        begun = self._samples[0].dts if self._samples else start
        self._at = min(end, begun + self._target_ticks()) if self._video else end
        offset = sample.cts_offset + sample.dts - start
        self._samples.append(replace(sample, dts=start, cts_offset=offset, duration=self._at - start))
        self._bytes += len(sample.data)
        if self._at < end or self._is_full():
            parts += self._take()
        self._note_cut(sample.duration, cut=self._at < end)
        return parts

    def _take(self) -> list[tuple[Sample, ...]]:
        part = tuple(self._samples)
        self._samples, self._bytes = [], 0
        return [part] if part else []

    def _takes(self, sample: Sample, start: int, end: int) -> bool:
        """Whether a sample from `start` to `end` on the decode clock may join what was gathered."""
        if not self._samples:
            return True
        if self._bytes + len(sample.data) > self._max_bytes or len(self._samples) == MAX_SAMPLES:
            return False
        if not self._video and start != self._at:  # a hole: the samples of a chunk follow one another
            return False
        fits = end - self._samples[0].dts <= self._target_ticks()
        if self._is_long_enough():
            return fits and not (self._video and sample.keyframe)
        return fits or self._video  # it is cut where the part must end

    def _note_cut(self, duration: int, *, cut: bool) -> None:
        """Raise the target where frame upon frame lasts longer: most of them for some seconds, or all together of many."""
        if not cut:
            self._cut.clear()
            return
        self._cut.append(duration)
        middle, mean = sorted(self._cut)[(len(self._cut) - 1) // 2], _mean(self._cut)
        long = len(self._cut) > _MEASURED_FRAMES and self._ms(sum(self._cut)) > _SLOW_MS
        most = long and middle > self._target_ticks()
        if most or (len(self._cut) == self._cut.maxlen and mean > self._target_ticks()):
            self._decide(self._ms(max(middle, mean)))
            self._cut.clear()

    def _is_full(self) -> bool:
        """Whether a further frame of the usual duration would pass the target."""
        return self._ms(self._gathered()) + self._usual_frame_ms() > self._target_ms and self._is_long_enough()

    def _is_long_enough(self) -> bool:
        return self._ms(self._gathered()) >= MIN_FILL * self._target_ms

    def _gathered(self) -> int:
        """Ticks that the gathered samples last."""
        return sum(sample.duration for sample in self._samples)

    def _decide(self, frame_ms: float) -> None:
        choose = video_part_target_ms if self._video else audio_part_target_ms
        self._frame_ms = frame_ms
        self._target_ms = max(self._target_ms, choose(frame_ms, self._wanted_ms))

    def _usual_frame_ms(self) -> float:
        """Mean duration of the recent frames, outliers aside: means outlive rounding, medians do not."""
        middle = sorted(self._recent)[len(self._recent) // 2]
        return self._ms(_mean(duration for duration in self._recent if 2 * duration <= 3 * middle))

    def _target_ticks(self) -> int:
        return self._target_ms * self._timescale // 1000

    def _ms(self, ticks: float) -> float:
        return ticks * 1000 / self._timescale


def _mean(values: Iterable[int]) -> float:
    items = list(values)
    return sum(items) / len(items)
