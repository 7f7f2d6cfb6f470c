"""An account on the pages of a running system: profile, password, devices, and the channels that are followed first."""

import pytest
from playwright.async_api import Browser, Page

from tests.e2e.live_stack import Channel, LiveStack
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"
NEXT = "battery staple"


async def fill(page: Page, form: str, **fields: str) -> None:
    for name, text in fields.items():
        await page.get_by_test_id(f"{form}-{name}").fill(text)
    await page.get_by_test_id(f"{form}-send").click()


async def opened(browser: Browser, url: str) -> Page:
    """A page with storage of its own."""
    page = await browser.new_page(viewport={"width": 960, "height": 640})
    page.set_default_timeout(60_000)
    await page.goto(url)
    return page


async def test_somebody_follows_a_channel_and_looks_after_their_account(
    stack: LiveStack, channel: Channel, browser: Browser
) -> None:
    login = f"zoe-{channel.name}"
    page = await opened(browser, f"{stack.server}/watch/{channel.name}")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.get_by_test_id("follow").click()  # who is nobody logs in first
    await page.get_by_test_id("account-other").click()
    await fill(page, "account", login=login, password=PASSWORD)
    await page.get_by_test_id("account-open").filter(has_text=login).wait_for()
    await page.get_by_test_id("follow").click()
    await page.get_by_test_id("follow").filter(has_text="Following").wait_for()

    await page.goto(f"{stack.server}/")
    await page.get_by_test_id("followed-cards").locator(f"[data-channel={channel.name}]").wait_for()

    elsewhere = await opened(browser, f"{stack.server}/account")
    await elsewhere.get_by_test_id("log-in").click()
    await fill(elsewhere, "account", login=login, password=PASSWORD)
    await elsewhere.get_by_test_id("somebody").wait_for()

    await page.goto(f"{stack.server}/account")
    sessions = page.get_by_test_id("session")
    await eventually_async(lambda: _count(page, "session", 2), 60, "two devices")
    await sessions.filter(has_text="This device").wait_for()
    await fill(page, "profile", name="Zoe Ω", colour="#8ccf8e")
    await page.get_by_test_id("account-open").filter(has_text="Zoe Ω").wait_for()
    await fill(page, "password", password="not this one", new_password=NEXT)
    await page.get_by_test_id("password-password-wrong").filter(has_text="not your password").wait_for()
    await page.get_by_test_id("session-end").click()
    await eventually_async(lambda: _count(page, "session", 1), 60, "one device")
    await elsewhere.reload()
    await elsewhere.get_by_test_id("log-in").wait_for()
    await fill(page, "password", password=PASSWORD, new_password=NEXT)
    await page.get_by_test_id("password-note").filter(has_text="Changed").wait_for()
    await elsewhere.get_by_test_id("log-in").click()
    await fill(elsewhere, "account", login=login, password=PASSWORD)
    await elsewhere.get_by_test_id("account-note").filter(has_text="is wrong").wait_for()
    await fill(elsewhere, "account", password=NEXT)
    await elsewhere.get_by_test_id("shown-name").filter(has_text="Zoe Ω").wait_for()
    assert await elsewhere.get_by_test_id("profile-colour").input_value() == "#8ccf8e"

    await page.get_by_test_id("unfollow").click()
    await eventually_async(lambda: _count(page, "follow", 0), 60, "no channel that is followed")
    await page.reload()
    await page.get_by_test_id("somebody").wait_for()
    assert await page.get_by_test_id("follow").count() == 0
    assert errors == []


async def _count(page: Page, test_id: str, wanted: int) -> bool:
    return await page.get_by_test_id(test_id).count() == wanted
