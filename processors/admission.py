"""What a worker takes on of a new GOP: its whole ladder, the lower rungs of it, or nothing for now. Pure.

Viewers of a rung that comes late stand still, viewers of one that has a gap go on with the next one. So a worker that
cannot keep up leaves out the largest rung of new GOPs, then the next, and takes them back one by one when it has been
calm for a while and its encoders have room for it. What is left out is done later, for the recording.

Two measures: the lag (how long the oldest chunk that is not transcoded has waited) says that it is too much; how busy the
encoders are says whether one rung more would fit. A rung that proved too much is tried again later each time.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

LIVE_MS: Final = 3_000
"""A chunk younger than this when it is read is live: viewers wait for it."""

BEHIND_S: Final = 6.0
"""Transcoding that is further behind leaves out all rungs of live GOPs."""

CALM_S: Final = 0.3
"""A lag below this is none."""

UP_EVERY_S: Final = 2.0
"""One more rung is left out after so long: what the last one saved shows by then."""

DOWN_AFTER_S: Final = 10.0
MAX_DOWN_AFTER_S: Final = 160.0
RELAPSE_S: Final = 30.0
ROOM: Final = 0.85
"""How busy encoders may be with one rung more."""

BUSY_OVER_S: Final = 5.0
REMEMBERED: Final = 16
DECODING: Final = 0.3
"""Decoding a pixel is taken to cost so much of encoding one. Not measured: it only weighs one rung more against the rest."""


class Admission:
    """Decides for one worker. Times are seconds of one monotonic clock.

    Attributes:
        left_out: how many rungs, from the largest, new GOPs do without; the last rung of a ladder always stays.
    """

    def __init__(self, threads: int, shed_lag_s: float, late_ms: int) -> None:
        """`threads` encode side by side.

        Above a lag of `shed_lag_s` one more rung is left out. A GOP that is `late_ms` old when it is read comes too late
        for viewers: playlists have given it up.
        """
        self.left_out = 0
        self._late_ms = late_ms
        self._threads = threads
        self._shed_lag_s = shed_lag_s
        self._busy = 0.0
        self._spent_s = -math.inf
        self._ladders: deque[tuple[int, ...]] = deque(maxlen=REMEMBERED)
        self._changed_s = -math.inf
        self._lowered_s = -math.inf
        self._calm_since_s = math.inf
        self._down_after_s = DOWN_AFTER_S

    def spent(self, cpu_s: float, now_s: float) -> None:
        """Encoders used so much CPU time."""
        self._busy = self._busy_at(now_s) + cpu_s / BUSY_OVER_S
        self._spent_s = now_s

    def busy(self, now_s: float) -> float:
        """The share of the encoders' time that is used, over the last seconds: 1 is all of it."""
        return self._busy_at(now_s) / self._threads

    def rungs(self, pixels: Sequence[int], age_ms: int, lag_s: float) -> int:
        """How many rungs, from the largest, a new GOP does without.

        Args:
            pixels: of a picture of the source, then of each rung from the largest.
            age_ms: of the GOP's first chunk when it is read.
            lag_s: how far transcoding is behind.
        """
        count = len(pixels) - 1
        if age_ms >= self._late_ms:
            return count
        self._ladders.append(tuple(pixels))
        if age_ms >= LIVE_MS:
            return 0  # it is caught up with: reading waits for the encoders
        return count if lag_s > BEHIND_S else max(0, min(self.left_out, count - 1))

    def adjust(self, lag_s: float, now_s: float) -> None:
        """Leave out more, or less. To be called about once a second."""
        if lag_s > self._shed_lag_s:
            self._calm_since_s = math.inf
            if self.left_out < self._most() and now_s - self._changed_s >= UP_EVERY_S:
                self._more(now_s)
        elif lag_s > CALM_S or not self.left_out:
            self._calm_since_s = math.inf
        else:
            self._calm_since_s = min(self._calm_since_s, now_s)
            if now_s - self._calm_since_s >= self._down_after_s and self._fits_one_more(now_s):
                self.left_out -= 1
                self._changed_s = self._lowered_s = self._calm_since_s = now_s

    def _more(self, now_s: float) -> None:
        relapsed = now_s - self._lowered_s < RELAPSE_S
        self._down_after_s = min(2 * self._down_after_s, MAX_DOWN_AFTER_S) if relapsed else DOWN_AFTER_S
        self.left_out += 1
        self._changed_s = now_s

    def _most(self) -> int:
        return max((len(pixels) - 2 for pixels in self._ladders), default=0)

    def _fits_one_more(self, now_s: float) -> bool:
        now, then = (sum(_cost(pixels, self.left_out - less) for pixels in self._ladders) for less in (0, 1))
        return not now or self.busy(now_s) * then / now < ROOM

    def _busy_at(self, now_s: float) -> float:
        return self._busy * math.exp(-(now_s - self._spent_s) / BUSY_OVER_S) if self._busy else 0.0


def _cost(pixels: Sequence[int], left_out: int) -> float:
    """Of a picture in all rungs but those left out, as pixels to encode."""
    source, *rungs = pixels
    return DECODING * source + sum(rungs[max(0, min(left_out, len(rungs) - 1)) :])
