"""Publishers that leave and return, that change, and that send odd things: every frame that they sent is there after."""

import asyncio
import io
import itertools
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import httpx
import pytest

from media.cmaf import parse_init
from producers.push import push
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.raw_push import Tag, pictures, send, tags_of
from tests.e2e.watch_page import WatchPage
from tests.gateway.playlist_reader import ReadPlaylist
from tests.media.other_codecs import ENCODERS, Codec, Made, configure, picture

pytestmark = pytest.mark.e2e

FPS = 30
A_V_MS = 20


def clip(directory: Path, size: str, seconds: int, *options: str, rate_hz: int = 48_000) -> Path:
    """A file of H.264 and AAC."""
    path = directory / f"{size}-{seconds}-{'-'.join(options)}-{rate_hz}.mp4"
    if not path.exists():
        sources = (f"testsrc2=size={size}:rate={FPS}", f"sine=frequency=440:sample_rate={rate_hz}")
        inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
        video = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(FPS), *options]
        command = ["ffmpeg", "-v", "error", "-y", *inputs, "-t", str(seconds), *video, "-c:a", "aac", str(path)]
        subprocess.run(command, check=True, timeout=120)
    return path


async def published(stack: LiveStack, channel: Channel, path: Path) -> int:
    """Push a file in real time to its end; gives how many frames it had."""
    return (await asyncio.to_thread(push, str(path), stack.push_url(channel.key), lambda _: None)).frames


def decoded(media: bytes) -> int:
    with av.open(io.BytesIO(media), "r") as container:
        return sum(1 for _ in container.decode(container.streams.video[0]))


async def frames_by_init(viewer: HlsViewer, variant: Variant, playlist: ReadPlaylist) -> list[tuple[bytes, int]]:
    """(init segment, frames that a decoder finds) of each run of segments of one epoch and init segment."""
    found = []
    assert not any(segment.gap for segment in playlist.segments)
    for (_, init), group in itertools.groupby(playlist.whole, key=lambda segment: (segment.epoch, segment.map)):
        head = await viewer.get(variant, init)
        media = [await viewer.get(variant, segment.uri) for segment in group]
        found.append((head, decoded(head + b"".join(media))))
    return found


def begins_s(media: bytes) -> Fraction:
    """When the first picture or sound is presented."""
    with av.open(io.BytesIO(media), "r") as container:
        (stream,) = container.streams
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        assert stream.time_base is not None
        return min(times) * stream.time_base


async def assert_tracks_begin_together(viewer: HlsViewer, found: dict[str, Variant]) -> None:
    """In every epoch sound begins with the picture."""
    starts: dict[str, dict[int, Fraction]] = {}
    for name in ("source", "audio"):
        playlist = await viewer.playlist(found[name])
        for epoch, group in itertools.groupby(playlist.whole, key=lambda segment: segment.epoch):
            first = next(group)
            media = await viewer.get(found[name], first.map) + await viewer.get(found[name], first.uri)
            starts.setdefault(name, {})[epoch] = begins_s(media)
    assert starts["source"].keys() == starts["audio"].keys()
    for epoch, at_s in starts["source"].items():
        assert abs(starts["audio"][epoch] - at_s) * 1000 <= A_V_MS + 2, (epoch, starts)


@asynccontextmanager
async def followed(viewer: HlsViewer, variant: Variant) -> AsyncIterator[None]:
    """Reads the playlist again and again meanwhile: neither its start nor its end ever goes back."""
    stop = asyncio.Event()

    async def follow() -> int:
        seen, before = 0, (0, (0, 0))
        while not stop.is_set():
            playlist = await viewer.playlist(variant)
            if playlist.segments:
                at = playlist.sequence, playlist.edge
                assert at[0] >= before[0]
                assert at[1] >= before[1] or at[1][0] > before[1][0], (before, at)
                before, seen = at, seen + 1
            await asyncio.sleep(0.1)
        return seen

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        stop.set()
        assert await task > 0


async def test_a_publisher_that_returns_within_the_grace_time_goes_on_in_the_same_video(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, tmp_path: Path
) -> None:
    path = clip(tmp_path, "640x360", 4)

    async def twice() -> int:
        return await published(stack, channel, path) + await published(stack, channel, path)

    sending = asyncio.create_task(twice())  # whatever time the first look takes: the grace time is short
    found = await viewer.live({"source", "240p", "audio"})
    async with followed(viewer, found["source"]), followed(viewer, found["240p"]):
        sent = await sending
    for name in ("source", "240p"):
        playlist = await viewer.ended(found[name])
        assert [segment.epoch for segment in playlist.segments] == sorted(s.epoch for s in playlist.segments)
        assert {segment.epoch for segment in playlist.segments} == {0, 1}
        frames = await frames_by_init(viewer, found[name], playlist)
        assert sum(count for _, count in frames) == sent == 2 * 4 * FPS
    await assert_tracks_begin_together(viewer, found)


async def test_a_publisher_that_changes_its_size_goes_on_in_the_same_video_and_the_same_qualities(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, tmp_path: Path
) -> None:
    large, small = clip(tmp_path, "640x480", 4), clip(tmp_path, "320x240", 4, rate_hz=44_100)
    tags = tags_of(large) + tags_of(small, at_ms=4_000)
    sending = asyncio.create_task(send(stack.rtmp_port, channel.key, tags))
    found = await viewer.live({"source", "360p", "240p", "audio"})
    async with followed(viewer, found["source"]):
        await sending
    for name, widths in (("source", [640, 320]), ("360p", [480, 480]), ("240p", [320, 320])):
        frames = await frames_by_init(viewer, found[name], await viewer.ended(found[name]))
        assert [count for _, count in frames] == [4 * FPS, 4 * FPS], name
        assert [parse_init(init).width for init, _ in frames] == widths
    await assert_tracks_begin_together(viewer, found)


async def test_a_long_gop_with_reordered_pictures_and_leaping_timestamps_loses_nothing(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, tmp_path: Path
) -> None:
    path = clip(tmp_path, "640x360", 14, "-g", "750", "-bf", "3", "-sc_threshold", "0")
    tags = [leaping(tag) for tag in tags_of(path)]
    sending = asyncio.create_task(send(stack.rtmp_port, channel.key, tags))
    found = await viewer.live({"240p", "source", "audio"})
    await sending
    for name in ("source", "240p"):
        playlist = await viewer.ended(found[name])
        assert len(playlist.segments) > 1
        assert {segment.epoch for segment in playlist.segments} == {0}
        (frames,) = await frames_by_init(viewer, found[name], playlist)
        assert frames[1] == pictures(tags) == 14 * FPS
    await assert_tracks_begin_together(viewer, found)


def leaping(tag: Tag) -> Tag:
    """From 3 s on a day ahead, and from 6 s on back again: between two keyframes, on both tracks."""
    return replace(tag, timestamp_ms=tag.timestamp_ms + 86_400_000 * (3_000 <= tag.at_ms < 6_000))


def encoded(directory: Path, made: Made) -> Path:
    """A file of H.265 or AV1 without sound."""
    path = directory / f"{made.codec}.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(ENCODERS[made.codec], rate=Fraction(made.fps))
        assert isinstance(stream, av.VideoStream)
        configure(stream.codec_context, made)
        for number in range(made.frames):
            frame = av.VideoFrame.from_ndarray(picture(made, number), format="rgb24").reformat(format=made.pix_fmt)
            frame.pts, frame.time_base = number, 1 / Fraction(made.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("codec", "name"), [("hvc1", "hvc1.1.6."), ("av01", "av01.0.")])
async def test_a_source_of_another_codec_is_offered_untouched_behind_a_ladder_of_h264_and_the_page_plays(
    codec: Codec,
    name: str,
    stack: LiveStack,
    channel: Channel,
    viewer: HlsViewer,
    watch_page: WatchPage,
    http: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    made = Made(codec, width=640, height=360, frames=10 * FPS, gop=FPS)
    pushing = asyncio.create_task(published(stack, channel, encoded(tmp_path, made)))
    found = await viewer.live({"source", "360p", "240p"})
    await watch_page.open(f"{stack.server}/watch/{channel.name}")  # whether or not this browser knows the codec
    await watch_page.plays_on(3, deadline_s=60)
    assert not watch_page.errors
    assert await pushing == made.frames
    lines = (await http.get(viewer.master_url)).text.splitlines()
    offered = dict(variants_of(lines))
    assert next(iter(offered.values())).startswith("avc1.")
    assert offered["source"].startswith(name)
    for rendition in ("source", "360p", "240p"):
        playlist = await viewer.ended(found[rendition])
        ((init, count),) = await frames_by_init(viewer, found[rendition], playlist)
        assert count == made.frames
        assert parse_init(init).codecs.startswith(name if rendition == "source" else "avc1.")


def variants_of(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(rendition, CODECS) of each variant of a multivariant playlist, in order."""
    for line, uri in itertools.pairwise(lines):
        if line.startswith("#EXT-X-STREAM-INF:"):
            yield uri.split("/")[-2], line.partition('CODECS="')[2].partition('"')[0]


async def test_the_page_plays_on_through_a_change_of_size_and_a_publisher_that_drops_and_returns(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, watch_page: WatchPage, tmp_path: Path
) -> None:
    large, small = clip(tmp_path, "640x480", 9), clip(tmp_path, "320x240", 6, rate_hz=44_100)
    again = clip(tmp_path, "640x480", 20)
    changing = asyncio.create_task(send(stack.rtmp_port, channel.key, tags_of(large) + tags_of(small, at_ms=9_000)))
    await viewer.live({"source", "360p", "240p", "audio"})
    await watch_page.open(f"{stack.server}/watch/{channel.name}")
    await changing
    returned_ms = time.time() * 1000
    sending = asyncio.create_task(send(stack.rtmp_port, channel.key, tags_of(again)))
    await watch_page.until("player.programMs >= at", 60, "picture of the publisher that returned", returned_ms + 3_000)
    await watch_page.plays_on(3, 60)
    assert not watch_page.errors
    await sending
