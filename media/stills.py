"""Stills: a picture scaled and encoded as JPEG, WebP or AVIF, and sheets of many. A frame in, bytes out.

Colours: JPEG and WebP are read by BT.601, so all stills are written in it. Video that does not say what it is counts as
BT.709, as browsers have it that play it from Media Source Extensions (seen with Chromium 156).

Errors:
    StillError: a picture that cannot be encoded.
"""

import io
import os
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from media.errors import MediaError
from media.realtime import give_up_realtime

JPEG: Final = "image/jpeg"
WEBP: Final = "image/webp"
AVIF: Final = "image/avif"
KINDS: Final = (JPEG, WEBP, AVIF)

LEAST_WIDTH: Final = 16
MOST_WIDTH: Final = 1920
_MATRICES: Final = {
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""By ITU-T H.273, MatrixCoefficients; all others are taken for BT.709."""

_LOG_QUIETLY: Final = "1"

os.environ.setdefault("SVT_LOG", _LOG_QUIETLY)  # SVT-AV1 prints its settings at every picture otherwise


class StillError(MediaError):
    """The picture cannot be written."""


def fitting_size(width: int, height: int, asked: int | None) -> tuple[int, int]:
    """Size of a still of at most `asked` pixels in width: aspect kept, never enlarged, both even (4:2:0)."""
    wide = min(width, asked or width)
    tall = round(height * wide / width)
    return max(2, wide - wide % 2), max(2, tall - tall % 2)


def encode_still(frame: VideoFrame, kind: str, width: int | None = None) -> bytes:
    """A picture as a file of one of `KINDS`, at most `width` wide.

    Raises:
        StillError: it cannot be encoded.
    """
    wide, tall = fitting_size(frame.width, frame.height, width)
    try:
        if kind == AVIF:
            return _avif(frame, wide, tall)
        if kind == WEBP:
            scaled = _scaled(frame, wide, tall, "yuv420p", ColorRange.MPEG)
            return _one_packet("libwebp", scaled, {"quality": "78", "compression_level": "2"})
        scaled = _scaled(frame, wide, tall, "yuvj420p", ColorRange.JPEG)
        return _one_packet("mjpeg", scaled, {"qmin": "3", "qmax": "3", "huffman": "optimal"})
    except av.FFmpegError as error:
        raise StillError(f"{kind} of {wide}x{tall} cannot be encoded: {error.strerror}") from error


def sheet(tiles: list[VideoFrame | None], columns: int, rows: int, width: int, height: int) -> bytes:
    """A JPEG of pictures side by side, row by row, each letter-boxed into `width` x `height`; None stays black."""
    luma = np.zeros((rows * height, columns * width), np.uint8)
    chroma = np.full((2, rows * height // 2, columns * width // 2), 128, np.uint8)
    for index, tile in enumerate(tiles[: columns * rows]):
        if tile is not None:
            row, column = divmod(index, columns)
            _paste(luma, chroma, tile, column * width, row * height, width, height)
    joined = VideoFrame(columns * width, rows * height, "yuvj420p")
    for plane, data in zip(joined.planes, (luma, *chroma), strict=True):
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : data.shape[1]] = data
        plane.update(lines.tobytes())
    joined.color_range = ColorRange.JPEG
    return _one_packet("mjpeg", joined, {"qmin": "4", "qmax": "4", "huffman": "optimal"})


def _scaled(frame: VideoFrame, width: int, height: int, pix_fmt: str, color_range: ColorRange) -> VideoFrame:
    return frame.reformat(
        width,
        height,
        pix_fmt,
        src_colorspace=_MATRICES.get(frame.colorspace, Colorspace.ITU709),
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=color_range,
        threads=1,
    )


def _one_packet(codec: str, frame: VideoFrame, options: dict[str, str]) -> bytes:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base = Fraction(1, 25)
    context.color_range = frame.color_range
    context.thread_count = 1
    context.options = options
    frame.pts = 0
    frame.time_base = context.time_base
    packets = [*context.encode(frame), *context.encode(None)]
    if not packets:
        raise StillError(f"{codec} gave nothing for a picture of {frame.width}x{frame.height}")
    return b"".join(bytes(packet) for packet in packets)


def _avif(frame: VideoFrame, width: int, height: int) -> bytes:
    give_up_realtime()
    scaled = _scaled(frame, width, height, "yuv420p", ColorRange.MPEG)
    scaled.pts, scaled.time_base = 0, Fraction(1, 1)
    options = {"preset": "9", "crf": "34", "svtav1-params": "avif=1:lp=1"}
    out = io.BytesIO()
    with av.open(out, "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for packet in [*stream.encode(scaled), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


def _paste(
    luma: np.ndarray, chroma: np.ndarray, tile: VideoFrame, left: int, top: int, width: int, height: int
) -> None:
    """Scale a picture into its place, its aspect kept."""
    scale = min(width / tile.width, height / tile.height)
    wide, tall = (max(2, round(side * scale) // 2 * 2) for side in (tile.width, tile.height))
    planes = _scaled(tile, wide, tall, "yuvj420p", ColorRange.JPEG).to_ndarray()
    x, y = left + (width - wide) // 4 * 2, top + (height - tall) // 4 * 2
    luma[y : y + tall, x : x + wide] = planes[:tall]
    half = planes[tall:].reshape(2, tall // 2, wide // 2)
    chroma[:, y // 2 : (y + tall) // 2, x // 2 : (x + wide) // 2] = half
