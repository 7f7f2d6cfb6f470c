"""Events of likes, reactions, polls, viewers, and their totals."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """One user wants a video (`comment_id` None) or a comment liked, or not any more."""

    user_id: str
    comment_id: str | None = None
    liked: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A reaction that repeats: a heart, a clap."""

    user_id: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What a user wants to have voted in a poll: the number of an option, or nothing any more."""

    user_id: str
    poll_id: str
    option: int | None = None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsRecorded:
    """What one gateway received for one video within some 20 ms (topic `reactions`).

    Of a hot video the reactions go to other partitions than its own, too: `share` is then where they went and `home` the
    video's own.
    """

    video_id: str
    channel: str
    gateway_id: str
    batch: int
    recorded_ms: int
    likes: tuple[Like, ...]
    reactions: tuple[Reaction, ...]
    votes: tuple[Vote, ...] = ()
    home: int = -1
    share: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsChanged:
    """Totals of a video, absolute, as of an offset of `reactions` (topic `totals`)."""

    video_id: str
    channel: str
    as_of_offset: int
    as_of_ms: int
    likes: int
    reactions: dict[str, int]
    comment_likes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpened:
    """Viewers are asked something (topic `reactions`)."""

    video_id: str
    channel: str
    poll_id: str
    question: str
    options: tuple[str, ...]
    opened_ms: int
    opened_by: str
    closes_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClosed:
    """Somebody closed a poll; votes that come after it on the log do not count (topic `reactions`)."""

    video_id: str
    channel: str
    poll_id: str
    closed_ms: int
    closed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsCounted:
    """What one partition counted of a hot video's reactions: a share of its totals, absolute (topic `reactions`)."""

    video_id: str
    channel: str
    share: int
    as_of_offset: int
    as_of_ms: int
    reactions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollChanged:
    """A poll and its votes, absolute, as of an offset of `reactions` (topic `totals`, key video_id/poll_id)."""

    video_id: str
    channel: str
    poll_id: str
    question: str
    options: tuple[str, ...]
    opened_ms: int
    opened_by: str
    closes_ms: int | None = None
    closed_ms: int | None = None
    votes: tuple[int, ...]
    as_of_offset: int
    as_of_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceRecorded:
    """How many watch one video through one gateway, and who came since the last time (topic `presence`).

    `joined` holds 8 bytes a viewer: a keyed hash, the same on every gateway.
    """

    video_id: str
    channel: str
    gateway_id: str
    recorded_ms: int
    viewers: int
    joined: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewersChanged:
    """Viewers of a video over all gateways: now, most at a time, different ones (topic `viewers`)."""

    video_id: str
    channel: str
    viewers: int
    peak: int
    peak_ms: int
    unique: int
    as_of_offset: int
    as_of_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMoment:
    """Reactions by kind of who saw a moment of the video; `at_ms`: wall clock of its first picture."""

    at_ms: int
    reactions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionsPlaced:
    """Where in a video people reacted, as one gateway heard within a second (topic `reactions.placed`)."""

    video_id: str
    channel: str
    gateway_id: str
    number: int
    recorded_ms: int
    moments: tuple[PlacedMoment, ...]
