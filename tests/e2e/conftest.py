"""The running system of `tests/running_stack.py`; each test has a channel, a browser and clips of its own."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.watch_page import CHROMIUM, FLAGS, WatchPage
from tests.running_stack import pytest_runtest_makereport  # noqa: F401  (a hook)


@pytest.fixture
def viewer(stack: LiveStack, channel: Channel, http: httpx.AsyncClient) -> HlsViewer:
    """A viewer of this test's channel."""
    return HlsViewer(http, stack.master_url(channel.name))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("needs Chromium: make test-deps gets it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        await chromium.close()


@pytest.fixture
async def watch_page(browser: Browser) -> AsyncIterator[WatchPage]:
    """An empty page, of a small laptop: the browser draws without a GPU."""
    context = await browser.new_context(viewport={"width": 960, "height": 640})
    context.set_default_timeout(60_000)
    yield WatchPage(await context.new_page())
    await context.close()
