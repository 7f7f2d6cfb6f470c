"""From a publisher's timestamps to media time.

A publisher counts milliseconds from anywhere, and may start over or leap. Media time is ours: it starts where the video
left off, only goes forward, and is the same for both tracks.

- An `Anchor` ties one publisher timestamp to one media time and one wall clock time. One anchor serves both tracks, so
  they stay in sync; it holds for one epoch. When `is_jump` says so, a new epoch needs a new anchor.
- Video (`VideoClock`) keeps the publisher's milliseconds, exact in 90 kHz ticks. Decode times are moved so that an IDR
  picture is decoded when it is shown: a GOP's first decode time is then its first presentation time, and the pictures
  that B-frames reorder get composition offsets of either sign.
- Audio (`AudioClock`) counts samples: frames follow one another exactly, because milliseconds are too coarse to say
  where a frame of 1024 samples starts. The count yields to the publisher's clock only when they drift apart by more
  than DRIFT_MS, or by most of a frame for PERSISTENT_FRAMES: then frames are missing (a hole), or there are too many
  (an overlap).
- Timestamps that leap although no time went by are led on from where they were (`Leaps`), both tracks by the same: an
  encoder's mishap is no discontinuity.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

JUMP_MS = 10_000
BACKWARD_TOLERANCE_MS = 50
DRIFT_MS = 50
PERSISTENT_FRAMES = 8
TICKS_PER_MS = 90


def is_jump(previous_ms: int, timestamp_ms: int) -> bool:
    """Whether a track's timestamps leapt: backwards beyond BACKWARD_TOLERANCE_MS, or forwards beyond JUMP_MS."""
    return not -BACKWARD_TOLERANCE_MS <= timestamp_ms - previous_ms <= JUMP_MS


class Leaps:
    """What is added to the timestamps of a publisher whose clock leapt.

    The tracks do not leap at the same moment: audio chooses, of the shift that video has and those from before, the one
    that it goes on with.
    """

    def __init__(self) -> None:
        self.shift_ms = 0
        self._others: deque[int] = deque((0,), maxlen=2)

    def video(self, timestamp_ms: int) -> int:
        """A timestamp of video on the steady clock."""
        return timestamp_ms + self.shift_ms

    def audio(self, timestamp_ms: int, last_ms: int | None) -> int:
        """A timestamp of audio on the steady clock, after the last one; one that leapt has the shift of video."""
        if last_ms is None:
            return timestamp_ms + self.shift_ms
        shifts = self.shift_ms, *self._others
        nearest = timestamp_ms + min(shifts, key=lambda shift: abs(timestamp_ms + shift - last_ms))
        return timestamp_ms + self.shift_ms if is_jump(last_ms, nearest) else nearest

    def lead_on(self, by_ms: int) -> None:
        """Video's timestamps leapt: from now on so much more is added."""
        self._others.append(self.shift_ms)
        self.shift_ms += by_ms

    def lead_audio_on(self, by_ms: int) -> None:
        """Audio's timestamps leapt and video's did not: there is a shift that is so much more than that of video."""
        self._others.append(self.shift_ms + by_ms)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Media time and wall clock of publisher time 0 (all in ms); either may be negative."""

    media_offset_ms: int
    wall_offset_ms: int

    @classmethod
    def at(cls, timestamp_ms: int, media_ms: int, received_ms: int, earliest_wall_ms: int) -> "Anchor":
        """Publisher time `timestamp_ms` is `media_ms`, and was captured when it was received.

        It was not captured before `earliest_wall_ms`: so the wall clock never runs back from one epoch to the next.
        """
        return cls(media_ms - timestamp_ms, max(received_ms, earliest_wall_ms) - media_ms)

    def media_ms(self, timestamp_ms: int) -> int:
        """Media time of a publisher timestamp."""
        return timestamp_ms + self.media_offset_ms

    def wall_ms(self, media_ms: int) -> int:
        """Wall clock time, ms since 1970, at a media time."""
        return media_ms + self.wall_offset_ms


@dataclass(frozen=True, slots=True)
class VideoTime:
    """Decode time and composition offset in ticks of 1/90000 s."""

    dts: int
    cts_offset: int


class VideoClock:
    """Places the access units of one epoch, in decode order."""

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._delay_ms = 0
        self._last_ms: int | None = None

    def place(self, timestamp_ms: int, composition_ms: int, *, idr: bool) -> VideoTime:
        """Where the next access unit goes; strictly after the one before it, by 1 ms at least."""
        if idr:
            self._delay_ms = composition_ms
        shown_ms = self._anchor.media_ms(timestamp_ms + composition_ms)
        decoded_ms = self._anchor.media_ms(timestamp_ms + self._delay_ms)
        if self._last_ms is not None:
            decoded_ms = max(decoded_ms, self._last_ms + 1)
        self._last_ms = decoded_ms
        return VideoTime(decoded_ms * TICKS_PER_MS, (shown_ms - decoded_ms) * TICKS_PER_MS)


@dataclass(frozen=True, slots=True)
class AudioTime:
    """Where a frame goes, in samples, and how many whole frames are missing right before it."""

    dts: int
    missing: int


class AudioClock:
    """Places the frames of one epoch, `frame_length` samples each at `rate_hz`, none before `start_ms` of media."""

    def __init__(self, anchor: Anchor, start_ms: int, rate_hz: int, frame_length: int) -> None:
        self._anchor = anchor
        self._rate = rate_hz
        self._frame = frame_length
        self._bound = max(DRIFT_MS * rate_hz // 1000, 3 * frame_length // 4)
        self._start = self._samples(start_ms)
        self._next: int | None = None
        self._filled = False
        self._apart = 0

    def place(self, timestamp_ms: int, *, fill_limit: int) -> AudioTime | None:
        """Where the next frame goes, or None when it must be left out: its time is taken, or before the media's start.

        A hole of up to `fill_limit` frames keeps the count going, for the caller to fill; a larger one is left open.
        """
        clock = self._samples(self._anchor.media_ms(timestamp_ms))
        due = clock if self._next is None else self._next
        drift = clock - due
        bound = self._frame // 2 if self._is_apart(drift) or self._filled else self._bound
        if due < self._start or drift < -bound:
            return None
        self._filled = self._next is None  # encoders prime, and the time of a first frame before 0 is cut to 0
        missing = (drift + self._frame // 2) // self._frame if drift > bound else 0
        if missing > fill_limit:
            due, missing = clock, 0
        dts = due + missing * self._frame
        self._next = dts + self._frame
        return AudioTime(dts, missing)

    def fill(self, start_ms: int, until_ms: int) -> Iterator[int]:
        """Where frames go that nothing came for, up to a media time: behind those that came, or from `start_ms` on.

        The next frame that comes finds its place by the publisher's clock, to half a frame.
        """
        due = max(self._start, self._samples(start_ms)) if self._next is None else self._next
        until = self._samples(until_ms)
        while due <= until:
            yield due
            due += self._frame
            self._next, self._filled = due, True

    @property
    def next_ms(self) -> int | None:
        """Media time at which the next frame is due; None before the first."""
        return None if self._next is None else self._next * 1000 // self._rate

    def _is_apart(self, drift: int) -> bool:
        """Whether most of a frame lies between the count and the clock, on one side, and has for some time."""
        side = (drift > 3 * self._frame // 4) - (drift < -3 * self._frame // 4)
        self._apart = self._apart + side if side * self._apart > 0 else side
        return abs(self._apart) >= PERSISTENT_FRAMES

    def _samples(self, media_ms: int) -> int:
        return (media_ms * self._rate + 500) // 1000
