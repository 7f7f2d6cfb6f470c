"""Counts likes, reactions and votes: `reactions` → `totals`, exact through crashes.

A like is one user's wanted state on one target (the video or a comment), kept as a set of users a target
(`processors.likes`); a repeat changes nothing. Reactions (hearts…) are numbers. A gateway counts its batches upwards per video, so a batch that comes
again is seen by its number and passed over. Polls are told of in `processors.polls`.

A hot video is counted in two stages (ADR 25). Its likes and votes stay on its own partition, where one order decides; of
its reactions the gateways send most to other partitions. There they are a *share*: counted in the same way, and told to
the video's own partition as an absolute number (`ReactionsCounted`) in the transaction that keeps the share's state. The
video's own partition adds the newest number of each share to what it counted itself. Addition knows no order, so nothing
is lost or counted twice, whenever gateways begin or end to send reactions elsewhere.

State, on `reactions.state`:

- `b/VIDEO/NUMBER` and `c/VIDEO/NUMBER`: who likes the video and its comments (`processors.likes`).
- `t/VIDEO`: reactions by kind, the gateways' last batches and the numbers of the shares, one row a transaction.
- `s/VIDEO`: the same of a share that this partition counts for another.
- `p/…` and `v/…`: polls and votes.

Limits, past which likes and reactions are not counted: the constants below.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import faust

from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, result, row_key, unpack_row
from processors.likes import Likes
from processors.polls import Polls, poll_changed, take_stale
from schemas.codec import decode_counted, encode
from schemas.events import (
    Event,
    PollClosed,
    PollOpened,
    ReactionsCounted,
    ReactionsRecorded,
    TotalsChanged,
)
from schemas.reaction_batch import VIDEO_ITSELF, ReactionBatch, batch_of
from schemas.topics import REACTIONS, REACTIONS_STATE, TOTALS
from stores.settings import Settings

KINDS: Final = frozenset({"heart", "clap", "laugh", "wow", "fire"})
MAX_COUNT: Final = 100
"""Of one kind by one user in one batch; more count as this many."""
MAX_GATEWAYS: Final = 64
"""Runs of gateways whose batch numbers are known, a video; the one that was silent longest is forgotten."""
LATE: Final = "late"
"""In place of the gateway: replayed dead letters, numbered by their offsets."""
MAX_COMMENTS_PER_EVENT: Final = 5_000
INTERVAL_S: Final = 0.25


@dataclass(slots=True)
class Tally:
    """Reactions by kind, each batch of each gateway once."""

    channel: str = ""
    as_of_offset: int = -1
    as_of_ms: int = 0
    reactions: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)

    def advance(self, channel: str, offset: int, at_ms: int) -> None:
        """Note how far it has come."""
        self.channel, self.as_of_offset = channel, offset
        self.as_of_ms = max(self.as_of_ms, at_ms)

    def count(self, reactions: Mapping[tuple[str, int], int]) -> None:
        """Add reactions of known kinds: how many entries have a kind and a count."""
        counts = self.reactions
        for (kind, count), entries in reactions.items():
            if count > 0 and kind in KINDS:
                counts[kind] = counts.get(kind, 0) + min(count, MAX_COUNT) * entries

    def is_repeat(self, gateway_id: str, batch: int) -> bool:
        """Whether a batch was counted before; otherwise it counts as counted from now on."""
        if batch <= self.batches.get(gateway_id, -1):
            return True
        self.batches.pop(gateway_id, None)  # to the end: the first is the one that was silent longest
        self.batches[gateway_id] = batch
        if len(self.batches) > MAX_GATEWAYS:
            del self.batches[next(iter(self.batches))]
        return False

    def row(self, *more: object) -> bytes:
        """The values of its state row, and what follows them."""
        batches = list(self.batches.items())
        return pack_row(self.channel, self.as_of_offset, self.as_of_ms, self.reactions, batches, *more)

    def load(self, values: list[Any]) -> list[Any]:
        """Take the values of a state row; gives what follows them."""
        self.channel, self.as_of_offset, self.as_of_ms, self.reactions, batches, *more = values
        self.batches = dict(batches)
        return more


@dataclass(slots=True)
class Share(Tally):
    """The reactions to a hot video of another partition that are counted here."""

    number: int = -1
    home: int = -1


@dataclass(slots=True)
class VideoTotals(Tally):
    """What is counted of one video of this partition. `shares`: by number, offset and reactions by kind."""

    polls: Polls = field(default_factory=lambda: Polls(""))
    likes: Likes = field(default_factory=lambda: Likes(""))
    shares: dict[int, tuple[int, dict[str, int]]] = field(default_factory=dict)

    def all_reactions(self) -> dict[str, int]:
        """By kind, with those of the shares."""
        counts = Counter(self.reactions)
        for _, share in self.shares.values():
            counts.update(share)
        return dict(counts)


class ReactionsFold:
    """The reactions of one partition. See the module's text for its state."""

    def __init__(self) -> None:
        self._videos: dict[str, VideoTotals] = {}
        self._shares: dict[str, Share] = {}
        self._changed: dict[str, VideoTotals] = {}
        self._changed_shares: dict[str, Share] = {}
        self._rows: dict[str, bytes | None] = {}
        self._gone: list[bytes] = []
        self._stale: deque[str] = deque()

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        likes: defaultdict[str, list[tuple[str, str, bytes | None]]] = defaultdict(list)
        for raw, value in rows:
            kind, _, key = raw.decode().partition("/")
            if kind in {"b", "c", "l"}:
                video_id, _, rest = key.partition("/")
                likes[video_id].append((kind, rest, value))
            elif kind == "v":
                video_id, poll_id, user_id = key.split("/", 2)
                self._video(video_id).polls.load_vote(poll_id, user_id, value)
            elif kind not in {"t", "s", "p"}:
                raise RowError(f"expected a row of reactions.state (b/, c/, l/, t/, s/, p/ or v/…), found {raw!r}")
            elif value is not None:
                self._load_row(kind, key, value)
        for video_id, rows_of_likes in likes.items():
            self._video(video_id).likes.load(rows_of_likes)
        for video_id, video in list(self._videos.items()):
            video.polls.loaded()
            if video.as_of_offset < 0:  # votes were all that is left of it
                del self._videos[video_id]

    def apply(self, topic: str, offset: int, event: Event | ReactionBatch) -> None:  # noqa: ARG002  (one source only)
        """Count one event."""
        if isinstance(event, ReactionsRecorded):
            event = batch_of(event)
        if isinstance(event, ReactionBatch):
            if event.home < 0:
                self._batch(offset, event)
            else:
                self._batch_of_share(offset, event)
        elif isinstance(event, PollOpened):
            video = self._advanced(event, offset, event.opened_ms)
            video.polls.open(event, video.as_of_ms)
        elif isinstance(event, PollClosed):
            self._advanced(event, offset, event.closed_ms).polls.close(event)
        elif isinstance(event, ReactionsCounted):
            if event.as_of_offset > self._video(event.video_id).shares.get(event.share, (-1,))[0]:
                video = self._advanced(event, offset, event.as_of_ms)
                video.shares[event.share] = (event.as_of_offset, event.reactions)
        else:
            raise FoldError(f"expected ReactionsRecorded or another event of reactions, found {type(event).__name__}")

    def forget(self, video_id: str) -> None:
        """Keep nothing of a video that is gone, nor of a share of it, and say so on `totals`."""
        video, share = self._videos.pop(video_id, None), self._shares.pop(video_id, None)
        self._changed.pop(video_id, None)
        self._changed_shares.pop(video_id, None)
        if share is not None:
            self._rows[row_key("s", video_id)] = None
        if video is None:
            return
        polls = video.polls.gone()
        self._rows |= dict.fromkeys([row_key("t", video_id), *video.likes.gone(), *polls])
        self._gone += [video_id.encode(), *(key.partition("/")[2].encode() for key in polls)]

    def take(self) -> list[Write]:
        """The totals, polls and shares that changed, and the rows that changed."""
        writes = [Write(TOTALS.name, key, None) for key in self._gone]
        writes += [result(TOTALS, event) for event in self._totals()]
        for video_id, video in self._changed.items():
            for poll_id, poll in video.polls.take(self._rows):
                told = poll_changed(video_id, video.channel, poll_id, poll, video.as_of_offset, video.as_of_ms)
                writes.append(Write(TOTALS.name, f"{video_id}/{poll_id}".encode(), encode(told)))
            self._rows[row_key("t", video_id)] = video.row([[n, *share] for n, share in video.shares.items()])
            video.likes.take(self._rows)
        for video_id, share in self._changed_shares.items():
            writes.append(_told_home(video_id, share))
            self._rows[row_key("s", video_id)] = share.row(share.number, share.home)
        take_stale(self._stale, self._rows)
        state = REACTIONS_STATE.name
        writes += [Write(state, key.encode(), value) for key, value in self._rows.items()]
        self._changed, self._changed_shares, self._rows, self._gone = {}, {}, {}, []
        return writes

    def _batch(self, offset: int, event: ReactionBatch) -> None:
        if self._video(event.video_id).is_repeat(event.gateway_id, event.batch):
            return
        video = self._advanced(event, offset, event.recorded_ms)
        video.likes.wish(event.likes)
        video.count(event.reactions)
        for vote in event.votes:
            video.polls.vote(vote, self._rows)

    def _batch_of_share(self, offset: int, event: ReactionBatch) -> None:
        if event.likes or event.votes:
            raise FoldError("expected reactions only in a batch away from the video's own partition")
        share = self._shares.get(event.video_id)
        if share is None:
            share = self._shares[event.video_id] = Share()
        if share.is_repeat(event.gateway_id, event.batch):
            return
        share.number, share.home = event.share, event.home
        share.advance(event.channel, offset, event.recorded_ms)
        self._changed_shares[event.video_id] = share
        share.count(event.reactions)

    def _advanced(
        self, event: ReactionBatch | ReactionsCounted | PollOpened | PollClosed, offset: int, at_ms: int
    ) -> VideoTotals:
        """The video of an event, which is about to change; polls whose time has come are closed first."""
        video = self._changed[event.video_id] = self._video(event.video_id)
        video.advance(event.channel, offset, at_ms)
        video.polls.advance(video.as_of_ms)
        return video

    def _video(self, video_id: str) -> VideoTotals:
        video = self._videos.get(video_id)
        if video is None:
            video = self._videos[video_id] = VideoTotals(polls=Polls(video_id, self._stale), likes=Likes(video_id))
        return video

    def _load_row(self, kind: str, key: str, value: bytes) -> None:
        if kind == "t":
            video = self._video(key)
            shares = video.load(unpack_row(value))
            video.shares = {n: (offset, counts) for n, offset, counts in (shares[0] if shares else ())}
        elif kind == "s":
            share = self._shares[key] = Share()
            share.number, share.home = share.load(unpack_row(value))
        else:
            video_id, poll_id = key.split("/", 1)
            self._video(video_id).polls.load_poll(poll_id, value)

    def _totals(self) -> Iterator[TotalsChanged]:
        """One event a video; more with the same offset when the likes of very many comments changed."""
        for video_id, video in self._changed.items():
            comments = iter(video.likes.changed_comments())
            some = list(islice(comments, MAX_COMMENTS_PER_EVENT))
            while True:
                yield TotalsChanged(
                    video_id=video_id,
                    channel=video.channel,
                    as_of_offset=video.as_of_offset,
                    as_of_ms=video.as_of_ms,
                    likes=video.likes.of(VIDEO_ITSELF),
                    reactions=video.all_reactions(),
                    comment_likes={comment_id: video.likes.of(comment_id) for comment_id in some},
                )
                some = list(islice(comments, MAX_COMMENTS_PER_EVENT))
                if not some:
                    break


def _told_home(video_id: str, share: Share) -> Write:
    """What a share has come to, for the video's own partition."""
    counted = ReactionsCounted(
        video_id=video_id,
        channel=share.channel,
        share=share.number,
        as_of_offset=share.as_of_offset,
        as_of_ms=share.as_of_ms,
        reactions=dict(share.reactions),
    )
    return Write(REACTIONS.name, video_id.encode(), encode(counted), share.home)


def late_batch(event: Event | ReactionBatch, offset: int) -> Event | ReactionBatch:
    """A batch that was passed by: later ones of its gateway are counted already, so it gets a number of its own."""
    return event._replace(gateway_id=LATE, batch=offset) if isinstance(event, ReactionBatch) else event


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: totals are written at most every `INTERVAL_S`."""
    agent = ExactAgent(
        "reactions", (REACTIONS,), REACTIONS_STATE, ReactionsFold, INTERVAL_S, (), decode_counted, late_batch
    )
    run_exactly(app, settings, agent)
