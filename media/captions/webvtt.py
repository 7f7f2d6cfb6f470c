"""WebVTT as text: whole documents, and segments of HLS (W3C WebVTT; draft-pantos-hls-rfc8216bis, 3.1.4)."""

from collections.abc import Iterable, Sequence
from typing import Final

from media.captions.cues import Cue

CLOCK: Final = 90_000
"""Ticks a second of MPEG-2 timestamps."""
WRAP: Final = 1 << 33
"""MPEG-2 timestamps have 33 bits: they begin again every 26.5 hours."""


def document(cues: Iterable[Cue]) -> str:
    """A WebVTT file of cues in their order."""
    return "\n\n".join(["WEBVTT", *map(_cue, cues)]) + "\n"


def segment_text(cues: Iterable[Cue], start_ms: int) -> str:
    """A WebVTT segment that begins at `start_ms` of media time; cue times are media times."""
    return "\n\n".join([f"WEBVTT\n{timestamp_map(start_ms)}", *map(_cue, cues)]) + "\n"


def timestamp_map(start_ms: int) -> str:
    """The header that says which MPEG-2 timestamp a cue time is: zero is zero, until the timestamps have wrapped.

    Then it names the first whole second after the last wrap before `start_ms`, as 3.1.4 asks for.
    """
    wraps = start_ms * CLOCK // 1000 // WRAP
    seconds = -(-wraps * WRAP // CLOCK)
    return f"X-TIMESTAMP-MAP=LOCAL:{timestamp(seconds * 1000)},MPEGTS:{seconds * CLOCK % WRAP}"


def timestamp(at_ms: int) -> str:
    """A WebVTT timestamp (4.3) with hours."""
    seconds, ms = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{ms:03d}"


def overlapping(cues: Sequence[Cue], start_ms: int, end_ms: int) -> list[Cue]:
    """The cues of which something is to be shown between two times: each belongs to every segment that it overlaps."""
    return [cue for cue in cues if cue.start_ms < end_ms and cue.end_ms > start_ms]


def _cue(cue: Cue) -> str:
    settings = f" {cue.settings}" if cue.settings else ""
    return f"{timestamp(cue.start_ms)} --> {timestamp(cue.end_ms)}{settings}\n{cue.text}"
