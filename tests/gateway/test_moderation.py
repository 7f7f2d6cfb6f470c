"""Moderation: what is asked for and refused, the queue, and the whole way through log, judge, feed and Cassandra."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channel_rules import chosen
from gateway.moderation_forms import order_of, selection_of
from gateway.problems import Problem
from gateway.review_queue import ReviewQueue
from logcast.client import FeedClient
from schemas.acts import INVERSE, in_force, undoing
from schemas.events import Act, CommentHeld, ModerationActed, Queued
from schemas.ids import new_video_id
from stores.accounts import Accounts
from stores.moderation import time_of
from tests.gateway.feed_document import check
from tests.gateway.feed_system import VIDEO, System
from tests.waiting import eventually_async

integration = pytest.mark.integration


def act(number: int, kind: Act = Act.HIDE, undoes: str = "", comment: str = "comment-1") -> ModerationActed:
    return ModerationActed(
        act_id=new_video_id(1_790_000_000_000 + number, bytes(7)),
        channel="demo",
        video_id=VIDEO,
        kind=kind,
        comment_id=comment,
        user_id="",
        address="",
        until_ms=0,
        reason="",
        by="u_mod",
        by_name="Mod",
        undoes=undoes,
        at_ms=1_790_000_000_000 + number,
    )


def held(comment: str) -> CommentHeld:
    return CommentHeld(
        video_id=VIDEO,
        channel="demo",
        comment_id=comment,
        user_id="g_ann",
        name="Ann",
        text="hello",
        reason="first_message",
        message="A moderator looks at it.",
        note="",
        role="guest",
        submitted_ms=1,
        source_offset=0,
    )


def undo(target: ModerationActed, number: int) -> ModerationActed:
    made = act(number)
    return undoing(target, act_id=made.act_id, by="u_mod", by_name="Mod", at_ms=made.at_ms, reason="")


@given(st.lists(st.integers(0, 30), max_size=30), st.randoms())
def test_an_act_holds_unless_one_that_holds_takes_it_back_in_whatever_order_they_are_read(
    targets: list[int], shuffle: Any
) -> None:
    acts: list[ModerationActed] = []
    for number, target in enumerate(targets):
        acts.append(undo(acts[target], number) if target < len(acts) else act(number))

    def holds(one: ModerationActed) -> bool:
        return not any(holds(other) for other in acts if other.undoes == one.act_id)

    expected = [one.act_id for one in acts if holds(one) and not one.undoes]
    shuffled = acts * 2
    shuffle.shuffle(shuffled)
    assert list(in_force(shuffled)) == expected


def test_every_act_has_one_that_takes_it_back_and_that_goes_where_it_went() -> None:
    assert set(INVERSE) == set(Act)
    for kind in Act:
        back = undo(act(1, kind), 2)
        assert (back.undoes, back.video_id, back.comment_id) == (act(1).act_id, VIDEO, "comment-1")
        assert INVERSE[back.kind] is kind


def test_the_time_of_an_act_is_in_its_id() -> None:
    assert time_of(new_video_id(1_790_000_000_000, bytes(7))) == 1_790_000_000_000


def test_what_waits_is_what_no_act_decided_and_a_decision_can_be_taken_back_in_any_order_of_the_topics() -> None:
    queue = ReviewQueue()
    approved, declined = act(1, Act.APPROVE, comment="comment-1"), act(2, Act.DECLINE, comment="comment-2")
    for event in (approved, declined, held("comment-1"), held("comment-2"), held("comment-3"), held("comment-3")):
        queue.apply(event)
    assert [event.comment_id for event in queue.of("demo")] == ["comment-3"]
    back = undo(declined, 3)
    queue.apply(back)
    assert [event.comment_id for event in queue.of("demo")] == ["comment-2", "comment-3"]
    queue.apply(undo(back, 4))
    assert [event.comment_id for event in queue.of("demo")] == ["comment-3"]
    assert queue.of("other") == []


WRONG_ORDERS = [
    ({}, "kind", "required"),
    ({"kind": "erase"}, "kind", "choice"),
    ({"kind": "rules"}, "kind", "choice"),
    ({"kind": "hide"}, "comment_id", "required"),
    ({"kind": "hide", "video_id": VIDEO, "comment_id": "no"}, "comment_id", "form"),
    ({"kind": "ban"}, "user_id", "required"),
    ({"kind": "ban", "user_id": "a/b"}, "user_id", "form"),
    ({"kind": "timeout", "user_id": "g_ann"}, "seconds", "range"),
    ({"kind": "ban", "user_id": "g_ann", "seconds": -1}, "seconds", "range"),
    ({"kind": "ban", "user_id": "g_ann", "reason": "x" * 201}, "reason", "length"),
    ({"kind": "ban_address", "user_id": "g_ann"}, "comment_id", "required"),
    ({"kind": "ban", "user_id": "g_ann", "colour": "red"}, "colour", "unknown"),
]


def test_the_queue_follows_what_is_told_of_a_comment_last() -> None:
    queue = ReviewQueue()
    for comment in ("comment-1", "comment-2", "comment-3"):
        queue.apply(held(comment))
    queue.apply(replace(held("comment-1"), text="better", revision_id="revision-1"))
    queue.apply(replace(held("comment-2"), state=Queued.WITHDRAWN))
    approval = act(1, Act.APPROVE, comment="comment-3")
    queue.apply(approval)
    first = held("comment-1")
    assert [event.text for event in queue.of(first.channel)] == ["better"]
    assert queue.of_user(first.channel, first.video_id, first.user_id) == queue.of(first.channel)
    assert queue.of_user(first.channel, first.video_id, "g_eve") == []
    assert queue.get(first.channel, first.video_id, "comment-1") is not None
    assert queue.get(first.channel, first.video_id, "comment-3") is None
    queue.apply(undo(approval, 2))
    assert queue.get(first.channel, first.video_id, "comment-3") is not None
    queue.apply(replace(held("comment-3"), state=Queued.APPROVED))
    assert queue.get(first.channel, first.video_id, "comment-3") is None, "its approval was taken back: it is hidden"


@pytest.mark.parametrize(("values", "field", "rule"), WRONG_ORDERS)
def test_a_wrong_order_names_the_field_and_the_rule(values: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(Problem) as caught:
        order_of(values)
    assert caught.value.status == 422
    assert (caught.value.extra["field"], caught.value.extra["rule"]) == (field, rule)


@pytest.mark.parametrize("values", [{}, {"reason": "x"}, {"acts": []}, {"by": ""}, {"from_ms": -1}])
def test_a_rollback_says_what_it_means(values: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        selection_of(values)


WRONG_RULES = [
    ({"who": "friends"}, "who"),
    ({"links": 1}, "links"),
    ({"slow_mode_ms": True}, "slow_mode_ms"),
    ({"blocked": ["x" * 65]}, "blocked"),
    ({"blocked": ["*"]}, "blocked"),
    ({"held": "word"}, "held"),
    ({"max_length": 0}, "max_length"),
    ({"banned": []}, "banned"),
]


@pytest.mark.parametrize(("values", "field"), WRONG_RULES)
def test_wrong_rules_name_the_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as caught:
        chosen(values)
    assert caught.value.extra["field"] == field


class Site:
    """The API of a running system: guests who write, the channel's owner who moderates."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.owner = {"Authorization": f"Bearer {key}"}

    async def guest(self, name: str) -> dict[str, str]:
        token = (await self.http.post("/v1/guests", json={"name": name})).json()["token"]
        return {"Authorization": f"Bearer {token}"}

    async def say(self, who: dict[str, str], comment: str, text: str = "") -> dict[str, Any]:
        body = {"id": comment, "text": text or f"this is {comment}"}
        answer = await self.http.post(f"/v1/videos/{VIDEO}/comments", json=body, headers=who)
        found: dict[str, Any] = answer.json()
        return found | {"status": answer.status_code}

    async def moderate(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        url = f"/v1/channels/demo/moderation/{path}"
        answer = await self.http.request(method, url, json=body, headers=self.owner)
        assert answer.status_code in {200, 202}, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def read(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/channels/demo/moderation/{path}", headers=self.owner)
        found: dict[str, Any] = answer.json()
        return found

    async def about(self, comment: str, kind: str, **more: Any) -> dict[str, Any]:
        return await self.moderate("acts", {"kind": kind, "video_id": VIDEO, "comment_id": comment, **more})

    async def shown(self) -> dict[str, bool]:
        """The comments that Cassandra has, and whether their text is shown."""
        rows = (await self.http.get(f"/v1/videos/{VIDEO}/comments")).json().get("comments", [])
        return {row["id"]: bool(row.get("text")) for row in rows}

    async def shows(self, **expected: bool) -> None:
        wanted = {name.replace("_", "-"): value for name, value in expected.items()}

        async def agrees() -> bool:
            return await self.shown() == wanted

        await eventually_async(agrees, 60, f"the comments {wanted}, found {await self.shown()}")

    async def is_taken(self, who: dict[str, str], comment: str) -> None:
        """Until a comment of somebody is taken: an act is judged in the order of the log, soon."""

        async def taken() -> bool:
            return bool((await self.say(who, comment)).get("state") == "accepted")

        await eventually_async(taken, 60, f"{comment} is taken")

    async def revise(self, who: dict[str, str], comment: str, text: str | None) -> dict[str, Any]:
        """Change a comment, or (None) take it back; gives the answer."""
        path = f"/v1/videos/{VIDEO}/comments/{comment}"
        if text is None:
            answer = await self.http.delete(path, headers=who)
        else:
            answer = await self.http.patch(path, json={"text": text}, headers=who)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def is_refused(self, who: dict[str, str], comment: str, reason: str) -> None:
        found = await self.say(who, comment)
        assert found.get("reason") == reason, found


@asynccontextmanager
async def site_of(system: System) -> AsyncIterator[Site]:
    async with httpx.AsyncClient(base_url=system.url, timeout=30) as http:
        yield Site(http, system.key)


async def fates_of(writer: FeedClient, site: Site, decision: str) -> list[str]:
    """What the writer of a comment that is held hears of it until it is decided, or (no decision) they take it back."""
    comment = await writer.comment(f"maybe you {decision} this")
    heard: list[str] = []
    async for message in writer:
        about = {message.get("id"), message.get("comment")} if message["type"] != "comment" else set()
        if comment not in about or message["type"] not in {"held", "accepted", "rejected", "withdrawn"}:
            continue
        heard.append(check(message)["type"])
        if heard != ["held"]:
            break
        await (site.about(comment, decision) if decision else writer.revise(comment, None))
    return heard


@integration
async def test_what_moderators_do_reaches_feed_and_store_and_can_be_taken_back(system: System) -> None:
    async with site_of(system) as site, FeedClient(system.url, "demo", name="Viewer") as viewer:
        ann, bob = await site.guest("Ann"), await site.guest("Bob")
        for who, comment in ((ann, "comment-a1"), (ann, "comment-a2"), (bob, "comment-b1")):
            assert (await site.say(who, comment))["state"] == "accepted"
        hidden = await site.about("comment-b1", "hide", reason="rude")
        async with asyncio.timeout(60):
            async for message in viewer:
                if message["type"] == "changed":
                    break
        assert (message["change"], message["id"], message["seq"]) == ("hidden", "comment-b1", 4)
        await site.shows(comment_a1=True, comment_a2=True, comment_b1=False)
        everything = await site.about("comment-a1", "hide_user")
        await site.shows(comment_a1=False, comment_a2=False, comment_b1=False)
        banned = await site.about("comment-a1", "ban")
        assert banned["user_id"] == everything["user_id"]
        await site.is_refused(ann, "comment-a3", "banned")
        by_address = await site.about("comment-b1", "ban_address")
        await site.is_refused(bob, "comment-b2", "banned")
        await restarted(system, "worker", "gateway")
        await site.is_refused(ann, "comment-a5", "banned")
        await site.is_refused(bob, "comment-b5", "banned")

        done = [hidden, everything, banned, by_address]
        acts = (await site.read("acts"))["acts"]
        check({"type": "acted", "act": acts[0]})
        assert [one["act_id"] for one in acts] == [one["act_id"] for one in reversed(done)]
        assert "address" not in acts[0]
        shown = await site.moderate("rollback", {"by": "demo", "dry_run": True})
        assert len(shown["acts"]) == 4
        assert shown["undoing"] == []
        back = await site.moderate("rollback", {"by": "demo"})
        assert [one["undoes"] for one in back["undoing"]] == [one["act_id"] for one in reversed(done)]
        await site.shows(comment_a1=True, comment_a2=True, comment_b1=True)
        await site.is_taken(ann, "comment-a4")
        await site.is_taken(bob, "comment-b4")
        assert (await site.moderate("rollback", {"by": "demo"}))["acts"] == []
        await a_shared_list_is_followed(system, site)


async def restarted(system: System, *roles: str) -> None:
    """Stop processes and start them again: what they knew comes from the log."""
    for role in roles:
        system.processes[role].terminate()
    for role in roles:
        await system.processes[role].wait()
        await system.start(role)
    await system.all_ready()


async def a_shared_list_is_followed(system: System, site: Site) -> None:
    async with Accounts.open(system.settings) as accounts:
        key = (await accounts.create_channel("other")).stream_key
    other = {"Authorization": f"Bearer {key}"}

    async def call(method: str, path: str, headers: dict[str, str], body: object = None) -> dict[str, Any]:
        answer = await site.http.request(method, f"/v1/channels/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def acts() -> list[tuple[str, str, str]]:
        found = await call("GET", "other/moderation/acts", other)
        return [(act["kind"], act["user_id"], act["by"]) for act in found["acts"]]

    await site.moderate("acts", {"kind": "ban", "user_id": "g_first"})
    assert (await call("PUT", "demo/block-lists", site.owner, {"shared": True}))["shared"]
    assert (await call("PUT", "other/block-lists/demo", other))["uses"] == ["demo"]
    await site.moderate("acts", {"kind": "ban", "user_id": "g_second"})
    await site.moderate("acts", {"kind": "unban", "user_id": "g_first"})
    assert await acts() == [
        ("unban", "g_first", "list:demo"),
        ("ban", "g_second", "list:demo"),
        ("ban", "g_first", "list:demo"),
    ]
    assert (await call("DELETE", "other/block-lists/demo", other))["uses"] == []
    assert (await acts())[0] == ("unban", "g_second", "list:demo")


@integration
async def test_rules_hold_from_their_change_on_and_what_waits_is_seen_by_moderators_only(system: System) -> None:
    async with site_of(system) as site:
        ann = await site.guest("Ann")
        rules = await site.moderate("rules", {"first_review": True, "blocked": ["*coin*"]}, "PUT")
        assert rules["first_review"]
        assert (await site.say(ann, "comment-a2", "hello"))["state"] == "held"
        check({"type": "review"} | await site.read("review"))
        (waiting,) = (await site.read("review"))["held"]
        assert (waiting["id"], waiting["text"], waiting["reason"]) == ("comment-a2", "hello", "first_message")
        assert await site.shown() == {}
        assert (await site.revise(ann, "comment-a2", "hello all"))["state"] == "held"
        assert [one["text"] for one in (await site.read("review"))["held"]] == ["hello all"]
        mine = (await site.http.get(f"/v1/videos/{VIDEO}/me", headers=ann)).json()["held"]
        assert [(one["id"], one["text"]) for one in mine] == [("comment-a2", "hello all")]
        assert (await site.say(ann, "comment-a3", "hello again"))["state"] == "held"
        assert await site.revise(ann, "comment-a3", None) == {"id": "comment-a3", "state": "withdrawn"}
        assert [one["id"] for one in (await site.read("review"))["held"]] == ["comment-a2"]
        await site.about("comment-a2", "approve")
        await site.shows(comment_a2=True)
        assert (await site.read("review")) == {"held": [], "waiting": 0}
        assert (await site.say(ann, "comment-a4", "get BitCoins"))["reason"] == "blocked_word"
        await site.moderate("rules", {"held": ["maybe"]}, "PUT")
        async with FeedClient(system.url, "demo", name="Newcomer") as newcomer, asyncio.timeout(60):
            await anext(aiter(newcomer))
            assert await fates_of(newcomer, site, "approve") == ["held", "accepted"]
            assert await fates_of(newcomer, site, "decline") == ["held", "rejected"]
            assert await fates_of(newcomer, site, "") == ["held", "withdrawn"]
        await site.moderate("rules", {"first_review": True, "blocked": ["*coin*"]}, "PUT")
        async with httpx.AsyncClient(base_url=system.url, timeout=30) as stranger:
            open_rules = (await stranger.get("/v1/channels/demo/moderation/rules")).json()
            assert "blocked" not in open_rules
            assert open_rules["first_review"]
            for path in ("acts", "review"):
                assert (await stranger.get(f"/v1/channels/demo/moderation/{path}")).status_code == 401
                asked = await stranger.get(f"/v1/channels/demo/moderation/{path}", headers=ann)
                assert asked.status_code in {401, 403}
        await site.moderate("rollback", {"by": "demo"})
        assert not (await site.read("rules"))["first_review"]
