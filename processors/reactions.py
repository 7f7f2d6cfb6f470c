"""Counts likes and reactions: `reactions` → `totals`, exact through crashes.

A like is one user's wanted state on one target (the video or a comment), kept as a set of users a target; a repeat
changes nothing. Reactions (hearts…) are numbers. A gateway counts its batches upwards per video, so a batch that comes
again is seen by its number and passed over.

State, on `reactions.state`:

- `l/VIDEO/COMMENT/USER` (COMMENT empty: the video): one row for each like that stands, deleted when it is taken back.
  A million likers are a million rows of 60 bytes, of which a transaction writes only those that changed.
- `t/VIDEO`: reactions by kind and the gateways' last batches, one row a transaction.

Limits, past which likes and reactions are not counted: the constants below.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import faust

from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, result, row_key, unpack_row
from schemas.events import Event, Like, Reaction, ReactionsRecorded, TotalsChanged
from schemas.ids import COMMENT_ID
from schemas.topics import REACTIONS, REACTIONS_STATE, TOTALS
from stores.settings import Settings

KINDS: Final = frozenset({"heart", "clap", "laugh", "wow", "fire"})
MAX_COUNT: Final = 100
"""Of one kind by one user in one batch; more count as this many."""
MAX_GATEWAYS: Final = 64
"""Runs of gateways whose batch numbers are known, a video; the one that was silent longest is forgotten."""
MAX_LIKES: Final = 3_000_000
"""Likes that stand at a time, a video and its comments."""
MAX_USER_ID: Final = 64
MAX_COMMENTS_PER_EVENT: Final = 5_000
INTERVAL_S: Final = 0.25
VIDEO_ITSELF: Final = ""


@dataclass(slots=True)
class VideoTotals:
    """The reactions to one video."""

    channel: str = ""
    as_of_offset: int = -1
    as_of_ms: int = 0
    likers: dict[str, set[str]] = field(default_factory=dict)
    likes: int = 0
    reactions: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def set_like(self, target: str, user_id: str, *, liked: bool) -> bool:
        """Bring one user's like of one target to the wanted state; False: it was so, or there are too many."""
        users = self.likers.get(target, set())
        if liked == (user_id in users) or (liked and self.likes >= MAX_LIKES):
            return False
        if liked:
            self.likers.setdefault(target, users).add(user_id)
        else:
            users.remove(user_id)
            if not users:
                del self.likers[target]
        self.likes += 1 if liked else -1
        return True

    def count(self, reaction: Reaction) -> None:
        """Add a reaction of a known kind."""
        if reaction.kind in KINDS and reaction.count > 0:
            self.reactions[reaction.kind] = self.reactions.get(reaction.kind, 0) + min(reaction.count, MAX_COUNT)

    def is_repeat(self, gateway_id: str, batch: int) -> bool:
        """Whether a batch was counted before; otherwise it counts as counted from now on."""
        if batch <= self.batches.get(gateway_id, -1):
            return True
        self.batches.pop(gateway_id, None)  # to the end: the first is the one that was silent longest
        self.batches[gateway_id] = batch
        if len(self.batches) > MAX_GATEWAYS:
            del self.batches[next(iter(self.batches))]
        return False

    def likes_of(self, target: str) -> int:
        """How many users like a target."""
        return len(self.likers.get(target, ()))


class ReactionsFold:
    """The reactions of one partition. See the module's text for its state."""

    def __init__(self) -> None:
        self._videos: dict[str, VideoTotals] = {}
        self._changed: dict[str, VideoTotals] = {}
        self._rows: dict[str, bytes | None] = {}

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        for raw, value in rows:
            kind, _, key = raw.decode().partition("/")
            if kind == "l":
                video_id, target, user_id = key.split("/", 2)
                self._video(video_id).set_like(target, user_id, liked=value is not None)
            elif kind == "t" and value is not None:
                video = self._video(key)
                video.channel, video.as_of_offset, video.as_of_ms, video.reactions, batches = unpack_row(value)
                video.batches = dict(batches)
            elif kind != "t":
                raise RowError(f"expected a row of reactions.state (l/… or t/…), found {raw!r}")

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (one source only)
        """Count one batch."""
        if not isinstance(event, ReactionsRecorded):
            raise FoldError(f"expected ReactionsRecorded, found {type(event).__name__}")
        video = self._video(event.video_id)
        if video.is_repeat(event.gateway_id, event.batch):
            return
        video.channel, video.as_of_offset, video.as_of_ms = event.channel, offset, event.recorded_ms
        self._changed[event.video_id] = video
        for like in event.likes:
            self._like(event.video_id, video, like)
        for reaction in event.reactions:
            video.count(reaction)

    def take(self) -> list[Write]:
        """The totals of the videos that changed, and the rows that changed."""
        writes = [result(TOTALS, event) for event in self._totals()]
        for video_id, video in self._changed.items():
            self._rows[row_key("t", video_id)] = pack_row(
                video.channel, video.as_of_offset, video.as_of_ms, video.reactions, list(video.batches.items())
            )
            video.changed.clear()
        writes += [Write(REACTIONS_STATE.name, key.encode(), value) for key, value in self._rows.items()]
        self._changed, self._rows = {}, {}
        return writes

    def _video(self, video_id: str) -> VideoTotals:
        video = self._videos.get(video_id)
        if video is None:
            video = self._videos[video_id] = VideoTotals()
        return video

    def _like(self, video_id: str, video: VideoTotals, like: Like) -> None:
        target = VIDEO_ITSELF if like.comment_id is None else like.comment_id
        if like.comment_id is not None and not COMMENT_ID.fullmatch(like.comment_id):
            return
        if not 0 < len(like.user_id) <= MAX_USER_ID or not video.set_like(target, like.user_id, liked=like.liked):
            return
        self._rows[row_key("l", video_id, target, like.user_id)] = pack_row() if like.liked else None
        if target != VIDEO_ITSELF:
            video.changed.add(target)

    def _totals(self) -> Iterator[TotalsChanged]:
        """One event a video; more with the same offset when the likes of very many comments changed."""
        for video_id, video in self._changed.items():
            comments = iter(sorted(video.changed))
            some = list(islice(comments, MAX_COMMENTS_PER_EVENT))
            while True:
                yield TotalsChanged(
                    video_id=video_id,
                    channel=video.channel,
                    as_of_offset=video.as_of_offset,
                    as_of_ms=video.as_of_ms,
                    likes=video.likes_of(VIDEO_ITSELF),
                    reactions=dict(video.reactions),
                    comment_likes={comment_id: video.likes_of(comment_id) for comment_id in some},
                )
                some = list(islice(comments, MAX_COMMENTS_PER_EVENT))
                if not some:
                    break


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: totals are written at most every `INTERVAL_S`."""
    agent = ExactAgent("reactions", (REACTIONS,), REACTIONS_STATE, ReactionsFold, interval_s=INTERVAL_S)
    run_exactly(app, settings, agent)
