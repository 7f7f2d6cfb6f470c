"""Moderation over HTTP and the feed: acts, their log, rules, the comments that wait, taking back. docs/moderation.md."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import answer, body_of
from gateway.audience import Audience
from gateway.block_list_routes import block_list_routes
from gateway.block_lists import SharedBans
from gateway.channel_rules import chosen, row_of
from gateway.comment_pages import DEFAULT_PAGE, number_of
from gateway.feed_actions import Values, Voice
from gateway.feed_messages import MessageError
from gateway.identity import Identity, must_have_channel, signature_name
from gateway.moderation import Moderation, Order, with_rules
from gateway.moderation_forms import order_of, selection_of
from gateway.moderation_log import ActsAwayError
from gateway.problems import Problem
from gateway.rate_limits import RateLimits
from schemas.events import CommentHeld, Event, ModerationActed, Queued, RulesChanged
from schemas.ids import VIDEO_ID
from schemas.topics import CHANNELS_RULES, COMMENTS_REVIEW, MODERATION
from stores.roles import Role

MAX_PAGE = 200
ACTS_PER_S = 5.0
ACTS_BURST = 60.0


def moderation_routes(audience: Audience) -> list[BaseRoute]:
    """The routes of this module; moderators hear over the feed what there is to do, and act over it."""
    moderation = Moderation(audience)
    routes = ModerationRoutes(moderation)
    below = "/v1/channels/{channel}/moderation"
    Telling(moderation)
    shared = SharedBans(moderation)
    audience.actions.add("act", _read_act, routes.act_on_feed, needs_video=False)
    return [
        Route(below + "/acts", routes.act, methods=["POST"]),
        Route(below + "/acts", routes.acts, methods=["GET"]),
        Route(below + "/rules", routes.rules, methods=["GET"]),
        Route(below + "/rules", routes.set_rules, methods=["PUT"]),
        Route(below + "/review", routes.review, methods=["GET"]),
        Route(below + "/rollback", routes.roll_back, methods=["POST"]),
        *block_list_routes(moderation, shared),
    ]


class ModerationRoutes:
    """The endpoints; each is `async (request) -> Response` and raises `Problem`."""

    def __init__(self, moderation: Moderation) -> None:
        self._moderation = moderation
        self._state = moderation.audience.state
        self._limits = RateLimits("moderation", ACTS_PER_S, ACTS_BURST)

    async def act(self, request: Request) -> Response:
        """Do something; the answer is the act, what becomes of it comes on the feed."""
        channel, by = await self._moderator(request)
        self._limits.must_take(by.id)
        order = order_of(await body_of(request))
        return answer(act_row(await self._moderation.act(channel, order, by)), 202)

    async def act_on_feed(self, voice: Voice, order: Order) -> None:
        """The same from the feed; answered with `done`."""
        if await voice.role() < Role.MODERATOR:
            raise Problem(403, "not_allowed", f"you are not a moderator of channel {voice.channel}")
        self._limits.must_take(voice.identity.id)
        act = await self._moderation.act(voice.channel, order, voice.identity)
        voice.say({"type": "done", "act": act_row(act)})

    async def acts(self, request: Request) -> Response:
        """What moderators did, newest first."""
        channel, _ = await self._moderator(request)
        limit = _limit(request)
        before = request.query_params.get("before")
        if before is not None and VIDEO_ID.fullmatch(before) is None:
            raise Problem(400, "bad_before", "expected before to be the id of an act")
        try:
            page = await self._moderation.log.before(channel, before, limit)
        except ActsAwayError as error:
            raise Problem(503, "acts_away", str(error), headers={"Retry-After": "2"}) from error
        return answer({"acts": [act_row(act) for act in page], "next": page[-1].act_id if len(page) == limit else None})

    async def rules(self, request: Request) -> Response:
        """The rules of a channel; everybody may know them but for the words."""
        channel = await must_have_channel(self._state, request)
        row = row_of(self._moderation.rules.of(channel))
        identity = await self._moderation.identities.of_request(request) if "authorization" in request.headers else None
        if identity is None or await self._moderation.identities.role(identity, channel) < Role.MODERATOR:
            row = {name: value for name, value in row.items() if name not in {"blocked", "held"}}
        return answer(row)

    async def set_rules(self, request: Request) -> Response:
        """Change the rules that the body names; the others stay."""
        channel, by = await self._moderator(request)
        self._limits.must_take(by.id)
        rules = with_rules(self._moderation.rules.of(channel), **chosen(await body_of(request)))
        await self._moderation.set_rules(channel, rules, by)
        return answer(row_of(rules))

    async def review(self, request: Request) -> Response:
        """The comments that wait, oldest first."""
        channel, _ = await self._moderator(request)
        held = self._moderation.queue.of(channel)
        return answer({"held": [held_row(event) for event in held[: _limit(request)]], "waiting": len(held)})

    async def roll_back(self, request: Request) -> Response:
        """Take back the acts of somebody or of a range of time; moderators their own, owners everybody's."""
        channel, by = await self._moderator(request)
        self._limits.must_take(by.id)
        selection, dry_run, reason = selection_of(await body_of(request))
        acts = await self._moderation.selected(channel, selection)
        others = [act for act in acts if act.by != signature_name(by)]
        if others and await self._moderation.identities.role(by, channel) < Role.OWNER:
            raise Problem(403, "not_owner", "these acts are of others: an owner of the channel takes them back")
        undoing = [] if dry_run else await self._moderation.roll_back(channel, acts, by, reason)
        return answer({"acts": [act_row(act) for act in acts], "undoing": [act_row(act) for act in undoing]}, 202)

    async def _moderator(self, request: Request) -> tuple[str, Identity]:
        channel = await must_have_channel(self._state, request)
        return channel, await self._moderation.identities.must_be(request, channel, Role.MODERATOR)


class Telling:
    """Tells over the feed what moderation changes: rules to everybody, the queue and the acts to moderators."""

    def __init__(self, moderation: Moderation) -> None:
        self._moderation = moderation
        self._rooms = moderation.audience.rooms
        state = moderation.audience.state
        state.subscribe(CHANNELS_RULES, self._tell_rules, state.clock())
        state.subscribe(COMMENTS_REVIEW, self._tell_held, state.clock())
        state.subscribe(MODERATION, self._tell_act, state.clock())
        moderation.audience.actions.greet(self._greet)

    def _greet(self, voice: Voice, _video: object) -> list[dict[str, Any]]:
        greetings = [rules_message(self._moderation, voice.channel)]
        if voice.hearing.moderator:
            waiting = self._moderation.queue.of(voice.channel)
            greetings.append(
                {"type": "review", "held": [held_row(event) for event in waiting[-50:]], "waiting": len(waiting)}
            )
        return greetings

    def _tell_rules(self, event: Event, _place: object = None) -> None:
        if isinstance(event, RulesChanged):
            self._moderation.rules.apply(event)
            self._rooms.send(event.channel, rules_message(self._moderation, event.channel))

    def _tell_held(self, event: Event, _place: object = None) -> None:
        if isinstance(event, CommentHeld):
            self._moderation.queue.apply(event)
            waiting = len(self._moderation.queue.of(event.channel))
            waits = event.state is Queued.WAITING
            changed = {"held": [held_row(event)]} if waits else {"held": [], "gone": [event.comment_id]}
            message = {"type": "review", **changed, "waiting": waiting}
            self._rooms.send(event.channel, message, moderators=True)

    def _tell_act(self, event: Event, _place: object = None) -> None:
        if isinstance(event, ModerationActed):
            self._rooms.send(event.channel, {"type": "acted", "act": act_row(event)}, moderators=True)


def rules_message(moderation: Moderation, channel: str) -> dict[str, Any]:
    """What everybody is told of a channel's rules: enough to explain why one may not speak."""
    rules = row_of(moderation.rules.of(channel))
    return {"type": "rules"} | {
        name: rules[name] for name in ("slow_mode_ms", "who", "links", "max_length", "first_review")
    }


def act_row(act: ModerationActed) -> dict[str, Any]:
    """An act as JSON has it; addresses are nobody's business."""
    return {
        "act_id": act.act_id,
        "channel": act.channel,
        "video_id": act.video_id or None,
        "kind": act.kind.value,
        "comment_id": act.comment_id or None,
        "user_id": act.user_id or None,
        "until_ms": act.until_ms or None,
        "reason": act.reason,
        "rules": row_of(act.rules) if act.rules is not None else None,
        "by": act.by,
        "by_name": act.by_name,
        "undoes": act.undoes or None,
        "at_ms": act.at_ms,
    }


def held_row(event: CommentHeld) -> dict[str, Any]:
    """A comment that waits, for moderators."""
    return {
        "video_id": event.video_id,
        "id": event.comment_id,
        "user": {"id": event.user_id, "name": event.name, "role": event.role},
        "text": event.text,
        "parent": event.parent_id,
        "reason": event.reason,
        "note": event.note,
        "at_ms": event.submitted_ms,
        "media_ms": event.media_ms,
    }


def _read_act(values: Values) -> Order:
    try:
        return order_of({name: value for name, value in values.items() if name not in {"type", "id"}})
    except Problem as problem:
        raise MessageError(problem.reason, problem.detail) from problem


def _limit(request: Request) -> int:
    """How many rows a page has, by `limit`.

    Raises:
        Problem: it is no number from 1 to 200.
    """
    found = number_of(request.query_params, "limit", 1, MAX_PAGE)
    return DEFAULT_PAGE if found is None else found
