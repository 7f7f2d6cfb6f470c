"""ffmpeg publishes, a real Chromium plays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.watch_page import WatchPage

pytestmark = pytest.mark.e2e

WATCHED_S = 30
WINDOWS = 3
"""The machine that tests run on may itself stand still for a moment: one window without a stall is asked for."""


async def test_what_ffmpeg_pushes_plays_30_s_without_a_stall_and_in_every_quality(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    watch_page: WatchPage,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    clip = clips.make("640x480", 40)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        variants = await viewer.live({"source", "360p", "240p", "audio"}, seconds=1)
        assert {variant.height for variant in variants.values()} == {480, 360, 240, 0}
        await watch_page.open(f"{stack.server}/watch/{channel.name}")

        await watch_page.choose(480)
        for attempt in range(1, WINDOWS + 1):
            before = await watch_page.plays_on(5, deadline_s=60)
            after = await watch_page.plays_on(WATCHED_S, deadline_s=3 * WATCHED_S)
            stalls = after.stalls - before.stalls
            say(f"{after.latency or 0:.2f} s behind the camera, {stalls} stalls in {WATCHED_S} s (window {attempt})")
            assert after.frames > before.frames
            if not stalls:
                break
        assert stalls == 0, f"the picture stood still in each of {WINDOWS} windows"

        assert {level["height"] for level in after.levels} == {480, 360, 240}
        for height in (240, 360, 480):
            await watch_page.choose(height)
        assert not watch_page.errors
