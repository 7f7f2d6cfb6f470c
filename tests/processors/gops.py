"""Makes GOPs of real H.264 and AAC as the ingest puts them on the log, and reads renditions back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import groupby, pairwise

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from media.cmaf import Sample, parse_chunk, parse_init, sequence_number, video_init, write_chunk
from media.cmaf_init import AUDIO_TRACK_ID, VIDEO_TRACK_ID, audio_init
from media.h264 import AvcConfig, access_unit, annex_b_nals, avc_config
from schemas.events import GopClosed, MediaChunk, Track

VIDEO_ID = "0123456789abcdefghjk"
TIMESCALE = 90_000
RATE_HZ = 48_000
WALL_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Clip:
    """What to make. `part_frames` frames are a chunk, `segment_parts` chunks a segment (0: one segment a GOP)."""

    width: int = 160
    height: int = 120
    fps: int = 30
    gops: int = 1
    gop_frames: int = 24
    part_frames: int = 6
    segment_parts: int = 0
    b_frames: int = 0
    pix_fmt: str = "yuv420p"
    kbps: int = 400
    audio: bool = False
    interlaced: bool = False
    video_id: str = VIDEO_ID
    first_gop: int = 0
    start_ms: int = 0
    jitter: bool = False


@dataclass(frozen=True)
class SourceGop:
    """A GOP on the log: its chunks in the order they come, and the marker that closes it."""

    chunks: tuple[MediaChunk, ...]
    closed: GopClosed

    @property
    def events(self) -> list[MediaChunk | GopClosed]:
        return [*self.chunks, self.closed]

    @property
    def video(self) -> list[MediaChunk]:
        return [chunk for chunk in self.chunks if chunk.track is Track.VIDEO]


@cache
def make_gops(clip: Clip) -> tuple[SourceGop, ...]:
    """The same clip gives the same bytes."""
    gops = []
    segment = clip.first_gop * (
        -(-clip.gop_frames // (clip.part_frames * clip.segment_parts)) if clip.segment_parts else 1
    )
    for number in range(clip.gops):
        gop = clip.first_gop + number
        video = _video_chunks(clip, gop, number, segment)
        audio = _audio_chunks(clip, gop, number, segment) if clip.audio else []
        last = video[-1].segment
        closed = GopClosed(
            video_id=clip.video_id, channel="ann", gop=gop, first_segment=segment, last_segment=last,
            video_chunks=len(video), audio_chunks=len(audio),
        )  # fmt: skip
        gops.append(SourceGop(tuple(sorted(video + audio, key=lambda c: c.captured_ms)), closed))
        segment = last + 1
    return tuple(gops)


def _video_chunks(clip: Clip, gop: int, number: int, segment: int) -> list[MediaChunk]:
    samples, config = _encoded(clip, number)
    init = video_init(config)
    chunks = []
    for index, at in enumerate(range(0, len(samples), clip.part_frames)):
        mine = samples[at : at + clip.part_frames]
        beyond, part = divmod(index, clip.segment_parts) if clip.segment_parts else (0, index)
        place = segment + beyond
        chunks.append(
            MediaChunk(
                video_id=clip.video_id,
                channel="ann",
                track=Track.VIDEO,
                gop=gop,
                segment=place,
                part=part,
                index=index,
                epoch=0,
                dts=mine[0].dts,
                duration=sum(s.duration for s in mine),
                timescale=TIMESCALE,
                independent=mine[0].keyframe,
                frames=len(mine),
                captured_ms=WALL_MS + mine[0].dts // 90,
                received_ms=WALL_MS + (mine[-1].dts + mine[-1].duration) // 90,
                codecs=config.codecs,
                width=clip.width,
                height=clip.height,
                frame_rate=float(clip.fps),
                sample_rate=0,
                channels=0,
                init=init if index == 0 else None,
                data=write_chunk(VIDEO_TRACK_ID, sequence_number(place, part), mine, segment_start=part == 0),
            )
        )
    return chunks


def _encoded(clip: Clip, number: int) -> tuple[list[Sample], AvcConfig]:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = clip.width, clip.height, clip.pix_fmt
    context.time_base, context.framerate = Fraction(1, TIMESCALE), Fraction(clip.fps)
    context.bit_rate, context.gop_size, context.thread_count = clip.kbps * 1000, 10_000, 1
    context.flags |= Flags.global_header
    params = f"scenecut=0:bframes={clip.b_frames}:b-adapt=0:rc-lookahead=0:sync-lookahead=0"
    context.options = {"preset": "veryfast", "x264-params": params + (":tff=1" if clip.interlaced else "")}
    ticks = TIMESCALE // clip.fps
    start = clip.start_ms * 90 + number * clip.gop_frames * ticks
    times = [start + n * ticks + (n * 37 % 5 * 90 if clip.jitter else 0) for n in range(clip.gop_frames)]
    packets = []
    for n, pts in enumerate(times):
        frame = av.VideoFrame.from_ndarray(picture(clip, number * clip.gop_frames + n), format="rgb24")
        frame = frame.reformat(format=clip.pix_fmt)
        frame.pts, frame.time_base = pts, context.time_base
        frame.pict_type = PictureType.I if n == 0 else PictureType.NONE
        packets += context.encode(frame)
    packets += context.encode(None)
    config = avc_config(bytes(context.extradata or b""))
    ends = [*times[1:], start + clip.gop_frames * ticks]
    samples = []
    for packet, dts, end in zip(packets, times, ends, strict=True):  # the grid: decode times moved to the IDR picture's
        data = access_unit(nal for nal in annex_b_nals(bytes(packet)) if nal[0] & 31 <= 5)
        assert packet.pts is not None
        samples.append(Sample(data, dts, packet.pts - dts, end - dts, bool(packet.is_keyframe)))
    return samples, config


def picture(clip: Clip, n: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A moving picture whose brightness in the top left corner tells its number."""
    y, x = np.mgrid[0 : clip.height, 0 : clip.width]
    image = np.zeros((clip.height, clip.width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = (x + 3 * n) % 256, (y + 2 * n) % 256, (x * y // 64 + n) % 256
    image[: clip.height // 4, : clip.width // 4] = mark(n)
    return image


def mark(n: int) -> int:
    """The grey level of picture `n`: 8 levels far apart."""
    return 16 + 32 * (n % 8)


def _audio_chunks(clip: Clip, gop: int, number: int, segment: int) -> list[MediaChunk]:
    """Audio frames that start within the GOP's time, on one grid of 1024 samples for the whole video."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = RATE_HZ, "stereo", "fltp", 64_000
    span = clip.gop_frames * RATE_HZ // clip.fps
    first, end = -(-number * span // 1024), -(-(number + 1) * span // 1024)
    packets = []
    for n in range(first, end):
        t = (np.arange(1024) + n * 1024) / RATE_HZ
        frame = av.AudioFrame.from_ndarray(np.tile(np.sin(2764.6 * t).astype(np.float32), (2, 1)), "fltp", "stereo")
        frame.sample_rate, frame.pts = RATE_HZ, n * 1024
        packets += context.encode(frame)
    packets = (packets + list(context.encode(None)))[: end - first]
    init = audio_init(bytes(context.extradata or b""))
    base = clip.start_ms * RATE_HZ // 1000
    samples = [Sample(bytes(p), base + (first + n) * 1024, 0, 1024, True) for n, p in enumerate(packets)]
    chunks: list[MediaChunk] = []
    for place, mine in _audio_runs(clip, base + number * span, segment, samples):
        part = chunks[-1].part + 1 if chunks and chunks[-1].segment == place else 0
        chunks.append(
            MediaChunk(
                video_id=clip.video_id,
                channel="ann",
                track=Track.AUDIO,
                gop=gop,
                segment=place,
                part=part,
                index=len(chunks),
                epoch=0,
                dts=mine[0].dts,
                duration=1024 * len(mine),
                timescale=RATE_HZ,
                independent=True,
                frames=len(mine),
                captured_ms=WALL_MS + mine[0].dts // 48,
                received_ms=WALL_MS + mine[-1].dts // 48,
                codecs="mp4a.40.2",
                width=0,
                height=0,
                frame_rate=0.0,
                sample_rate=RATE_HZ,
                channels=2,
                init=None if chunks else init,
                data=write_chunk(AUDIO_TRACK_ID, sequence_number(place, part), mine, segment_start=part == 0),
            )
        )
    return chunks


def _audio_runs(clip: Clip, start: int, segment: int, samples: list[Sample]) -> Iterator[tuple[int, list[Sample]]]:
    """The samples in runs of at most 10, each within one segment."""
    length = clip.segment_parts * clip.part_frames * RATE_HZ // clip.fps
    last = segment + (clip.gop_frames - 1) // (clip.segment_parts * clip.part_frames) if length else segment

    def place(sample: Sample) -> int:
        return min(last, segment + (sample.dts - start) // length) if length else segment

    for of, group in groupby(samples, key=place):
        run = list(group)
        for at in range(0, len(run), 10):
            yield of, run[at : at + 10]


@dataclass(frozen=True)
class Shown:
    """A decoded picture of a rendition: when it is shown, its size, the grey level of its mark."""

    pts: int
    width: int
    height: int
    level: int


def decoded(init: bytes, parts: Iterable[bytes]) -> list[Shown]:
    """What a player shows of a rendition, by a decoder of its own."""
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = parse_init(init).config
    context.thread_count = 1
    frames = []
    for sample in samples_of(parts):
        packet = av.Packet(sample.data)
        packet.pts, packet.dts = sample.dts + sample.cts_offset, sample.dts
        frames += context.decode(packet)
    frames += context.decode(None)
    shown = []
    for frame in frames:
        assert frame.pts is not None
        grey = frame.to_ndarray(format="gray")
        corner = grey[2 : frame.height // 6, 2 : frame.width // 6]
        shown.append(Shown(frame.pts, frame.width, frame.height, int(corner.mean())))
    return shown


def samples_of(parts: Iterable[bytes]) -> list[Sample]:
    """The samples of chunks, joined."""
    return [sample for part in parts for sample in parse_chunk(part).samples]


def with_data(gop: SourceGop, index: int, data: bytes) -> SourceGop:
    """The GOP with other bytes in one video chunk."""
    chunks = [
        replace(chunk, data=data) if chunk.track is Track.VIDEO and chunk.index == index else chunk
        for chunk in gop.chunks
    ]
    return replace(gop, chunks=tuple(chunks))


def assert_contiguous(samples: Sequence[Sample]) -> None:
    """Each sample begins where the one before it ends."""
    for before, after in pairwise(samples):
        assert before.dts + before.duration == after.dts
