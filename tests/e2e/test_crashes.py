"""kill -9 in mid-stream: the supervisor starts the role again, and nothing is lost."""

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logcast.client import FeedClient
from tests.e2e.hls_viewer import HlsViewer, Variant, frame_times
from tests.e2e.listening import Listener
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import FRAME_RATE, ClipMaker, publishing
from tests.e2e.watch_page import WatchPage
from tests.gateway.playlist_reader import check_update
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

WORKER_BACK_S = 90.0
"""How long to wait. What is aimed at, and printed, is at most 8 s on a machine with a core to spare."""
GATEWAY_BACK_S = 90.0
RENDITIONS = {"source", "240p", "audio"}


async def test_a_killed_worker_comes_back_by_itself_and_every_frame_is_in_the_playlists(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    clip = clips.make("640x360", 30)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log") as publisher:
        variants = await viewer.live(RENDITIONS, seconds=4)
        first = stack.role("worker").pid
        killed_ms = stack.kill("worker")

        async def back_s(variant: Variant) -> float:
            await viewer.newer_than(variant, killed_ms, WORKER_BACK_S)
            return time.time() - killed_ms / 1000

        took = dict(zip(variants, await asyncio.gather(*map(back_s, variants.values())), strict=True))
        say("new parts after kill -9 of the worker: " + ", ".join(f"{n} {s:.2f} s" for n, s in took.items()))
        assert stack.role("worker").pid != first
        assert await publisher.finished(120) == 0, publisher.complaints

    for name, variant in variants.items():
        playlist = await viewer.ended(variant)
        assert playlist.sequence == 0
        assert [segment.number for segment in playlist.whole] == list(range(len(playlist.segments)))
        assert not any(segment.gap for segment in playlist.segments), f"a gap in {name}"
        assert {segment.epoch for segment in playlist.segments} == {0}
        if name == "audio":
            continue
        times = await asyncio.to_thread(frame_times, await viewer.media(variant, playlist))
        assert len(times) == clip.frames, f"{name} has {len(times)} of {clip.frames} frames"
        steps = [after - before for before, after in itertools.pairwise(times)]
        assert 0.5 / FRAME_RATE < min(steps) <= max(steps) < 1.5 / FRAME_RATE, f"{name} is not even"


async def test_a_killed_gateway_answers_the_same_addresses_again_and_viewers_go_on(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    watch_page: WatchPage,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    clip = clips.make("640x360", 20)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        variants = await viewer.live({"source", "240p", "audio"}, seconds=5)
        await watch_page.open(f"{stack.server}/watch/{channel.name}")
        await watch_page.plays_on(1, deadline_s=60)
        await watch_page.page.evaluate("() => { window.notReloaded = true; }")
        async with Listener(FeedClient(stack.server, channel.name, name="Ann")) as ann:
            before = {name: await viewer.playlist(variant) for name, variant in variants.items()}
            segment = before["240p"].whole[0].uri
            its_bytes = await viewer.get(variants["240p"], segment)

            killed_ms = stack.kill("gateway")
            for name, variant in variants.items():
                after = await viewer.newer_than(variant, killed_ms, GATEWAY_BACK_S)
                say(f"{name}: new parts {time.time() - killed_ms / 1000:.2f} s after kill -9 of the gateway")
                assert after.sequence == before[name].sequence
                assert after.edge > before[name].edge
                check_update(before[name], after)
            assert await viewer.get(variants["240p"], segment) == its_bytes

            await eventually(lambda: len(ann.of_type("joined")) == 2, GATEWAY_BACK_S, "the feed's return")
            await ann.feed.comment("back again")
            await ann.hears_comment("back again")

        await watch_page.until("player.programMs > at", GATEWAY_BACK_S, "picture from after the kill", killed_ms)
        await watch_page.plays_on(3, deadline_s=60)
        say(f"the page shows what was captured after the kill, {time.time() - killed_ms / 1000:.1f} s after it")
        assert await watch_page.page.evaluate("window.notReloaded") is True
