"""Pictures out of CMAF media: the one that is shown at a time, or the keyframe that is nearest to it. Bytes in, frame out.

Errors:
    PictureError: bytes that hold no such picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from media.boxes import iter_boxes
from media.cmaf import InitInfo, Sample, parse_chunk, parse_init
from media.errors import MediaError

DECODERS: Final = {"avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "libdav1d"}
"""Decoder by the sample entry, which begins the RFC 6381 name."""

FLAT_DEVIATION: Final = 6.0
"""Luma of a picture that deviates less than this from its mean (of 255) is one colour: black, a slate, a fade."""


class PictureError(MediaError):
    """There is no such picture in these bytes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and its media time in seconds."""

    frame: VideoFrame
    at_s: float


def picture_at(init: bytes, pieces: Sequence[bytes], at_s: float, *, exact: bool) -> Picture:
    """The picture that is shown at a media time, or (not `exact`) the keyframe that is nearest to it.

    No more is decoded than the picture needs: from the keyframe before it up to itself.

    Args:
        init: the CMAF header of a video track.
        pieces: its parts or whole segments, in order, the first beginning with a keyframe.
        at_s: media time in seconds; before the first picture means the first, after the last the last.
        exact: the picture itself, not a keyframe.

    Raises:
        PictureError: there is no picture, or it is broken.
    """
    try:
        info = parse_init(init)
        samples = [sample for piece in pieces for chunk in chunks_of(piece) for sample in parse_chunk(chunk).samples]
        target = _shown_at(samples, at_s * info.timescale) if exact else _nearest(samples, at_s * info.timescale)
        frame = _decoded(info, samples, target)
    except av.FFmpegError as error:
        raise PictureError(f"broken video at {at_s:.3f} s: {error.strerror}") from error
    except PictureError:
        raise
    except MediaError as error:
        raise PictureError(f"no CMAF video at {at_s:.3f} s: {error}") from error
    return Picture(frame, _pts(samples[target]) / info.timescale)


def chunks_of(piece: bytes) -> Iterator[bytes]:
    """The CMAF chunks that are joined in a part or segment: each ends with its `mdat`; CmafError for other bytes."""
    began = 0
    for found in iter_boxes(piece):
        if found.kind == b"mdat":
            yield piece[began : found.end]
            began = found.end


def deviation(frame: VideoFrame) -> float:
    """Standard deviation of the luma of a picture, over a small copy of it; below `FLAT_DEVIATION` it shows nothing."""
    small = frame.reformat(64, 36, "gray", threads=1).to_ndarray()
    return float(np.std(small))


def _nearest(samples: Sequence[Sample], at: float) -> int:
    keys = [index for index, sample in enumerate(samples) if sample.keyframe]
    if not keys:
        raise PictureError(f"expected a keyframe among {len(samples)} pictures, found none")
    return min(keys, key=lambda index: abs(_pts(samples[index]) - at))


def _shown_at(samples: Sequence[Sample], at: float) -> int:
    """The last picture that is shown at `at` or before; the first one where all are later."""
    if not samples:
        raise PictureError("expected pictures, found none")
    shown = [index for index, sample in enumerate(samples) if _pts(sample) <= at + 1]
    if shown:
        return max(shown, key=lambda index: _pts(samples[index]))
    return min(range(len(samples)), key=lambda index: _pts(samples[index]))


def _decoded(info: InitInfo, samples: Sequence[Sample], target: int) -> VideoFrame:
    """Decode from the keyframe before a picture up to it, in decoding order, and take it from what comes out."""
    keys = [index for index in range(target, -1, -1) if samples[index].keyframe]
    # In an open GOP pictures that are shown before its keyframe are decoded after it, and need what came earlier.
    first = next((index for index in keys if _pts(samples[index]) <= _pts(samples[target])), keys[0] if keys else None)
    if first is None:
        raise PictureError(f"expected a keyframe before picture {target} of {len(samples)}, found none")
    context = _decoder(info)
    frames: list[VideoFrame] = []
    for sample in samples[first : target + 1]:
        packet = av.Packet(sample.data)
        packet.time_base = Fraction(1, info.timescale)
        packet.dts, packet.pts, packet.is_keyframe = sample.dts, _pts(sample), sample.keyframe
        frames += context.decode(packet)
        frames = [frame for frame in frames if frame.pts == _pts(samples[target])]
    frames += context.decode(None)
    found = next((frame for frame in frames if frame.pts == _pts(samples[target])), None)
    if found is None:
        raise PictureError(f"picture {target} of {len(samples)} came out of no decoder; it is broken")
    return found


def _decoder(info: InitInfo) -> VideoCodecContext:
    name = DECODERS.get(info.codecs.partition(".")[0])
    if name is None:
        raise PictureError(f"expected video of {', '.join(DECODERS)}; found {info.codecs}")
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = info.config
    context.thread_count = 1
    return context


def _pts(sample: Sample) -> int:
    return sample.dts + sample.cts_offset
