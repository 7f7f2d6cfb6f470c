"""`logcast.client` in all that it can say, against gateway, worker and consumers; and what it gets after a cut."""

import asyncio
from typing import Any

import httpx
import pytest

from logcast.client import FeedClient, WishError
from tests.e2e.listening import Listener, Message
from tests.e2e.rest import comment_as, open_poll
from tests.gateway.feed_system import VIDEO, System
from tests.waiting import eventually

pytestmark = pytest.mark.integration


async def test_a_client_says_all_that_there_is_to_say_and_misses_nothing_over_a_cut(system: System) -> None:
    async with (
        httpx.AsyncClient(timeout=60) as http,
        Listener(FeedClient(system.url, "demo", name="Ann")) as ann,
        Listener(FeedClient(system.url, "demo", name="Bea")) as bea,
        Listener(FeedClient(system.url, "demo", token=system.key)) as owner,
    ):
        first = await ann.feed.post("hello")
        said = await bea.hears_comment("hello")
        assert (said["seq"], said["user"]["name"]) == (first, "Ann")
        assert await bea.feed.reply(said["id"], "hello back") == first + 1
        assert (await ann.hears_comment("hello back"))["parent"] == said["id"]

        await ann.feed.like()
        await bea.feed.like(comment=said["id"])
        await bea.heard(lambda m: m["type"] == "totals" and m["likes"] == 1, "one like")
        await ann.heard(lambda m: m["type"] == "totals" and m["comment_likes"].get(said["id"]) == 1, "a comment's like")
        await ann.feed.like(liked=False)
        await eventually(lambda: bea.of_type("totals")[-1]["likes"] == 0, what="no like any more")
        await bea.feed.react("wow", 3)
        await ann.heard(lambda m: m["type"] == "totals" and m["reactions"] == {"wow": 3}, "three reactions")

        poll = await open_poll(http, system.url, VIDEO, system.key, ("red", "blue"))
        await ann.feed.vote(poll, 0)
        await bea.feed.vote(poll, 1)
        await bea.feed.vote(poll, None)
        await eventually(lambda: ann.of_type("poll") and votes(ann.of_type("poll")[-1]) == [1, 0], what="one vote")
        with pytest.raises(WishError, match="option") as refused:
            await asyncio.wait_for(ann.feed.vote(poll, 7), 60)
        assert refused.value.code == "bad_option"

        revision = await ann.feed.revise(said["id"], "hello, all")
        await ann.heard(lambda m: m["type"] == "accepted" and m["id"] == revision, "the revision's fate")
        edited = await bea.heard(lambda m: m["type"] == "changed", "the edit")
        assert (edited["change"], edited["text"]) == ("edited", "hello, all")
        await owner.feed.act("hide", video_id=VIDEO, comment_id=said["id"])
        await owner.heard(lambda m: m["type"] == "done", "the act")
        await bea.heard(lambda m: m["type"] == "changed" and m["change"] == "hidden", "the comment to go")

        seq = bea.feed.seq
        assert seq is not None
        cut(bea.feed)
        liking = asyncio.create_task(bea.feed.like())
        missed = [await comment_as(http, system.url, VIDEO, f"Guest {n}", f"missed {n}") for n in range(3)]
        await bea.hears_comment("missed 2")
        await asyncio.wait_for(liking, 60)
        assert missed == [seq + 1, seq + 2, seq + 3]
        numbers = [m["seq"] for m in bea.messages if m["type"] in {"comment", "changed"}]
        assert numbers == list(range(1, seq + 4)), "each number once and in order"
        assert [joined["resumed"] for joined in bea.of_type("joined")[1:]] == [True]
        await eventually(lambda: ann.of_type("totals")[-1]["likes"] == 1, what="the like of whoever was cut off")


def votes(poll: Message) -> list[int]:
    """By option."""
    return [option["votes"] for option in poll["options"]]


def cut(feed: FeedClient) -> None:
    """Break the connection under a client, without a word in either side's protocol."""
    connection: Any = feed._connection
    connection.transport.abort()
