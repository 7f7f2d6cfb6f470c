"""What users are to channels, read from SQL and kept for some seconds: a role that is taken away is soon gone everywhere."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from stores.memberships import Memberships, Standing
from stores.roles import Role

KEPT_S: Final = 5.0
MOST_KEPT: Final = 50_000


class Standings:
    """A bounded cache; one for a gateway."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[tuple[str, str], tuple[float, Standing]] = OrderedDict()

    async def of(self, memberships: Memberships, user_id: str, channel: str) -> Standing:
        """What a user is to a channel."""
        key, now = (user_id, channel), self._now()
        found = self._kept.get(key)
        if found is not None and found[0] > now:
            return found[1]
        standing = await memberships.standing(user_id, channel)
        self._kept[key] = now + KEPT_S, standing
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return standing

    def role_of(self, standing: Standing) -> Role:
        """The role that a standing amounts to: an administrator owns everything."""
        return Role.OWNER if standing.admin else standing.role

    def forget(self, user_id: str) -> None:
        """This gateway changed something of a user: look again."""
        for key in [key for key in self._kept if key[0] == user_id]:
            del self._kept[key]
