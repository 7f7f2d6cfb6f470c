"""What somebody is to a channel."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is to a channel; ordered, each may what those below it may."""

    GUEST = "guest"
    VIEWER = "viewer"
    FOLLOWER = "follower"
    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a guest, 5 for an owner."""
        return _RANKS[self.value]

    def __lt__(self, other: str) -> bool:
        return self.rank < Role(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Role(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Role(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Role(other).rank


_RANKS: Final = {
    value: rank for rank, value in enumerate(("guest", "viewer", "follower", "member", "moderator", "owner"))
}
GRANTED: Final = (Role.MEMBER, Role.MODERATOR, Role.OWNER)
"""The roles that an owner gives; the others come by themselves."""
