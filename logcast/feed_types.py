"""What the feed says, as values: one frozen class for each type of message (`docs/feed.md`, `docs/asyncapi.yaml`).

Fields that later servers add are in `raw`; a type that this module does not know is an `Other`.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    """Who said something. `role` and what follows may be empty."""

    id: str = ""
    name: str = ""
    role: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What all messages have: the JSON object as it came."""

    raw: Raw = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Feedback):
    """The connection takes part; what was missed follows, beginning with number `after` + 1."""

    channel: str
    video: Raw | None
    user: User
    token: str
    seq: int
    viewers: int
    after: int = 0
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Feedback):
    """A comment; `state` other than "shown": without text and user."""

    seq: int
    id: str
    at_ms: int = 0
    user: User = field(default_factory=User)
    text: str = ""
    state: str = "shown"
    parent: str | None = None
    root: str | None = None
    media_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Feedback):
    """A comment is not as it was: `change` says how, `text` is the new one where it was edited."""

    seq: int
    id: str
    change: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Feedback):
    """Likes, comments and reactions so far."""

    likes: int
    comments: int
    reactions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions(Feedback):
    """How many reactions of each kind came since the last such message: a burst."""

    video: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine(Feedback):
    """What one likes of the video oneself, and voted for: option by poll."""

    video: str
    liked: bool
    comments: list[str]
    votes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers(Feedback):
    """How many watch."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Video(Feedback):
    """A video's state: live, interrupted, ended. Another id than before: numbers begin again at 1."""

    id: str
    state: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Break(Feedback):
    """An ad break: planned, started, ended."""

    id: str
    state: str
    start_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Feedback):
    """A part has come to a playlist."""

    video: str
    rendition: str
    segment: int
    part: int
    name: str
    duration_ms: float
    independent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Feedback):
    """To the author: it has its number."""

    id: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Feedback):
    """The log has a like, a vote or a reaction that had an id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Feedback):
    """To the author: a moderator looks at it first."""

    id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Feedback):
    """To the author: it did not pass."""

    id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Feedback):
    """To the author: a comment that waited is taken back, as the revision `id` wanted."""

    id: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Feedback):
    """Something that was said could not be taken; `id` when it had one."""

    code: str
    message: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye(Feedback):
    """The server closes; the client comes back by itself after `retry_ms`."""

    code: int
    reason: str
    retry_ms: int
    resume: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(Feedback):
    """Anything else: `raw` has it all."""

    type: str


Message = (
    Joined
    | Comment
    | Changed
    | Totals
    | Reactions
    | Mine
    | Viewers
    | Video
    | Break
    | Part
    | Accepted
    | Taken
    | Held
    | Rejected
    | Withdrawn
    | Failed
    | Goodbye
    | Other
)

_TYPES: Final[dict[str, type[Message]]] = {
    "joined": Joined,
    "comment": Comment,
    "changed": Changed,
    "totals": Totals,
    "reactions": Reactions,
    "mine": Mine,
    "viewers": Viewers,
    "video": Video,
    "break": Break,
    "part": Part,
    "accepted": Accepted,
    "taken": Taken,
    "held": Held,
    "rejected": Rejected,
    "withdrawn": Withdrawn,
    "error": Failed,
    "goodbye": Goodbye,
}

T = TypeVar("T")


def message_of(raw: Raw) -> Message:
    """A message as a value.

    Raises:
        ValueError: a field that its type must have is missing.
    """
    kind = _TYPES.get(raw.get("type", ""))
    if kind is None:
        return Other(type=str(raw.get("type")), raw=raw)
    known = _known(kind, raw)
    if isinstance(known.get("user"), dict):
        known["user"] = User(**_known(User, known["user"]))
    try:
        return kind(raw=raw, **known)
    except TypeError as error:
        raise ValueError(f"expected a {raw['type']} of logcast.v1, found {sorted(raw)}: {error}") from error


def _known(kind: type, values: Raw) -> Raw:
    names = {one.name for one in fields(kind)} - {"raw"}
    return {name: value for name, value in values.items() if name in names}
