"""A channel's rules, ready to judge by: what a text and its writer must keep to, whatever was written before.

Rules are judged in this order, and the first that is broken gives the reason: length, empty, (unknown parent); then, for
those who are not moderators: bans, who may write, the classifier, links, blocked words, (pace); what passes all that may
still be held. What needs memory is in brackets, and in `processors.comments`.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from processors.comment_text import MAX_TEXT, is_empty, links_in
from processors.word_patterns import Patterns, plain_words
from schemas.events import ChannelRules
from stores.settings import Settings

MAX_LINKS: Final = 2
MAX_BANNED: Final = 10_000
"""Users of a channel's shared block lists; the rest is passed over."""
FLOOD_MS: Final = 10_000
MAX_FLOOD: Final = 100
MAX_USER_ID: Final = 64


class Reason(StrEnum):
    """Why a comment is rejected, or held."""

    TOO_LONG = "too_long"
    EMPTY = "empty"
    LINKS = "links"
    BLOCKED_WORD = "blocked_word"
    UNKNOWN_PARENT = "unknown_parent"
    SLOW_MODE = "slow_mode"
    DUPLICATE = "duplicate"
    FLOOD = "flood"
    BANNED = "banned"
    TIMED_OUT = "timed_out"
    GUESTS = "guests"
    FOLLOWERS_ONLY = "followers_only"
    MEMBERS_ONLY = "members_only"
    CLASSIFIER = "classifier"
    FIRST_MESSAGE = "first_message"
    DECLINED = "declined"
    UNKNOWN_COMMENT = "unknown_comment"
    NOT_YOURS = "not_yours"
    QUEUE_FULL = "queue_full"


class Rank(IntEnum):
    """Roles in a channel, each with the rights of those before it."""

    GUEST = 0
    VIEWER = 1
    FOLLOWER = 2
    MEMBER = 3
    MODERATOR = 4
    OWNER = 5


RANKS: Final = {rank.name.lower(): rank for rank in Rank}
WHO: Final = {
    "accounts": (Rank.VIEWER, Reason.GUESTS),
    "followers": (Rank.FOLLOWER, Reason.FOLLOWERS_ONLY),
    "members": (Rank.MEMBER, Reason.MEMBERS_ONLY),
}


def rank_of(role: str) -> Rank:
    """The rank of a stamped role; one that is not known has none."""
    return RANKS.get(role, Rank.GUEST)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken; `held`: for a moderator to decide. `note`: what was found, for moderators."""

    reason: Reason
    held: bool = False
    note: str = ""


class Rules:
    """`ChannelRules` within the limits of this version, with their words ready to be looked for."""

    def __init__(self, rules: ChannelRules) -> None:
        self.slow_mode_ms = max(0, rules.slow_mode_ms)
        self.duplicate_ms = max(0, rules.duplicate_ms)
        self.flood = min(max(0, rules.flood), MAX_FLOOD)
        self.first_review = rules.first_review
        self.banned = frozenset(rules.banned[:MAX_BANNED])
        self._max_length = rules.max_length if 0 < rules.max_length <= MAX_TEXT else MAX_TEXT
        self._links = rules.links
        self._who = WHO.get(rules.who)
        self._blocked = Patterns(rules.blocked)
        self._held = Patterns(rules.held)

    def of_size(self, text: str) -> Finding | None:
        """The rules that hold for all, moderators too."""
        if len(text) > self._max_length:
            return Finding(Reason.TOO_LONG)
        return Finding(Reason.EMPTY) if is_empty(text) else None

    def of_writer(self, rank: Rank) -> Finding | None:
        """Who may write."""
        if self._who is not None and rank < self._who[0]:
            return Finding(self._who[1])
        return None

    def of_words(self, text: str, rank: Rank) -> Finding | None:
        """Links and words: what is rejected goes before what is held."""
        links = links_in(text)
        if links > MAX_LINKS or (links and self._links == "reject" and rank < Rank.MEMBER):
            return Finding(Reason.LINKS)
        held = Finding(Reason.LINKS, held=True) if links and self._links == "hold" and rank < Rank.MEMBER else None
        if not (self._blocked or self._held):
            return held
        words = plain_words(text)
        if (found := self._blocked.found_in(words)) is not None:
            return Finding(Reason.BLOCKED_WORD, note=found)
        if held is None and (found := self._held.found_in(words)) is not None:
            return Finding(Reason.BLOCKED_WORD, held=True, note=found)
        return held

    def message(self, finding: Finding) -> str:
        """A sentence for the writer."""
        if finding.held:
            return "A moderator looks at your comment before it is shown."
        if finding.reason is Reason.TOO_LONG:
            return f"A comment has at most {self._max_length} characters."
        if finding.reason is Reason.SLOW_MODE:
            return f"Slow mode: wait {self.slow_mode_ms / 1000:g} s between two comments."
        if finding.reason is Reason.LINKS and self._links != "allow":
            return "Comments with links are not taken here."
        return MESSAGES[finding.reason]


MESSAGES: Final = {
    Reason.EMPTY: "The comment is empty.",
    Reason.LINKS: f"A comment has at most {MAX_LINKS} links.",
    Reason.BLOCKED_WORD: "The comment has a word that is blocked here.",
    Reason.UNKNOWN_PARENT: "The comment that this answers is not known.",
    Reason.DUPLICATE: "You have just written the same.",
    Reason.FLOOD: "You write too many comments; wait a few seconds.",
    Reason.BANNED: "You may not write here.",
    Reason.TIMED_OUT: "You may not write here for a while.",
    Reason.GUESTS: "Log in to write here.",
    Reason.FOLLOWERS_ONLY: "Only followers of the channel may write now.",
    Reason.MEMBERS_ONLY: "Only members of the channel may write now.",
    Reason.CLASSIFIER: "The comment was not taken.",
    Reason.FIRST_MESSAGE: "The comment was not taken.",
    Reason.DECLINED: "A moderator declined the comment.",
    Reason.UNKNOWN_COMMENT: "There is no such comment, or it is not shown any more.",
    Reason.NOT_YOURS: "Only its writer may change a comment.",
    Reason.QUEUE_FULL: "Too many comments wait for a moderator; try again later.",
}


def operators_rules(settings: Settings) -> ChannelRules:
    """The rules of a channel that chose none."""
    return ChannelRules(slow_mode_ms=settings.slow_mode_ms, blocked=tuple(settings.blocked_words.split(",")))
