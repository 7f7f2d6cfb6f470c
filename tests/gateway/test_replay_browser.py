"""A recorded video in a real Chromium: its conversation comes at the position of the picture, wherever one seeks."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

from schemas.events import Change, CommentAccepted, CommentChanged, PlacedMoment, ReactionsPlaced
from schemas.ids import new_video_id
from stores.cassandra import Write
from stores.comment_writes import change_writes, comment_writes
from stores.reaction_bursts import place_writes
from stores.settings import Settings
from tests.gateway.real_media import Reel
from tests.gateway.tape import START_MS
from tests.gateway.test_page_browser import CHROMIUM, FLAGS
from tests.gateway.theatre import Theatre, open_theatre
from tests.processors.gops import Clip
from tests.waiting import eventually_blocking

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium: make test-deps gets it"),
]

DEADLINE_S = 60.0
PAST = new_video_id(START_MS, b"replays")
CLIP = Clip(width=160, height=90, fps=15, gops=90, gop_frames=15, part_frames=3, kbps=100)


def said(seq: int, second: int, text: str) -> CommentAccepted:
    return CommentAccepted(
        video_id=PAST,
        channel="past",
        seq=seq,
        comment_id=f"comment-{seq}",
        user_id="g_ann",
        name="Ann",
        text=text,
        submitted_ms=START_MS + second * 1_000 + 3_000,
        media_ms=START_MS + second * 1_000,
        source_offset=seq,
    )


HIDDEN = CommentChanged(
    video_id=PAST,
    channel="past",
    seq=4,
    comment_id="comment-2",
    comment_seq=2,
    user_id="g_ann",
    change=Change.HIDDEN,
    by="mod",
    act_id="",
    revision_id="",
    comments=2,
    changed_ms=START_MS,
    source_offset=4,
)


REACTED = ReactionsPlaced(
    video_id=PAST,
    channel="past",
    gateway_id="run-1",
    number=1,
    recorded_ms=START_MS + 3_600_000,
    moments=(PlacedMoment(at_ms=START_MS + 60_000, reactions={"fire": 3}),),
)
"""By somebody who watched an hour later."""


@contextmanager
def connected(theatre: Theatre) -> Iterator[None]:
    """The gateway of a theatre with its session on Cassandra; its loop is in another thread."""
    link, tasks = theatre.state.cassandra, list[asyncio.Task[object]]()
    theatre.run(lambda: tasks.append(asyncio.get_running_loop().create_task(link.__aenter__())))
    eventually_blocking(lambda: link.session is not None, what="a session")
    yield
    theatre.run(lambda: tasks.append(asyncio.get_running_loop().create_task(link.__aexit__(None, None, None))))
    eventually_blocking(lambda: link.session is None and all(t.done() for t in tasks), what="the end of the session")


def texts(page: Page, wanted: list[str]) -> None:
    """Wait until the column has these comments (empty: one that is not shown)."""
    found: list[str] = []
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        rows = page.get_by_test_id("comment").all()
        found = page.evaluate(
            "[...document.querySelectorAll('.comment')].map((row) => row.querySelector('.comment__text')?.textContent ?? '')"
        )
        if found == wanted and len(rows) == len(wanted):
            return
        page.wait_for_timeout(100)
    place = page.evaluate("[logcast.player.state, logcast.player.currentTime, logcast.player.programMs]")
    raise AssertionError(f"expected {wanted}, found {found}; the player is at {place}")


def test_comments_follow_the_picture_also_after_a_seek(
    make_settings: Callable[..., Settings], cassandra: tuple[str, int], keyspace: str
) -> None:
    settings = make_settings(cassandra_keyspace=keyspace, window_s=120)
    with open_theatre(settings) as theatre, connected(theatre), sync_playwright() as playwright:
        theatre.show(Reel("source", CLIP, PAST), channel="past")
        session = theatre.state.cassandra.session
        assert session is not None
        events = [said(1, 5, "at *five*"), said(2, 20, "rude"), said(3, 50, "at fifty")]
        writes: list[Write] = [write for event in events for write in comment_writes(event)]
        kept: list[asyncio.Task[None]] = []
        writing = session.write([*writes, *change_writes(HIDDEN), *place_writes(REACTED)])
        theatre.run(lambda: kept.append(asyncio.get_running_loop().create_task(writing)))
        eventually_blocking(lambda: kept and all(task.done() for task in kept), what="the comments in Cassandra")
        assert [task.exception() for task in kept] == [None]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = chromium.new_page(base_url=theatre.url)
        page.set_default_timeout(DEADLINE_S * 1000)
        page.route_web_socket("**/feed", lambda socket: socket.close())  # the feed needs the log
        page.goto(f"/watch/{PAST}")
        page.wait_for_selector("#stage[data-state=playing]")
        page.evaluate("logcast.player.seek(30)")
        texts(page, ["at five", ""])
        assert page.inner_text("[data-testid=comment-gone]") == "Hidden by a moderator"
        assert page.inner_text(".comment__text em") == "five"
        page.evaluate("logcast.player.seek(62)")
        page.wait_for_selector("[data-testid=floating][data-kind=fire]", state="attached")
        texts(page, ["at five", "", "at fifty"])
        page.evaluate("logcast.player.seek(8)")
        texts(page, ["at five"])
        chromium.close()
