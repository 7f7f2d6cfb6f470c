"""Whether a series of samples is flat. Pure.

The first half of the run is warm-up. Over the second half the slope is the median of the slopes between all pairs of samples
(Theil 1950, Sen 1968), which outliers and the many teeth of a saw do not move. A saw with few teeth has a slope by chance, but
reaches no new heights; so what grows must do that, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

Point = tuple[float, float]
"""Seconds since the start, and the value."""

FEWEST: Final = 6
MOST: Final = 300
"""Points of which all pairs are looked at; more are thinned out evenly."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a series may do.

    Attributes:
        per_hour: growth that is none, in units of the series.
        per_broadcast: growth that each broadcast may leave behind for good, as a row in a table that is kept.
        cap: a series that never passes it is bounded, whatever its slope; None: there is no such bound.
        why: what bounds it, or what stays.
    """

    per_hour: float
    per_broadcast: float = 0.0
    cap: float | None = None
    why: str = ""

    def allowed(self, broadcasts_per_hour: float) -> float:
        """Growth an hour that is none."""
        return self.per_hour + self.per_broadcast * broadcasts_per_hour


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one series: growth in units an hour over the second half, what was allowed, and whether it grows."""

    name: str
    first: float
    last: float
    highest: float
    per_hour: float
    allowed: float
    grows: bool
    bounded: bool
    points: int


def verdict(name: str, series: Sequence[Point], tolerance: Tolerance, broadcasts_per_hour: float = 0.0) -> Verdict:
    """Judge one series; one with fewer than `FEWEST` samples after warm-up does not grow, as far as is known."""
    late = second_half(series)
    slope = 3600 * theil_sen(late) if len(late) >= FEWEST else 0.0
    allowed = tolerance.allowed(broadcasts_per_hour)
    highest = max((value for _, value in series), default=0.0)
    bounded = tolerance.cap is not None and highest <= tolerance.cap
    grows = len(late) >= FEWEST and slope > allowed and _reaches_new_heights(series, allowed) and not bounded
    first, last = (series[0][1], series[-1][1]) if series else (0.0, 0.0)
    return Verdict(name, first, last, highest, slope, allowed, grows, bounded, len(late))


def second_half(series: Sequence[Point]) -> list[Point]:
    """The samples of the second half of the time."""
    if not series:
        return []
    middle = (series[0][0] + series[-1][0]) / 2
    return [point for point in series if point[0] >= middle]


def theil_sen(series: Sequence[Point]) -> float:
    """Slope per second: the median of the slopes of all pairs; 0 for fewer than two samples at different times."""
    step = max(1, -(-len(series) // MOST))
    pairs = combinations(series[::step], 2)
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in pairs if t > s]
    return median(slopes) if slopes else 0.0


def _reaches_new_heights(series: Sequence[Point], allowed_per_hour: float) -> bool:
    """Whether the end lies higher than all of the time since the first quarter, by more than is allowed in between."""
    start, whole = series[0][0], series[-1][0] - series[0][0]
    before = [point for point in series if 1 / 4 <= (point[0] - start) / whole < 2 / 3]
    after = [point for point in series if (point[0] - start) / whole >= 5 / 6]
    if not before or not after:
        return False
    hours = (median(t for t, _ in after) - median(t for t, _ in before)) / 3600
    return _height(after) - _height(before) > allowed_per_hour * hours


def _height(points: Sequence[Point]) -> float:
    """The highest value, but for one that stands alone: of each three neighbours the middle one counts."""
    values = [value for _, value in points]
    return max((sorted(three)[1] for three in zip(values, values[1:], values[2:], strict=False)), default=max(values))
