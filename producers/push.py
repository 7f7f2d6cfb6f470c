"""The push client: a file or address to an RTMP server in real time, with PyAV.

H.264, H.265, AV1 (by Enhanced RTMP) and AAC go out as they are; anything else is transcoded to H.264 and AAC. Blocking; run it in the main thread of a command.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

OPEN_TIMEOUT_S: Final = 10.0
WRITE_TIMEOUT_S: Final = 60.0
UNTOUCHED: Final = frozenset({"h264", "hevc", "av1", "aac"})
KEYFRAME_S: Final = 2
FLV: Final = {"flvflags": "no_duration_filesize"}
"""Of the muxer, so that it never goes back."""

AUDIO_RATE: Final = 48_000
LEAD_S: Final = 0.1
"""How far ahead of real time packets may go out: hides the jitter of sleeping."""


class PushError(RuntimeError):
    """The source cannot be read or the server does not take it; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a push is: seconds of media sent, its length (None: unknown), bytes and frames sent."""

    media_s: float
    length_s: float | None
    sent_bytes: int
    frames: int


Packets: TypeAlias = "Packet[Any]"  # generic to type checkers only
Step = Callable[[Packets], Iterator[Packets]]
"""What a packet of the source becomes on its way; a packet without data flushes."""


def push(source: str, url: str, report: Callable[[Progress], None], *, realtime: bool = True) -> Progress:
    """Send `source` to `url` until it ends.

    Args:
        source: a file or an address that FFmpeg can open.
        url: `rtmp://HOST:PORT/live/KEY`.
        report: called after every packet.
        realtime: no faster than it plays; False: as fast as the server takes it.

    Raises:
        PushError: the source has no picture and no sound, cannot be read, or the server refuses or leaves.
    """
    try:
        with av.open(source, "r", timeout=(OPEN_TIMEOUT_S, None)) as given:
            return _send(given, url, report, realtime=realtime)
    except PushError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise PushError(f"cannot read {source}: {error}") from error


def _send(given: InputContainer, url: str, report: Callable[[Progress], None], *, realtime: bool) -> Progress:
    try:
        target = av.open(
            url,
            "w",
            format="flv",
            timeout=(OPEN_TIMEOUT_S, WRITE_TIMEOUT_S),
            options=FLV,
        )
    except (av.FFmpegError, OSError) as error:
        raise PushError(f"cannot push to the server ({error}): is the address right, and the stream key?") from error
    return send(given, target, report, realtime=realtime)


def send(
    given: InputContainer, target: OutputContainer, report: Callable[[Progress], None], *, realtime: bool = False
) -> Progress:
    """Write the picture and sound of `given` to an FLV `target`, and close it; see `push`."""
    with target:
        chosen = _chosen(given)
        steps = {stream.index: _step(stream, target) for stream in chosen}
        length_s = given.duration / av.time_base if given.duration else None
        progress = Progress(0.0, length_s, 0, 0)
        began = time.monotonic()
        first_s: float | None = None
        for packet in given.demux(*chosen):
            for ready in steps[packet.stream.index](packet):
                at_s = float((ready.dts or 0) * (ready.time_base or Fraction(1, 1000)))
                first_s = at_s if first_s is None else first_s
                if realtime:
                    time.sleep(max(0.0, at_s - first_s - LEAD_S - (time.monotonic() - began)))
                progress = _mux(target, ready, progress, at_s - first_s)
                report(progress)
    return progress


def _mux(target: OutputContainer, packet: Packets, progress: Progress, at_s: float) -> Progress:
    size, video = packet.size, packet.stream.type == "video"
    try:
        target.mux(packet)
    except (av.FFmpegError, OSError) as error:
        raise PushError(
            f"the server left after {progress.media_s:.1f} s ({error}): a wrong key, a channel that is on the air already, "
            "or a codec that it does not take; its log says which"
        ) from error
    return Progress(max(progress.media_s, at_s), progress.length_s, progress.sent_bytes + size, progress.frames + video)


def _chosen(given: InputContainer) -> list[VideoStream | AudioStream]:
    """The first picture (no cover art) and the first sound."""
    videos = [s for s in given.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    chosen: list[VideoStream | AudioStream] = [*videos[:1], *given.streams.audio[:1]]
    if not chosen:
        raise PushError(f"{given.name} has neither picture nor sound; push a video file")
    return chosen


def _step(stream: VideoStream | AudioStream, target: OutputContainer) -> Step:
    """Copy what RTMP takes, transcode the rest."""
    if _is_taken(stream):
        unknown_encoder = stream.codec_context.codec.canonical_name == "av1"  # its decoder has another name
        return _copying(target.add_stream_from_template(stream, opaque=unknown_encoder))
    if isinstance(stream, VideoStream):
        return _encoding_video(stream, target)
    return _encoding_audio(target)


def _is_taken(stream: VideoStream | AudioStream) -> bool:
    """Whether browsers play it as it is; H.264 in 4:2:2, 4:4:4 or 10 bits they do not."""
    context = stream.codec_context
    name = context.codec.canonical_name
    if name not in UNTOUCHED or not context.extradata:
        return False
    return not isinstance(stream, VideoStream) or name != "h264" or stream.pix_fmt in ("yuv420p", "yuvj420p")


def _copying(target: VideoStream | AudioStream) -> Step:
    due: int | None = None

    def copy(packet: Packets) -> Iterator[Packets]:
        nonlocal due
        if packet.size and packet.dts is None:  # some demuxers leave it to their readers
            packet.dts = packet.pts if due is None else due
        if packet.dts is not None:
            due = packet.dts + (packet.duration or 1)
            packet.stream = target
            yield packet

    return copy


def _encoding_video(stream: VideoStream, target: OutputContainer) -> Step:
    rate = stream.average_rate or Fraction(30)
    encoder = target.add_stream("libx264", rate=rate, options={"preset": "veryfast", "tune": "zerolatency"})
    encoder.width, encoder.height = stream.width // 2 * 2, stream.height // 2 * 2
    encoder.pix_fmt, encoder.gop_size = "yuv420p", max(1, round(rate * KEYFRAME_S))

    def encode(packet: Packets) -> Iterator[Packets]:
        for frame in cast("Iterator[av.VideoFrame]", packet.decode()):
            frame.pict_type = PictureType.NONE  # the encoder chooses, not the source
            yield from encoder.encode(frame)
        if not packet.size:
            yield from encoder.encode(None)

    return encode


def _encoding_audio(target: OutputContainer) -> Step:
    encoder = target.add_stream("aac", rate=AUDIO_RATE)
    encoder.layout = "stereo"
    resampler = av.AudioResampler("fltp", "stereo", AUDIO_RATE)

    def encode(packet: Packets) -> Iterator[Packets]:
        for frame in cast("Iterator[av.AudioFrame]", packet.decode()):
            for ready in resampler.resample(frame):
                yield from encoder.encode(ready)
        if not packet.size:
            yield from encoder.encode(None)

    return encode
