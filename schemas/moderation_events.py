"""Events of moderation: rules of a channel, and acts."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """What comments of a channel must keep to; the defaults are those of a channel that chose nothing."""

    slow_mode_ms: int = 0
    who: str = "everyone"
    first_review: bool = False
    links: str = "allow"
    max_length: int = 500
    duplicate_ms: int = 30_000
    flood: int = 0
    blocked: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()


class Act(StrEnum):
    """What a moderator does: to a comment, to a user, to an address, to the rules. Most have one that takes it back."""

    HIDE = "hide"
    SHOW = "show"
    PIN = "pin"
    UNPIN = "unpin"
    APPROVE = "approve"
    DECLINE = "decline"
    TIMEOUT = "timeout"
    UNTIMEOUT = "untimeout"
    BAN = "ban"
    UNBAN = "unban"
    HIDE_USER = "hide_user"
    SHOW_USER = "show_user"
    BAN_ADDRESS = "ban_address"
    UNBAN_ADDRESS = "unban_address"
    RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationActed:
    """A moderator did something: the log of who did what (topic `moderation`)."""

    act_id: str
    channel: str
    video_id: str
    kind: Act
    comment_id: str
    user_id: str
    address: str
    until_ms: int
    reason: str
    rules: ChannelRules | None = None
    by: str
    by_name: str
    undoes: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationOrdered:
    """An act on its way to who judges comments (topic `comments.submitted`).

    It is in the partition of its video; of a whole channel (`video_id` empty) in every partition.
    """

    video_id: str
    channel: str
    act: ModerationActed


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged:
    """The rules of a channel, whole, at each change (topic `channels.rules`)."""

    channel: str
    rules: ChannelRules
    changed_ms: int
    changed_by: str
