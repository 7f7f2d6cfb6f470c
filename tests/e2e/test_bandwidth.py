"""The line gets narrow and wide again: the player steps down and up by itself, and the picture goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import CDPSession

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.watch_page import PLAY_DEADLINE_S, WatchPage

pytestmark = pytest.mark.e2e

NARROW_BITS = 900_000
"""Below the source's 2 Mbit/s, above what 240p and the sound need."""

STEP_DEADLINE_S = 90.0
LONGEST_STALL_S = 4.0

_WATCH_TIME = """() => {
    const video = document.querySelector("video");
    let [time, moved] = [video.currentTime, performance.now()];
    window.longestStill = 0;
    setInterval(() => {
        const now = performance.now();
        if (video.currentTime !== time) [time, moved] = [video.currentTime, now];
        window.longestStill = Math.max(window.longestStill, now - moved);
    }, 50);
}"""


async def carry(line: CDPSession, bits_per_s: int) -> None:
    """Let the browser's line carry so much; -1: all it can."""
    conditions = {"offline": False, "latency": 20, "uploadThroughput": -1}
    download = bits_per_s // 8 if bits_per_s > 0 else -1
    await line.send("Network.emulateNetworkConditions", {**conditions, "downloadThroughput": download})


async def test_a_narrow_line_gets_a_smaller_picture_without_a_long_stall_and_a_wide_one_the_large_one_again(
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
        await viewer.live({"source", "360p", "240p", "audio"}, seconds=1)
        line = await watch_page.page.context.new_cdp_session(watch_page.page)
        await line.send("Network.enable")
        await watch_page.open(f"{stack.server}/watch/{channel.name}")
        await watch_page.until("player.automatic && video.videoHeight === 480", PLAY_DEADLINE_S, "the large picture")
        await watch_page.plays_on(2, PLAY_DEADLINE_S)

        await watch_page.page.evaluate(_WATCH_TIME)
        await carry(line, NARROW_BITS)
        await watch_page.until("video.videoHeight < 480", STEP_DEADLINE_S, "step down")
        narrow = await watch_page.plays_on(6, STEP_DEADLINE_S)
        still_s = await watch_page.page.evaluate("longestStill") / 1000
        say(f"at {NARROW_BITS / 1e6} Mbit/s: {narrow.height} lines, stood still {still_s:.1f} s at most")
        assert narrow.height < 480
        assert still_s < LONGEST_STALL_S

        await carry(line, -1)
        await watch_page.until("video.videoHeight === 480", STEP_DEADLINE_S, "step back up")
        wide = await watch_page.plays_on(2, STEP_DEADLINE_S)
        assert wide.state == "playing"
        assert not watch_page.errors
