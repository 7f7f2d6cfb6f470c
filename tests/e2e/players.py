"""Players of other people in a real Chromium: hls.js, Shaka Player, dash.js, each on a page with nothing else."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.async_api import BrowserContext, Page

ROOT: Final = Path(__file__).parents[2]
SMALL_HEIGHT: Final = 240
SCRIPTS: Final = {
    "hls.js": ROOT / "gateway/web/vendor/hls.js-1.7.4/hls.min.mjs",
    "small shaka": ROOT / "tests/vendor/shaka-player-5.2.12/shaka-player.compiled.js",
    "shaka": ROOT / "tests/vendor/shaka-player-5.2.12/shaka-player.compiled.js",
    "dash.js": ROOT / "tests/vendor/dashjs-5.2.1/dash.mediaplayer.min.js",
}

# "small shaka" plays the renditions of up to 240 lines. Each gives {edge, start, latency, seek, text}: the end and the start of what can be played, in the element's own time;
# `text` shows the first track of text.
_PLAYERS: Final = {
    "hls.js": """
        const hls = new Hls({ liveDurationInfinity: true });
        hls.on(Hls.Events.ERROR, (_, error) => { if (error.fatal) fail(`${error.type} ${error.details}`); });
        hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
        hls.loadSource(url);
        hls.attachMedia(video);
        const range = () => video.seekable;
        return {
            edge: () => hls.liveSyncPosition ?? video.duration,
            start: () => range().length ? range().start(0) : 0,
            latency: () => hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : null,
            seek: (time) => { video.currentTime = time; },
            text: () => { hls.subtitleTrack = 0; hls.subtitleDisplay = true; },
        };""",
    "shaka": """
        shaka.polyfill.installAll();
        const player = new shaka.Player();
        await player.attach(video);
        player.addEventListener("error", (event) => {
            if (event.detail.severity === 2 && event.detail.category !== 1) fail(  // what is not there it asks for again
                `shaka ${event.detail.code} ${event.detail.data}`);
        });
        player.load(url).then(() => video.play()).catch((error) => fail(`shaka load ${error.code} ${error.data}`));
        return {
            edge: () => player.seekRange().end,
            start: () => player.seekRange().start,
            latency: () => player.isLive() ? (Date.now() - player.getPlayheadTimeAsDate()) / 1000 : null,
            seek: (time) => { video.currentTime = time; },
            text: () => player.selectTextTrack(player.getTextTracks()[0]),
        };""",
    "dash.js": """
        const player = dashjs.MediaPlayer().create();
        player.on("error", (event) => fail(`dash.js ${event.error?.code ?? event.error} ${event.error?.message ?? ""}`));
        player.initialize(video, url, true);
        const window_ = () => player.getDvrWindow();
        return {
            edge: () => player.isDynamic() ? window_()?.end ?? 0 : video.duration,
            start: () => player.isDynamic() ? window_()?.start ?? 0 : 0,
            latency: () => player.isDynamic() ? player.getCurrentLiveLatency() : null,
            seek: (time) => player.seekToPresentationTime(time),
            text: () => player.setTextTrack(0),
        };""",
}

_PLAYERS["small shaka"] = _PLAYERS["shaka"].replace(
    "new shaka.Player();", f"new shaka.Player(); player.configure('restrictions.maxHeight', {SMALL_HEIGHT});"
)

_WATCH: Final = """async ([name, url]) => {
    document.body.innerHTML = "<video muted playsinline width=320 height=180></video>";
    const video = document.querySelector("video");
    const seen = window.seen = { errors: [], waits: [], still: [], moved: performance.now(), time: 0, ended: false, heights: [] };
    const fail = (text) => seen.errors.push(text);
    video.addEventListener("waiting", () => { if (seen.time > 0 && !video.seeking) seen.waits.push(video.currentTime); });
    video.addEventListener("ended", () => { seen.ended = true; });
    setInterval(() => {
        const now = performance.now();
        if (video.videoHeight && seen.heights.at(-1) !== video.videoHeight) seen.heights.push(video.videoHeight);
        if (video.currentTime !== seen.time) {
            const stood = now - seen.moved;
            if (seen.time > 0 && stood > 400) seen.still.push([seen.time, Math.round(stood)]);
            seen.moved = now;
            seen.time = video.currentTime;
        }
    }, 50);
    window.player = await (async () => { %s })();
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a player did since the last `begin`.

    Attributes:
        time: of the element, seconds.
        latency: seconds behind the wall clock; None where nobody knows.
        height: of the picture.
        frames: pictures shown since the page was opened.
        stalls: how often the picture stood still for more than 400 ms, in ms each.
        waits: `waiting` events while it was not seeking.
        ended: it came to the end.
        errors: what ended it.
    """

    time: float
    latency: float | None
    height: int
    frames: int
    stalls: list[int]
    waits: int
    ended: bool
    errors: list[str]


class PlayerPage:
    """One player on one page."""

    def __init__(self, page: Page, server: str, name: str) -> None:
        self.page = page
        self.name = name
        self._server = server
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))

    @classmethod
    async def opened(cls, context: BrowserContext, server: str, name: str) -> "PlayerPage":
        """An empty page of the server's origin with the player's script; `name` is one of `SCRIPTS`."""
        found = cls(await context.new_page(), server, name)
        await found._empty()
        return found

    async def _empty(self) -> None:
        await self.page.goto(f"{self._server}/healthz")
        text = SCRIPTS[self.name].read_text("utf-8")
        if self.name == "hls.js":
            await self.page.evaluate(
                "async (text) => { const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));"
                " window.Hls = (await import(url)).default; }",
                text,
            )
        else:
            await self.page.add_script_tag(content=text)

    async def play(self, url: str, deadline_s: float = 60.0) -> None:
        """Load a playlist or manifest, and wait until the picture moves."""
        await self.page.evaluate(_WATCH % _PLAYERS[self.name], [self.name, url])
        await self.until("video.currentTime > 0.2 && !video.paused && !video.seeking", deadline_s)

    async def until(self, condition: str, deadline_s: float) -> None:
        """Wait for a condition over `video`, `player` and `seen`."""
        met = await self.page.evaluate(
            """async ([text, ms]) => {
                const met = new Function("video", "player", "seen", `return ${text}`);
                const video = document.querySelector("video"), began = performance.now();
                while (!met(video, window.player, window.seen)) {
                    if (performance.now() - began > ms || window.seen.errors.length) return false;
                    await new Promise((done) => setTimeout(done, 50));
                }
                return true;
            }""",
            [condition, deadline_s * 1000],
        )
        assert met, f"{self.name}: no {condition} within {deadline_s} s: {await self.now()} {self.console[-20:]}"

    async def back(self, seconds: float) -> None:
        """Go so many seconds back from the end, as far as there is so much, and wait until it plays there."""
        await self.page.evaluate(
            "(back) => player.seek(Math.max(player.start() + 1, player.edge() - back))",
            seconds,
        )
        await self._moves()

    async def seek(self, time: float) -> None:
        """Go to a time, and wait until it plays there."""
        await self.jump(time)
        await self._moves()

    async def jump(self, time: float) -> None:
        """Go to a time."""
        await self.page.evaluate("(at) => player.seek(at)", time)

    async def _moves(self) -> None:
        at = await self.page.evaluate("() => document.querySelector('video').currentTime")
        await self.until(f"!video.seeking && video.currentTime > {at} + 0.3", 60.0)

    async def begin(self) -> None:
        """Forget the stalls so far."""
        await self.page.evaluate("() => { seen.still = []; seen.waits = []; seen.moved = performance.now(); }")

    async def now(self) -> Seen:
        """What it does."""
        found: dict[str, Any] = await self.page.evaluate(
            """() => {
                const video = document.querySelector("video"), standing = performance.now() - seen.moved;
                const still = seen.still.map(([, ms]) => Math.round(ms));
                if (!seen.ended && !video.ended && standing > 400) still.push(Math.round(standing));
                return { time: video.currentTime, latency: window.player?.latency() ?? null, height: video.videoHeight,
                    frames: video.getVideoPlaybackQuality().totalVideoFrames, stalls: still, waits: seen.waits.length,
                    ended: seen.ended, errors: seen.errors };
            }"""
        )
        return Seen(**found)

    async def plays(self, seconds: float) -> Seen:
        """What it did in so many seconds of the wall clock, or until it ended."""
        await self.begin()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            await self.page.wait_for_timeout(min(500, 1000 * max(0.0, deadline - loop.time())))
            found = await self.now()
            assert not found.errors, f"{self.name}: {found} {self.console[-20:]}"
            if found.ended:
                break
        return await self.now()
