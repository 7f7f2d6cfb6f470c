"""Folds of what viewers say and do: the newest comments and changes of each video, totals, breaks, who waits for a verdict.

All of it is bounded: `MAX_COMMENTS` numbers and `MAX_HELD` held comments a video, `MAX_VIDEOS` videos; what is older is read from Cassandra.
"""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from schemas.comment_state import CONTENT, CommentNow, Entry, as_told_now
from schemas.events import (
    BreakPlanned,
    CommentAccepted,
    CommentChanged,
    CommentHeld,
    CommentRejected,
    CueDecided,
    Event,
    Queued,
    TotalsChanged,
)

MAX_COMMENTS: Final = 1_000
"""Comments and changes held of a video."""
MAX_VIDEOS: Final = 500
MAX_BREAKS: Final = 50
MAX_LIKED_COMMENTS: Final = 2_000
MAX_HELD: Final = 200
"""Comments that wait for a moderator, of a video: the newest."""

Verdict = CommentAccepted | CommentRejected | CommentHeld | CommentChanged


@dataclass(slots=True)
class VideoTalk:
    """The newest of a video. `entries` are contiguous in `seq`; each comment is there as it is now.

    `shown` is how many comments people see, None while it is not known; `stored_read`: Cassandra was asked for what the
    log does not hold any more.
    """

    entries: deque[Entry] = field(default_factory=deque)
    places: dict[str, list[int]] = field(default_factory=dict)
    held: OrderedDict[str, CommentHeld] = field(default_factory=OrderedDict)
    shown: int | None = None
    breaks: OrderedDict[str, BreakPlanned] = field(default_factory=OrderedDict)
    totals: TotalsChanged | None = None
    comment_likes: OrderedDict[str, int] = field(default_factory=OrderedDict)
    stored_read: bool = False

    @property
    def last_seq(self) -> int:
        """The newest number; 0 when nothing is held."""
        return self.entries[-1].seq if self.entries else 0

    @property
    def first_seq(self) -> int:
        """The oldest held number; 0 when nothing is held."""
        return self.entries[0].seq if self.entries else 0

    @property
    def comments(self) -> list[CommentNow]:
        """The held comments, oldest first."""
        return [entry for entry in self.entries if isinstance(entry, CommentNow)]

    def after(self, seq: int) -> list[Entry]:
        """What is held with a greater number, in order; a comment as it is now, a change with what is to be read now."""
        return list(islice(self.entries, max(0, seq + 1 - self.first_seq), None))

    def comment(self, comment_id: str) -> CommentNow | None:
        """A held comment."""
        found = self._at(self.places[comment_id][0]) if comment_id in self.places else None
        return found if isinstance(found, CommentNow) else None

    def add(self, entry: Entry) -> None:
        """Take the next number. After a gap what was before is let go: `entries` stay contiguous."""
        if self.entries and entry.seq != self.last_seq + 1:
            self.entries.clear()
            self.places.clear()
        if len(self.entries) == MAX_COMMENTS:
            self._let_go(self.entries.popleft())
        self.entries.append(entry)
        self.places.setdefault(entry.comment_id, []).append(entry.seq)

    def change(self, event: CommentChanged) -> CommentChanged:
        """Take the next change: the comment, and what its earlier changes tell, follow. Gives it as it is told."""
        before = self.comment(event.comment_id)
        now = before.after(event) if before is not None else None
        if now is not None:
            self._put(now)
        if event.change in CONTENT:
            for seq in self.places.get(event.comment_id, []):
                entry = self._at(seq)
                if isinstance(entry, CommentChanged):
                    self._put(as_told_now(entry, now))
        told = event if now is None else as_told_now(event, now)
        self.add(told)
        return told

    def _at(self, seq: int) -> Entry:
        return self.entries[seq - self.first_seq]

    def _put(self, entry: Entry) -> None:
        self.entries[entry.seq - self.first_seq] = entry

    def _let_go(self, entry: Entry) -> None:
        places = self.places[entry.comment_id]
        del places[0]
        if not places:
            del self.places[entry.comment_id]


class Conversation:
    """The fold; `on_…` are called after each change that viewers should hear of."""

    def __init__(self) -> None:
        self._talks: OrderedDict[str, VideoTalk] = OrderedDict()
        self._verdicts: defaultdict[tuple[str, str], list[asyncio.Future[Verdict]]] = defaultdict(list)
        self._decisions: defaultdict[str, list[asyncio.Future[CueDecided]]] = defaultdict(list)
        self.on_comment: Callable[[CommentNow], None] = lambda _: None
        self.on_change: Callable[[CommentChanged, CommentNow | None], None] = lambda _, __: None
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

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._talks.pop(video_id, None)

    # -- events

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an event of comments.feed, comments.rejected, comments.review, totals or ads.breaks."""
        if isinstance(event, CommentAccepted):
            self._apply_comment(event)
        elif isinstance(event, CommentChanged):
            self._apply_change(event)
        elif isinstance(event, CommentHeld):
            self._apply_held(event)
        elif isinstance(event, CommentRejected):
            self._apply_rejection(event)
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
        talk.held.pop(event.comment_id, None)
        if event.seq <= talk.last_seq:
            return
        comment = CommentNow.of(event)
        talk.add(comment)
        talk.shown = event.comments or event.seq
        self.on_comment(comment)
        self._settle(event, event.comment_id)

    def _apply_change(self, event: CommentChanged) -> None:
        talk = self.talk(event.video_id)
        if event.seq <= talk.last_seq:
            return
        told = talk.change(event)
        talk.shown = event.comments
        self.on_change(told, talk.comment(event.comment_id))
        if event.revision_id:
            self._settle(event, event.revision_id)

    def _apply_held(self, event: CommentHeld) -> None:
        talk = self.talk(event.video_id)
        if event.state is not Queued.WAITING:
            talk.held.pop(event.comment_id, None)
            if event.state is Queued.WITHDRAWN:
                self._settle(event, event.comment_id)
                self._settle(event, event.revision_id)
            return
        if event.comment_id in talk.places:
            return  # it was approved before this was read
        talk.held[event.comment_id] = event
        while len(talk.held) > MAX_HELD:
            talk.held.popitem(last=False)
        self._settle(event, event.revision_id or event.comment_id)

    def _apply_rejection(self, event: CommentRejected) -> None:
        if not event.revision_id:
            self.talk(event.video_id).held.pop(event.comment_id, None)
        self._settle(event, event.revision_id or event.comment_id)

    def _settle(self, event: Verdict, wanted_id: str) -> None:
        for waiter in self._verdicts.pop((event.video_id, wanted_id), []):
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

    def known(self, video_id: str, comment_id: str) -> CommentAccepted | CommentHeld | None:
        """What has become of a comment, as far as memory goes."""
        talk = self.talk(video_id)
        comment = talk.comment(comment_id)
        return comment.accepted if comment is not None else talk.held.get(comment_id)

    def verdict(self, video_id: str, wanted_id: str) -> asyncio.Future[Verdict]:
        """A future of what becomes of a comment, or by its id of a revision; cancel it when nobody waits any more."""
        key = (video_id, wanted_id)
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
