"""Clips whose pictures carry their numbers, with a flash and a beep together every second; and what is left of them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.glass import stamp
from benchmarks.glass.publisher import luma_of
from tests.e2e.publishing import FRAME_RATE, Clip

SIZE = (640, 360)
RATE_HZ = 48_000
BEEP_S = 0.05
LOUD = 0.2
BRIGHT = 150


@dataclass
class Seen:
    """What a file holds: the numbers in order of time, and when it flashes and beeps, s."""

    numbers: list[int] = field(default_factory=list)
    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)

    @property
    def offset_s(self) -> float:
        """How much later the beeps are than the flashes, the worst of all."""
        pairs = [(min(self.beeps, key=lambda beep: abs(beep - flash)) - flash) for flash in self.flashes]
        assert pairs
        return max(pairs, key=abs)


def numbered_clip(path: Path, frames: int, first: int = 0) -> Clip:
    """Make a clip of so many pictures, numbered from `first` on."""
    with av.open(str(path), "w") as target:
        video = target.add_stream("libx264", rate=FRAME_RATE, options={"preset": "ultrafast", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt, video.gop_size = *SIZE, "yuv420p", FRAME_RATE
        video.codec_context.max_b_frames = 0
        audio = target.add_stream("aac", rate=RATE_HZ)
        audio.layout = "mono"
        for number in range(frames):
            target.mux(video.encode(_picture(first + number, number)))
        target.mux(video.encode(None))
        for sound in _sounds(frames):
            target.mux(audio.encode(sound))
        target.mux(audio.encode(None))
    return Clip(path, frames, frames // FRAME_RATE)


def _picture(number: int, index: int) -> av.VideoFrame:
    frame = av.VideoFrame(*SIZE, "yuv420p")
    for plane, value in zip(frame.planes, (60, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    luma = luma_of(frame)
    if index % FRAME_RATE == FRAME_RATE // 2:
        luma[SIZE[1] // 2 :, :] = 230
    stamp.draw(luma, number + 1)
    frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
    return frame


def _sounds(frames: int) -> list[av.AudioFrame]:
    at = np.arange(frames * RATE_HZ // FRAME_RATE) / RATE_HZ
    beeping = (at % 1.0 >= 0.5) & (at % 1.0 < 0.5 + BEEP_S)
    wave = (np.sin(2 * np.pi * 1000 * at) * 0.6 * beeping).astype(np.float32)
    found = []
    for begin in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, begin : begin + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, begin, Fraction(1, RATE_HZ)
        found.append(frame)
    return found


def seen(files: Sequence[bytes]) -> Seen:
    """Read a file, or the files of a picture and its sound on one time line."""
    found = Seen()
    for data in files:
        with av.open(io.BytesIO(data), mode="r") as container:
            for packet in container.demux():
                for frame in packet.decode():
                    _look(frame, found)
    assert found.numbers
    return found


def _look(frame: object, found: Seen) -> None:
    assert isinstance(frame, av.VideoFrame | av.AudioFrame)
    assert frame.pts is not None
    assert frame.time_base is not None
    at = float(frame.pts * frame.time_base)
    if isinstance(frame, av.VideoFrame):
        luma = luma_of(frame)
        number = stamp.read(luma)
        assert number is not None, f"the picture at {at:.3f} s cannot be read"
        found.numbers.append(number - 1)
        if luma[SIZE[1] * 3 // 4 :, :].mean() > BRIGHT:
            found.flashes.append(at)
        return
    loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > LOUD)
    if len(loud):
        onset = at + int(loud[0]) / frame.sample_rate
        if not found.beeps or onset - found.beeps[-1] > 0.5:
            found.beeps.append(onset)
