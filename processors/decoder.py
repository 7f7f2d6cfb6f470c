"""Decodes the video samples of one GOP, in one thread and without adding delay.

Errors: `DecodeError` for bytes that cannot be decoded.
"""

from contextlib import suppress
from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from media.cmaf import InitInfo, Sample

MAX_REORDERED: Final = 16
"""Pictures that H.264 lets a decoder hold back (max_dec_frame_buffering, ITU-T H.264 A.3.1)."""

DECODERS: Final = {"avc1": "h264", "hvc1": "hevc", "av01": "libdav1d"}
"""By the first part of the RFC 6381 name."""


class DecodeError(ValueError):
    """Bytes that are no video, or that need pictures which are lost."""


class SourceDecoder:
    """A decoder from one IDR picture on, or from what is one in H.265 and AV1."""

    def __init__(self, info: InitInfo, reorder_depth: int) -> None:
        """Prepare for samples under `info`; `reorder_depth` counts for streams that do not say it themselves."""
        decoder = DECODERS.get(info.codecs.partition(".")[0])
        if decoder is None:
            raise DecodeError(f"source video is {info.codecs}, expected one of {', '.join(DECODERS)}")
        self._time_base = Fraction(1, info.timescale)
        context = av.CodecContext.create(decoder, "r")
        assert isinstance(context, VideoCodecContext)
        context.extradata = info.config
        context.thread_count = 1  # more would hold pictures back, and their order of work is not fixed
        if decoder == "h264":
            context.reorder_depth = min(reorder_depth, MAX_REORDERED)
        self._context = context

    def decode(self, sample: Sample) -> list[VideoFrame]:
        """The pictures that are ready after one more sample, in the order they are shown; often one, sometimes none.

        Raises:
            DecodeError: the sample is broken; the decoder may go on with the next.
        """
        packet = av.Packet(sample.data)
        packet.time_base = self._time_base
        packet.dts, packet.pts = sample.dts, sample.dts + sample.cts_offset
        packet.is_keyframe = sample.keyframe
        try:
            return self._context.decode(packet)
        except av.FFmpegError as error:
            raise DecodeError(f"sample of {len(sample.data)} bytes at {sample.dts}: {error.strerror}") from error

    def flush(self) -> list[VideoFrame]:
        """The pictures that were held back for reordering; nothing can be decoded afterwards."""
        with suppress(av.FFmpegError):  # what was broken has been said of its own sample
            return self._context.decode(None)
        return []
