"""Stills: files that other programs read, of the size that was asked for, and that look like their picture."""

import io

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from media.stills import AVIF, JPEG, KINDS, WEBP, encode_still, fitting_size, sheet
from tests.processors import gops

CLIP = gops.Clip(width=320, height=180)


def picture(n: int) -> VideoFrame:
    """Picture `n` of a clip, as a decoder gives it."""
    return VideoFrame.from_ndarray(gops.picture(CLIP, n), format="rgb24").reformat(format="yuv420p")


def shown(data: bytes) -> VideoFrame:
    """A file, decoded by a decoder that knows nothing of ours."""
    container = av.open(io.BytesIO(data))
    assert isinstance(container, InputContainer)
    with container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [None, 16, 100, 320, 1920])
def test_a_still_has_the_width_that_was_asked_for_and_is_never_enlarged(kind: str, width: int | None) -> None:
    frame = picture(0)
    data = encode_still(frame, kind, width)
    assert data[:3] == b"\xff\xd8\xff" if kind == JPEG else data[8:12] == {WEBP: b"WEBP", AVIF: b"avif"}[kind]
    read = shown(data)
    assert (read.width, read.height) == fitting_size(320, 180, width)
    assert read.width == min(320, width or 320)


@pytest.mark.parametrize("kind", KINDS)
def test_a_still_looks_like_its_picture(kind: str) -> None:
    frame = picture(0)
    ours = shown(encode_still(frame, kind)).to_ndarray(format="rgb24").astype(int)
    theirs = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray().astype(int)
    assert np.abs(ours - theirs).mean() < 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601])
def test_colours_are_those_of_the_video_whatever_its_matrix(kind: str, matrix: Colorspace) -> None:
    green = VideoFrame.from_ndarray(np.full((90, 160, 3), (20, 160, 60), np.uint8), format="rgb24")
    frame = green.reformat(format="yuv420p", dst_colorspace=matrix)
    assert frame.colorspace == {Colorspace.ITU709: 1, Colorspace.ITU601: 6}[matrix], "as ITU-T H.273 numbers them"
    pixel = shown(encode_still(frame, kind)).to_ndarray(format="rgb24")[45, 80].astype(int)
    assert np.abs(pixel - (20, 160, 60)).max() < 9


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 480), (1, 1), (853, 480)])
@pytest.mark.parametrize("asked", [None, 16, 161, 1920])
def test_sizes_are_even_and_keep_the_aspect(size: tuple[int, int], asked: int | None) -> None:
    width, height = fitting_size(*size, asked)
    assert width % 2 == height % 2 == 0
    assert abs(height - width * size[1] / size[0]) <= max(2, 2 * size[1] / size[0])


def test_a_sheet_has_every_picture_in_its_place_and_black_where_there_is_none() -> None:
    frames = [picture(n) for n in range(3)]
    read = shown(sheet([*frames, None], 2, 2, 160, 90)).to_ndarray(format="gray").astype(int)
    assert read.shape == (180, 320)
    corners = [read[2:14, 2:24], read[2:14, 162:184], read[92:104, 2:24]]
    assert [round(corner.mean()) for corner in corners] == pytest.approx([gops.mark(n) - 16 for n in range(3)], abs=16)
    assert read[95:, 165:].mean() < 3


def test_a_picture_of_another_shape_is_letter_boxed() -> None:
    tall = VideoFrame.from_ndarray(np.full((180, 90, 3), 200, np.uint8), format="rgb24")
    read = shown(sheet([tall], 1, 1, 160, 90)).to_ndarray(format="gray")
    assert read[45, 80] > 150
    assert read[45, 5] < 10
