"""Folds of what viewers say and do: the newest comments of each video, totals, breaks, and who waits for a verdict.

All of it is bounded: `MAX_COMMENTS` a video, `MAX_VIDEOS` videos; what is older is read from Cassandra.
"""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.events import (
    BreakPlanned,
    CommentAccepted,
    CommentRejected,
    CueDecided,
    Event,
    TotalsChanged,
)

MAX_COMMENTS: Final = 1_000
MAX_VIDEOS: Final = 500
MAX_BREAKS: Final = 50
MAX_LIKED_COMMENTS: Final = 2_000

Verdict = CommentAccepted | CommentRejected


@dataclass(slots=True)
class VideoTalk:
    """The newest of a video. `comments` are contiguous in `seq`."""

    comments: deque[CommentAccepted] = field(default_factory=lambda: deque(maxlen=MAX_COMMENTS))
    numbers: dict[str, int] = field(default_factory=dict)
    breaks: OrderedDict[str, BreakPlanned] = field(default_factory=OrderedDict)
    totals: TotalsChanged | None = None
    comment_likes: OrderedDict[str, int] = field(default_factory=OrderedDict)
    likes_read: bool = False

    @property
    def last_seq(self) -> int:
        """The newest comment's number; 0 when none is held."""
        return self.comments[-1].seq if self.comments else 0

    @property
    def first_seq(self) -> int:
        """The oldest held comment's number; 0 when none is held."""
        return self.comments[0].seq if self.comments else 0

    def after(self, seq: int) -> list[CommentAccepted]:
        """Held comments with a greater number."""
        return [c for c in self.comments if c.seq > seq]


class Conversation:
    """The fold; `on_…` are called after each change that viewers should hear of."""

    def __init__(self) -> None:
        self._talks: OrderedDict[str, VideoTalk] = OrderedDict()
        self._verdicts: defaultdict[tuple[str, str], list[asyncio.Future[Verdict]]] = defaultdict(list)
        self._decisions: defaultdict[str, list[asyncio.Future[CueDecided]]] = defaultdict(list)
        self.on_comment: Callable[[CommentAccepted], None] = lambda _: None
        self.on_totals: Callable[[TotalsChanged], None] = lambda _: None
        self.on_break: Callable[[BreakPlanned], None] = lambda _: None

    def talk(self, video_id: str) -> VideoTalk:
        """What is held of a video; makes room for a new one by letting the longest untouched go."""
        talk = self._talks.get(video_id)
        if talk is None:
            talk = self._talks[video_id] = VideoTalk()
            if len(self._talks) > MAX_VIDEOS:
                self._talks.popitem(last=False)
        else:
            self._talks.move_to_end(video_id)
        return talk

    # -- events

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an event of comments.feed, comments.rejected, totals or ads.breaks."""
        if isinstance(event, CommentAccepted):
            self._apply_comment(event)
        elif isinstance(event, CommentRejected):
            self._settle(event)
        elif isinstance(event, TotalsChanged):
            self._apply_totals(event)
        elif isinstance(event, BreakPlanned):
            self._apply_break(event)
        elif isinstance(event, CueDecided):
            for waiter in self._decisions.pop(event.cue_id, []):
                if not waiter.done():
                    waiter.set_result(event)

    def _apply_comment(self, event: CommentAccepted) -> None:
        talk = self.talk(event.video_id)
        if talk.comments and event.seq <= talk.last_seq:
            return
        if len(talk.comments) == MAX_COMMENTS:
            talk.numbers.pop(talk.comments[0].comment_id, None)
        talk.comments.append(event)
        talk.numbers[event.comment_id] = event.seq
        self.on_comment(event)
        self._settle(event)

    def _settle(self, event: Verdict) -> None:
        for waiter in self._verdicts.pop((event.video_id, event.comment_id), []):
            if not waiter.done():
                waiter.set_result(event)

    def _apply_totals(self, event: TotalsChanged) -> None:
        talk = self.talk(event.video_id)
        if talk.totals is not None and event.as_of_offset < talk.totals.as_of_offset:
            return
        talk.totals = event
        for comment_id, likes in event.comment_likes.items():
            talk.comment_likes[comment_id] = likes
            talk.comment_likes.move_to_end(comment_id)
        while len(talk.comment_likes) > MAX_LIKED_COMMENTS:
            talk.comment_likes.popitem(last=False)
        self.on_totals(event)

    def _apply_break(self, event: BreakPlanned) -> None:
        talk = self.talk(event.video_id)
        if event.break_id in talk.breaks:
            return
        talk.breaks[event.break_id] = event
        while len(talk.breaks) > MAX_BREAKS:
            talk.breaks.popitem(last=False)
        self.on_break(event)

    # -- who waits

    def seq_of(self, video_id: str, comment_id: str) -> int | None:
        """The number of a comment that is still held."""
        return self.talk(video_id).numbers.get(comment_id)

    def verdict(self, video_id: str, comment_id: str) -> asyncio.Future[Verdict]:
        """A future of what becomes of a comment; cancel it when nobody waits any more."""
        key = (video_id, comment_id)
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._verdicts[key].append(future)
        future.add_done_callback(lambda done: _forget(self._verdicts, key, done))
        return future

    def decision(self, cue_id: str) -> asyncio.Future[CueDecided]:
        """A future of what the planner says to a cue; cancel it when nobody waits any more."""
        future: asyncio.Future[CueDecided] = asyncio.get_running_loop().create_future()
        self._decisions[cue_id].append(future)
        future.add_done_callback(lambda done: _forget(self._decisions, cue_id, done))
        return future


def _forget(waiting: defaultdict[Any, list[Any]], key: object, future: object) -> None:
    """Drop a waiter that is done, however it ended."""
    waiters = waiting.get(key)
    if waiters is not None and future in waiters:
        waiters.remove(future)
        if not waiters:
            del waiting[key]
