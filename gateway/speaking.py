"""What viewers and streamers say, on its way into the log."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from prometheus_client import Counter

from gateway.feed_messages import LikeWanted, Post, React
from gateway.guests import Guest
from gateway.heat import Heat
from schemas.events import (
    CommentRevised,
    CommentSubmitted,
    CueRequested,
    Like,
    ModerationActed,
    ModerationOrdered,
    PollClosed,
    PollOpened,
    PresenceRecorded,
    Reaction,
    ReactionsPlaced,
    ReactionsRecorded,
    RulesChanged,
    VideoChanged,
    VideoSettingsChanged,
    Vote,
)
from schemas.topics import (
    ADS_CUES,
    CHANNELS_RULES,
    COMMENTS_SUBMITTED,
    MODERATION,
    PRESENCE,
    REACTIONS,
    REACTIONS_PLACED,
    VIDEOS_SETTINGS,
    partition_of,
)
from stores.kafka import EventProducer, LogBusyError

log = logging.getLogger(__name__)

TICK_S: Final = 0.02
MAX_BATCH: Final = 500
MAX_VIDEOS: Final = 10_000

Taken = asyncio.Future[bool]
"""Whether the log has it: one future for all that goes in one event. Never cancel it."""

LOST_REACTIONS = Counter("logcast_gateway_reactions_refused_total", "Likes and reactions that the log did not take")


@dataclass(slots=True)
class Batch:
    """What came for one video since the last tick, and how many batches there were."""

    number: int = 0
    turn: int = 0
    video: VideoChanged | None = None
    likes: list[Like] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    votes: list[Vote] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    wishes_taken: Taken | None = None
    reactions_taken: Taken | None = None

    def __len__(self) -> int:
        return len(self.likes) + len(self.reactions) + len(self.votes)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier thinks of a comment: `hold`, `reject`, or nothing against it (empty); and why, for moderators."""

    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a comment: the role in the channel, a keyed hash of the address (empty: not known), what a classifier said.

    `colour`: of the name, `#rrggbb`, or empty.
    """

    id: str
    name: str
    role: str = "guest"
    address: str = ""
    opinion: Opinion = Opinion()
    colour: str = ""

    @classmethod
    def of_guest(cls, guest: Guest, address: str = "") -> Self:
        """A guest, who has no other role."""
        return cls(id=guest.id, name=guest.name, address=address)


class Speaker:
    """Puts comments, reactions and cues on the log. Reactions of one video within 20 ms make one event.

    Args:
        producer: an open producer.
        run_id: names this run of this gateway; batch numbers rise within it.
        now_ms: wall clock.
        heat: which videos are too hot for one partition.
    """

    def __init__(self, producer: EventProducer, run_id: str, now_ms: Callable[[], int], heat: Heat) -> None:
        self._producer = producer
        self._run_id = run_id
        self._now_ms = now_ms
        self._heat = heat
        self._batches: OrderedDict[str, Batch] = OrderedDict()

    async def comment(self, video: VideoChanged, author: Author, post: Post) -> None:
        """Submit a comment; returns once it is on the log.

        Raises:
            LogError: the log does not take it.
        """
        event = CommentSubmitted(
            video_id=video.video_id,
            channel=video.channel,
            comment_id=post.id,
            user_id=author.id,
            name=author.name,
            text=post.text,
            parent_id=post.parent,
            submitted_ms=self._now_ms(),
            media_ms=post.media_ms,
            gateway_id=self._run_id,
            role=author.role,
            address=author.address,
            screened=author.opinion.verdict,
            screened_reason=author.opinion.reason,
            colour=author.colour,
        )
        await self._producer.send(COMMENTS_SUBMITTED, video.video_id, event)

    async def revise(
        self, video: VideoChanged, author: Author, comment_id: str, revision_id: str, text: str | None
    ) -> None:
        """Ask for another text of a comment, or that it goes (None); returns once it is on the log. Errors as `comment`."""
        event = CommentRevised(
            video_id=video.video_id,
            channel=video.channel,
            revision_id=revision_id,
            comment_id=comment_id,
            user_id=author.id,
            name=author.name,
            text=text,
            submitted_ms=self._now_ms(),
            gateway_id=self._run_id,
            role=author.role,
            address=author.address,
        )
        await self._producer.send(COMMENTS_SUBMITTED, video.video_id, event)

    async def act(self, act: ModerationActed, partitions: int) -> None:
        """Do what a moderator wants: said for the record, and ordered from who judges comments. Errors as `comment`.

        Args:
            act: what is done.
            partitions: of `comments.submitted`; an act on a whole channel goes into each.
        """
        order = ModerationOrdered(video_id=act.video_id, channel=act.channel, act=act)
        places = [partition_of(act.video_id, partitions)] if act.video_id else range(partitions)
        written = [
            self._producer.send(COMMENTS_SUBMITTED, act.video_id or act.channel, order, partition=place)
            for place in places
        ]
        await asyncio.gather(*written, self._producer.send(MODERATION, act.channel, act))

    async def rules(self, changed: RulesChanged) -> None:
        """Say what the rules of a channel are now. Errors as `comment`."""
        await self._producer.send(CHANNELS_RULES, changed.channel, changed)

    async def cue(self, video: VideoChanged, cue_id: str, duration_ms: int, requested_by: str) -> None:
        """Ask for a break; returns once it is on the log. Errors as `comment`."""
        event = CueRequested(
            video_id=video.video_id,
            channel=video.channel,
            cue_id=cue_id,
            duration_ms=duration_ms,
            requested_ms=self._now_ms(),
            requested_by=requested_by,
        )
        await self._producer.send(ADS_CUES, video.video_id, event)

    async def choice(self, chosen: VideoSettingsChanged) -> None:
        """Say how a video is kept and shown; returns once it is on the log. Errors as `comment`."""
        await self._producer.send(VIDEOS_SETTINGS, chosen.video_id, chosen)

    def like(self, video: VideoChanged, guest: Guest, wanted: LikeWanted) -> Taken:
        """Like, or not any more; on the log with the next tick."""
        like = Like(user_id=guest.id, comment_id=wanted.comment, liked=wanted.liked, at_ms=self._now_ms())
        batch = self._batch(video)
        batch.likes.append(like)
        return self._wished(batch)

    def react(self, video: VideoChanged, guest: Guest, reaction: React) -> Taken:
        """React; on the log with the next tick."""
        batch = self._batch(video)
        batch.reactions.append(Reaction(user_id=guest.id, kind=reaction.kind, count=reaction.count))
        taken = batch.reactions_taken = batch.reactions_taken or asyncio.get_running_loop().create_future()
        self._schedule(batch)
        return taken

    def vote(self, video: VideoChanged, user_id: str, poll_id: str, option: int | None) -> Taken:
        """Vote in a poll, or not any more; on the log with the next tick."""
        batch = self._batch(video)
        batch.votes.append(Vote(user_id=user_id, poll_id=poll_id, option=option, at_ms=self._now_ms()))
        return self._wished(batch)

    async def poll(self, event: PollOpened | PollClosed) -> None:
        """Open or close a poll; returns once it is on the log. Errors as `comment`."""
        await self._producer.send(REACTIONS, event.video_id, event)

    def placed(self, event: ReactionsPlaced) -> None:
        """Say where in a video people reacted; what the log does not take is lost."""
        try:
            self._producer.send(REACTIONS_PLACED, event.video_id, event)
        except LogBusyError:
            log.warning("where people reacted to %s was not taken", event.video_id)

    def presence(self, event: PresenceRecorded) -> None:
        """Say who watches.

        Raises:
            LogBusyError: the log does not take it.
        """
        self._producer.send(PRESENCE, event.video_id, event)

    def flush(self) -> None:
        """Send what waits, at the end."""
        for batch in list(self._batches.values()):
            if batch.timer is not None:
                batch.timer.cancel()
                self._send(batch)

    def _batch(self, video: VideoChanged) -> Batch:
        batch = self._batches.get(video.video_id)
        if batch is None:
            batch = self._batches[video.video_id] = Batch(number=self._now_ms() * 1_000)
            self._forget_quiet()
        self._batches.move_to_end(video.video_id)
        batch.video = video
        return batch

    def _forget_quiet(self) -> None:
        """Numbers go on from the clock when a video comes back, so that letting one go repeats none."""
        while len(self._batches) > MAX_VIDEOS:
            video_id, oldest = next(iter(self._batches.items()))
            if oldest.timer is not None:
                return
            del self._batches[video_id]

    def _wished(self, batch: Batch) -> Taken:
        taken = batch.wishes_taken = batch.wishes_taken or asyncio.get_running_loop().create_future()
        self._schedule(batch)
        return taken

    def _schedule(self, batch: Batch) -> None:
        if len(batch) >= MAX_BATCH:
            if batch.timer is not None:
                batch.timer.cancel()
            self._send(batch)
        elif batch.timer is None:
            batch.timer = asyncio.get_running_loop().call_later(TICK_S, self._send, batch)

    def _send(self, batch: Batch) -> None:
        """One event; of a hot video two: likes and votes go home, reactions where there is room (ADR 25)."""
        assert batch.video is not None
        batch.timer = None
        likes, reactions, votes = tuple(batch.likes), tuple(batch.reactions), tuple(batch.votes)
        batch.likes, batch.reactions, batch.votes = [], [], []
        wishes_taken, reactions_taken = batch.wishes_taken, batch.reactions_taken
        batch.wishes_taken = batch.reactions_taken = None
        batch.turn += 1
        away = self._heat.away(batch.video.video_id, batch.turn) if reactions else None
        if away is not None:
            home, share = away
            self._put(self._event(batch, reactions=reactions, home=home, share=share), (reactions_taken,), share)
            reactions, reactions_taken = (), None
        if likes or reactions or votes:
            self._put(
                self._event(batch, likes=likes, reactions=reactions, votes=votes), (wishes_taken, reactions_taken)
            )

    def _event(
        self,
        batch: Batch,
        *,
        likes: tuple[Like, ...] = (),
        reactions: tuple[Reaction, ...] = (),
        votes: tuple[Vote, ...] = (),
        home: int = -1,
        share: int = -1,
    ) -> ReactionsRecorded:
        assert batch.video is not None
        batch.number += 1
        return ReactionsRecorded(
            video_id=batch.video.video_id,
            channel=batch.video.channel,
            gateway_id=self._run_id,
            batch=batch.number,
            recorded_ms=self._now_ms(),
            likes=likes,
            reactions=reactions,
            votes=votes,
            home=home,
            share=share,
        )

    def _put(self, event: ReactionsRecorded, waiting: tuple[Taken | None, ...], partition: int | None = None) -> None:
        """Send it; whoever waits hears when the log has it, or that it does not take it."""
        try:
            written = self._producer.send(REACTIONS, event.video_id, event, partition=partition)
        except LogBusyError:
            LOST_REACTIONS.inc(len(event.likes) + len(event.reactions) + len(event.votes))
            log.exception("reactions of %s were not taken", event.video_id)
            _tell(waiting, taken=False)
        else:
            written.add_done_callback(
                lambda done: _tell(waiting, taken=not done.cancelled() and done.exception() is None)
            )


def _tell(waiting: tuple[Taken | None, ...], *, taken: bool) -> None:
    for one in waiting:
        if one is not None and not one.done():
            one.set_result(taken)
