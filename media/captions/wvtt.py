"""WebVTT in CMAF segments (ISO/IEC 14496-30:2018, clause 7; ISO/IEC 23000-19, 11.3): what DASH players read.

A track of samples has no overlaps and no holes: a sample lasts from one change of what is shown to the next, and holds a
`vttc` box for every cue that is shown meanwhile, or a `vtte` for nothing. A cue that others begin or end beside is in several
samples, which a `vsid` holds together.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Final
from zlib import crc32

from media.boxes import box
from media.captions.cues import Cue
from media.cmaf import Sample, sequence_number, write_chunk
from media.cmaf_init import TEXT_TRACK_ID

MAX_CUES: Final = 500
"""Of a segment. No viewer reads so many; a file whose cues all lie over one another would make very large segments."""

MAX_SHOWN: Final = 16
"""Cues at the same time."""


def text_segment(cues: Sequence[Cue], start_ms: int, end_ms: int, number: int) -> bytes:
    """The segment from `start_ms` up to `end_ms` of media time, in a timescale of milliseconds.

    Args:
        cues: those that overlap it, at least; times are media times.
        start_ms: of the segment.
        end_ms: after it.
        number: of the segment.
    """
    there = [cue for cue in cues if cue.start_ms < end_ms and cue.end_ms > start_ms and cue.start_ms < cue.end_ms]
    del there[MAX_CUES:]
    times = {start_ms, end_ms}.union(*((cue.start_ms, cue.end_ms) for cue in there))
    changes = sorted(time for time in times if start_ms <= time <= end_ms)
    samples = [
        Sample(_shown(there, since), since, 0, until - since, keyframe=True) for since, until in pairwise(changes)
    ]
    return write_chunk(TEXT_TRACK_ID, sequence_number(number, 0), samples, segment_start=True)


def _shown(cues: Sequence[Cue], at_ms: int) -> bytes:
    """A sample: what is shown from a moment on."""
    shown = [cue for cue in cues if cue.start_ms <= at_ms < cue.end_ms]
    return b"".join(map(_cue, shown[:MAX_SHOWN])) or box(b"vtte")


def _cue(cue: Cue) -> bytes:
    """A VTTCueBox; its settings are those of a cue in a file."""
    text, settings = cue.text.encode(), cue.settings.encode()
    source = crc32(b"\n".join((str(cue.start_ms).encode(), settings, text))) & 0x7FFFFFFF
    return box(
        b"vttc",
        box(b"vsid", struct.pack(">I", source)),
        box(b"sttg", settings) if settings else b"",
        box(b"payl", text),
    )
