"""The player in a real Chromium, on a whole gateway with real media: seek bar, thumbnails, what is over, what is live."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from schemas.ids import new_video_id
from stores.settings import load_settings
from tests.gateway.real_media import Reel
from tests.gateway.tape import START_MS
from tests.gateway.test_page_browser import CHROMIUM, FLAGS
from tests.gateway.theatre import Theatre, open_theatre
from tests.processors.gops import Clip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium: make test-deps gets it"
)

DEADLINE_S = 60.0
PAST = new_video_id(START_MS, b"pastone")
LIVE = new_video_id(START_MS + 1, b"liveone")
FPS = 15
SECONDS = 60
"""Of which a live test has 40 in real time: on a busy machine Chromium needs some of them to start."""

SOURCE = Clip(width=320, height=180, fps=FPS, gops=SECONDS, gop_frames=FPS, part_frames=3, kbps=300)
SMALL = Clip(width=160, height=90, fps=FPS, gops=SECONDS, gop_frames=FPS, part_frames=3, kbps=100)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("theatre"), window_s=120)
    with open_theatre(settings) as theatre:
        theatre.show(Reel("source", SOURCE, PAST), Reel("90p", SMALL, PAST), channel="past")
        yield theatre


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, theatre: Theatre) -> Iterator[Page]:
    context = browser.new_context(base_url=theatre.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(DEADLINE_S * 1000)
    page.route_web_socket("**/feed", lambda socket: socket.close())  # the feed needs the log
    yield page
    context.close()


def complaints(page: Page) -> list[str]:
    """Errors of the page itself; what a gateway without its log cannot give is no error of the page."""
    found: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of" not in message.text:
            found.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def eventually(page: Page, expression: str) -> Any:
    """Wait until an expression is true (the page's policy forbids eval, which Playwright's own way needs)."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = page.evaluate(f"(() => {{ const player = window.logcast?.player; return {expression}; }})()")
        if found:
            return found
        page.wait_for_timeout(50)
    state = page.evaluate(
        "(() => { const p = window.logcast?.player; return p && [p.state, p.currentTime, p.window]; })()"
    )
    raise AssertionError(f"not within {DEADLINE_S} s: {expression}; the player is at {state}")


def over_seek_bar(page: Page, share: float) -> tuple[float, float]:
    """Put the pointer over the seek bar."""
    page.get_by_test_id("video").hover()
    box = page.get_by_test_id("seek").bounding_box()
    assert box is not None
    x, y = box["x"] + 7 + (box["width"] - 14) * share, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    return x, y


def thumbnail_brightness(page: Page) -> int:
    """The grey level of the corner mark of the thumbnail that is shown."""
    return int(
        page.evaluate(
            """async () => {
                const { style } = document.querySelector("[data-testid=thumbnail]");
                const url = style.backgroundImage.slice(5, -2);
                const [x, y] = style.backgroundPosition.match(/[0-9]+/g).map(Number);
                const image = await createImageBitmap(await (await fetch(url)).blob());
                const canvas = new OffscreenCanvas(160, 90);
                canvas.getContext("2d").drawImage(image, x, y, 160, 90, 0, 0, 160, 90);
                return canvas.getContext("2d").getImageData(10, 6, 1, 1).data[0];
            }"""
        )
    )


def test_a_finished_video_plays_with_its_length_and_is_seeked_by_pointer_and_keys(page: Page) -> None:
    found = complaints(page)
    page.goto(f"/watch/{PAST}")
    eventually(page, "player?.state === 'playing' && player.currentTime > 0.5")
    assert page.inner_text("#latency-number").endswith("/ 1:00")
    assert page.is_hidden("[data-testid=go-live]")
    x, y = over_seek_bar(page, 0.5)
    page.mouse.click(x, y)
    eventually(page, "Math.abs(player.currentTime - 30) < 1.5")
    page.get_by_test_id("seek").focus()
    at = page.evaluate("logcast.player.currentTime")
    page.keyboard.press("ArrowRight")
    eventually(page, f"player.currentTime > {at} + 4.5")
    page.keyboard.press("Home")
    eventually(page, "player.currentTime < 3")
    page.keyboard.press("End")
    eventually(page, "player.state === 'ended'")
    assert "The end" in page.inner_text("#card-title")
    assert found == []


def test_thumbnails_show_what_is_where(page: Page) -> None:
    page.goto(f"/watch/{PAST}")
    eventually(page, "player?.state === 'playing'")
    over_seek_bar(page, 0.5)
    eventually(page, "document.querySelector('[data-testid=thumbnail]').hidden === false")
    assert page.inner_text("[data-testid=preview-time]") in {"0:29", "0:30"}
    assert page.get_by_test_id("preview").is_visible()
    at = page.evaluate("logcast.player.mediaTimeOf(20)")
    assert at == pytest.approx(20, abs=0.1)
    picture = int(page.inner_text("[data-testid=preview-time]").split(":")[1]) // 2 * 2 * FPS
    assert abs(thumbnail_brightness(page) - (16 + 32 * (picture % 8) - 8)) < 30
    page.mouse.move(10, 10)
    eventually(page, "document.querySelector('[data-testid=preview]').hidden")


def test_a_finished_video_is_played_faster_and_in_the_quality_of_choice(page: Page) -> None:
    page.goto(f"/watch/{PAST}")
    eventually(page, "player?.state === 'playing'")
    page.get_by_test_id("video").hover()
    page.get_by_test_id("speed").click()
    page.get_by_test_id("speed-item").filter(has_text="2\N{MULTIPLICATION SIGN}").click()
    assert page.evaluate("document.querySelector('video').playbackRate") == 2
    assert page.inner_text("[data-testid=speed]") == "2\N{MULTIPLICATION SIGN}"
    page.get_by_test_id("quality").click()
    page.get_by_test_id("quality-item").filter(has_text="90p").first.click()
    eventually(page, "document.querySelector('video').videoHeight === 90")
    chosen = "[...document.querySelectorAll('#quality-menu [aria-checked=true]')].map((item) => item.textContent)"
    eventually(page, f"JSON.stringify({chosen}) === JSON.stringify(['90p0.1 Mbit/s'])")
    assert page.is_hidden("[data-testid=captions]"), "a video without captions has no menu of them"


def test_a_live_viewer_goes_back_and_to_live_again(page: Page, theatre: Theatre) -> None:
    found = complaints(page)
    reels = Reel("source", SOURCE, LIVE), Reel("90p", SMALL, LIVE)
    with theatre.broadcasting(*reels, already=20, channel="live"):
        page.goto("/watch/live")
        eventually(
            page, "player?.state === 'playing' && player.live && player.latency !== null && player.currentTime > 1"
        )
        eventually(page, "document.querySelector('#golive-text').textContent === 'Live'")
        assert page.is_hidden("[data-testid=speed]")
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        eventually(page, "document.querySelector('#golive-text').textContent.startsWith('Live \N{MINUS SIGN}0:1')")
        assert page.evaluate("logcast.player.following") is False
        eventually(page, "player.state === 'playing' && !document.querySelector('video').seeking")
        over_seek_bar(page, 0.25)
        eventually(page, "document.querySelector('[data-testid=thumbnail]').hidden === false")
        assert page.inner_text("[data-testid=preview-time]").startswith("\N{MINUS SIGN}0:")
        page.get_by_test_id("go-live").click()
        eventually(page, "document.querySelector('#golive-text').textContent === 'Live' && player.state === 'playing'")
    assert found == []


def test_a_viewer_who_goes_back_in_a_long_broadcast_gets_all_of_it_and_stays_at_the_place(
    page: Page, theatre: Theatre
) -> None:
    late = replace(SOURCE, first_gop=1_000, start_ms=1_000_000)
    reel = Reel("source", late, new_video_id(START_MS - 3_600_000, b"longone"))
    with theatre.broadcasting(reel, already=20, channel="long"):
        page.goto("/watch/long")
        eventually(page, "player?.state === 'playing' && player.mediaTimeOf(player.currentTime) > 1010")
        at = page.evaluate("logcast.player.programMs")
        with page.expect_request("**/master.m3u8?dvr=14400"):
            page.keyboard.press("ArrowLeft")
        eventually(page, "player.state === 'playing' && player.programMs !== null")
        assert page.evaluate("logcast.player.programMs") - at < 2_500
        assert page.evaluate("logcast.player.following") is False
        page.keyboard.press("ArrowLeft")
        eventually(page, "!document.querySelector('video').seeking && player.state === 'playing'")
        assert page.evaluate("logcast.player.programMs") - at < -2_000


def test_what_is_over_is_on_the_shelf_with_its_poster(page: Page) -> None:
    page.goto("/")
    card = page.locator(f"[data-video='{PAST}']")
    card.wait_for()
    eventually(page, f"document.querySelector(`[data-video='{PAST}'] img`).naturalWidth === 320")
    assert card.get_by_test_id("video-length").inner_text() == "1:00"
    card.get_by_test_id("video-card").click()
    eventually(page, "player?.state === 'playing'")
    assert page.locator("[data-testid=past-videos] [aria-current]").count() == 1


def test_nothing_sticks_out_of_a_phone_that_plays(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(f"/watch/{PAST}")
    eventually(page, "player?.state === 'playing'")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    row = page.locator(".controls__row").bounding_box()
    last = page.get_by_test_id("fullscreen").bounding_box()
    assert row is not None
    assert last is not None
    assert last["x"] + last["width"] <= 360


@pytest.mark.parametrize(
    ("module", "call", "expected"),
    [
        ("thumbnails", "m.parseThumbnails('WEBVTT\\n\\n00:00:00.000 --> 00:00:02.000\\nsprites/0.jpg?a=1#xywh=160,90,160,90\\n\\nNOTE x\\n\\n1\\n01:00:02.000 --> 01:00:04.500\\ns.jpg#xywh=0,0,1,2', 'http://h/v/t.vtt')",
         [{"start": 0, "end": 2, "url": "http://h/v/sprites/0.jpg?a=1", "x": 160, "y": 90, "width": 160, "height": 90},
          {"start": 3602, "end": 3604.5, "url": "http://h/v/s.jpg", "x": 0, "y": 0, "width": 1, "height": 2}]),
        ("thumbnails", "m.parseThumbnails('<html>', 'http://h/')", []),
        ("thumbnails", "[-1, 0, 1.9, 2, 99].map((t) => m.cueAt([{ start: 0 }, { start: 2 }], t).start)", [0, 0, 0, 2, 2]),
        ("thumbnails", "m.cueAt([], 1)", None),
        ("player", "[m.withParameter('/a', 'b', 'c d'), m.withParameter('/a?x=1', 'b', 'c')]", ["/a?b=c%20d", "/a?x=1&b=c"]),
    ],
)  # fmt: skip
def test_pure_functions_of_the_player(page: Page, module: str, call: str, expected: object) -> None:
    page.goto("/studio")
    found = page.evaluate(f'import("/static/js/{module}.js").then((m) => JSON.stringify({call}))')
    assert json.loads(found) == expected
