"""The studio in a real browser, over a stream that is on the air."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import channel_row, comments, current_video
from tests.e2e.watch_page import WatchPage
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e


async def test_the_streamer_sees_the_stream_says_what_it_is_about_and_moderates(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    watch_page: WatchPage,
    tmp_path: Path,
) -> None:
    page, by = watch_page.page, watch_page.page.get_by_test_id
    with publishing(clips.make("640x360", 20), stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        await viewer.live({"source", "240p", "audio"})
        await page.goto(f"{stack.server}/studio?channel={channel.name}")
        await by("locked").wait_for()
        assert not await by("health-status").is_visible(), "of strangers' business are only the numbers"
        await by("owner-key").fill(channel.key)
        await by("owner-check").click()

        await by("health-renditions").get_by_text(re.compile(r"640 \S 360")).first.wait_for()
        await page.get_by_text("every 2 s").wait_for()
        await by("plot-bitrate").and_(page.get_by_label("bit/s")).wait_for()

        await by("about-title").fill("Day one")
        for tag in ("#Oil", "still life"):
            await by("about-tags").fill(tag)
            await by("about-tags").press("Enter")
        await by("about-save").click()
        await by("about-note").filter(has_text="Saved").wait_for()
        row = await channel_row(http, stack.server, channel.name)
        assert (row["title"], row["tags"]) == ("Day one", ["Oil", "still life"])

        await by("tab-rules").click()
        await by("rule-max_length").fill("0")
        await by("rules-save").click()
        await by("rule-max_length-wrong").filter(has_text="from 1 to 500").wait_for()
        await by("rule-max_length").fill("500")
        await by("rule-first_review").check()
        await by("rules-save").click()
        await by("rules-note").filter(has_text="Saved").wait_for()
        await by("tab-queue").click()

        video = await current_video(http, stack.server, channel.name)
        for number in (1, 2):
            await held_comment(http, stack.server, video, number)
        await by("held").nth(1).wait_for()
        await by("held").first.focus()
        await page.keyboard.press("a")
        await by("moderation-note").filter(has_text="is shown").wait_for()
        await eventually_async(lambda: texts(http, stack.server, video), 60, "the comment that was approved")
        assert await texts(http, stack.server, video) == ["first words 1"]
        await page.keyboard.press("d")
        await by("queue-empty").wait_for()
        await by("tab-acts").click()
        await by("act").filter(has_text="declined").get_by_test_id("act-undo").click()
        await by("moderation-note").filter(has_text="Taken back").wait_for()
        await by("tab-queue").click()
        await by("held-text").filter(has_text="first words 2").wait_for()

        await fits_a_phone(page)
        assert not watch_page.errors
        errors = [line for line in watch_page.console if line.startswith("error")]
        assert [line for line in errors if "Failed to load resource" not in line] == []  # the refused rules are one


async def held_comment(http: httpx.AsyncClient, server: str, video: str, number: int) -> None:
    """A newcomer's first comment, until it waits."""
    guest = (await http.post(f"{server}/v1/guests", json={"name": f"Guest {number}"})).json()
    comment = {"id": f"first-words-{number}", "text": f"first words {number}"}
    headers = {"Authorization": f"Bearer {guest['token']}"}

    async def waits() -> bool:
        answer = await http.post(f"{server}/v1/videos/{video}/comments", json=comment, headers=headers)
        return bool(answer.json()["state"] == "held")

    await eventually_async(waits, 60, "a comment that waits")


async def texts(http: httpx.AsyncClient, server: str, video: str) -> list[str]:
    """The comments that are shown."""
    return [row["text"] for row in await comments(http, server, video)]


async def fits_a_phone(page: Page) -> None:
    """Nothing sticks out of a small screen, whichever tab is open."""
    await page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("rules", "acts", "queue"):
        await page.get_by_test_id(f"tab-{tab}").click()
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
