"""hls.js, Shaka Player and dash.js play what one publisher sends: live, further back, and when it is over.

`LOGCAST_PLAY_S` is how long each of them plays at a stretch: 60 for a whole proof, 12 unless told.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from tests.e2e.flv_clips import join_flv
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.players import PlayerPage, Seen
from tests.e2e.publishing import Clip, ClipMaker, publishing
from tests.gateway.manifest_reader import ReadManifest, read_manifest
from tests.waiting import eventually_async

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PLAY_S = float(os.environ.get("LOGCAST_PLAY_S", "12"))
BACK_S = max(20.0, PLAY_S)
WINDOWS = 3
"""The machine that tests run on may itself stand still for a moment: one window without a stall is asked of each player."""

AWAY_S = 6.0
"""The publisher is back sooner."""

NEAR_S = 5.0
"""Behind the end of what can be played, which players keep away from the camera already, or not."""

LATE_S = 15.0
"""Who follows live is nearer than that."""

HALF_S = 10
"""The source changes its size after so long."""

PLAYERS = {
    "hls.js on HLS": ("hls.js", "master.m3u8"),
    "Shaka on DASH": ("shaka", "manifest.mpd"),
    "dash.js on DASH": ("dash.js", "manifest.mpd"),
}
ON_DEMAND = PLAYERS | {
    "Shaka on HLS": ("shaka", "master.m3u8"),
    "Shaka on HLS, a rendition that began late": ("small shaka", "master.m3u8"),
}


@asynccontextmanager
async def players(
    browser: Browser, server: str, root: str, which: dict[str, tuple[str, str]] = PLAYERS
) -> AsyncIterator[dict[str, PlayerPage]]:
    """Several players, each playing."""
    context = await browser.new_context(viewport={"width": 400, "height": 300})
    try:
        pages = {title: await PlayerPage.opened(context, server, name) for title, (name, _) in which.items()}
        await asyncio.gather(*(page.play(f"{root}/{which[title][1]}") for title, page in pages.items()))
        yield pages
    finally:
        await context.close()


async def every(pages: dict[str, PlayerPage], seconds: float, what: str, say: Callable[[str], None]) -> dict[str, Seen]:
    """What all of them did at the same time."""
    found = dict(zip(pages, await asyncio.gather(*(page.plays(seconds) for page in pages.values())), strict=True))
    for title, seen in found.items():
        behind = f"{seen.latency:.1f} s behind" if seen.latency is not None else "on demand"
        say(f"{what}, {title}: {behind}, height {seen.height}, stalls {seen.stalls} ms")
    return found


async def smoothly(
    pages: dict[str, PlayerPage], seconds: float, what: str, say: Callable[[str], None], *, start: float | None = None
) -> None:
    """Each player has a window without a stall, from `start` on; who had one need not have another."""
    left = dict(pages)
    for attempt in range(1, WINDOWS + 1):
        if start is not None:
            await asyncio.gather(*(page.seek(start) for page in left.values()))
        found = await every(left, seconds, f"{what} (window {attempt})", say)
        left = {title: pages[title] for title, seen in found.items() if seen.stalls}
        if not left:
            return
    raise AssertionError(f"{what}: {', '.join(left)} stood still in each of {WINDOWS} windows")


async def test_they_play_live_and_on_demand_through_a_reconnect_and_changes_of_size(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    browser: Browser,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    small, wide = clips.make("320x180", HALF_S), clips.make("480x270", HALF_S)  # a rung of 240 lines comes with it
    both = Clip(join_flv([as_flv(small.path), as_flv(wide.path)], tmp_path / "both.flv", HALF_S), 0, 2 * HALF_S)
    root, push = f"{stack.server}/live/{channel.name}", stack.push_url(channel.key)
    async with AsyncExitStack() as ends:
        with publishing(clips.make("320x180", 20), push, tmp_path / "first.log", for_ever=True):
            await eventually_async(lambda: is_there(http, f"{root}/manifest.mpd"), 60, "a manifest")
            pages = await ends.enter_async_context(players(browser, stack.server, root))
            await asyncio.gather(*(page.plays(5) for page in pages.values()))
            await smoothly(pages, PLAY_S, "at the live edge", say)
            await further_back(pages, BACK_S)
            await smoothly(pages, PLAY_S, f"{BACK_S:.0f} s back", say)
            there = [(await page.now()).latency for page in pages.values()]
            assert all(latency is not None and latency > BACK_S - 6 for latency in there), "nobody jumped forward"
            await further_back(pages, NEAR_S)
            await asyncio.gather(*(page.plays(5) for page in pages.values()))

        with publishing(both, push, tmp_path / "second.log", for_ever=True):
            edge = await every(pages, max(PLAY_S, 2 * HALF_S + 5), "live, a reconnect and changes of size", say)
            assert all(sum(seen.stalls) < 1000 * AWAY_S for seen in edge.values()), "as long as nobody published"
            assert all(seen.latency is not None and seen.latency < LATE_S for seen in edge.values()), "live again"
            await further_back(pages, 2 * HALF_S - 2)
            await smoothly(pages, max(PLAY_S, HALF_S + 5), "back, changes of size", say)

    manifest = await eventually_async(lambda: ended(http, f"{root}/manifest.mpd"), 90, "the end")
    assert manifest is not None
    cut = float(manifest.periods[1].start)
    async with players(browser, stack.server, root, ON_DEMAND) as pages:
        await smoothly(pages, PLAY_S, "on demand, from the start", say)
        through = max(PLAY_S, HALF_S + 10)
        await smoothly(pages, through, "on demand, a reconnect and changes of size", say, start=cut - 5)
        near_end = max(float(manifest.duration) - 4, float(manifest.periods[-1].start) + 0.2)
        await asyncio.gather(*(page.jump(near_end) for page in pages.values()))
        await asyncio.gather(*(page.until("seen.ended", 60) for page in pages.values()))


async def further_back(pages: dict[str, PlayerPage], seconds: float) -> None:
    """All players go so far back."""
    await asyncio.gather(*(page.back(seconds) for page in pages.values()))


async def ended(http: httpx.AsyncClient, url: str) -> ReadManifest | None:
    """The manifest, once the video is over."""
    found = read_manifest((await http.get(url, follow_redirects=True)).text)
    return None if found.live else found


def as_flv(path: Path) -> Path:
    """The same media in an FLV file."""
    flv = path.with_suffix(".flv")
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-nostdin", "-y", "-i", str(path), "-c", "copy", str(flv)], check=True
    )
    return flv


async def is_there(http: httpx.AsyncClient, url: str) -> bool:
    return (await http.get(url, follow_redirects=True)).status_code == httpx.codes.OK
