"""Logging in on the watch page, in a real Chromium, with a whole gateway behind it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright

from gateway.feed_socket import FeedProtocol
from stores.settings import Settings
from tests.gateway.account_site import PASSWORD, Site, account_site
from tests.gateway.oidc_server import CLIENT_ID, CLIENT_SECRET, oidc_server
from tests.gateway.smtp_server import smtp_server
from tests.gateway.test_page_browser import CHROMIUM, FLAGS
from tests.gateway.test_reset_page import Server
from tests.waiting import eventually, eventually_async

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium: make test-deps gets it"
)


async def fill(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        await page.get_by_test_id(f"account-{name}").fill(text)
    await page.get_by_test_id("account-send").click()


async def speaks_as(page: Page, name: str) -> None:
    """Wait until the feed knows the visitor by this name."""

    async def known() -> bool:
        found: object = await page.evaluate("logcast.feed.state === 'open' && logcast.feed.user.name")
        return found == name

    await eventually_async(known, 60, f"{name} on the feed")


@asynccontextmanager
async def serving(site: Site, port: int) -> AsyncIterator[None]:
    """The site on a port."""
    server = Server(
        uvicorn.Config(
            site.app, port=port, log_level="warning", lifespan="off", ws=FeedProtocol, ws_per_message_deflate=False
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        await task


async def test_an_account_is_made_on_the_page_and_comes_back_by_its_cookie(
    make_settings: Callable[..., Settings], unused_ports: Callable[[int], list[int]]
) -> None:
    (port,) = unused_ports(1)
    async with account_site(make_settings, public_url=f"http://127.0.0.1:{port}") as site:
        owner = await site.register("owner")
        assert (await owner.call("POST", "/v1/channels", {"name": "demo"})).status_code == 201
        async with serving(site, port), async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            page = await chromium.new_page()
            page.set_default_timeout(60_000)
            await page.goto(f"http://127.0.0.1:{port}/watch/demo")
            await page.get_by_test_id("account-open").click()
            await page.get_by_test_id("account-other").click()
            await fill(page, login="owner", name="Bea", password="password1")
            await page.get_by_test_id("account-password-wrong").filter(has_text="easily guessed").wait_for()
            assert await page.evaluate("document.activeElement.name") == "password"
            await fill(page, password=PASSWORD)
            await page.get_by_test_id("account-login-wrong").filter(has_text="already").wait_for()
            assert await page.get_by_test_id("account-password-wrong").inner_text() == ""
            await fill(page, login="bea")
            await page.get_by_test_id("account-open").filter(has_text="Bea").wait_for()
            await speaks_as(page, "Bea")
            await page.reload()
            await speaks_as(page, "Bea")
            stored = await page.evaluate(
                "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"
            )
            assert "la_" not in stored
            assert await page.evaluate("logcast.feed.user.guest") is False
            await page.get_by_test_id("account-open").click()
            await page.get_by_test_id("log-out").click()
            await page.get_by_test_id("account-open").filter(has_text="Log in").wait_for()
            await eventually_async(lambda: page.evaluate("logcast.feed.user?.guest"), 60, "a guest on the feed")
            await page.get_by_test_id("account-open").click()
            await fill(page, login="bea", password="not this one")
            await page.get_by_test_id("account-note").filter(has_text="is wrong").wait_for()
            await page.goto(f"http://127.0.0.1:{port}/studio?channel=demo")
            await page.get_by_test_id("account-open").click()
            await fill(page, login="owner", password=PASSWORD)
            await page.get_by_test_id("rotate").click()
            await page.get_by_test_id("rotate").click()
            await page.get_by_test_id("rotate-note").filter(has_text="There is another key").wait_for()
            await page.get_by_test_id("push-reveal").click()
            key = await page.get_by_test_id("push-key").inner_text()
            opened = await site.client.get("/v1/channels/demo/owner", headers={"Authorization": f"Bearer {key}"})
            assert opened.status_code < 300
            await chromium.close()


async def test_an_address_is_verified_by_its_link_and_one_logs_in_at_the_provider(
    make_settings: Callable[..., Settings], unused_ports: Callable[[int], list[int]]
) -> None:
    (port,) = unused_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with smtp_server() as mails, oidc_server(lambda: site.clock() // 1000) as provider:
        provider.claims |= {"email": "pat@example.org", "email_verified": True}
        oidc = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        mail = {"smtp_url": f"smtp://127.0.0.1:{mails.port}"}
        async with (
            account_site(make_settings, public_url=url, oidc_name="Example ID", **oidc, **mail) as site,
            serving(site, port),
            async_playwright() as playwright,
        ):
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            page = await chromium.new_page()
            page.set_default_timeout(60_000)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.goto(f"{url}/account")
            await page.get_by_test_id("log-in").click()
            await page.get_by_test_id("account-other").click()
            await fill(page, login="bea", email="bea@example.org", password=PASSWORD)
            state = page.get_by_test_id("email-state")
            await state.filter(has_text="Not verified").wait_for()
            await page.get_by_test_id("send-link").click()
            await page.get_by_test_id("send-link-note").filter(has_text="on its way").wait_for()
            await eventually(lambda: len(mails.received) == 2)
            first, second = (
                re.findall(rf"{url}/account#verify=\S+", message.get_content())[0] for _, _, message in mails.received
            )
            await page.goto("about:blank")  # else only the part behind the # changes, and nothing is loaded
            await page.goto(first)
            await page.get_by_test_id("link-note").filter(has_text="This link is over").wait_for()
            await page.goto("about:blank")
            await page.goto(second)
            await page.get_by_test_id("link-note").filter(has_text="is verified").wait_for()
            await state.get_by_text("Verified", exact=True).wait_for()
            assert page.url == f"{url}/account"
            await page.get_by_test_id("account-open").click()
            await page.get_by_test_id("log-out").click()
            await page.get_by_test_id("log-in").click()
            await page.get_by_test_id("log-in-elsewhere").filter(has_text="Example ID").click()
            await page.get_by_test_id("login").filter(has_text="ann").wait_for()
            await state.get_by_text("Verified", exact=True).wait_for()
            assert page.url == f"{url}/account"
            assert await page.get_by_test_id("password-form").is_hidden(), "there is no password to change"
            assert errors == []
            await chromium.close()
