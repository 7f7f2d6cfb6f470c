"""What was taken is in the video, once: over a Kafka that stands still, kill -9 of the ingest meanwhile, and of the gateway."""

import asyncio
import itertools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from logcast.stack.spool_view import SpoolView, read_spool
from producers.spool import Spooled
from schemas.codec import decode
from schemas.events import MediaChunk, Track
from stores.spool_log import Limits, SpoolLog
from tests.e2e import numbered
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.numbered import numbered_clip
from tests.e2e.publishing import FRAME_RATE, publishing
from tests.gateway.playlist_reader import ReadPlaylist
from tests.waiting import eventually, eventually_async

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        "LOGCAST_FAULTS" not in os.environ,
        reason="LOGCAST_FAULTS=1 runs it; tests/producers tries the same without a stack",
    ),
]

RENDITIONS = {"source", "240p", "audio"}
AGAIN = 2_000
"""The first number of the clip that is pushed after the kill."""

WAITING_RECORDS = 60
"""About six seconds of both tracks."""


def spool(stack: LiveStack) -> SpoolView | None:
    return read_spool(int(stack.environ["LOGCAST_HEALTH_PORT_INGEST"]))


def pictures_taken(stack: LiveStack, channel: str, copy: Path) -> int:
    """How many pictures of a channel are in the spool's files, delivered or not: all of a short broadcast."""
    shutil.copytree(stack.data_dir / "spool" / "0", copy)
    (copy / "acknowledged").unlink(missing_ok=True)
    with SpoolLog(copy, Limits(total=1 << 40), lambda: 0) as files:
        entries, _ = files.read(files.first, 1 << 40)
    events = [decode(Spooled.unpack(entry.data).value) for entry in entries]
    chunks = [e for e in events if isinstance(e, MediaChunk) and e.channel == channel and e.track is Track.VIDEO]
    return sum(chunk.frames for chunk in chunks)


async def numbers(viewer: HlsViewer, variant: Variant, playlist: ReadPlaylist) -> list[int]:
    """The numbers of all pictures, epoch by epoch."""
    found: list[int] = []
    for (_, init), group in itertools.groupby(playlist.whole, key=lambda segment: (segment.epoch, segment.map)):
        media = [await viewer.get(variant, init), *[await viewer.get(variant, segment.uri) for segment in group]]
        found += (await asyncio.to_thread(numbered.seen, [b"".join(media)])).numbers
    return found


async def test_an_ingest_killed_while_kafka_stands_still_delivers_what_it_took_once_and_in_order(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, tmp_path: Path, say: Callable[[str], None]
) -> None:
    clip = await asyncio.to_thread(numbered_clip, tmp_path / "numbered.mp4", 60 * FRAME_RATE)
    again = await asyncio.to_thread(numbered_clip, tmp_path / "again.mp4", 2 * FRAME_RATE, AGAIN)
    pid = stack.role("kafka").pid
    assert pid is not None
    kafka = psutil.Process(pid)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "first.log") as publisher:
        source = (await viewer.live(RENDITIONS, seconds=2))["source"]
        ingest = stack.role("ingest").pid
        kafka.suspend()
        try:
            await eventually(lambda: (v := spool(stack)) and v.records > WAITING_RECORDS, 60, "records in the spool")
            assert publisher.exit_code is None, publisher.complaints
            killed_ms = stack.kill("ingest")
            taken = pictures_taken(stack, channel.name, tmp_path / "copy")
        finally:
            kafka.resume()
    await eventually(lambda: stack.role("ingest").pid not in {None, ingest}, 60, "another ingest")
    await eventually(lambda: (v := spool(stack)) and not v.records, 90, "an empty spool")

    async def returned() -> bool:
        with publishing(again, stack.push_url(channel.key), tmp_path / "again.log") as publisher:
            return await publisher.finished(60) == 0

    await eventually_async(returned, 90, "the publisher's return")
    say(f"new parts {time.time() - killed_ms / 1000:.1f} s after kill -9 of the ingest, with a push of 2 s in it")
    playlist = await viewer.ended(source, 90)
    gaps = sum(segment.gap for segment in playlist.segments)
    assert gaps <= 1, "a GOP that had opened, and of which nothing was taken yet, when the ingest died"
    shown = await numbers(viewer, source, playlist)
    if shown == list(range(taken)):  # a slow machine: it came back after the grace time, and has a video of its own
        (other,) = [variant for variant in await viewer.variants() if variant.name == source.name]
        assert other.url != source.url
        shown += await numbers(viewer, other, await viewer.ended(other, 90))
    assert shown == [*range(taken), *range(AGAIN, AGAIN + again.frames)]


async def test_a_lossless_push_whose_gateway_is_killed_brings_every_frame_once_without_a_discontinuity(
    stack: LiveStack, channel: Channel, viewer: HlsViewer, tmp_path: Path, say: Callable[[str], None]
) -> None:
    clip = await asyncio.to_thread(numbered_clip, tmp_path / "numbered.mp4", 15 * FRAME_RATE)
    pushing = asyncio.create_task(
        stack.run("push", str(clip.path), "--lossless", "--channel", channel.name, "--key", channel.key)
    )
    source = (await viewer.live(RENDITIONS, seconds=3))["source"]
    killed_ms = stack.kill("gateway")
    await viewer.newer_than(source, killed_ms, 90)
    say(f"new parts {time.time() - killed_ms / 1000:.1f} s after kill -9 of the gateway that carried the push")
    done = await pushing
    assert done.returncode == 0, done.stderr
    playlist = await viewer.ended(source, 90)
    assert {segment.epoch for segment in playlist.segments} == {0}
    assert not any(segment.gap for segment in playlist.segments)
    assert await numbers(viewer, source, playlist) == list(range(clip.frames))
