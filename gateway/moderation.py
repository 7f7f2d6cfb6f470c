"""What moderators do, on its way to the log, and taking it back.

An act goes to `moderation` (who did what) and, as an order, to those who judge comments: on one video into its partition
of `comments.submitted`, on a whole channel into every partition. What becomes of it comes back on `comments.feed`.
Nothing is undone by deleting: an act that takes another back is an act as well.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.audience import Audience
from gateway.identity import Identities, Identity, signature_name
from gateway.moderation_log import HELD_MS, ActsAwayError, ModerationLog
from gateway.problems import Problem, not_found
from schemas.acts import OF_COMMENTS, OF_USERS, in_force, undoing
from schemas.events import Act, ChannelRules, CommentAccepted, CommentHeld, ModerationActed, RulesChanged
from schemas.ids import UserId, new_video_id
from schemas.topics import CHANNELS_RULES, COMMENTS_REVIEW, MODERATION
from stores.roles import Role

MAX_ROLLED_BACK: Final = 1_000
"""Acts that one call takes back."""
PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a moderator asks for, checked in form; `seconds` 0: for ever."""

    kind: Act
    video_id: str = ""
    comment_id: str = ""
    user_id: str = ""
    seconds: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which acts are to be taken back: of somebody, of a range of time (ms), or by id; all that is given must fit."""

    by: str | None = None
    from_ms: int = 0
    to_ms: int = 2**53
    acts: frozenset[str] = frozenset()

    def has(self, act: ModerationActed) -> bool:
        """Whether an act is meant."""
        mine = (self.by is None or act.by == self.by) and (not self.acts or act.act_id in self.acts)
        return mine and self.from_ms <= act.at_ms <= self.to_ms


class Moderation:
    """Moderation of all channels; one for a gateway."""

    def __init__(self, audience: Audience) -> None:
        self.audience: Final = audience
        self.identities: Final = Identities(audience.state)
        self.log: Final = ModerationLog(audience.state.cassandra, audience.state.clock)
        self.queue: Final = audience.review
        self.rules: Final = audience.rules
        self.on_act: Callable[[ModerationActed], Awaitable[None]] = _nothing
        now_ms = audience.state.clock()
        audience.state.subscribe(MODERATION, self.log.apply, now_ms - HELD_MS)
        audience.state.subscribe(MODERATION, self.queue.apply, now_ms - HELD_MS)
        audience.state.subscribe(COMMENTS_REVIEW, self.queue.apply, now_ms - HELD_MS)
        audience.state.subscribe(CHANNELS_RULES, self.rules.apply)

    async def act(self, channel: str, order: Order, by: Identity) -> ModerationActed:
        """Do something; returns once it is on the log.

        Raises:
            Problem: 403 somebody who is no less, 404 no such comment, 409 an address that is not known, 503 the log is away.
        """
        user_id, address = await self._target(channel, order)
        if order.kind in OF_USERS:
            await self._must_outrank(channel, user_id, by)
        now_ms = self.audience.state.clock()
        act = ModerationActed(
            act_id=self._new_id(now_ms),
            channel=channel,
            video_id=order.video_id if order.kind in OF_COMMENTS else "",
            kind=order.kind,
            comment_id=order.comment_id if order.kind in OF_COMMENTS else "",
            user_id=user_id,
            address=address,
            until_ms=now_ms + 1_000 * order.seconds if order.seconds else 0,
            reason=order.reason,
            by=signature_name(by),
            by_name=by.name,
            undoes="",
            at_ms=now_ms,
        )
        await self._write(act)
        await self.on_act(act)
        return act

    async def set_rules(self, channel: str, rules: ChannelRules, by: Identity) -> ModerationActed:
        """Have other rules from now on; an act like others. Errors as `act`."""
        now_ms = self.audience.state.clock()
        act = ModerationActed(
            act_id=self._new_id(now_ms),
            channel=channel,
            video_id="",
            kind=Act.RULES,
            comment_id="",
            user_id="",
            address="",
            until_ms=0,
            reason="",
            rules=rules,
            by=signature_name(by),
            by_name=by.name,
            undoes="",
            at_ms=now_ms,
        )
        await self._write(act)
        await self._tell_rules(channel, rules, act)
        return act

    async def selected(self, channel: str, selection: Selection) -> list[ModerationActed]:
        """The acts that a selection means and that still hold, newest first.

        Raises:
            Problem: 413 there are more than 1,000, 503 they cannot be read.
        """
        found = [act for act in await self.holding(channel, selection.from_ms) if selection.has(act)]
        if len(found) > MAX_ROLLED_BACK:
            raise Problem(
                413, "too_many_acts", f"{len(found)} acts are meant, at most {MAX_ROLLED_BACK} at a time: give a range"
            )
        return found[::-1]

    async def holding(self, channel: str, from_ms: int = 0) -> list[ModerationActed]:
        """The acts of a channel since a time that still hold, oldest first. Errors as `selected`."""
        return list(in_force(await self._acts_since(channel, from_ms)).values())

    async def roll_back(
        self, channel: str, acts: Sequence[ModerationActed], by: Identity, reason: str
    ) -> list[ModerationActed]:
        """Take acts back, newest first; returns the acts that do, once they are on the log. Errors as `act`."""
        made = []
        for act in acts:
            now_ms = self.audience.state.clock()
            name = signature_name(by)
            undo = undoing(act, act_id=self._new_id(now_ms), by=name, by_name=by.name, at_ms=now_ms, reason=reason)
            await self._write(undo)
            await self.on_act(undo)
            made.append(undo)
        if any(act.kind is Act.RULES for act in acts):
            await self._tell_rules(channel, await self._rules_without(channel, {act.act_id for act in acts}), made[-1])
        return made

    async def _write(self, act: ModerationActed) -> None:
        await self.audience.written(self.audience.speaker.act(act, self.audience.settings.partitions))
        self.log.apply(act)
        self.queue.apply(act)

    async def _tell_rules(self, channel: str, rules: ChannelRules, act: ModerationActed) -> None:
        changed = RulesChanged(channel=channel, rules=rules, changed_ms=act.at_ms, changed_by=act.by)
        await self.audience.written(self.audience.speaker.rules(changed))
        self.rules.apply(changed)

    async def _rules_without(self, channel: str, undone: set[str]) -> ChannelRules:
        chosen = [
            act.rules
            for act in await self.holding(channel)
            if act.kind is Act.RULES and act.act_id not in undone and act.rules
        ]
        return chosen[-1] if chosen else self.rules.default

    async def _acts_since(self, channel: str, from_ms: int) -> list[ModerationActed]:
        """The acts of a channel since a time, and all that was done about them later."""
        found: list[ModerationActed] = []
        before: str | None = None
        try:
            while True:
                page = await self.log.before(channel, before, PAGE)
                found += page
                if len(page) < PAGE or page[-1].at_ms < from_ms:
                    return found
                before = page[-1].act_id
        except ActsAwayError as error:
            raise Problem(503, "acts_away", str(error), headers={"Retry-After": "2"}) from error

    async def _target(self, channel: str, order: Order) -> tuple[str, str]:
        """Whom an act is about, as a user or as an address; both may come from a comment."""
        if order.kind in OF_COMMENTS:
            self._must_be_of(channel, order.video_id)
            return "", ""
        if order.kind in OF_USERS:
            if order.user_id:
                return order.user_id, ""
            return (await self._comment(channel, order)).user_id, ""
        return "", await self._address(await self._comment(channel, order))

    def _must_be_of(self, channel: str, video_id: str) -> None:
        """Nobody acts on what was said of another channel's video."""
        video = self.audience.state.videos.get(video_id)
        if video is None or video.channel != channel:
            raise not_found(f"channel {channel:.40} has no video {video_id:.40}", "no_video")

    async def _comment(self, channel: str, order: Order) -> CommentAccepted | CommentHeld:
        found = await self.audience.find(order.video_id, order.comment_id)
        if found is None or found.channel != channel:
            raise not_found(f"channel {channel:.40} has no comment {order.comment_id:.64}", "no_comment")
        return found

    async def _address(self, comment: CommentAccepted | CommentHeld) -> str:
        """The address that a comment came from: the log knows it, nobody else does."""
        submitted = await self.audience.submitted(comment)
        if submitted is None or not submitted.address:
            raise Problem(409, "no_address", "the log does not have the address of this comment any more; ban the user")
        return submitted.address

    async def _must_outrank(self, channel: str, user_id: str, by: Identity) -> None:
        if user_id == by.id:
            raise Problem(403, "outranked", "this is you")
        role = await self.identities.role(Identity(UserId(user_id), "", number=1), channel)
        if role >= Role.MODERATOR and role >= await self.identities.role(by, channel):
            raise Problem(403, "outranked", f"they are {role.value} of channel {channel:.40}, as you are or above you")

    def _new_id(self, now_ms: int) -> str:
        return new_video_id(now_ms, secrets.token_bytes(7))


async def _nothing(_act: ModerationActed) -> None:
    """Nobody follows."""


def with_rules(rules: ChannelRules, **chosen: object) -> ChannelRules:
    """Rules with some of them changed."""
    return replace(rules, **chosen)  # type: ignore[arg-type]  # checked by `channel_rules.chosen`
