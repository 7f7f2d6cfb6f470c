"""`python -m benchmarks.glass.publisher URL`: pushes 720p30 with a time stamp in every picture, until SIGTERM.

A process of its own, so that what measures does not disturb what is measured. The stamp is the wall clock at which the
picture is handed to the encoder, as a camera would hand it over.
"""

import signal
import sys
import time
from fractions import Fraction
from threading import Event
from typing import Any, Final

import av
import numpy as np
from av.video.frame import PictureType

from benchmarks.glass import stamp
from logcast.demo.picture import HEIGHT, WIDTH
from logcast.demo.push import FRAME_RATE, NETWORK_TIMEOUT_S, audio_stream, video_stream
from logcast.demo.tone import FRAME_SAMPLES, SAMPLE_RATE, Tone

PICTURES: Final = 60


def test_pictures() -> list[av.VideoFrame]:
    """Two seconds of FFmpeg's test picture, decoded once: all that is left to do live is the stamp."""
    pictures: list[av.VideoFrame] = []
    with av.open(f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAME_RATE}", "r", format="lavfi") as source:
        for frame in source.decode(video=0):
            pictures.append(frame)
            if len(pictures) == PICTURES:
                break
    return pictures


def luma_of(frame: av.VideoFrame) -> stamp.Plane:
    """The luma plane of a picture, to be read or written in place."""
    plane: Any = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def push(url: str, stop: Event) -> None:
    """Push in real time until `stop` is set.

    Raises:
        av.FFmpegError: the connection is lost, or was refused.
    """
    pictures, tone = test_pictures(), Tone()
    timeout = (NETWORK_TIMEOUT_S, NETWORK_TIMEOUT_S)
    with av.open(url, "w", format="flv", timeout=timeout) as target:
        video, audio = video_stream(target), audio_stream(target)
        began, samples, number = time.monotonic(), 0, 0
        while not stop.wait(max(0.0, began + number / FRAME_RATE - time.monotonic())):
            picture = pictures[number % PICTURES]
            stamp.draw(luma_of(picture), time.time_ns() // 1_000_000)
            picture.pts, picture.time_base = number, Fraction(1, FRAME_RATE)
            picture.pict_type = PictureType.NONE  # the encoder chooses
            target.mux(video.encode(picture))
            while samples * FRAME_RATE < number * SAMPLE_RATE:
                sound = av.AudioFrame.from_ndarray(tone.samples(samples), format="fltp", layout="stereo")
                sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, samples, Fraction(1, SAMPLE_RATE)
                target.mux(audio.encode(sound))
                samples += FRAME_SAMPLES
            number += 1


def main() -> None:
    """Push until SIGTERM or SIGINT."""
    stop = Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda *_: stop.set())
    push(sys.argv[1], stop)


if __name__ == "__main__":
    main()
