"""The time stamp of `benchmarks.glass_to_glass` survives what the picture goes through."""

from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.glass import stamp
from benchmarks.glass.publisher import luma_of

SIZES = ((1280, 720), (854, 480), (640, 360), (426, 240))


def stamped(wall_ms: int) -> av.VideoFrame:
    """A noisy picture with a stamp."""
    frame = av.VideoFrame(1280, 720, "yuv420p")
    luma_of(frame)[:] = np.random.default_rng(0).integers(16, 235, (720, 1280), np.uint8)
    stamp.draw(luma_of(frame), wall_ms)
    return frame


@given(st.integers(1, 2**41 - 1))
def test_it_is_read_from_the_picture_that_it_was_drawn_into(wall_ms: int) -> None:
    assert stamp.read(luma_of(stamped(wall_ms))) == wall_ms


@pytest.mark.parametrize("size", SIZES)
def test_it_is_read_after_scaling_and_encoding(size: tuple[int, int]) -> None:
    wall_ms = 1_790_000_123_456
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.framerate, encoder.bit_rate = "yuv420p", 30, 350_000
    encoder.options = {"preset": "superfast", "tune": "zerolatency"}
    packets = encoder.encode(stamped(wall_ms).reformat(width=size[0], height=size[1]))
    decoder: Any = av.CodecContext.create("h264", "r")
    (shown,) = list(decoder.decode(packets[0])) + list(decoder.decode(None))
    assert stamp.read(luma_of(shown)) == wall_ms


def test_a_picture_without_a_stamp_or_with_a_broken_one_has_none() -> None:
    assert stamp.read(np.full((720, 1280), 16, np.uint8)) is None
    frame = stamped(1_790_000_123_456)
    luma_of(frame)[72:120, 128:192] = 255 - luma_of(frame)[72:120, 128:192]
    assert stamp.read(luma_of(frame)) is None
