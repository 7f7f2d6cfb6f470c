"""Renews docs/images from a running Logcast: `python docs/screenshots.py URL CHANNEL`, with CHANNEL live and one video over.

It needs the Chromium and Playwright of the tests.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES: Final = Path(__file__).parent / "images"
SIZES: Final = {"": (1280, 800), "-phone": (390, 844)}
FLAGS: Final = ("--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")
DEADLINE_S: Final = 60.0
BACK_S: Final = 12
DRAWN_MS: Final = 500
QUALITY: Final = 84


def main() -> None:
    """Take every picture in both sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("channel")
    parser.add_argument("--to", type=Path, default=IMAGES)
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for suffix, size in SIZES.items():
            take(browser, asked.url, asked.channel, asked.to, suffix, size)
        browser.close()


def take(browser: Browser, url: str, channel: str, to: Path, suffix: str, size: tuple[int, int]) -> None:
    """All pictures of one size."""
    phone = size[0] < 600
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        has_touch=phone,
        is_mobile=phone,
        color_scheme="dark",
    )
    page = context.new_page()
    page.goto("/")
    until(page, "[...document.querySelectorAll('.poster__image')].some((image) => 'there' in image.dataset)")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=to / f"home{suffix}.jpg", quality=QUALITY)
    video = page.locator("[data-testid=video-card]").first.get_attribute("href", timeout=DEADLINE_S * 1000)
    page.goto(f"/watch/{channel}")
    until(page, "logcast?.player.state === 'playing' && logcast.player.window.end - logcast.player.window.start > 20")
    page.get_by_test_id("video").hover()
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=to / f"watch{suffix}.jpg", quality=QUALITY)
    page.evaluate(f"logcast.player.seek(logcast.player.currentTime - {BACK_S})")
    until(page, "logcast.player.state === 'playing' && !document.querySelector('video').seeking")
    over_seek_bar(page, 0.3)
    page.screenshot(path=to / f"rewind{suffix}.jpg", quality=QUALITY)
    page.goto(video or "/")
    until(page, "logcast?.player.state === 'playing' && logcast.player.currentTime > 1")
    over_seek_bar(page, 0.7)
    page.screenshot(path=to / f"replay{suffix}.jpg", quality=QUALITY)
    context.close()


def over_seek_bar(page: Page, share: float) -> None:
    """Put the pointer there, and wait for the thumbnail."""
    page.get_by_test_id("video").hover()
    box = page.get_by_test_id("seek").bounding_box()
    assert box is not None, "the seek bar is not shown"
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    until(page, "!document.querySelector('[data-testid=thumbnail]').hidden")
    until(
        page,
        "performance.getEntriesByType('resource').some((one) => one.name.includes('/sprites/') && one.responseEnd > 0)",
    )
    page.wait_for_timeout(DRAWN_MS)


def until(page: Page, condition: str) -> None:
    """Wait for a condition (the page's policy forbids eval, which Playwright's own way needs)."""
    deadline = time.monotonic() + DEADLINE_S
    while not page.evaluate(f"(() => {{ const logcast = window.logcast; return Boolean({condition}); }})()"):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {condition}"
        page.wait_for_timeout(100)


if __name__ == "__main__":
    main()
