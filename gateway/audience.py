"""The viewers of a gateway: what they say goes to the log, what the log says goes to them."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any, Final

from gateway import feed_messages
from gateway.channel_rules import RulesOfChannels
from gateway.classifier import Classifier
from gateway.conversation import Conversation, Verdict
from gateway.feed_actions import Actions, Voice
from gateway.feed_messages import LikeWanted, Post, React
from gateway.guests import Guest
from gateway.heat import Heat
from gateway.history import History, HistoryError
from gateway.identity import Identities
from gateway.own_marks import Marks
from gateway.placing import Placing
from gateway.poll_board import PollBoard
from gateway.problems import Problem
from gateway.review_queue import ReviewQueue
from gateway.rooms import RESTART, Rooms
from gateway.speaking import Author, Speaker, Taken
from gateway.state import GatewayState
from gateway.viewer_counts import ViewerCounts
from schemas.comment_state import CommentNow
from schemas.events import (
    BreakPlanned,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CommentSubmitted,
    Event,
    Queued,
    TotalsChanged,
    VideoChanged,
    VideoSettingsChanged,
    Visibility,
)
from schemas.topics import (
    ADS_BREAKS,
    COMMENTS_FEED,
    COMMENTS_REJECTED,
    COMMENTS_REVIEW,
    COMMENTS_SUBMITTED,
    TOTALS,
    VIDEOS,
    VIDEOS_SETTINGS,
    VIEWERS,
    partition_of,
)
from stores.accounts import Accounts
from stores.kafka import EventProducer, LogError, read_one

log = logging.getLogger(__name__)

VERDICT_TIMEOUT_S: Final = 5.0
REPEAT_S: Final = 1.0
"""No verdict for so long: perhaps the comment is a repeat of one that was decided long ago."""
HELD_MS: Final = 3_600_000
"""Comments of the last hour are held in memory (within bounds); older ones come from Cassandra."""
BREAKS_HELD_MS: Final = 24 * 3_600_000
TICK_S: Final = 0.5
HEARTBEAT_S: Final = 15.0
"""Nobody who listens hears nothing for longer."""
WRITE_TIMEOUT_S: Final = 10.0
RETURN_MS: Final = 2_000
RETURNS_PER_S: Final = 500
"""Viewers come back over at least 2 s after a restart, and no more than so many a second."""


class Audience:
    """Everything about viewers; opened with the gateway's lifespan."""

    def __init__(self, state: GatewayState) -> None:
        self.state: Final = state
        self.settings: Final = state.settings
        self.conversation: Final = Conversation()
        self.rooms: Final = Rooms()
        self.actions: Final = Actions()
        self.identities: Final = Identities(state)
        self.history: Final = History(state.cassandra)
        self.review: Final = ReviewQueue()
        self.marks: Final = Marks(self.history.marks, state.clock)
        self.polls: Final = PollBoard()
        self.viewer_counts: Final = ViewerCounts()
        self.heat: Final = Heat(
            self.settings.hot_reactions_per_s, self.settings.hot_partitions, self.settings.partitions
        )
        self.rules: Final = RulesOfChannels(state.settings)
        self.classifier: Final = Classifier(state.settings)
        self.secret: Final = state.secret
        self.run_id: Final = secrets.token_hex(6)
        self._speaker: Speaker | None = None
        self._placing: Placing | None = None
        self._break_states: dict[str, tuple[BreakPlanned, str]] = {}
        self.conversation.on_comment = self._tell_comment
        self.conversation.on_change = self._tell_change
        self.conversation.on_totals = self._tell_totals
        self.conversation.on_break = self._tell_break
        now_ms = state.clock()
        state.subscribe(COMMENTS_FEED, self.conversation.apply, now_ms - HELD_MS)
        state.subscribe(COMMENTS_REJECTED, self.conversation.apply, now_ms)
        state.subscribe(COMMENTS_REVIEW, self.conversation.apply, now_ms - HELD_MS)
        for fold in (self.conversation.apply, self.polls.apply, self.heat.apply):
            state.subscribe(TOTALS, fold)
        state.subscribe(VIEWERS, self.viewer_counts.apply)
        state.subscribe(ADS_BREAKS, self.conversation.apply, now_ms - BREAKS_HELD_MS)
        state.subscribe(VIDEOS, self._tell_video)
        state.subscribe(VIDEOS_SETTINGS, self._tell_video)
        folds = (self.conversation, self.polls, self.heat, self.viewer_counts)
        state.on_removed(*(fold.forget for fold in folds))
        state.resource(self._open)
        state.on_stop(self._say_goodbye)

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with (
            EventProducer(self.settings, "gateway") as producer,
            self.classifier,
        ):
            self._speaker = Speaker(producer, self.run_id, self.state.clock, self.heat)
            self._placing = Placing(self._speaker.placed, self.run_id, self.state.clock)
            ticking = asyncio.create_task(self._tick_for_ever(), name="audience")
            try:
                yield
            finally:
                ticking.cancel()
                self._speaker.flush()
                self._placing.flush()

    # -- from viewers

    @property
    def accounts(self) -> Accounts | None:
        """Channels and their owners, once the gateway is open."""
        return self.state.accounts

    @property
    def speaker(self) -> Speaker:
        """The way into the log, once the gateway is open."""
        assert self._speaker is not None
        return self._speaker

    async def comment(self, video: VideoChanged, author: Author, post: Post) -> Verdict | None:
        """Submit a comment and wait for what becomes of it.

        Returns:
            The verdict, or None when it takes longer than 5 s: the comment is on the log and will be decided.

        Raises:
            Problem: 503, the log does not take it; 409, the id is that of somebody else's comment.
        """
        known: Verdict | None = self.conversation.known(video.video_id, post.id)
        if not isinstance(known, CommentAccepted):
            author = replace(author, opinion=await self.classifier.opinion(video, author, post))
            waiter = self.conversation.verdict(video.video_id, post.id)
            known = await self._decided(waiter, self.speaker.comment(video, author, post), video.video_id, post.id)
        if known is not None and known.user_id != author.id:
            raise Problem(
                409, "id_taken", f"another comment has the id {post.id}; make a new one", extra={"id": post.id}
            )
        return known

    async def revise(
        self, video: VideoChanged, author: Author, comment_id: str, revision_id: str, text: str | None
    ) -> Verdict | None:
        """Ask for another text of a comment, or that it goes (None), and wait for what becomes of that.

        Returns and raises as `comment`; an accepted one is a `CommentChanged`.
        """
        waiter = self.conversation.verdict(video.video_id, revision_id)
        revising = self.speaker.revise(video, author, comment_id, revision_id, text)
        return await self._decided(waiter, revising, video.video_id, None)

    async def _decided(
        self, waiter: asyncio.Future[Verdict], writing: Awaitable[None], video_id: str, comment_id: str | None
    ) -> Verdict | None:
        """The verdict; of a repeat of an old comment, about which nothing new comes, what is known of the comment."""
        try:
            await self.written(writing)
            done, _ = await asyncio.wait({waiter}, timeout=REPEAT_S if comment_id else VERDICT_TIMEOUT_S)
            if not done and comment_id is not None:
                old = await self.find(video_id, comment_id)
                if old is not None and not waiter.done():
                    return old
                await asyncio.wait({waiter}, timeout=VERDICT_TIMEOUT_S - REPEAT_S)
            return waiter.result() if waiter.done() else None
        finally:
            waiter.cancel()

    async def find(self, video_id: str, comment_id: str) -> CommentAccepted | CommentHeld | None:
        """A comment that was accepted or waits for a moderator; of old ones, as far as Cassandra answers."""
        known = self.conversation.known(video_id, comment_id)
        if known is not None:
            return known
        with contextlib.suppress(HistoryError):
            found = await self.history.find(video_id, comment_id)
            return found.accepted if found is not None else None
        return None

    async def submitted(self, comment: CommentAccepted | CommentHeld) -> CommentSubmitted | None:
        """What the writer of a comment sent; None when the log does not have it any more.

        Raises:
            Problem: 503, the log does not answer.
        """
        place = partition_of(comment.video_id, self.settings.partitions), comment.source_offset
        try:
            event = await asyncio.to_thread(read_one, self.settings, COMMENTS_SUBMITTED, *place, "gateway")
        except LogError as error:
            raise Problem(503, "log_away", str(error), headers={"Retry-After": "2"}) from error
        mine = isinstance(event, CommentSubmitted) and event.comment_id == comment.comment_id
        return event if mine and isinstance(event, CommentSubmitted) else None

    async def written(self, writing: Awaitable[None]) -> None:
        """Wait until the log has it.

        Raises:
            Problem: 503 when it does not take it in time.
        """
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await writing
        except (LogError, TimeoutError) as error:
            raise log_away("the log does not answer; send it again with the same id") from error

    def like(self, video: VideoChanged, guest: Guest, wanted: LikeWanted) -> Taken:
        """Like, or not any more."""
        self.marks.liked(video.video_id, guest.id, wanted.comment, liked=wanted.liked)
        return self.speaker.like(video, guest, wanted)

    def react(self, video: VideoChanged, guest: Guest, reaction: React) -> Taken:
        """React."""
        assert self._placing is not None
        self._placing.add(video, reaction)
        return self.speaker.react(video, guest, reaction)

    async def taken(self, waiting: Taken) -> None:
        """Wait until the log has a like, a vote or a reaction.

        Raises:
            Problem: 503 when it does not take it in time; it may do so later.
        """
        done, _ = await asyncio.wait({waiting}, timeout=WRITE_TIMEOUT_S)
        if not done or not waiting.result():
            raise log_away()

    # -- to viewers

    def totals(self, video_id: str) -> dict[str, Any]:
        """The totals of a video as the feed has them, with the likes of all held comments."""
        talk = self.conversation.talk(video_id)
        likes = {
            c.comment_id: talk.comment_likes[c.comment_id] for c in talk.comments if c.comment_id in talk.comment_likes
        }
        return self._totals(video_id, talk.totals, likes)

    async def read_stored(self, video_id: str) -> None:
        """Once a video: its figures and the likes of its newest comments as Cassandra has them; the log's are newer and win."""
        talk = self.conversation.talk(video_id)
        if talk.stored_read:
            return
        with contextlib.suppress(HistoryError):
            likes = await self.history.likes(video_id, [c.comment_id for c in talk.comments])
            shown = await self.history.asked(lambda store: store.shown(video_id)) if talk.shown is None else 0
            totals = await self.history.totals(video_id) if talk.totals is None else None
            talk.stored_read = True
            talk.shown = shown if talk.shown is None else talk.shown
            talk.totals = talk.totals or totals
            for comment_id, n in likes.items():
                talk.comment_likes.setdefault(comment_id, n)

    def _totals(self, video_id: str, totals: TotalsChanged | None, comment_likes: dict[str, int]) -> dict[str, Any]:
        return {
            "likes": totals.likes if totals else 0,
            "comments": self.conversation.talk(video_id).shown or 0,
            "reactions": totals.reactions if totals else {},
            "comment_likes": comment_likes,
        }

    def viewers(self, channel: str) -> int:
        """How many watch a channel now: over all gateways if the log says so, else who is connected here."""
        video = self.state.videos.of_channel(channel)
        counted = self.viewer_counts.now(video.video_id, self.state.clock()) if video is not None else None
        return self.rooms.size(channel) if counted is None else counted

    def tell(self, channel: str, video_id: str, message: dict[str, Any], *, fleeting: bool = False) -> None:
        """Write a message about a video to those who listen to its channel and may see it; `fleeting`: as `Rooms.send`."""
        current = self.state.videos.of_channel(channel)
        video = self.state.videos.get(video_id)
        self.rooms.send(
            channel,
            message,
            video_id,
            current=current is not None and current.video_id == video_id,
            private=video is not None and video.visibility is Visibility.PRIVATE,
            fleeting=fleeting,
        )

    def _tell_comment(self, comment: CommentNow) -> None:
        event = comment.accepted
        self.tell(event.channel, event.video_id, feed_messages.comment(comment))

    def _tell_change(self, event: CommentChanged, comment: CommentNow | None) -> None:
        self.tell(event.channel, event.video_id, feed_messages.changed(event, comment))

    def _tell_totals(self, event: TotalsChanged) -> None:
        message = {"type": "totals"} | self._totals(event.video_id, event, event.comment_likes)
        self.tell(event.channel, event.video_id, message)

    def _tell_video(self, event: Event, _place: object = None) -> None:
        """Of a change and of a choice: the video as it holds after it."""
        video = (
            self.state.videos.get(event.video_id) if isinstance(event, VideoChanged | VideoSettingsChanged) else None
        )
        if video is not None:
            self.tell(video.channel, video.video_id, feed_messages.video(video))

    def _tell_break(self, event: BreakPlanned) -> None:
        message = feed_messages.ad_break(event, self.state.clock())
        if message["state"] != "ended":
            self._break_states[event.break_id] = (event, message["state"])
        self.tell(event.channel, event.video_id, message)

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._move_breaks()
            self.rooms.beat(HEARTBEAT_S, {"type": "heartbeat", "at_ms": self.state.clock()})

    def _say_goodbye(self) -> None:
        """Everybody is told a moment of its own to come back, so that the next gateway is not stormed."""
        spread_ms = max(RETURN_MS, 1000 * len(self.rooms) // RETURNS_PER_S)
        wait = random.Random()  # noqa: S311  (spreads, guards nothing)
        self.rooms.close_all(
            RESTART, "the gateway restarts; join again", lambda: wait.randint(RETURN_MS // 4, spread_ms)
        )

    def _move_breaks(self) -> None:
        now_ms = self.state.clock()
        for break_id, (event, before) in list(self._break_states.items()):
            message = feed_messages.ad_break(event, now_ms)
            if message["state"] != before:
                self.tell(event.channel, event.video_id, message)
                self._break_states[break_id] = (event, message["state"])
            if message["state"] == "ended":
                del self._break_states[break_id]


def log_away(detail: str = "the log does not answer; send it again") -> Problem:
    """A 503: what was said is perhaps not on the log."""
    return Problem(503, "log_away", detail, headers={"Retry-After": "2"})


def tell_taken(voice: Voice, message_id: str | None, waiting: Taken) -> None:
    """Answer a message that has an id: once the log has it, or does not take it."""
    if message_id is None:
        return

    def tell(done: Taken) -> None:
        away = feed_messages.error("log_away", "the log does not answer; send it again", message_id)
        voice.say(feed_messages.taken(message_id) if not done.cancelled() and done.result() else away)

    waiting.add_done_callback(tell)


def verdict_message(verdict: Verdict) -> dict[str, Any]:
    """What the author hears."""
    match verdict:
        case CommentAccepted():
            return feed_messages.accepted(verdict.comment_id, verdict.seq)
        case CommentChanged():
            return feed_messages.accepted(verdict.revision_id, verdict.seq)
        case CommentHeld(state=Queued.WITHDRAWN):
            return feed_messages.withdrawn(verdict.revision_id, verdict.comment_id)
        case CommentHeld():
            return feed_messages.held(verdict.revision_id or verdict.comment_id, verdict.reason, verdict.message)
        case CommentRejected():
            return feed_messages.rejected(verdict.revision_id or verdict.comment_id, verdict.reason, verdict.message)
