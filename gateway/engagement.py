"""Polls, presence, bursts and figures of one gateway: what viewers say to the log, and what the log says back to them."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any, Final

from gateway.audience import Audience, tell_taken
from gateway.bursts import Bursts
from gateway.feed_actions import Voice
from gateway.players import Players
from gateway.poll_board import is_open, poll_row
from gateway.poll_requests import MAX_POLLS, Question, VoteWanted, vote_of
from gateway.presence import REPORT_S, Place, Presence
from gateway.problems import Problem, not_found
from gateway.speaking import Taken
from gateway.viewer_counts import viewers_message
from schemas.events import PollChanged, PollClosed, PollOpened, VideoChanged, ViewersChanged
from schemas.ids import new_video_id
from schemas.topics import TOTALS
from stores.kafka import LogBusyError

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S: Final = 5.0
TICK_S: Final = 0.5


class Engagement:
    """Made once for an audience, before the gateway starts."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._state = audience.state
        self._told: dict[str, int] = {}
        videos = audience.state.videos
        self.presence: Final = Presence(audience.run_id, audience.secret, videos.of_channel, videos.get)
        self.players: Final = Players(self.presence.hash_of, audience.state.clock)
        if audience.settings.count_players:
            audience.state.players = self.players
        audience.polls.on_poll = self._tell_poll
        audience.viewer_counts.on_viewers = self._tell_viewers
        self._bursts = Bursts(partial(audience.tell, fleeting=True), audience.state.clock)
        audience.state.subscribe(TOTALS, self._bursts.apply)
        audience.state.on_removed(self._bursts.forget)
        audience.actions.add("vote", vote_of, self.on_vote)
        audience.actions.greet(self._greeting)
        audience.actions.watch(lambda voice: self.presence.came(*self._who(voice)), self._went)
        audience.state.resource(self._open)

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._tick_for_ever(), name="engagement"),
            asyncio.create_task(self._report_for_ever(), name="presence"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- polls

    def on_vote(self, voice: Voice, wanted: VoteWanted) -> None:
        """A vote on the feed."""
        video = voice.video
        if video is None:
            raise not_found(f"channel {voice.channel} has no video now", "no_video")
        tell_taken(voice, wanted.id, self.vote(video, voice.identity.id, wanted))

    def vote(self, video: VideoChanged, user_id: str, wanted: VoteWanted) -> Taken:
        """Bring a user's vote to the wanted option; on the log with the next tick.

        Raises:
            Problem: 404 no such poll, 409 it is closed, 422 it has no such option.
        """
        poll = self.poll(video, wanted.poll)
        if not is_open(poll, self._state.clock()):
            raise Problem(409, "poll_closed", f"poll {poll.poll_id} is closed")
        if wanted.option is not None and wanted.option >= len(poll.options):
            last = len(poll.options) - 1
            raise Problem(422, "bad_option", f"expected option from 0 to {last}", extra={"field": "option"})
        self._audience.marks.voted(video.video_id, user_id, wanted.poll, wanted.option)
        return self._audience.speaker.vote(video, user_id, wanted.poll, wanted.option)

    def poll(self, video: VideoChanged, poll_id: str) -> PollChanged:
        """A poll of a video.

        Raises:
            Problem: 404, there is none.
        """
        poll = self._audience.polls.get(video.video_id, poll_id)
        if poll is None:
            raise not_found(f"video {video.video_id} has no poll {poll_id:.64}", "no_poll")
        return poll

    async def open_poll(self, video: VideoChanged, question: Question, opened_by: str) -> PollChanged | PollOpened:
        """Open a poll; as counted, or as written when that takes longer than 5 s.

        Raises:
            Problem: 409 the video has too many, or another one with this id; 503 the log does not take it.
        """
        now_ms = self._state.clock()
        opened = PollOpened(
            video_id=video.video_id,
            channel=video.channel,
            poll_id=question.id or new_video_id(now_ms, secrets.token_bytes(8)),
            question=question.question,
            options=question.options,
            opened_ms=now_ms,
            opened_by=opened_by,
            closes_ms=None if question.seconds is None else now_ms + question.seconds * 1_000,
        )
        known = self._audience.polls.get(video.video_id, opened.poll_id)
        if known is not None:
            if (known.question, known.options) != (opened.question, opened.options):
                raise Problem(409, "poll_exists", f"video {video.video_id} has another poll {opened.poll_id}")
            return known
        if len(self._audience.polls.of_video(video.video_id)) >= MAX_POLLS:
            raise Problem(409, "too_many_polls", f"a video has at most {MAX_POLLS} polls")
        return await self._changed(opened) or opened

    async def close_poll(self, video: VideoChanged, poll_id: str, closed_by: str) -> PollChanged:
        """Close a poll; as counted, or as it was when that takes longer than 5 s. Errors: 404, 503."""
        poll = self.poll(video, poll_id)
        if poll.closed_ms is not None:
            return poll
        closed = PollClosed(
            video_id=video.video_id,
            channel=video.channel,
            poll_id=poll_id,
            closed_ms=self._state.clock(),
            closed_by=closed_by,
        )
        return await self._changed(closed) or poll

    async def _changed(self, event: PollOpened | PollClosed) -> PollChanged | None:
        """Write it, and wait until the fold has said what came of it."""
        self._audience.speaker.flush()  # votes that came before it count before it
        waiter = self._audience.polls.changed(event.video_id, event.poll_id, closed=isinstance(event, PollClosed))
        try:
            await self._audience.written(self._audience.speaker.poll(event))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await waiter
        except TimeoutError:
            return None
        finally:
            waiter.cancel()

    def _tell_poll(self, event: PollChanged) -> None:
        self._audience.tell(event.channel, event.video_id, self._message(event))

    def _greeting(self, _voice: Voice, video: VideoChanged | None) -> Iterable[dict[str, Any]]:
        """The polls that are open, for who has just joined."""
        polls = self._audience.polls.of_video(video.video_id) if video is not None else []
        return [self._message(poll) for poll in polls if is_open(poll, self._state.clock())]

    def _message(self, poll: PollChanged) -> dict[str, Any]:
        return {"type": "poll"} | poll_row(poll, self._state.clock())

    # -- viewers

    def _who(self, voice: Voice) -> tuple[Place, int, str]:
        return (voice.channel, voice.hearing.video), self.presence.hash_of(voice.identity.id), voice.address

    def _went(self, voice: Voice) -> None:
        self.presence.went(*self._who(voice))

    def _tell_viewers(self, event: ViewersChanged) -> None:
        self._audience.tell(event.channel, event.video_id, viewers_message(event))

    def _tell_counted_here(self) -> None:
        """Where the log does not say how many watch: how many are connected here."""
        counted = {}
        for channel in self._audience.rooms.channels():
            video = self._state.videos.of_channel(channel)
            if video is not None and self._audience.viewer_counts.now(video.video_id, self._state.clock()) is not None:
                continue
            counted[channel] = self._audience.rooms.size(channel)
            if self._told.get(channel) != counted[channel]:
                self._audience.rooms.send(channel, {"type": "viewers", "n": counted[channel]})
        self._told = counted

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tell_counted_here()
            self._audience.polls.tick(self._state.clock())
            self._bursts.tick()

    async def _report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self.report()

    def report(self) -> None:
        """Say who watches; what the log does not take is said again."""
        try:
            for event in self.presence.reports(self._state.clock(), self.players.playing()):
                self._audience.speaker.presence(event)
        except LogBusyError:
            log.warning("the log does not take who watches; it is said again")
            self.presence.forget()
