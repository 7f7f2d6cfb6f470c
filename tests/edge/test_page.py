"""The page below a signed link, in a real Chromium through a real edge: every address carries the right on."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Response, async_playwright

from schemas.events import Visibility
from tests.edge.conftest import EdgeRig
from tests.edge.test_edge import show
from tests.gateway.tape import VIDEO
from tests.gateway.test_page_browser import CHROMIUM, FLAGS, pytestmark  # noqa: F401  (skips where there is none)
from tests.waiting import eventually


@pytest.mark.parametrize("kind", ["video", "channel"])
async def test_the_page_below_a_link_asks_for_nothing_without_it_and_is_refused_nothing(
    edge: EdgeRig, kind: str
) -> None:
    show(edge, Visibility.PRIVATE)
    token = edge.token(video_id=VIDEO) if kind == "video" else edge.token(channel="ann")
    answers: list[Response] = []
    sockets: list[str] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await chromium.new_page()
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  (playwright marks what it is given)
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.goto(f"{edge.url}/s/{token}/watch/{VIDEO if kind == 'video' else 'ann'}")
        await eventually(lambda: any(".m4s" in answer.url and answer.ok for answer in answers), 60, "media")
        await page.wait_for_function("window.logcast?.feed.state === 'open'", timeout=60_000)
        await chromium.close()
    asked = [(urlsplit(answer.url).path, answer.status) for answer in answers]
    guarded = [path for path, _ in asked if "/v1/" in path or "/live/" in path]
    assert guarded
    assert all(path.startswith("/s/") for path in guarded), guarded
    assert sockets
    assert all(urlsplit(url).path.startswith(f"/s/{token}/v1/") for url in sockets)
    assert 403 not in [status for _, status in asked]
    media = [path.split("/")[2] for path, _ in asked if path.endswith(".m4s")]
    assert {scope.split(".")[2] for scope in media} == {f"v{VIDEO}"}, "below a link that the edge checks by itself"
