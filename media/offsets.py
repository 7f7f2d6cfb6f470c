"""Places in a video as people and programs write them: `754.5`, `00:12:34.500`, `-10` from the live edge."""

import math
import re
from typing import Final

from media.errors import MediaError

MAX_HOURS: Final = 9_999
_SECONDS: Final = re.compile(r"(-?)([0-9]{1,8}(?:\.[0-9]{0,9})?)")
_CLOCK: Final = re.compile(r"(-?)(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{0,9})?)")


class OffsetError(MediaError):
    """A text that is no place in a video, or a place outside it."""


def parse_offset(text: str) -> float:
    """Seconds from the start of the video; below 0 (`-0` too, as -0.0) from its end or live edge.

    Raises:
        OffsetError: it is neither seconds nor a clock.
    """
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        return float(seconds[1] + seconds[2])
    clock = _CLOCK.fullmatch(text)
    if clock is not None and int(clock[3]) < 60 and float(clock[4]) < 60:
        total = int(clock[2] or 0) * 3600 + int(clock[3]) * 60 + float(clock[4])
        return -total if clock[1] else total
    raise OffsetError(
        f"expected seconds (754.5), a clock (00:12:34.500) or either after a minus, from the live edge; found {text!r:.60}"
    )


def place_of(offset: float, start_s: float, end_s: float, tolerance_s: float = 0.0) -> float:
    """Media time of an offset in a video of which `start_s` to `end_s` can be had.

    Args:
        offset: as `parse_offset` gives it.
        start_s: media time of the first picture that can be had.
        end_s: media time at which the last one ends.
        tolerance_s: so far beyond either end still counts as that end.

    Raises:
        OffsetError: it is outside.
    """
    at = end_s + offset if is_from_end(offset) else offset
    if not start_s - tolerance_s <= at <= end_s + tolerance_s:
        raise OffsetError(
            f"expected an offset from {start_s:.3f} to {end_s:.3f} s, found {offset:g} s"
            + (f" from the end, which is {at:.3f} s" if is_from_end(offset) else "")
        )
    return min(max(at, start_s), end_s)


def is_from_end(offset: float) -> bool:
    """Whether an offset counts from the end; -0.0 does."""
    return math.copysign(1.0, offset) < 0


def clock_text(seconds: float) -> str:
    """`HH:MM:SS.mmm`, as WebVTT writes times (W3C WebVTT section 4.1)."""
    total_ms = round(seconds * 1000)
    total_s, ms = divmod(total_ms, 1000)
    minutes, s = divmod(total_s, 60)
    hours, m = divmod(minutes, 60)
    return f"{hours:02d}:{m:02d}:{s:02d}.{ms:03d}"
