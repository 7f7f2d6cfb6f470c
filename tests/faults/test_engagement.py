"""kill -9 of worker, gateway, consumers and Cassandra while many like, comment, vote and react: nothing is lost or doubled.

`LOGCAST_FAULT_SCALE=full` has 200,000 likes and 20,000 comments, else it is a few thousand.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.resuming import MAX_RESUME
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import live_video, open_poll
from tests.faults.course import Course, longest_silence
from tests.faults.crowd import TAPS, Crowd, Heard, Strict
from tests.faults.ledgers import Log, api_says, cassandra_says, settled, told_by
from tests.faults.process_faults import Death, Faults

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600 if os.environ.get("LOGCAST_FAULT_SCALE") == "full" else 400)]

KILLED: Final = ("worker", "gateway", "consumers", "cassandra")
OPTIONS: Final = ("red", "blue", "neither")
ENDLESS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Scale:
    """How much: likes and comments in all, and by how many people."""

    likes: int
    comments: int
    likers: tuple[int, int]
    """On the feed, by REST; the commenters too."""
    commenters: tuple[int, int]
    listeners: int


SCALE: Final = {
    "small": Scale(likes=2_500, comments=400, likers=(14, 6), commenters=(6, 14), listeners=3),
    "full": Scale(likes=200_000, comments=20_000, likers=(40, 30), commenters=(15, 50), listeners=4),
}[os.environ.get("LOGCAST_FAULT_SCALE", "small")]


async def test_all_that_was_acknowledged_is_counted_once_and_every_feed_has_every_comment_once(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    faults: Faults,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    likes, comments = (Course(total, len(KILLED) + 1) for total in (SCALE.likes, SCALE.comments))
    clip = clips.make("sound", 10, video=False)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        video = await live_video(http, stack.server, channel.name)
        poll = await open_poll(http, stack.server, video, channel.key, OPTIONS)
        crowd = Crowd(stack, channel.name, video, poll, likes, comments)
        began, began_ms = time.monotonic(), time.time() * 1_000
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(crowd.listens()) for _ in range(SCALE.listeners)]
            acting = [tasks.create_task(actor) for actor in actors(crowd)]
            pulses = Course(ENDLESS, 1), Course(ENDLESS, 1), Course(ENDLESS, 1)
            acting += [tasks.create_task(actor) for actor in pulse(crowd, *pulses)]
            await kill_all(faults, likes, comments)
            for course in pulses:
                await course.end()
            await asyncio.gather(*acting)
            took_s = time.monotonic() - began
            truth = crowd.truth
            last = len(truth.comments)
            for heard in crowd.listeners:
                await heard.all_up_to(last)
            crowd.listeners.append(await fresh_subscriber(crowd, last))
            for task in listening:
                task.cancel()

        log = Log(stack.settings(), video)
        taps = await asyncio.to_thread(log.taps)
        expected = told_by(truth, taps.all, len(OPTIONS))
        say(f"{len(crowd.liked_at):,} likes, {last:,} comments, {taps.all:,} reactions in {took_s:.0f} s")
        for line in table(faults.deaths, began, crowd):
            say(line)

        assert [letter for letter in await asyncio.to_thread(log.letters) if letter.failed_ms >= began_ms] == []
        assert sorted(seq for seq, _ in truth.comments.values()) == list(range(1, last + 1))
        assert await settled(lambda: cassandra_says(stack.settings(), video), expected) == expected
        assert await settled(lambda: api_says(http, stack.server, video), expected) == expected
        assert await settled(lambda: asyncio.to_thread(log.told), expected) == expected
        for heard in crowd.listeners:
            after = heard.joins[0]["after"]
            assert heard.comments == expected.comments[after:]
            assert heard.feed.wrong == []
            assert all(joined["resumed"] for joined in heard.joins)
        assert TAPS * len(truth.taken_taps) <= taps.all <= TAPS * len(truth.sent_taps)
        assert taps.away > 0, "the video was hot, and its reactions were counted on several partitions"
        assert taps.shares > 1


async def kill_all(faults: Faults, likes: Course, comments: Course) -> None:
    """Kill each when a third of a stretch is done; the rest of it is done while the killed one is away and comes back."""
    for stretch, role in enumerate(KILLED):
        await likes.reached(stretch + 0.3)
        await faults.killed_and_back(role)
        await likes.reached(stretch + 1)
        await comments.reached(stretch + 1)
        await likes.open_next()
        await comments.open_next()


def pulse(crowd: Crowd, likes: Course, comments: Course, taps: Course) -> list[Coroutine[Any, Any, None]]:
    """Some who never pause between the stretches: what is acknowledged to them shows every silence."""
    return [
        crowd.likes_by_feed("pulse of likes", likes),
        crowd.comments_by_feed("pulse-of-comments", comments),
        *(crowd.taps(f"tapper{number}", taps) for number in range(2)),
    ]


def actors(crowd: Crowd) -> list[Coroutine[Any, Any, None]]:
    """Everybody who likes and comments."""
    kinds = (
        ("liker", SCALE.likers[0], crowd.likes_by_feed),
        ("restliker", SCALE.likers[1], crowd.likes_by_rest),
        ("writer", SCALE.commenters[0], crowd.comments_by_feed),
        ("restwriter", SCALE.commenters[1], crowd.comments_by_rest),
    )
    return [act(f"{kind}{number}") for kind, count, act in kinds for number in range(count)]


async def fresh_subscriber(crowd: Crowd, last: int) -> Heard:
    """Somebody who comes when all is over, and asks for as much as one may."""
    feed = crowd.feed(Strict, after=max(0, last - MAX_RESUME))
    assert isinstance(feed, Strict)
    heard = Heard(feed)
    async with feed:
        listening = asyncio.create_task(heard.listen())
        await heard.all_up_to(last)
        listening.cancel()
        await asyncio.wait({listening})
    return heard


def table(deaths: list[Death], began: float, crowd: Crowd) -> list[str]:
    """A line for each kill: when, back after, and the longest silences from then to the next kill."""
    ends = [*(death.at_s for death in deaths[1:]), crowd.commented_at[-1]]
    times = (crowd.liked_at, crowd.commented_at, crowd.listeners[0].at)
    lines = ["kill -9     at       back     longest without: a like taken, a comment taken, a comment heard"]
    for death, end in zip(deaths, ends, strict=True):
        silences = (longest_silence(one, death.at_s, end) for one in times)
        first, second, third = (f"{silence:.2f} s" for silence in silences)
        lines.append(
            f"{death.role:<11} {death.at_s - began:5.1f} s  {death.took_s:5.1f} s  {first:>22}, {second:>15}, {third:>15}"
        )
    return lines
