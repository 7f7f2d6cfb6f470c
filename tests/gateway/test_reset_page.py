"""Forgot the password: from the mail to the new one, in a real Chromium."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from playwright.async_api import async_playwright

from stores.settings import Settings
from tests.gateway.account_site import account_site
from tests.gateway.smtp_server import smtp_server
from tests.gateway.test_page_browser import FLAGS
from tests.waiting import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium: make test-deps gets it"
)


class Server(uvicorn.Server):
    """Without its own signal handlers: pytest owns them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def test_the_link_of_the_mail_gives_a_new_password_and_leaves_no_token_behind(
    make_settings: Callable[..., Settings], unused_ports: Callable[[int], list[int]]
) -> None:
    (port,) = unused_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with (
        smtp_server() as mails,
        account_site(make_settings, public_url=url, smtp_url=f"smtp://127.0.0.1:{mails.port}") as site,
    ):
        await site.register("ann")
        await site.has_email("ann", "ann@example.org")
        server = Server(uvicorn.Config(site.app, port=port, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve())
        try:
            await eventually(lambda: server.started)
            assert (await site.post("/v1/auth/password/reset-request", {"login": "ann"})).status_code == 202
            await asyncio.wait_for(mails.arrived.wait(), 60)
            (link,) = re.findall(rf"{url}/reset#lp_[0-9a-z]{{32}}", mails.received[0][2].get_content())
            async with async_playwright() as playwright:
                chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                page = await chromium.new_page()
                page.set_default_timeout(60_000)
                await page.goto(link)
                await page.get_by_test_id("reset-password").fill("password1")
                assert page.url == f"{url}/reset"
                await page.get_by_test_id("reset-send").click()
                note = page.get_by_test_id("reset-note")
                await note.filter(has_text="tried first").wait_for()
                await page.get_by_test_id("reset-password").fill("battery staple")
                await page.get_by_test_id("reset-send").click()
                await note.filter(has_text="Done").wait_for()
                await chromium.close()
            assert (await site.log_in("ann", "battery staple")).status_code == 200
        finally:
            server.should_exit = True
            await serving
