"""Renews docs/images: `make screenshots`, from a Logcast of its own that is full of people (docs/showcase.py).

It needs the Chromium, ffmpeg and Playwright of the tests. Every picture is a WebP of at most 150 KiB.
"""

import argparse
import asyncio
import base64
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from docs.showcase import CHANNEL, OWNER, PASSWORD, showcase
from tests.e2e.watch_page import CHROMIUM, FLAGS

IMAGES: Final = Path(__file__).parent / "images"
MOST_BYTES: Final = 150 * 1024
QUALITIES: Final = (86, 78, 70, 60, 50, 40, 30)
DEADLINE_S: Final = 120.0
DRAWN_MS: Final = 700
BACK_S: Final = 12

_LOG_IN: Final = """async ([login, password]) => {
    const body = JSON.stringify({ login, password, cookie: true });
    const answer = await fetch("/v1/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body });
    if (!answer.ok) throw new Error(await answer.text());
    localStorage.setItem("logcast.session", "yes");
}"""


@dataclass(frozen=True, slots=True)
class Device:
    """What a picture is taken with."""

    name: str
    width: int
    height: int
    scale: float = 1
    phone: bool = False


DESKTOP: Final = Device("desktop", 1440, 900)
PHONE: Final = Device("phone", 390, 844, scale=2, phone=True)


async def main() -> None:
    """Take every picture: of both devices, dark and light."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES)
    asked = parser.parse_args()
    asked.to.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logcast-screenshots-") as directory:
        async with showcase(Path(directory)) as (stack, _), async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            for device in (DESKTOP, PHONE):
                for scheme in ("dark", "light"):
                    await Camera(asked.to, device, scheme).take_all(chromium, stack.server)
            await chromium.close()


class Camera:
    """Takes the pictures of one device in one colour scheme."""

    def __init__(self, to: Path, device: Device, scheme: str) -> None:
        self._to = to
        self._device = device
        self._scheme = scheme

    async def take_all(self, browser: Browser, server: str) -> None:
        """Everything, as the owner of the channel sees it."""
        size: Any = {"width": self._device.width, "height": self._device.height}
        scheme: Any = self._scheme
        context = await browser.new_context(
            base_url=server,
            viewport=size,
            device_scale_factor=self._device.scale,
            has_touch=self._device.phone,
            is_mobile=self._device.phone,
            color_scheme=scheme,
        )
        context.set_default_timeout(DEADLINE_S * 1000)
        page = await context.new_page()
        await page.goto("/reset")
        await page.evaluate(_LOG_IN, [OWNER, PASSWORD])
        await self.home(page)
        await self.watch(page)
        await self.studio(page)
        await self.account(page)
        if self._scheme == "dark" and not self._device.phone:
            await self.rewind(page)
            await self.replay(page)
        await context.close()

    async def home(self, page: Page) -> None:
        """What is live, what one follows, what can be watched later."""
        await page.goto("/")
        await page.get_by_test_id("followed-cards").locator("li").first.wait_for()
        await until(
            page,
            "document.querySelectorAll('.poster__image').length >= 3 && "
            "[...document.querySelectorAll('.poster__image')].every((image) => 'there' in image.dataset)",
        )
        await self.shot(page, "home")

    async def watch(self, page: Page) -> None:
        """A stream with its conversation; then with the menu of a moderator."""
        await page.goto(f"/watch/{CHANNEL}")
        await until(page, "logcast?.player.state === 'playing' && document.querySelector('[data-testid=poll]')")
        await until(
            page, "[...document.querySelectorAll('[data-testid=comment-text]')].at(-1)?.innerText.includes('patience')"
        )
        await page.get_by_test_id("follow").and_(page.locator("[aria-pressed=true]")).wait_for()
        await self.shot(page, "watch")
        row = page.locator(".comment").filter(has_text="patience").last
        others = page.locator(".comment").filter(has_text="clap clap").last
        await others.hover()
        await others.get_by_test_id("more").click()
        await page.get_by_role("menuitem").first.wait_for()
        await row.wait_for()
        await self.shot(page, "moderate")

    async def studio(self, page: Page) -> None:
        """How the stream is, and what waits."""
        await page.goto(f"/studio?channel={CHANNEL}")
        await page.get_by_test_id("studio-state").filter(has_text="Live").wait_for()
        await page.wait_for_load_state("networkidle")
        await page.wait_for_timeout(3_000)  # the figures of some seconds
        await self.shot(page, "studio", whole=True)

    async def account(self, page: Page) -> None:
        """The account."""
        await page.goto("/account")
        await page.get_by_test_id("session").first.wait_for()
        await page.get_by_test_id("follow").first.wait_for()
        await self.shot(page, "account", whole=True)

    async def rewind(self, page: Page) -> None:
        """Going back in a stream that goes on."""
        await page.goto(f"/watch/{CHANNEL}")
        await until(
            page, "logcast?.player.state === 'playing' && logcast.player.window.end - logcast.player.window.start > 30"
        )
        await page.evaluate(f"logcast.player.seek(logcast.player.currentTime - {BACK_S})")
        await until(page, "logcast.player.state === 'playing' && !document.querySelector('video').seeking")
        await over_seek_bar(page, 0.3)
        await self.shot(page, "rewind")

    async def replay(self, page: Page) -> None:
        """A finished video."""
        await page.goto("/")
        video = await page.get_by_test_id("video-card").first.get_attribute("href")
        await page.goto(video or "/")
        await until(page, "logcast?.player.state === 'playing' && logcast.player.currentTime > 1")
        await over_seek_bar(page, 0.7)
        await self.shot(page, "replay")

    async def shot(self, page: Page, name: str, *, whole: bool = False) -> None:
        """The picture, as good as fits into 150 KiB; `whole`: with all that can be scrolled to, up to two screens."""
        await page.wait_for_timeout(DRAWN_MS)
        session = await page.context.new_cdp_session(page)
        clip: dict[str, Any] = {}
        if whole:
            height = min(await page.evaluate("document.documentElement.scrollHeight"), 2 * self._device.height)
            area = {"x": 0, "y": 0, "width": self._device.width, "height": height, "scale": 1}
            clip = {"clip": area, "captureBeyondViewport": True}
        path = self._to / f"{name}-{self._device.name}-{self._scheme}.webp"
        for quality in QUALITIES:
            given = await session.send("Page.captureScreenshot", {"format": "webp", "quality": quality, **clip})
            data = base64.b64decode(given["data"])
            if len(data) <= MOST_BYTES:
                break
        path.write_bytes(data)
        print(f"{path.name}: {len(data) / 1024:.0f} KiB at {quality}")  # noqa: T201
        await session.detach()


async def over_seek_bar(page: Page, share: float) -> None:
    """Put the pointer there, and wait for the thumbnail."""
    async with page.expect_response(lambda answer: "/sprites/" in answer.url and answer.ok) as sheet:
        await page.get_by_test_id("video").hover()
        box = await page.get_by_test_id("seek").bounding_box()
        assert box is not None, "the seek bar is not shown"
        await page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        await until(page, "!document.querySelector('[data-testid=thumbnail]').hidden")
    await (await sheet.value).finished()
    await page.mouse.move(box["x"] + box["width"] * share + 2, box["y"] + box["height"] / 2)  # shows the controls again


async def until(page: Page, condition: str) -> None:
    """Wait for a condition (the page's policy forbids eval, which Playwright's own way needs)."""
    deadline = time.monotonic() + DEADLINE_S
    while not await page.evaluate(f"(() => {{ const logcast = window.logcast; return Boolean({condition}); }})()"):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {condition}"
        await page.wait_for_timeout(100)


if __name__ == "__main__":
    asyncio.run(main())
