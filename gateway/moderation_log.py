"""What moderators did, as one gateway knows it: the last week in memory, what is older from Cassandra."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from gateway.cassandra_link import CassandraLink
from schemas.events import Event, ModerationActed
from schemas.ids import new_video_id
from stores.cassandra import CassandraError
from stores.moderation import ActStore

HELD_MS: Final = 7 * 24 * 3_600_000
MAX_ACTS: Final = 5_000
"""Acts of a channel that are held."""
MAX_CHANNELS: Final = 1_000
AHEAD_MS: Final = 24 * 3_600_000
"""Clocks of gateways do not differ by more."""


class ActsAwayError(RuntimeError):
    """Older acts cannot be read now; the message says what to do."""


class ModerationLog:
    """A fold of `moderation`, and the way to what it does not hold."""

    def __init__(self, link: CassandraLink, now_ms: Callable[[], int]) -> None:
        self._link = link
        self._now_ms = now_ms
        self._channels: OrderedDict[str, OrderedDict[str, ModerationActed]] = OrderedDict()

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an act; a repeat changes nothing."""
        if not isinstance(event, ModerationActed):
            return
        acts = self._channels.setdefault(event.channel, OrderedDict())
        self._channels.move_to_end(event.channel)
        acts[event.act_id] = event
        if len(acts) > MAX_ACTS:
            acts.popitem(last=False)
        if len(self._channels) > MAX_CHANNELS:
            self._channels.popitem(last=False)

    async def before(self, channel: str, act_id: str | None, limit: int) -> list[ModerationActed]:
        """The acts of a channel before one (None: the newest), newest first.

        Raises:
            ActsAwayError: Cassandra does not answer, and memory does not have enough of them.
        """
        act_id = act_id or new_video_id(self._now_ms() + AHEAD_MS, bytes(7))
        held = self._channels.get(channel, OrderedDict())
        newest = sorted((act for act in held.values() if act.act_id < act_id), key=_by_id, reverse=True)
        try:
            older = await self._store().before(channel, act_id, limit)
        except (CassandraError, ActsAwayError) as error:
            if len(newest) >= limit:
                return newest[:limit]
            raise ActsAwayError(f"older acts cannot be read now: {error}; try again in a moment") from error
        known = {act.act_id: act for act in (*older, *newest)}
        return list(islice(sorted(known.values(), key=_by_id, reverse=True), limit))

    def _store(self) -> ActStore:
        session = self._link.session
        if session is None:
            raise ActsAwayError("Cassandra does not answer")
        return ActStore(session)


def _by_id(act: ModerationActed) -> str:
    return act.act_id
