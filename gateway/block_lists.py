"""Shared block lists: whom one channel bans, others that use its list ban as well, by acts of their own.

An act that a list brings is signed `list:SOURCE`, so that the log says where it came from, and one call takes a whole list
back. Lists are not handed on: what a list brought is in no list.
"""

import logging
from typing import Final

from gateway.identity import Identity
from gateway.moderation import Moderation, Order, Selection
from gateway.problems import Problem, not_found
from schemas.events import Act, ModerationActed
from schemas.ids import UserId
from stores.accounts import NoSuchChannel
from stores.block_lists import BlockListError, BlockLists

log = logging.getLogger(__name__)

SIGNED: Final = "list:"
MAX_CARRIED: Final = 1_000
"""Bans that a channel takes over when it begins to use a list: the newest."""


class SharedBans:
    """Lists over the moderation of a gateway."""

    def __init__(self, moderation: Moderation) -> None:
        self._moderation = moderation
        moderation.on_act = self.follow

    @property
    def lists(self) -> BlockLists:
        """Who shares and who uses."""
        lists = self._moderation.audience.state.block_lists
        assert lists is not None
        return lists

    async def use(self, channel: str, source: str) -> int:
        """Use a list from now on; gives how many bans it brought.

        Raises:
            Problem: 404 there is no such channel, 409 the list cannot be used, 503 the log or its acts are away.
        """
        try:
            new = await self.lists.use(channel, source)
        except NoSuchChannel as error:
            raise not_found(str(error), "no_channel") from error
        except BlockListError as error:
            raise Problem(409, "no_list", str(error)) from error
        users = [act.user_id for act in await self._bans(source)][-MAX_CARRIED:] if new else []
        for user_id in users:
            await self._ban(channel, source, user_id, 0)
        return len(users)

    async def leave(self, channel: str, source: str) -> int:
        """Use a list no longer; gives how many bans are taken back. Errors as `use`."""
        try:
            await self.lists.leave(channel, source)
        except NoSuchChannel as error:
            raise not_found(str(error), "no_channel") from error
        acts = await self._moderation.selected(channel, Selection(by=SIGNED + source))
        return len(await self._moderation.roll_back(channel, acts, _list(source), "the list is not used any more"))

    async def share(self, channel: str, *, shared: bool) -> None:
        """Share one's bans, or not any more: whoever used them is rid of them. Errors as `use`."""
        users = [] if shared else await self.lists.users_of(channel)
        await self.lists.share(channel, shared=shared)
        for other in users:
            acts = await self._moderation.selected(other, Selection(by=SIGNED + channel))
            await self._moderation.roll_back(other, acts, _list(channel), "the list is not shared any more")

    async def follow(self, act: ModerationActed) -> None:
        """A channel has banned somebody, or taken a ban back: those that use its list do the same."""
        if act.kind not in {Act.BAN, Act.UNBAN} or act.by.startswith(SIGNED):
            return
        for channel in await self.lists.users_of(act.channel):
            if act.kind is Act.BAN:
                await self._ban(channel, act.channel, act.user_id, act.until_ms)
            else:
                mine = await self._moderation.selected(channel, Selection(by=SIGNED + act.channel))
                theirs = [one for one in mine if one.user_id == act.user_id]
                await self._moderation.roll_back(channel, theirs, _list(act.channel), "the list took it back")

    async def _bans(self, source: str) -> list[ModerationActed]:
        """The bans of a channel that hold and have no end, oldest first, one a user."""
        standing: dict[str, ModerationActed] = {}
        for act in await self._moderation.holding(source):
            if act.kind is Act.UNBAN:
                standing.pop(act.user_id, None)
            elif act.kind is Act.BAN and not act.until_ms and not act.by.startswith(SIGNED):
                standing[act.user_id] = act
        return list(standing.values())

    async def _ban(self, channel: str, source: str, user_id: str, until_ms: int) -> None:
        """Ban somebody by a list; whom the list may not ban, such as a moderator here, stays."""
        now_ms = self._moderation.audience.state.clock()
        seconds = max(1, (until_ms - now_ms) // 1_000) if until_ms else 0
        order = Order(kind=Act.BAN, user_id=user_id, seconds=seconds, reason=f"block list of {source}")
        try:
            await self._moderation.act(channel, order, _list(source))
        except Problem as problem:
            if problem.reason != "outranked":
                raise
            log.info("%s of the block list of %s is not banned in %s: %s", user_id, source, channel, problem.detail)


def _list(source: str) -> Identity:
    """Who acts for a list."""
    return Identity(UserId(SIGNED + source), f"block list of {source}", guest=False)
