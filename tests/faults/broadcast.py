"""A live push with numbered pictures, a few people who comment and like, and a watcher of every playlist: to do harm to."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from schemas.events import Track
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.rest import live_video, open_poll
from tests.faults import taken as taking
from tests.faults.course import Course, longest_silence
from tests.faults.crowd import Crowd
from tests.faults.ledgers import Log, api_says, cassandra_says, settled, told_by
from tests.faults.numbered_push import Push
from tests.faults.playlist_rules import PlaylistRules
from tests.faults.taken import Taken
from tests.waiting import eventually

RENDITIONS: Final = {"source", "240p", "audio"}
OPTIONS: Final = ("red", "blue", "neither")
ENDLESS: Final = 10**9
LOOK_EVERY_S: Final = 0.1
BACK_S: Final = 180.0
ENDED_S: Final = 180.0
STEADY_S: Final = 5.0
HTTP_TIMEOUT_S: Final = 10.0
"""A gateway that stands still answers nobody: the watcher asks again."""


@dataclass
class Watch:
    """Asks for one playlist again and again.

    Attributes:
        new_at: when (`time.monotonic()`) an answer had a new part.
        refused: answers that were no playlist, and why, with their times.
    """

    variant: Variant
    rules: PlaylistRules = field(default_factory=PlaylistRules)
    new_at: list[float] = field(default_factory=list)
    refused: list[tuple[float, str]] = field(default_factory=list)

    async def follow(self, http: httpx.AsyncClient) -> None:
        """Until the playlist says that it has ended."""
        while self.rules.last is None or not self.rules.last.ended:
            try:
                answer = await http.get(self.variant.url)
            except httpx.TransportError as error:
                self.refused.append((time.monotonic(), type(error).__name__))
            else:
                self._judge(answer)
            await asyncio.sleep(LOOK_EVERY_S)

    def _judge(self, answer: httpx.Response) -> None:
        now = time.monotonic()
        if answer.is_success:
            if self.rules.saw(answer.text):
                self.new_at.append(now)
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.refused.append((now, answer.text[:100]))
        else:
            self.rules.wrong.append(f"status {answer.status_code}: {answer.text[:200]}")


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done, and when (`time.monotonic()`)."""

    name: str
    began: float


@dataclass
class Broadcast:
    """What goes on. Made by `on_air`."""

    stack: LiveStack
    video: str
    viewer: HlsViewer
    push: Push
    crowd: Crowd
    watches: dict[str, Watch]
    began: float
    began_ms: float
    harms: list[Harm] = field(default_factory=list)
    spooled: dict[taking.ChunkName, int] = field(default_factory=dict)

    @asynccontextmanager
    async def harmed(self, name: str, *, goes_on: bool = True) -> AsyncIterator[None]:
        """The block does something; then wait until everybody has something new that came after it."""
        self.harms.append(Harm(name, time.monotonic()))
        yield
        if goes_on:
            await self.goes_on()

    async def goes_on(self) -> None:
        """Wait until every rendition has parts that were captured from now on, and what is said now is taken and heard."""
        now, now_ms = time.monotonic(), time.time() * 1000
        heard = self.crowd.listeners[0].at

        def missing() -> list[str]:
            late = [name for name, watch in self.watches.items() if watch.rules.newest_ms < now_ms]
            said = {"likes": self.crowd.liked_at, "comments": self.crowd.commented_at, "the feed": heard}
            return late + [name for name, times in said.items() if times[-1] <= now]

        try:
            await eventually(lambda: not missing(), BACK_S)
        except AssertionError as error:
            raise AssertionError(f"{BACK_S:.0f} s afterwards nothing new of {missing()}; {self.state()}") from error

    def state(self) -> str:
        """Where every playlist is, for the message of a failure."""
        return "; ".join(
            f"{name} at {watch.rules.newest}, {watch.refused[-1:]}, {watch.rules.wrong[:5]}"
            for name, watch in self.watches.items()
        )

    def note_spooled(self, copy: Path) -> None:
        """Remember what the ingest has in its spool. Blocking; it must stand still meanwhile."""
        spool = self.stack.settings().spool_path
        self.spooled |= taking.in_the_spool(spool, self.video, copy).chunks

    def table(self) -> list[str]:
        """The longest times without something new: before any harm, and of each harm."""
        first = self.harms[0].began if self.harms else time.monotonic()
        said = {"comment heard": self.crowd.listeners[0].at, "like taken": self.crowd.liked_at}
        columns = {name: watch.new_at for name, watch in self.watches.items()} | said
        spans = [("before", self.began, first)]
        ends = [*(harm.began for harm in self.harms[1:]), min(times[-1] for times in columns.values())]
        spans += [(harm.name, harm.began, end) for harm, end in zip(self.harms, ends, strict=True)]
        lines = ["longest without new    " + "".join(f"{name:>15}" for name in columns)]
        for name, since, until in spans:
            silences = "".join(f"{longest_silence(times, since, until):13.2f} s" for times in columns.values())
            lines.append(f"{name:<23}{silences}")
        return lines

    def assert_playlists_were_valid(self) -> None:
        """In all answers of all renditions."""
        assert {name: watch.rules.wrong for name, watch in self.watches.items() if watch.rules.wrong} == {}

    async def assert_media_is_whole(self, http: httpx.AsyncClient) -> int:
        """Every frame that was taken is in the video once; gives how many pictures."""
        taken: Taken = await asyncio.to_thread(taking.on_the_log, Log(self.stack.settings(), self.video))
        assert self.spooled.items() <= taken.chunks.items(), "what the ingest had spooled is on the log"
        viewer = HlsViewer(http, self.viewer.master_url)
        for name, watch in self.watches.items():
            track = Track.AUDIO if name == "audio" else Track.VIDEO
            playlist = await taking.on_demand(viewer, watch.variant, taken.segments(track))
            if name == "audio":
                assert await taking.sounds(viewer, watch.variant, playlist) == taken.frames(Track.AUDIO)
                continue
            shown = await taking.pictures(viewer, watch.variant, playlist)
            wrong = _difference(taking.expected(self.push.runs, shown), shown)
            assert not wrong, f"{name}: {wrong}; {self.push.runs}"
            assert len(shown) == taken.frames(Track.VIDEO), f"{name}: as many as the log has"
        return taken.frames(Track.VIDEO)

    async def assert_engagement_is_exact(self, http: httpx.AsyncClient) -> int:
        """What was acknowledged is once in the log, Cassandra, API and on the feed; gives how many comments."""
        server, settings = self.stack.server, self.stack.settings()
        log = Log(settings, self.video)
        expected = told_by(self.crowd.truth, 0, len(OPTIONS))
        letters = await asyncio.to_thread(log.letters)
        assert [letter for letter in letters if letter.failed_ms >= self.began_ms] == []
        assert await settled(lambda: cassandra_says(settings, self.video), expected) == expected
        assert await settled(lambda: api_says(http, server, self.video), expected) == expected
        assert await settled(lambda: asyncio.to_thread(log.told), expected) == expected
        (heard,) = self.crowd.listeners
        assert heard.comments == expected.comments
        assert heard.feed.wrong == []
        return len(expected.comments)


@asynccontextmanager
async def on_air(stack: LiveStack, channel: Channel, push: Push, *, steady: bool = True) -> AsyncIterator[Broadcast]:
    """A broadcast with something to see; after the block it is ended, and everybody has left.

    `steady`: watch it for a while first, to know what is normal; no push may end meanwhile.
    """
    async with httpx.AsyncClient(timeout=HTTP_TIMEOUT_S) as http, asyncio.TaskGroup() as tasks:
        publishing = tasks.create_task(push.publish())
        viewer = HlsViewer(http, stack.master_url(channel.name))
        video = await live_video(http, stack.server, channel.name)
        variants = await viewer.live(RENDITIONS, seconds=3 if steady else 1)
        poll = await open_poll(http, stack.server, video, channel.key, OPTIONS)
        courses = Course(ENDLESS, 1), Course(ENDLESS, 1)
        crowd = Crowd(stack, channel.name, video, poll, *courses)
        listening = tasks.create_task(crowd.listens())
        acting = [tasks.create_task(actor) for actor in _people(crowd)]
        watches = {name: Watch(variants[name]) for name in ("source", "240p", "audio")}
        watching = [tasks.create_task(watch.follow(http)) for watch in watches.values()]
        await eventually(
            lambda: crowd.liked_at and crowd.listeners and crowd.listeners[0].at, what="likes and comments"
        )
        began = time.monotonic()
        broadcast = Broadcast(stack, video, viewer, push, crowd, watches, began, time.time() * 1000)
        if steady:
            await broadcast.goes_on()
            await eventually(lambda: time.monotonic() - began > STEADY_S)
        yield broadcast
        for course in courses:
            await course.end()
        await asyncio.gather(*acting)
        push.end()
        await publishing
        await _all_ended(watching, broadcast)
        await crowd.listeners[0].all_up_to(len(crowd.truth.comments))
        listening.cancel()


async def _all_ended(watching: Sequence[asyncio.Task[None]], broadcast: Broadcast) -> None:
    try:
        async with asyncio.timeout(ENDED_S):
            await asyncio.gather(*watching)
    except TimeoutError:
        raise AssertionError(f"no end of the playlists: {broadcast.state()}") from None


def _difference(expected: list[int], shown: list[int]) -> str:
    """What is lost, doubled or out of order; empty where all is well."""
    if expected == shown:
        return ""
    lost, doubled = sorted(set(expected) - set(shown)), [n for n, count in Counter(shown).items() if count > 1]
    unknown = sorted(set(shown) - set(expected))
    return f"{len(lost)} lost {lost[:9]}, {len(doubled)} doubled {doubled[:9]}, {len(unknown)} unknown {unknown[:9]}"


def _people(crowd: Crowd) -> list[Coroutine[Any, Any, None]]:
    return [
        crowd.likes_by_feed("ann"),
        crowd.likes_by_rest("bea"),
        crowd.comments_by_feed("cem"),
        crowd.comments_by_rest("dan"),
    ]


Say = Callable[[str], None]


async def proven_whole(broadcast: Broadcast, http: httpx.AsyncClient, say: Say) -> None:
    """Say how long nothing came, then assert that the playlists were valid, and that nothing is lost or doubled."""
    for line in broadcast.table():
        say(line)
    broadcast.assert_playlists_were_valid()
    pictures = await broadcast.assert_media_is_whole(http)
    comments = await broadcast.assert_engagement_is_exact(http)
    say(f"{pictures} pictures, {comments} comments, {len(broadcast.crowd.liked_at)} likes: none lost, none double")
