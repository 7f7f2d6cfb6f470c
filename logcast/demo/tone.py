"""The tone: a soft 440 Hz, and a beep an octave higher at every full second of the wall clock."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 48_000
FRAME_SAMPLES: Final = 1024
"""Samples of an AAC frame (ISO/IEC 14496-3)."""

Samples = NDArray[np.float32]

TONE_HZ, TONE_LEVEL = 440, 0.06
BEEP_HZ, BEEP_LEVEL, BEEP_S = 880, 0.25, 0.1
RAMP_S = 0.008


def one_second() -> Samples:
    """A second that can follow itself without a click: whole periods, soft edges."""
    at = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    edges = np.clip(np.minimum(at, BEEP_S - at) / RAMP_S, 0, 1)
    tone = TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * at)
    return (tone + BEEP_LEVEL * edges * np.sin(2 * np.pi * BEEP_HZ * at)).astype(np.float32)


class Tone:
    """The samples of any stretch of time."""

    def __init__(self) -> None:
        self._loop = np.tile(one_second(), 2)

    def samples(self, first: int) -> Samples:
        """`FRAME_SAMPLES` for two channels (2 x 1024), from sample `first` after a full second of the wall clock."""
        start = first % SAMPLE_RATE
        mono = self._loop[start : start + FRAME_SAMPLES]
        return np.ascontiguousarray(np.broadcast_to(mono, (2, FRAME_SAMPLES)))
