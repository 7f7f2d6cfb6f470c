"""Comments and likes between WebSocket clients, the page and REST."""

from pathlib import Path

import httpx
import pytest

from logcast.client import FeedClient
from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.listening import Listener
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import comment_as, current_video
from tests.e2e.watch_page import WatchPage
from tests.waiting import eventually, eventually_async

pytestmark = pytest.mark.e2e


async def test_comments_and_likes_reach_other_clients_and_the_page_and_nothing_is_missed(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    watch_page: WatchPage,
    tmp_path: Path,
) -> None:
    page = watch_page.page
    with publishing(clips.make("640x360", 20), stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        await viewer.live({"source", "240p", "audio"})
        await watch_page.open(f"{stack.server}/watch/{channel.name}")
        async with Listener(FeedClient(stack.server, channel.name, name="Ann")) as ann:
            async with Listener(FeedClient(stack.server, channel.name, name="Bea")) as bea:
                said = await ann.feed.comment("hello from Ann")
                heard = await bea.hears_comment("hello from Ann")
                assert heard["id"] == said
                assert heard["user"]["name"] == "Ann"
                await page.get_by_test_id("comment-text").filter(has_text="hello from Ann").wait_for()

                reply = await bea.feed.comment("hello back", parent=said)
                answered = await ann.hears_comment("hello back")
                assert (answered["id"], answered["parent"], answered["seq"]) == (reply, said, heard["seq"] + 1)

                await ann.feed.like()
                await bea.feed.like()
                await bea.heard(lambda m: m["type"] == "totals" and m["likes"] == 2, "two likes")
                await page.get_by_test_id("likes").filter(has_text="2").wait_for()
                await ann.feed.like(liked=False)
                await eventually(lambda: bea.of_type("totals")[-1]["likes"] == 1, what="one like less")
                await eventually_async(lambda: _has_likes(http, stack.server, channel.name, 1), what="one like by REST")
                seq, token = bea.feed.seq, bea.feed.token
            assert seq is not None
            assert seq == answered["seq"]

            video = await current_video(http, stack.server, channel.name)
            missed = [await comment_as(http, stack.server, video, f"Guest {n}", f"missed {n}") for n in range(3)]
            assert missed == [seq + 1, seq + 2, seq + 3]
            async with Listener(FeedClient(stack.server, channel.name, token=token, after=seq)) as back:
                joined = back.of_type("joined")[0]
                assert joined["user"]["name"] == "Bea"
                await ann.feed.comment("welcome back")
                await back.hears_comment("welcome back")
                numbers = [message["seq"] for message in back.of_type("comment")]
                assert numbers == [*missed, seq + 4], "exactly what was missed, then what is new"
        await page.get_by_test_id("comment-text").filter(has_text="welcome back").wait_for()
        assert not watch_page.errors


async def _has_likes(http: httpx.AsyncClient, server: str, channel: str, likes: int) -> bool:
    found: int = (await http.get(f"{server}/v1/channels/{channel}")).json()["likes"]
    return found == likes
