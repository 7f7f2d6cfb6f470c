"""The watch page in a real Chromium, looked at through `window.logcast`.

Conditions are JavaScript over `player` (gateway/web/js/player.js), `video` (the element) and `at` (an argument).
"""

import shutil
from dataclasses import dataclass
from typing import Any

from playwright.async_api import ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
PLAY_DEADLINE_S = 60.0

# The page's policy forbids eval, which Playwright's own wait_for_function needs: this is one function that waits.
_WAIT = """async ([milliseconds, at]) => {{
    const began = performance.now();
    for (;;) {{
        const player = window.logcast?.player, video = document.querySelector("video");
        if (player && ({condition})) return true;
        if (performance.now() - began > milliseconds) return false;
        await new Promise((done) => setTimeout(done, 100));
    }}
}}"""

_PICTURE = """() => {
    const player = window.logcast?.player, video = document.querySelector("video");
    if (!player) return null;
    const { state, stalls, level, levels, latency, programMs } = player;
    return { state, stalls, level, levels, latency, program_ms: programMs, time: video.currentTime,
        height: video.videoHeight, frames: video.getVideoPlaybackQuality().totalVideoFrames };
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the page shows at a moment; `levels` have `index`, `name` and `height`."""

    state: str
    stalls: int
    level: int
    levels: list[dict[str, Any]]
    latency: float | None
    program_ms: float | None
    time: float
    height: int
    frames: int


class WatchPage:
    """`/watch/CHANNEL`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        self.console: list[str] = []

    def _heard(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    async def open(self, url: str) -> Picture:
        """Go there, and wait until the picture (or sound) moves."""
        await self.page.goto(url)
        await self.until("player.state === 'playing' && video.currentTime > 0", PLAY_DEADLINE_S, "playing")
        return await self.now()

    async def now(self) -> Picture:
        """What it shows."""
        return Picture(**await self.page.evaluate(_PICTURE))

    async def until(self, condition: str, deadline_s: float, what: str, at: float = 0) -> None:
        """Wait for a condition."""
        met = await self.page.evaluate(_WAIT.format(condition=condition), [deadline_s * 1000, at])
        assert met, f"no {what} within {deadline_s} s: {await self.now()}, {self.console[-20:]}, {self.errors}"

    async def plays_on(self, seconds: float, deadline_s: float) -> Picture:
        """Wait until so many more seconds were shown."""
        until = (await self.now()).time + seconds
        await self.until("video.currentTime >= at", deadline_s, f"{seconds} s more", until)
        return await self.now()

    async def choose(self, height: int) -> None:
        """Choose a quality from the menu, and wait until the picture has that height and moves on."""
        await self.page.get_by_test_id("video").hover()  # the controls show themselves to a pointer that moves
        await self.page.get_by_test_id("quality").click()
        await self.page.get_by_test_id("quality-item").filter(has_text=f"{height}p").first.click()
        await self.until("video.videoHeight === at", PLAY_DEADLINE_S, f"picture of height {height}", height)
        after = await self.plays_on(2, PLAY_DEADLINE_S)
        assert after.height == height
