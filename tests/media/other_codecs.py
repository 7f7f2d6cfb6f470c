"""Clips in H.265 and AV1 as a publisher would send them: PyAV encodes, and FFmpeg writes and reads Enhanced FLV."""

import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from media.packaged import Output, PackagerSettings, StartPosition
from media.packager import Packager

WALL_MS = 1_700_000_000_000
Codec = Literal["hvc1", "av01"]
ENCODERS = {"hvc1": "libx265", "av01": "libsvtav1"}


@dataclass(frozen=True)
class Made:
    """What to make; `closed`: no picture refers to one before a keyframe; `start` moves what the pictures show."""

    codec: Codec
    width: int = 160
    height: int = 96
    fps: str = "30"
    frames: int = 75
    gop: int = 30
    pix_fmt: str = "yuv420p"
    closed: bool = True
    start: int = 0


@dataclass(frozen=True)
class Packet:
    """One access unit, timed in ms."""

    dts_ms: int
    composition_ms: int
    key: bool
    data: bytes


@dataclass(frozen=True)
class Clip:
    """A clip as it lies in FLV: the hvcC or av1C, and the packets in decode order."""

    record: bytes
    packets: tuple[Packet, ...]


@cache
def make(made: Made) -> Clip:
    """The clip; the same one for the same order."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        stream = container.add_stream(ENCODERS[made.codec], rate=Fraction(made.fps))
        assert isinstance(stream, av.VideoStream)
        configure(stream.codec_context, made)
        for number in range(made.frames):
            frame = av.VideoFrame.from_ndarray(picture(made, number), format="rgb24").reformat(format=made.pix_fmt)
            frame.pts, frame.time_base = number, 1 / Fraction(made.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r", format="flv") as container:
        video = container.streams.video[0]
        packets = tuple(
            Packet(packet.dts, packet.pts - packet.dts, packet.is_keyframe, bytes(packet))
            for packet in container.demux(video)
            if packet.dts is not None and packet.pts is not None
        )
        return Clip(bytes(video.codec_context.extradata or b""), packets)


def configure(context: VideoCodecContext, made: Made) -> None:
    """Set an encoder up."""
    context.width, context.height, context.pix_fmt = made.width, made.height, made.pix_fmt
    context.gop_size, context.flags = made.gop, context.flags | Flags.global_header
    open_gop = 0 if made.closed else 1
    x265 = f"log-level=none:keyint={made.gop}:min-keyint={made.gop}:scenecut=0:open-gop={open_gop}:pools=none"
    context.options = (
        {"preset": "ultrafast", "x265-params": f"{x265}:bframes=2:frame-threads=1"}
        if made.codec == "hvc1"
        else {"preset": "12", "svtav1-params": "pred-struct=1:lp=1"}
    )


def picture(made: Made, n: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A moving picture whose brightness in the top left quarter tells its number."""
    y, x = np.mgrid[0 : made.height, 0 : made.width]
    image = np.zeros((made.height, made.width, 3), np.uint8)
    n += made.start
    image[..., 0], image[..., 1], image[..., 2] = (x + 3 * n) % 256, (y + 2 * n) % 256, (x * y // 64 + n) % 256
    image[: made.height // 2, : made.width // 2] = mark(n)
    return image


def mark(n: int) -> int:
    """The grey level of picture `n`: 8 levels far apart."""
    return 16 + 32 * (n % 8)


def package(made: Made, settings: PackagerSettings | None = None) -> list[Output]:
    """All that the packager makes of a clip."""
    clip = make(made)
    packager = Packager(settings or PackagerSettings(), StartPosition())
    outputs = packager.video_config(clip.record, made.codec)
    for packet in clip.packets:
        outputs += packager.video(packet.dts_ms, packet.composition_ms, packet.key, packet.data, WALL_MS)
    return outputs + packager.finish()
