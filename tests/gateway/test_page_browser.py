"""The page in a real Chromium: the pages' routes on a real server, and a scripted peer on the other end of the feed."""

import asyncio
import contextlib
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.pages import page_routes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium: make test-deps gets it"
)

DEADLINE_S = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
VIDEO = "01jd8x9q3k5mzt0v7w2y"


class Peer:
    """The server side of the feed, by script: it answers joins, keeps what it hears, and says what a test tells it to."""

    def __init__(self) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._say: Callable[[dict[str, Any] | int], None] | None = None
        self.refuse_tokens = False
        self.keep_names = False

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="logcast.v1")
        loop = asyncio.get_running_loop()
        out: asyncio.Queue[dict[str, Any] | int] = asyncio.Queue()

        async def write() -> None:
            while not isinstance(message := await out.get(), int):
                await socket.send_json(message)
            await socket.close(message)

        def say(message: dict[str, Any] | int) -> None:
            loop.call_soon_threadsafe(out.put_nowait, message)

        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(write())
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    message = await socket.receive_json()
                    if message["type"] == "join":
                        if self.refuse_tokens and "token" in message:
                            out.put_nowait(4401)
                        else:
                            out.put_nowait(self._joined(message))
                            self._say = say
                    self.heard.put(message)
            writer.cancel()

    def _joined(self, join: dict[str, Any]) -> dict[str, Any]:
        name = "Old" if self.keep_names and "token" in join else join["name"]
        return {
            "type": "joined",
            "protocol": 1,
            "channel": "demo",
            "video": {"id": VIDEO, "state": "ended", "title": "t", "started_ms": 1},
            "user": {"id": "g_1", "name": name},
            "token": f"token-of-{name}",
            "seq": 7,
            "totals": {"likes": 1, "comments": 7, "reactions": {}, "comment_likes": {}},
            "viewers": 1,
            "breaks": [],
        }

    def next(self, kind: str) -> dict[str, Any]:
        """The next message of this kind that the page sends."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            message = self.heard.get(timeout=max(0.01, deadline - time.monotonic()))
            if message["type"] == kind:
                return message

    def say(self, message: dict[str, Any] | int) -> None:
        """Send a message, or close with a code."""
        assert self._say is not None
        self._say(message)


@pytest.fixture(scope="module")
def peers() -> list[Peer]:
    return []


@pytest.fixture(scope="module")
def origin(peers: list[Peer]) -> Iterator[str]:
    async def feed(socket: WebSocket) -> None:
        await peers[-1].serve(socket)

    app = Starlette(routes=[*page_routes(), WebSocketRoute("/v1/channels/demo/feed", feed)])
    config = uvicorn.Config(app, port=0, log_level="warning", ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + DEADLINE_S
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    assert server.started
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(DEADLINE_S)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def peer(peers: list[Peer]) -> Peer:
    peers.append(Peer())
    return peers[-1]


@pytest.fixture
def page(browser: Browser, origin: str, peer: Peer) -> Iterator[Page]:
    _ = peer
    context = browser.new_context(base_url=origin, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def modules(browser: Browser, origin: str) -> Iterator[Page]:
    """One page for all calls of pure functions."""
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    page.goto("/studio")
    yield page
    context.close()


def complaints(page: Page) -> list[str]:
    """Everything that the page complains of, but for addresses that only the whole gateway has."""
    found: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 404" not in message.text:
            found.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def open_feed(page: Page, **identity: str) -> None:
    """Open a Feed by itself, its events in `window.events`."""
    page.goto("/studio")
    page.evaluate(
        """async (stored) => {
            const { Feed } = await import("/static/js/feed.js");
            const { Identity } = await import("/static/js/identity.js");
            localStorage.setItem("logcast.identity", JSON.stringify(stored));
            window.identity = new Identity(localStorage);
            window.feed = new Feed("/v1/channels/demo/feed", { identity, random: () => 0 });
            window.events = [];
            window.calls = {};
            for (const type of ["state", "joined", "comment", "video"]) feed.addEventListener(type, ({ detail }) => events.push([type, detail]));
            feed.connect();
        }""",
        identity,
    )


def eventually(page: Page, expression: str) -> Any:
    """Wait until an expression in the page is true (the page's policy forbids Playwright's own way, which is eval)."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = page.evaluate(expression)
        if found:
            return found
        page.wait_for_load_state()
    raise AssertionError(f"not within {DEADLINE_S} s: {expression}")


def comment(seq: int, comment_id: str = "") -> dict[str, Any]:
    return {
        "type": "comment",
        "seq": seq,
        "id": comment_id or f"comment-{seq:04d}",
        "parent": None,
        "root": None,
        "user": {"id": "g_2", "name": "Ann"},
        "text": f"<b>number {seq}</b>",
        "at_ms": 1_700_000_000_000,
        "media_ms": None,
    }


@pytest.mark.parametrize("path", ["/", "/studio", "/watch/demo"])
def test_a_page_alone_shows_what_is_wrong_and_breaks_no_rule_of_its_own_policy(page: Page, path: str) -> None:
    found = complaints(page)
    page.goto(path)
    eventually(page, "document.querySelectorAll('svg.icon').length > 3")
    page.wait_for_load_state("networkidle")
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", ["/", "/studio", "/watch/demo"])
def test_nothing_sticks_out_of_a_small_phone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(path)
    eventually(page, "document.querySelectorAll('svg.icon').length > 3")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_channel_that_is_not_there_is_said_to_be_missing(page: Page) -> None:
    page.goto("/watch/nobody")
    page.wait_for_selector("#stage[data-state=missing]")
    assert "There is no channel “nobody”" in page.inner_text("#card-detail")


def test_the_page_of_a_video_opens_its_own_playlist(page: Page) -> None:
    found = complaints(page)
    video = {
        "id": VIDEO,
        "channel": "demo",
        "state": "ended",
        "title": "Day 12",
        "started_ms": 1,
        "totals": {"likes": 7},
    }
    page.route(f"**/v1/videos/{VIDEO}", lambda route: route.fulfill(json=video))
    with page.expect_request(f"**/v1/videos/{VIDEO}/master.m3u8"):
        page.goto(f"/watch/{VIDEO}")
    assert page.inner_text("#title") == "Day 12"
    assert page.inner_text("#likes") == "7"
    assert [text for text in found if "WebSocket" not in text] == []


def test_the_page_of_a_channel_whose_stream_is_over_waits_for_the_next(page: Page, peer: Peer) -> None:
    found = complaints(page)
    channel = {"name": "demo", "title": "", "state": "ended", "video_id": VIDEO, "viewers": 0, "likes": 7}
    page.route("**/v1/channels/demo", lambda route: route.fulfill(json=channel))
    page.goto("/watch/demo")
    page.wait_for_selector("#stage[data-state=offline]")
    assert page.get_attribute("[data-testid=watch-again]", "href") == f"/watch/{VIDEO}"
    peer.next("join")
    following = "01jd8x9q3k5mzt0v7w2z"
    with page.expect_request(f"**/v1/videos/{following}/master.m3u8"):
        peer.say({"type": "video", "id": following, "state": "live", "title": "Day 13", "started_ms": 1})
    page.wait_for_selector("#stage[data-state=starting]")
    assert page.inner_text("#title") == "Day 13"
    assert found == []


def test_the_keyboard_comes_by_everything_in_the_order_of_the_page(page: Page) -> None:
    page.goto("/studio")
    eventually(page, "document.querySelectorAll('svg.icon').length > 3")
    order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate("document.activeElement.dataset.testid ?? document.activeElement.textContent.trim()")
        )
    expected = ["Skip to the studio", "Logcast", "Live", "Studio", "account-open", "studio-channel", "studio-open", ""]
    assert order == expected


def test_a_shortcut_never_takes_a_letter_from_what_is_written(page: Page) -> None:
    page.goto("/watch/nobody")
    page.wait_for_selector("#stage[data-state=missing]")
    page.keyboard.press("?")
    assert page.is_visible("[data-testid=shortcuts]")
    page.keyboard.press("Escape")
    assert not page.is_visible("[data-testid=shortcuts]")
    muted = page.evaluate("video.muted")
    page.keyboard.press("m")
    assert page.evaluate("video.muted") is not muted
    page.evaluate("document.querySelector('.chat__foot').style.display = 'block'")
    page.fill("[data-testid=comment-input]", "")
    page.type("[data-testid=comment-input]", "mmkf?")
    assert page.input_value("[data-testid=comment-input]") == "mmkf?"
    assert page.evaluate("video.muted") is not muted


def test_a_feed_that_lost_its_connection_asks_for_exactly_what_came_after(page: Page, peer: Peer) -> None:
    open_feed(page, name="Zoe")
    first = peer.next("join")
    assert first == {"type": "join", "name": "Zoe", "history": 50}
    for seq in (6, 7, 8):
        peer.say(comment(seq))
    eventually(page, "feed.seq === 8")
    peer.say(1013)
    again = peer.next("join")
    assert again == {"type": "join", "name": "Zoe", "token": "token-of-Zoe", "video": VIDEO, "after": 8}
    peer.say(comment(8))
    peer.say(comment(9))
    eventually(page, "feed.seq === 9")
    assert page.evaluate("events.filter(([type]) => type === 'comment').map(([, c]) => c.seq)") == [6, 7, 8, 9]
    assert page.evaluate("feed.joins") == 2


def test_a_feed_comes_back_when_the_server_said_and_asks_again_for_numbers_that_were_left_out(
    page: Page, peer: Peer
) -> None:
    open_feed(page, name="Ann")
    peer.next("join")
    eventually(page, "feed.state === 'open'")
    peer.say({"type": "goodbye", "code": 1012, "reason": "restart", "retry_ms": 123, "resume": True})
    peer.say(1012)
    eventually(page, "events.some(([type, { retryMs }]) => type === 'state' && retryMs === 123)")
    assert peer.next("join")["after"] == 0
    peer.say(peer._joined({"name": "Ann"}) | {"after": 7, "resumed": False, "heartbeat_ms": 15_000})
    peer.say({"type": "comment", "seq": 8, "id": "c-000008", "text": "8", "user": {"id": "g_2", "name": "B"}})
    peer.say({"type": "comment", "seq": 10, "id": "c-000010", "text": "10", "user": {"id": "g_2", "name": "B"}})
    assert peer.next("join")["after"] == 8
    assert page.evaluate("events.filter(([type]) => type === 'comment').map(([, { seq }]) => seq)") == [8]


def test_a_comment_without_a_verdict_is_sent_again_under_its_id(page: Page, peer: Peer) -> None:
    open_feed(page, name="Zoe")
    peer.next("join")
    eventually(page, "feed.state === 'open'")
    page.evaluate("void feed.comment('hello', { mediaMs: 1234.6 }).then((verdict) => (calls.first = verdict))")
    sent = peer.next("comment")
    assert sent["media_ms"] == 1235
    peer.say(1012)
    peer.next("join")
    assert peer.next("comment") == sent
    peer.say({"type": "accepted", "id": sent["id"], "seq": 12})
    assert eventually(page, "calls.first") == {"id": sent["id"], "seq": 12}
    assert page.evaluate("/^[0-9a-z]{26}$/.test(calls.first.id)")


def test_a_refused_comment_throws_the_servers_reason(page: Page, peer: Peer) -> None:
    open_feed(page, name="Zoe")
    peer.next("join")
    eventually(page, "feed.state === 'open'")
    page.evaluate(
        "void feed.comment('http://spam').catch((refused) => (calls.why = [refused.name, refused.reason, refused.message]))"
    )
    sent = peer.next("comment")
    peer.say({"type": "rejected", "id": sent["id"], "reason": "links", "message": "No links."})
    assert eventually(page, "calls.why") == ["CommentRefused", "links", "No links."]


def test_a_like_of_a_broken_moment_is_said_again_and_taps_are_gathered(page: Page, peer: Peer) -> None:
    open_feed(page, name="Zoe")
    peer.next("join")
    eventually(page, "feed.state === 'open'")
    page.evaluate("[1, 2, 3].forEach(() => feed.react('heart'))")
    assert peer.next("reaction") == {"type": "reaction", "kind": "heart", "count": 3}
    peer.say(1012)
    eventually(page, "feed.state !== 'open'")
    page.evaluate("feed.like(true); feed.like(false); feed.like(true, 'comment-0001')")
    peer.next("join")
    video, comment = peer.next("like"), peer.next("like")
    assert video == {"type": "like", "liked": False, "id": video["id"]}
    assert comment == {"type": "like", "liked": True, "comment": "comment-0001", "id": comment["id"]}
    peer.say({"type": "taken", "id": video["id"]})
    peer.say({"type": "error", "code": "too_fast", "message": "slower", "id": comment["id"]})
    assert peer.next("like") == comment, "said again a little later"
    peer.say(1012)
    peer.next("join")
    assert peer.next("like") == comment, "what was taken is not said again, what was not is"
    assert page.evaluate("events.filter(([type]) => type === 'error').length") == 0


def test_a_token_that_is_not_taken_any_more_is_forgotten(page: Page, peer: Peer) -> None:
    peer.refuse_tokens = True
    open_feed(page, name="Zoe", token="stale")
    assert peer.next("join")["token"] == "stale"
    assert "token" not in peer.next("join")
    eventually(page, "identity.token === 'token-of-Zoe'")


def test_a_new_name_comes_through_even_where_the_server_keeps_the_tokens(page: Page, peer: Peer) -> None:
    peer.keep_names = True
    open_feed(page, name="Old", token="token-of-Old")
    peer.next("join")
    eventually(page, "feed.state === 'open'")
    page.evaluate("feed.rename('New')")
    assert peer.next("join")["token"] == "token-of-Old"
    assert "token" not in peer.next("join")
    eventually(page, "feed.state === 'open' && feed.user.name === 'New'")


def test_another_video_starts_the_numbers_over(page: Page, peer: Peer) -> None:
    open_feed(page, name="Zoe")
    peer.next("join")
    peer.say(comment(8))
    eventually(page, "feed.seq === 8")
    peer.say({"type": "video", "id": "01jd8x9q3k5mzt0v7w2z", "state": "live", "title": "next"})
    peer.say(comment(1))
    eventually(page, "feed.seq === 1 && feed.video === '01jd8x9q3k5mzt0v7w2z'")
    assert page.evaluate("events.filter(([type]) => type === 'video').map(([, v]) => v.state)") == ["ended", "live"]


HOSTILE = (
    "<img src=x onerror='window.ran=1'>",
    "<script>window.ran=1</script><svg onload='window.ran=1'>",
    "[look](javascript:window.ran=1) javascript:window.ran=1 https://x.example/'onmouseover='window.ran=1",
    "**<iframe srcdoc='<script>parent.ran=1</script>'>** `</code><style>*{display:none}</style>`",
)


def test_markup_in_comments_names_and_notes_is_shown_as_it_was_written_and_runs_nothing(
    browser: Browser, origin: str, peer: Peer
) -> None:
    _ = peer
    with contextlib.closing(browser.new_context(base_url=origin, bypass_csp=True)) as context:  # not even without it
        page = context.new_page()
        page.goto("/watch/nobody")
        page.wait_for_selector("#stage[data-state=missing]")
        comments = [
            comment(seq)
            | {"text": text, "user": {"id": text, "name": text, "colour": text, "role": text, "avatar": text}}
            for seq, text in enumerate(HOSTILE, 1)
        ]
        comments.append(comment(9) | {"parent": comments[0]["id"], "root": comments[0]["id"], "text": "an answer"})
        found = page.evaluate(
            """async ({ comments, hostile }) => {
                const { CommentList } = await import("/static/js/comments.js");
                const list = new CommentList({ reply() {}, like() {}, earlier: async () => [], liked: new Set() });
                document.querySelector(".chat__window").replaceWith(list.element);
                for (const one of comments) list.add(one);
                for (const text of hostile) list.note(text);
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                for (const link of list.element.querySelectorAll("a")) { link.target = ""; link.dispatchEvent(new MouseEvent("mouseover")); }
                await new Promise((done) => setTimeout(done, 100)); // a picture that is not there fails by then
                return {
                    text: list.element.textContent,
                    made: list.element.querySelectorAll("script, iframe, style, object, embed, img:not(.comment__emote), svg[onload]").length,
                    handlers: [...list.element.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith("on")),
                    links: [...list.element.querySelectorAll("a")].map((one) => one.protocol),
                    ran: window.ran ?? 0,
                };
            }""",
            {"comments": comments, "hostile": list(HOSTILE)},
        )
    assert (found["made"], found["handlers"], found["ran"]) == (0, [], 0)
    assert set(found["links"]) <= {"http:", "https:"}
    assert found["text"].count(HOSTILE[0]) >= 3  # as a name, as a comment, as a note
    assert "javascript:window.ran=1" in found["text"]


def test_the_list_of_comments_is_bounded_and_holds_still_for_who_reads_back(page: Page) -> None:
    page.goto("/watch/nobody")
    page.wait_for_selector("#stage[data-state=missing]")
    rows = page.evaluate(
        """async ({ comments }) => {
            const { CommentList, ROWS } = await import("/static/js/comments.js");
            const list = new CommentList({ reply() {}, like() {}, earlier: async () => [], liked: new Set() });
            const window_ = document.querySelector(".chat__window");
            window_.replaceWith(list.element);
            const scroller = list.element.querySelector("[data-scrolls]");
            const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const state = () => [list.element.querySelectorAll(".comment").length, Math.round(scroller.scrollTop), list.element.querySelector(".pill").hidden];
            for (const one of comments.slice(0, 400)) list.add(one);
            await frame();
            const following = state();
            scroller.scrollTop = 500;
            await frame();
            for (const one of comments.slice(400)) list.add(one);
            await frame();
            const reading = state();
            const pill = list.element.querySelector(".pill").textContent;
            list.element.querySelector(".pill").click();
            await frame();
            const last = [...list.element.querySelectorAll(".comment")].at(-1).dataset.seq;
            return { ROWS, following, reading, pill, last, after: state(), bold: list.element.querySelectorAll(".comment__text b").length,
                atEnd: scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 2 };
        }""",
        {"comments": [comment(seq) for seq in range(1, 408)]},
    )
    assert rows["ROWS"] == rows["following"][0] == rows["after"][0] == 300
    assert rows["reading"] == [300, 500, False]
    assert (rows["pill"], rows["last"], rows["atEnd"], rows["bold"]) == ("7 new messages", "407", True, 0)


@pytest.mark.parametrize(
    ("module", "call", "expected"),
    [
        ("format", "[0, 999, 1000, 1234, 99_950, 123_456, 5_300_000].map(m.compact)", ["0", "999", "1K", "1.2K", "99.9K", "123K", "5.3M"]),
        ("format", "[27, 61.9, 3671, -4].map(m.clock)", ["0:27", "1:01", "1:01:11", "0:00"]),
        ("format", "[1.44, 99.9, 130].map(m.distance)", ["1.4 s", "99.9 s", "2:10"]),
        ("identity", "m.cleanName('  Zo\\u0000e\\n ') + '|' + [...m.cleanName('😀'.repeat(40))].length", "Zoe|32"),
        ("feed", "[0, 1, 2, 20].map((n) => m.backoffMs(n, 1006, () => 0))", [250, 500, 1000, 10000]),
        ("feed", "[0, 20].map((n) => m.backoffMs(n, 1006, () => 1))", [500, 20000]),
        ("feed", "m.backoffMs(0, 4429, () => 0)", 4000),
        ("player", "[0, 3, 50].map((n) => m.retryMs(n, () => 1))", [400, 3200, 8000]),
        ("player", "m.remedy({ type: 'mediaError' }, 0) + m.remedy({ type: 'mediaError' }, 2)", "recoverrebuild"),
        ("player", "m.remedy({ details: 'manifestLoadError', response: { code: 404 } }, 0)", "wait"),
        ("player", "[m.catchUpRate(0.05, 2), m.catchUpRate(0.5, 0.2), m.catchUpRate(0.5, 0.5), m.catchUpRate(9, 2), m.catchUpRate(NaN, 2)]", [1, 1, 1.06, 1.1, 1]),
        ("player", "[m.latencyOf(8600, 10000, 1.1), m.latencyOf(8600, 100000, 1.1), m.latencyOf(null, 1, 2), m.latencyOf(9000, 10000, null), m.latencyOf(20000, 10000, null)]", [1.4, 1.1, 2, 1, None]),
        ("plot", "[m.niceScale(0), m.niceScale(3), m.niceScale(10), m.niceScale(1284), m.niceScale(0.2, false)]", [{"step": 1, "top": 1}, {"step": 1, "top": 3}, {"step": 5, "top": 10}, {"step": 500, "top": 1500}, {"step": 0.1, "top": 0.2}]),
        ("plot", "[m.timeTicks(61000, 301000).length, m.timeTicks(0, 3600000), m.timeTicks(0, 3600000, 2)]", [4, [0, 900000, 1800000, 2700000, 3600000], [0, 1800000, 3600000]]),
        ("plot", "m.eachMinute([{ minute_ms: 60000, n: 3 }, { minute_ms: 180000, n: 5 }], 60000, 240000, (row) => row.n).map(({ y }) => y)", [3, 0, 5, 0]),
        ("plot", "m.growth(m.eachMinute([{ minute_ms: 0, n: 3 }, { minute_ms: 120000, n: 5 }], 60000, 180000, (row) => row.n, (last) => last)).map(({ y }) => y)", [0, 2, 0]),
        ("health_panel", "[m.bits(3412000), m.bits(128000), m.bits(5e6, true), m.bits(0, true), m.codec('avc1.64001f'), m.rate(29.9701)]", ["3.4 Mbit/s", "128 kbit/s", "5M", "0", "H.264", "29.97"]),
    ],
)  # fmt: skip
def test_pure_functions_of_the_page(modules: Page, module: str, call: str, expected: object) -> None:
    found = modules.evaluate(f'import("/static/js/{module}.js").then((m) => JSON.stringify({call}))')
    assert json.loads(found) == expected


def test_a_break_counts_by_the_clock_of_the_picture(modules: Page) -> None:
    found = modules.evaluate(
        """import("/static/js/breaks.js").then(({ breakAt }) => {
            const breaks = [{ id: "a", startMs: 10000, durationMs: 30000 }];
            return [4999, 5000, 9999, 10000, 13000, 39999, 40000].map((at) => {
                const found = breakAt(breaks, at);
                return found && [found.phase, found.leftMs, found.share];
            });
        })"""
    )
    assert found == [
        None,
        ["soon", 5000, 0],
        ["soon", 1, 0],
        ["now", 30000, 0],
        ["now", 27000, pytest.approx(0.1)],
        ["now", 1, pytest.approx(1, abs=1e-4)],
        None,
    ]


def test_the_taps_of_others_rise_and_our_own_do_not_rise_twice(modules: Page) -> None:
    found = modules.evaluate(
        """import("/static/js/reactions.js").then(({ Taps }) => {
            let now = 0;
            const taps = new Taps(() => now);
            const before = taps.take({ heart: 40 });
            taps.mine("heart");
            taps.mine("fire");
            taps.mine("heart");
            const found = [before, taps.take({ heart: 1 }), taps.take({ heart: 3, fire: 2, clap: 1 }), taps.take({ heart: 1 })];
            taps.mine("heart");
            now = 6000;
            return [...found, taps.take({ heart: 1 })];
        })"""
    )
    assert found == [{"heart": 40}, {}, {"heart": 2, "fire": 1, "clap": 1}, {"heart": 1}, {"heart": 1}]


def test_a_burst_of_the_feed_floats_up_over_the_picture(page: Page, peer: Peer) -> None:
    watching(page, peer)
    peer.say({"type": "reactions", "video": VIDEO, "counts": {"fire": 2}})
    page.wait_for_selector("[data-testid=floating][data-kind=fire]", timeout=60_000, state="attached")


def watching(page: Page, peer: Peer) -> list[tuple[str, Any]]:
    """Open the watch page of a moderator; gives what is asked of the moderation's API, as it is asked."""
    asked: list[tuple[str, Any]] = []
    channel = {"name": "demo", "title": "t", "state": "ended", "video_id": VIDEO, "viewers": 0, "likes": 0}
    page.route("**/v1/channels/demo", lambda route: route.fulfill(json=channel))

    def moderated(route: Route) -> None:
        asked.append((route.request.url.rsplit("/", 1)[1], route.request.post_data_json))
        route.fulfill(status=202, json={"act_id": f"act-{len(asked)}"})

    page.route("**/v1/channels/demo/moderation/*", moderated)
    page.goto("/watch/demo")
    peer.next("join")
    peer.say({"type": "review", "held": [], "waiting": 0})
    for seq in (8, 9):
        peer.say(comment(seq) | {"user": {"id": "u_bob", "name": "Bob"}})
    page.wait_for_selector("[data-seq='9'] [data-testid=more]", timeout=60_000)
    return asked


def test_a_moderator_acts_from_the_menu_of_a_comment_by_keyboard_and_takes_it_back(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    asked = watching(page, peer)
    page.focus("[data-seq='9'] [data-testid=more]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.key") == "hide"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.dataset.key") == "hide_user"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.testid") == "more"
    assert page.is_hidden("[data-testid=comment-menu]")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("[data-testid=offer]", has_text="Bob has to wait 10 minutes.").wait_for()
    page.click("[data-testid=offer-take]")
    page.locator("[data-testid=offer]", has_text="Taken back.").wait_for()
    page.click("[data-seq='8'] [data-testid=more]")
    page.click("[data-testid=menu-hide]")
    page.locator("[data-testid=offer]", has_text="Hidden.").wait_for()
    assert asked == [
        ("acts", {"kind": "timeout", "user_id": "u_bob", "seconds": 600}),
        ("rollback", {"acts": ["act-1"]}),
        ("acts", {"kind": "hide", "video_id": VIDEO, "comment_id": "comment-0008"}),
    ]


def test_held_comments_wait_above_the_conversation_until_somebody_decides(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    asked = watching(page, peer)
    held = [
        {"video_id": VIDEO, "id": f"held-000{n}", "user": {"id": "u_eve", "name": "Eve"}, "text": f"<b>{n}</b>"}
        | {"reason": "first_message", "note": "", "at_ms": 1}
        for n in (1, 2, 3)
    ]
    peer.say({"type": "review", "held": held, "waiting": 3})
    page.locator("[data-testid=review-toggle]", has_text="3 comments wait").click()
    assert page.locator("[data-testid=held-text]").all_inner_texts() == ["<b>1</b>", "<b>2</b>", "<b>3</b>"]
    page.locator("[data-testid=approve]").first.click()
    page.locator("[data-testid=review-toggle]", has_text="2 comments wait").wait_for()
    assert asked == [("acts", {"kind": "approve", "video_id": VIDEO, "comment_id": "held-0001"})]
    act = {"act_id": "a", "kind": "decline", "comment_id": "held-0002", "undoes": None}
    peer.say({"type": "acted", "act": act})
    page.locator("[data-testid=review-toggle]", has_text="1 comment waits").wait_for()
    assert page.locator("[data-testid=held-text]").all_inner_texts() == ["<b>3</b>"]


def test_what_is_pinned_is_on_top_and_what_is_held_leaves_the_input(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    watching(page, peer)
    change = {"type": "changed", "id": "comment-0008", "comment_seq": 8, "at_ms": 1}
    peer.say(change | {"seq": 10, "change": "pinned"})
    pinned = page.locator("[data-testid=pinned-comment]")
    pinned.filter(has_text="number 8").wait_for()
    peer.say(change | {"seq": 11, "change": "edited", "text": "better"})
    pinned.filter(has_text="better").wait_for()
    peer.say(change | {"seq": 12, "change": "hidden"})
    pinned.wait_for(state="detached")
    assert page.inner_text("[data-seq='8'] [data-testid=comment-gone]") == "Hidden by a moderator"
    page.fill("[data-testid=comment-input]", "my first")
    page.keyboard.press("Enter")
    sent = peer.next("comment")
    peer.say({"type": "held", "id": sent["id"], "reason": "first_message", "message": "A moderator reads it first."})
    page.locator("[data-testid=comment-error][data-reason=held]", has_text="reads it first").wait_for()
    assert page.input_value("[data-testid=comment-input]") == ""
    page.click("[data-testid=pending-edit]")
    page.fill("[data-testid=comment-input]", "my second")
    page.keyboard.press("Enter")
    revision = peer.next("revise")
    assert (revision["comment"], revision["text"]) == (sent["id"], "my second")
    peer.say(
        {"type": "held", "id": revision["id"], "reason": "first_message", "message": "A moderator reads it first."}
    )
    page.locator("[data-testid=pending-text]", has_text="my second").wait_for()
    page.click("[data-testid=pending-withdraw]")
    revision = peer.next("revise")
    assert (revision["comment"], revision["text"]) == (sent["id"], None)
    peer.say({"type": "withdrawn", "id": revision["id"], "comment": sent["id"]})
    page.locator("[data-testid=pending-one]").wait_for(state="detached")
    waiting = {"id": "comment-wait", "text": "from another device", "parent": None, "message": "wait"}
    peer.say({"type": "mine", "video": VIDEO, "liked": False, "comments": [], "votes": {}, "held": [waiting]})
    page.locator("[data-testid=pending-text]", has_text="from another device").wait_for()
    peer.say({"type": "rejected", "id": "comment-wait", "reason": "declined", "message": "Declined."})
    page.locator("[data-testid=comment-error][data-reason=declined]", has_text="Declined.").wait_for()
    page.locator("[data-testid=pending-one]").wait_for(state="detached")
    page.fill("[data-testid=comment-input]", "badword")
    page.keyboard.press("Enter")
    sent = peer.next("comment")
    peer.say({"type": "rejected", "id": sent["id"], "reason": "blocked_word", "message": "Not here."})
    page.locator("[data-testid=comment-error][data-reason=blocked_word]", has_text="Not here.").wait_for()
    assert page.input_value("[data-testid=comment-input]") == "badword"


def test_a_poll_shows_its_bars_and_a_vote_can_be_taken_back(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    watching(page, peer)
    poll = {"type": "poll", "id": "poll-0001", "question": "<i>Tea?</i>", "state": "open", "opened_ms": 1}
    peer.say(poll | {"options": [{"text": "Yes", "votes": 1}, {"text": "No", "votes": 3}]})
    page.locator("[data-testid=poll]", has_text="<i>Tea?</i>").wait_for()
    assert page.locator("[data-testid=poll-share]").all_inner_texts() == ["25 %", "75 %"]
    option = page.locator("[data-testid=poll-option]").first
    option.click()
    vote = peer.next("vote")
    assert vote == {"type": "vote", "poll": "poll-0001", "option": 0, "id": vote["id"]}
    assert option.get_attribute("aria-pressed") == "true"
    option.click()
    assert peer.next("vote")["option"] is None
    peer.say(poll | {"state": "closed", "options": [{"text": "Yes", "votes": 1}, {"text": "No", "votes": 1}]})
    page.locator("[data-testid=poll-state]", has_text="Over · 2 votes").wait_for()
    assert page.locator("[data-testid=poll-share]").all_inner_texts() == ["50 %", "50 %"]
    assert option.is_disabled()


def test_what_the_server_says_is_ours_is_marked_and_a_click_is_newer(page: Page, peer: Peer) -> None:
    watching(page, peer)
    options = [{"text": "red", "votes": 1}, {"text": "blue", "votes": 0}]
    peer.say({"type": "poll", "id": "poll-0001", "question": "Which?", "options": options, "state": "open"})
    peer.say({"type": "mine", "video": VIDEO, "liked": True, "comments": ["comment-0009"], "votes": {"poll-0001": 0}})
    page.wait_for_selector("#like[aria-pressed=true]", timeout=60_000)
    page.wait_for_selector("[data-seq='9'] [data-testid=comment-like][aria-pressed=true]", timeout=60_000)
    page.wait_for_selector("[data-seq='8'] [data-testid=comment-like][aria-pressed=false]", timeout=60_000)
    assert page.get_by_test_id("poll-option").first.get_attribute("aria-pressed") == "true"
    page.click("#like")
    assert peer.next("like")["liked"] is False
    peer.say({"type": "mine", "video": VIDEO, "liked": True, "comments": [], "votes": {}})
    page.wait_for_selector("[data-seq='9'] [data-testid=comment-like][aria-pressed=false]", timeout=60_000)
    assert page.get_attribute("#like", "aria-pressed") == "false"
    assert page.get_by_test_id("poll-option").first.get_attribute("aria-pressed") == "false"


PIXEL = b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><rect width='8' height='8' fill='red'/></svg>"


def test_emotes_are_pictures_and_can_be_chosen_and_who_speaks_to_the_reader_stands_out(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    emotes = {"emotes": [{"name": "yay", "url": "/v1/channels/demo/emotes/yay?v=1"}]}
    page.route("**/v1/channels/demo/emotes", lambda route: route.fulfill(json=emotes))
    page.route("**/emotes/yay?*", lambda route: route.fulfill(body=PIXEL, content_type="image/svg+xml"))
    watching(page, peer)
    me = page.evaluate("logcast.feed.user")
    mod = {"id": "u_mod", "name": "Max", "role": "moderator", "colour": "#00aaff"}
    peer.say(comment(10) | {"user": mod, "text": f"well done @{me['name']} :yay: :nay:"})
    row = page.locator("[data-seq='10']")
    row.locator("img.comment__emote[alt=':yay:']").wait_for()
    assert row.get_by_test_id("badge").inner_text() == "Mod"
    own = row.get_by_test_id("comment-name").evaluate("(name) => name.style.getPropertyValue('--own')")
    assert own == "#00aaff"
    assert ":nay:" in row.get_by_test_id("comment-text").inner_text()
    assert row.locator(".comment__text--mentioned").count() == 1
    peer.say(comment(11) | {"user": me, "text": "mine"})
    peer.say(comment(12) | {"user": mod, "text": "an answer", "parent": "comment-0011"})
    page.locator("[data-seq='12'] .comment__text--mentioned").wait_for()
    assert page.locator("[data-seq='11'] .comment__text--mentioned").count() == 0
    page.fill("[data-testid=comment-input]", "so")
    page.click("[data-testid=emotes-open]")
    page.click("[data-testid=emote]")
    page.wait_for_function("document.querySelector('[data-testid=comment-input]').value === 'so :yay: '")
    assert page.get_by_test_id("emotes").is_hidden()


def test_the_title_counts_who_speaks_to_a_reader_that_looks_elsewhere(modules: Page) -> None:
    found = modules.evaluate(
        """import("/static/js/attention.js").then(({ Attention }) => {
            const page = Object.assign(new EventTarget(), { title: "Demo", visibilityState: "visible" });
            const attention = new Attention(page);
            const seen = [];
            const step = (doing) => (doing(), seen.push(page.title));
            step(() => attention.called());
            page.visibilityState = "hidden";
            step(() => attention.called());
            step(() => attention.called());
            page.title = "Another title";
            step(() => attention.called());
            page.visibilityState = "visible";
            step(() => page.dispatchEvent(new Event("visibilitychange")));
            return seen;
        })"""
    )
    assert found == ["Demo", "(1) Demo", "(2) Demo", "(3) Another title", "Another title"]


def test_a_moderator_asks_the_viewers(page: Page, peer: Peer) -> None:
    page.set_default_timeout(60_000)
    watching(page, peer)
    asked: list[object] = []

    def opened(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=201, json={})

    page.route(f"**/v1/videos/{VIDEO}/polls", opened)
    page.click("[data-testid=poll-ask]")
    page.fill("[data-testid=poll-question]", "Tea?")
    page.fill("[data-testid=poll-lines]", "Yes")
    page.click("[data-testid=poll-send]")
    page.locator("[data-testid=poll-note]", has_text="2 to 8 answers").wait_for()
    page.fill("[data-testid=poll-lines]", "Yes\n\n No ")
    page.click("[data-testid=poll-send]")
    page.locator("[data-testid=poll-form]").wait_for(state="hidden")
    assert asked == [{"question": "Tea?", "options": ["Yes", "No"], "seconds": 60}]
