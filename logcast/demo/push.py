"""Encodes the test picture and its tone as they happen, and pushes them by RTMP."""

import logging
import time
from collections.abc import Callable
from fractions import Fraction
from threading import Event
from typing import Any, Final

import av

from logcast.demo.picture import HEIGHT, WIDTH, TestPicture
from logcast.demo.tone import FRAME_SAMPLES, SAMPLE_RATE, Tone

FRAME_RATE: Final = 30
GOP_S: Final = 2
TOO_LATE_S: Final = 1.0
NETWORK_TIMEOUT_S: Final = 10
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 10.0

log = logging.getLogger("logcast.demo")


class Push:
    """One connection. Times of frames are those of the wall clock since it began.

    Raises:
        av.FFmpegError: the server is not there, or refuses the key.
    """

    def __init__(self, target: str, now: Callable[[], float]) -> None:
        self._now = now
        self._container: Any = av.open(target, "w", format="flv", timeout=(NETWORK_TIMEOUT_S, NETWORK_TIMEOUT_S))
        self._video = video_stream(self._container)
        self._audio = audio_stream(self._container)
        self._container.start_encoding()  # connects
        self._picture, self._tone = TestPicture(), Tone()
        self._audio_samples = 0

    def run(self, stop: Event) -> None:
        """Push until `stop` is set.

        Raises:
            av.FFmpegError: the connection is lost.
        """
        began = self._now()
        number = 0
        while not stop.wait(max(0.0, began + number / FRAME_RATE - self._now())):
            late_s = self._now() - began - number / FRAME_RATE
            if late_s > TOO_LATE_S:  # asleep, or stopped by a debugger: go on with the present
                number += int(late_s * FRAME_RATE)
            self._send_picture(number, began)
            self._send_tone(began, until_s=number / FRAME_RATE)
            number += 1

    def close(self) -> None:
        """Tell the server that this is the end."""
        self._container.close()

    def _send_picture(self, number: int, began: float) -> None:
        elapsed_s = number / FRAME_RATE
        frame = self._picture.draw(number, elapsed_s, began + elapsed_s)
        frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
        self._container.mux(self._video.encode(frame))

    def _send_tone(self, began: float, until_s: float) -> None:
        """The tone up to where the picture is."""
        began_sample = int(began * SAMPLE_RATE)
        behind = int(until_s * SAMPLE_RATE) - self._audio_samples
        if behind > TOO_LATE_S * SAMPLE_RATE:
            self._audio_samples += behind // FRAME_SAMPLES * FRAME_SAMPLES
        while self._audio_samples < until_s * SAMPLE_RATE:
            samples = self._tone.samples(began_sample + self._audio_samples)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._audio_samples, Fraction(1, SAMPLE_RATE)
            self._container.mux(self._audio.encode(frame))
            self._audio_samples += FRAME_SAMPLES


def video_stream(container: Any) -> Any:
    """H.264 that costs as little as can be; no reordering, a keyframe every two seconds exactly."""
    stream = container.add_stream("libx264", rate=FRAME_RATE)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context = stream.codec_context
    context.gop_size = GOP_S * FRAME_RATE
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709 (ISO/IEC 23091-2)
    context.color_range = 1  # limited
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "24", "sc_threshold": "0"}
    return stream


def audio_stream(container: Any) -> Any:
    """AAC-LC, stereo."""
    stream = container.add_stream("aac", rate=SAMPLE_RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.bit_rate = 96_000
    return stream


def push_for_ever(target: str, stop: Event, now: Callable[[], float] = time.time) -> None:
    """Push, and begin again whenever the connection is lost, a little later each time."""
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        began = now()
        try:
            push = Push(target, now)
            log.info("connected")
            try:
                push.run(stop)
            finally:
                push.close()
        except (av.FFmpegError, OSError) as error:
            wait_s = FIRST_WAIT_S if now() - began > LONGEST_WAIT_S else wait_s
            log.warning("not pushing (%s); again in %.0f s", error.strerror, wait_s)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
