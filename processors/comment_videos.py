"""The videos of a partition: their numbers, how many comments are shown, and the pinned ones.

Rows of `comments.state`:

- `v/VIDEO`: last number, comments shown, channel; at most one row a transaction, kept as long as the video, so that numbers go on.
  (Rows of before there was moderation have the number only: all comments were shown then.)
- `p/VIDEO`: pins and unpins as acts, and what is pinned now.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from processors.state_rows import StateRows

MAX_PINNED: Final = 3
"""A further pin takes the place of the oldest."""
MAX_PINS: Final = 32
"""Pins and unpins of a video that can be taken back."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned comment, with what an event about it says."""

    comment_id: str
    seq: int
    user_id: str


@dataclass(slots=True)
class Pin:
    """An act that pinned or unpinned a comment."""

    act_id: str
    pins: bool
    comment: Pinned
    on: bool = True


@dataclass(slots=True)
class Pins:
    """The acts of pinning on a video, and what came of them.

    Attributes:
        settled: what was pinned before the acts in `acts`, oldest first.
        acts: the last ones.
        shown: what the feed was told, oldest first.
    """

    settled: list[Pinned] = field(default_factory=list)
    acts: list[Pin] = field(default_factory=list)
    shown: list[Pinned] = field(default_factory=list)

    def add(self, pin: Pin) -> None:
        """A further act; the oldest cannot be taken back any more."""
        self.acts.append(pin)
        while len(self.acts) > MAX_PINS:
            self.settled = _after(self.settled, self.acts.pop(0))

    def wanted(self) -> list[Pinned]:
        """What the acts that are on come to."""
        pinned = self.settled
        for pin in self.acts:
            pinned = _after(pinned, pin)
        return pinned

    def forget(self, comment_id: str) -> None:
        """Nothing pins this comment any more, whatever is taken back."""
        self.settled = [pinned for pinned in self.settled if pinned.comment_id != comment_id]
        self.acts = [pin for pin in self.acts if pin.comment.comment_id != comment_id]


def _after(pinned: list[Pinned], pin: Pin) -> list[Pinned]:
    if not pin.on:
        return pinned
    others = [other for other in pinned if other.comment_id != pin.comment.comment_id]
    return [*others, pin.comment][-MAX_PINNED:] if pin.pins else others


@dataclass(slots=True)
class Video:
    """A video: its channel ("": not known), last number, how many comments are shown."""

    video_id: str
    channel: str = ""
    last_seq: int = 0
    shown: int = 0
    pins: Pins | None = None


class Videos:
    """The videos by id, and by channel."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        self._known: dict[str, Video] = {}
        self._of_channel: defaultdict[str, set[str]] = defaultdict(set)

    def load(self, videos: Mapping[str, list[Any]], pins: Mapping[str, list[Any]]) -> None:
        """Build from the rows `v` and `p`."""
        for video_id, (last_seq, *rest) in videos.items():
            shown, channel = rest or (last_seq, "")
            self._known[video_id] = Video(video_id, channel, last_seq, shown)
            if channel:
                self._of_channel[channel].add(video_id)
        for video_id, (settled, acts, shown) in pins.items():
            made = [Pin(act_id, is_pin, Pinned(*comment), on) for act_id, is_pin, comment, on in acts]
            self._known[video_id].pins = Pins([Pinned(*p) for p in settled], made, [Pinned(*p) for p in shown])

    def get(self, video_id: str) -> Video | None:
        """A video that has had a comment."""
        return self._known.get(video_id)

    def of_channel(self, channel: str) -> set[str]:
        """The ids of a channel's videos."""
        return self._of_channel.get(channel, set())

    def entered(self, video_id: str, channel: str) -> Video:
        """A video in which something happens; the channel is noted when it was not known."""
        video = self._known.get(video_id)
        if video is None:
            video = self._known[video_id] = Video(video_id)
        if not video.channel and channel:
            video.channel = channel
            self._of_channel[channel].add(video_id)
            self._changed(video)
        return video

    def forget(self, video_id: str) -> None:
        """A video that is gone."""
        video = self._known.pop(video_id, None)
        if video is None:
            return
        siblings = self._of_channel.get(video.channel, set())
        siblings.discard(video_id)
        if not siblings:
            self._of_channel.pop(video.channel, None)
        self._rows.drop(f"v/{video_id}")
        if video.pins is not None:
            self._rows.drop(f"p/{video_id}")

    def numbered(self, video: Video, more_shown: int) -> int:
        """The next number, after so many more comments are shown."""
        video.last_seq += 1
        video.shown += more_shown
        self._changed(video)
        return video.last_seq

    def pins(self, video: Video) -> Pins:
        """The pins of a video, about to change."""
        pins = video.pins
        if pins is None:
            pins = video.pins = Pins()
        self._rows.later(f"p/{video.video_id}", lambda: _packed(pins))
        return pins

    def _changed(self, video: Video) -> None:
        self._rows.later(f"v/{video.video_id}", lambda: (video.last_seq, video.shown, video.channel))


def _packed(pins: Pins) -> tuple[Any, ...]:
    acts = [[pin.act_id, pin.pins, astuple(pin.comment), pin.on] for pin in pins.acts]
    return [astuple(p) for p in pins.settled], acts, [astuple(p) for p in pins.shown]
