"""The conversation on real parts: gateway, Faust worker and consumers as processes, real Kafka and Cassandra."""

import asyncio
import contextlib
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from logcast.client import FeedClient, FeedError
from schemas.topics import MEDIA_GOPS
from stores.kafka import EventProducer
from tests.gateway.feed_system import VIDEO, System, gop, now_ms
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration


async def next_of(feed: FeedClient, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        async for message in feed:
            if message["type"] == kind:
                return message
    raise AssertionError("the feed ended")


async def comments_until(feed: FeedClient, last: int) -> list[int]:
    """The numbers of all comments up to `last`, as they came."""
    seen: list[int] = []
    async with asyncio.timeout(60):
        async for message in feed:
            if message["type"] == "comment":
                seen.append(message["seq"])
                if message["seq"] == last:
                    return seen
    raise AssertionError("the feed ended")


async def test_what_one_says_the_other_hears_and_cassandra_keeps(system: System) -> None:
    async with FeedClient(system.url, "demo", name="Ann") as ann, FeedClient(system.url, "demo", name="Bob") as bob:
        await next_of(ann, "joined")
        await next_of(bob, "joined")
        comment_id = await ann.comment("hello")
        heard = await next_of(bob, "comment")
        assert (heard["text"], heard["user"]["name"], heard["seq"], heard["id"]) == ("hello", "Ann", 1, comment_id)
        assert (await next_of(ann, "accepted"))["seq"] == 1
        await bob.comment("hello yourself", parent=comment_id)
        reply = await next_of(ann, "comment")
        while reply["seq"] == 1:
            reply = await next_of(ann, "comment")
        assert (reply["parent"], reply["root"]) == (comment_id, comment_id)
        await ann.comment("buy spam now")
        assert (await next_of(ann, "rejected"))["reason"] == "blocked_word"
        place_ms = now_ms() // 5_000 * 5_000 - 5_000
        await bob.react("heart", 3, media_ms=place_ms + 1_000)
        assert (await next_of(ann, "reactions"))["counts"] == {"heart": 3}
        await bob.like()
        await ann.like(comment=comment_id)
        liked = await next_of(bob, "totals")
        while not (liked["likes"] == 1 and liked["comment_likes"].get(comment_id) == 1):
            more = await next_of(bob, "totals")
            liked = more | {"comment_likes": liked["comment_likes"] | more["comment_likes"]}
        async with FeedClient(system.url, "demo", token=ann.token) as elsewhere:
            assert (await next_of(elsewhere, "mine"))["comments"] == [comment_id]
        as_bob = {"Authorization": f"Bearer {bob.token}"}
    async with httpx.AsyncClient(base_url=system.url) as client:
        mine = (await client.get(f"/v1/videos/{VIDEO}/me", headers=as_bob)).json()
        assert (mine["liked"], mine["comments"], mine["votes"]) == (True, [], {})

        async def stored() -> list[dict[str, Any]]:
            page = (await client.get(f"/v1/videos/{VIDEO}/comments")).json().get("comments", [])
            return page if len(page) == 2 and page[1]["likes"] == 1 else []

        page = await eventually_async(stored, 60, "both comments in Cassandra")

        async def placed() -> bool:
            bursts = (await client.get(f"/v1/videos/{VIDEO}/bursts?from_ms={place_ms}&to_ms={place_ms + 5_000}")).json()
            return [one["reactions"] for one in bursts["bursts"] if one["at_ms"] == place_ms] == [{"heart": 3}]

        await eventually_async(placed, 60, "the reaction at its position")
        assert [c["seq"] for c in page] == [2, 1]
        replies = (await client.get(f"/v1/videos/{VIDEO}/comments/{comment_id}/replies")).json()["comments"]
        assert [c["text"] for c in replies] == ["hello yourself"]
        assert (await client.get("/v1/channels/demo")).json()["likes"] == 1


async def test_writers_change_their_comments_over_http_and_feed_and_everybody_follows(system: System) -> None:
    async with (
        FeedClient(system.url, "demo", name="Ann") as ann,
        FeedClient(system.url, "demo", name="Bob") as bob,
        httpx.AsyncClient(base_url=system.url, timeout=60) as client,
    ):
        await next_of(ann, "joined")
        await next_of(bob, "joined")
        comments = f"/v1/videos/{VIDEO}/comments"
        as_ann, as_bob = ({"Authorization": f"Bearer {feed.token}"} for feed in (ann, bob))
        body = {"id": "comment-one", "text": "helo"}
        for _ in range(2):  # a repeat is the same comment
            answer = await client.post(comments, json=body, headers=as_ann)
            assert (answer.status_code, answer.json()) == (202, {"id": "comment-one", "state": "accepted", "seq": 1})
        taken = await client.post(comments, json=body, headers=as_bob)
        assert (taken.status_code, taken.json()["reason"]) == (409, "id_taken")
        one = f"{comments}/comment-one"
        refused = await client.patch(one, json={"text": "rude"}, headers=as_bob)
        assert (refused.status_code, refused.json()["reason"]) == (403, "not_yours")
        edited = await client.patch(one, json={"text": "hello", "revision": "revision-1"}, headers=as_ann)
        assert (edited.status_code, edited.json()["seq"]) == (202, 2), edited.text
        told = await next_of(bob, "changed")
        assert (told["seq"], told["id"], told["change"], told["text"]) == (2, "comment-one", "edited", "hello")
        blocked = await client.patch(one, json={"text": "buy spam"}, headers=as_ann)
        assert (blocked.status_code, blocked.json()["reason"]) == (422, "blocked_word")
        await bob.send({"type": "revise", "id": "revision-2", "comment": "comment-one", "text": "mine now"})
        assert (await next_of(bob, "rejected"))["reason"] == "not_yours"
        await ann.send({"type": "revise", "id": "revision-3", "comment": "comment-one", "text": "hello all"})
        assert (await next_of(ann, "accepted"))["id"] == "revision-3"
        assert (await client.get(one)).json()["text"] == "hello all"
        for _ in range(2):
            removed = await client.delete(one, headers=as_ann)
            assert (removed.status_code, removed.json()["state"]) == (202, "accepted"), removed.text
        gone = (await client.get(one)).json()
        assert gone["state"] == "removed"
        assert not gone.keys() & {"text", "user"}
        async with FeedClient(system.url, "demo", after=0) as late:
            messages = [await next_of(late, kind) for kind in ("comment", "changed", "changed", "changed")]
        assert [message["seq"] for message in messages] == [1, 2, 3, 4]
        assert all("text" not in message for message in messages), "nothing of what was taken back is told again"

        async def stored() -> bool:
            rows = (await client.get(comments)).json().get("comments", [])
            return [row["state"] for row in rows] == ["removed"]

        await eventually_async(stored, 60, "the removal in Cassandra")


async def test_a_client_gets_exactly_what_it_missed_also_over_a_killed_gateway_and_worker(system: System) -> None:
    total = 120
    async with FeedClient(system.url, "demo", name="Ann") as steady, httpx.AsyncClient(base_url=system.url) as client:
        await next_of(steady, "joined")
        token = (await client.post("/v1/guests", json={"name": "Poster"})).json()["token"]

        async def post(number: int) -> None:
            """Post until it is taken; the id makes a repeat the same comment."""
            body = {"id": f"comment-{number:04d}", "text": f"comment {number}"}

            async def taken() -> bool:
                try:
                    answer = await client.post(
                        f"/v1/videos/{VIDEO}/comments", json=body, headers={"Authorization": f"Bearer {token}"}
                    )
                except httpx.TransportError:
                    return False
                return answer.status_code == 202

            await eventually_async(taken, 60, f"comment {number}")

        for number in range(total):
            await post(number)
            if number == 40:
                await kill(system, "gateway")
            if number == 80:
                await kill(system, "worker")
        seen = await comments_until(steady, total)
        assert seen == list(range(1, total + 1))
    async with FeedClient(system.url, "demo", after=100) as late:
        assert await comments_until(late, total) == list(range(101, total + 1))


async def kill(system: System, role: str) -> None:
    system.processes[role].kill()
    await system.processes[role].wait()
    await system.start(role)


async def test_a_second_gateway_start_reads_older_comments_from_cassandra(system: System) -> None:
    async with FeedClient(system.url, "demo", name="Ann") as ann:
        await next_of(ann, "joined")
        for number in range(3):
            await ann.comment(f"number {number}")
        assert await comments_until(ann, 3) == [1, 2, 3]
    async with httpx.AsyncClient(base_url=system.url) as client:

        async def stored() -> bool:
            return len((await client.get(f"/v1/videos/{VIDEO}/comments")).json().get("comments", [])) == 3

        await eventually_async(stored, 60, "the comments in Cassandra")
        first = (await client.get(f"/v1/videos/{VIDEO}/comments", params={"limit": 2})).json()
        assert [c["seq"] for c in first["comments"]] == [3, 2]
        rest = (await client.get(f"/v1/videos/{VIDEO}/comments", params={"limit": 2, "cursor": first["next"]})).json()
        assert ([c["seq"] for c in rest["comments"]], rest["next"]) == ([1], None)
        up = (await client.get(f"/v1/videos/{VIDEO}/comments", params={"after": 1})).json()
        assert [c["seq"] for c in up["comments"]] == [2, 3]


async def test_a_poll_is_voted_in_by_feed_and_api_and_viewers_are_counted(system: System) -> None:
    polls, key = f"/v1/videos/{VIDEO}/polls", {"Authorization": f"Bearer {system.key}"}
    asked = {"id": "poll-0001", "question": "Who wins?", "options": ["red", "blue"]}

    heard: dict[FeedClient, list[dict[str, Any]]] = {}

    async def until(feed: FeedClient, kind: str, **members: Any) -> dict[str, Any]:
        """A message that is like this, or was: what does not change is not said again."""
        before = heard.setdefault(feed, [])
        earlier = [one for one in before if one["type"] == kind and members.items() <= one.items()]
        if earlier:
            return earlier[-1]
        async with asyncio.timeout(60):
            async for message in feed:
                before.append(message)
                if message["type"] == kind and members.items() <= message.items():
                    return message
        raise AssertionError("the feed ended")

    def bars(*votes: int) -> list[dict[str, Any]]:
        return [{"text": text, "votes": n} for text, n in zip(asked["options"], votes, strict=True)]

    async with (
        FeedClient(system.url, "demo", name="Ann") as ann,
        FeedClient(system.url, "demo", name="Bob") as bob,
        httpx.AsyncClient(base_url=system.url) as client,
    ):
        await next_of(ann, "joined")
        await next_of(bob, "joined")
        guest = (await client.post("/v1/guests", json={"name": "Cid"})).json()["token"]
        cid = {"Authorization": f"Bearer {guest}"}
        assert (await client.post(polls, json=asked, headers=cid)).status_code == 401
        wrong = await client.post(polls, json=asked | {"options": ["red"]}, headers=key)
        assert (wrong.status_code, wrong.json()["field"]) == (422, "options")
        opened = await client.post(polls, json=asked, headers=key)
        assert opened.status_code in {201, 202}
        assert (await until(ann, "poll", state="open"))["options"] == bars(0, 0)
        assert (await client.post(polls, json=asked, headers=key)).json()["opened_ms"] == opened.json()["opened_ms"]
        assert (await client.post(polls, json=asked | {"question": "?"}, headers=key)).status_code == 409
        await ann.send({"type": "vote", "poll": "poll-0001", "option": 0})
        await bob.send({"type": "vote", "poll": "poll-0001", "option": 0})
        await bob.send({"type": "vote", "poll": "poll-0001", "option": 1})
        assert (await client.post(f"{polls}/poll-0001/votes", json={"option": 1}, headers=cid)).status_code == 202
        assert (await client.post(f"{polls}/poll-0001/votes", json={"option": 2}, headers=cid)).status_code == 422
        await until(bob, "poll", options=bars(1, 2))
        await client.post(f"{polls}/poll-0001/close", headers=key)
        await until(bob, "poll", state="closed")
        late = await client.post(f"{polls}/poll-0001/votes", json={"option": None}, headers=cid)
        assert (late.status_code, late.json()["reason"]) == (409, "poll_closed")
        assert (await client.post(f"{polls}/poll-none/close", headers=key)).status_code == 404
        (kept,) = (await client.get(polls)).json()["polls"]
        assert (kept["state"], kept["options"]) == ("closed", bars(1, 2))
        await until(ann, "viewers", n=2, peak=2, unique=2)
        counted = (await client.get(f"/v1/videos/{VIDEO}/viewers")).json()
        assert (counted["n"], counted["peak"], counted["unique"]) == (2, 2, 2)
        assert (await client.get("/v1/channels/demo")).json()["viewers"] == 2
        await ann.react("heart", 3)
        account = await client.post("/v1/auth/register", json={"login": "dora", "password": "correct horse"})
        dora = {"Authorization": f"Bearer {account.json()['access_token']}"}
        assert (await client.put(f"/v1/videos/{VIDEO}/like", headers=dora)).status_code == 202

        async def in_minutes(what: str) -> list[dict[str, Any]]:
            rows = (await client.get(f"/v1/videos/{VIDEO}/{what}/minutes")).json().get("minutes", [])
            return [row for row in rows if row.get("likes") == 1 or row.get("unique") == 2]

        minutes = await eventually_async(partial(in_minutes, "totals"), 60, "the totals of a minute in Cassandra")
        assert minutes[-1]["reactions"] == {"heart": 3}
        assert await eventually_async(partial(in_minutes, "viewers"), 60, "the viewers of a minute in Cassandra")
        totals = (await client.get(f"/v1/videos/{VIDEO}/totals")).json()
        assert (totals["likes"], totals["reactions"]) == (1, {"heart": 3})
        assert (await client.get(f"/v1/videos/{VIDEO}/totals/minutes?limit=0")).status_code == 422


async def test_cues_are_decided_and_planned(system: System) -> None:
    owner = {"Authorization": f"Bearer {system.key}"}
    async with (
        FeedClient(system.url, "demo") as feed,
        EventProducer(system.settings, "test") as producer,
        httpx.AsyncClient(base_url=system.url) as client,
    ):
        await next_of(feed, "joined")
        await producer.send(MEDIA_GOPS, VIDEO, gop(1, now_ms()))
        assert (await client.get("/v1/channels/demo/owner", headers=owner)).status_code == 204
        assert (await client.get("/v1/channels/demo/owner", headers={"Authorization": "Bearer no"})).status_code == 401
        refused = await client.post("/v1/channels/demo/cues", json={"seconds": 2}, headers=owner)
        assert (refused.status_code, refused.json()["reason"]) == (422, "duration")
        taken = await client.post("/v1/channels/demo/cues", json={"seconds": 30}, headers=owner)
        assert (taken.status_code, taken.json()["state"]) == (202, "accepted"), taken.text
        overlap = await client.post("/v1/channels/demo/cues", json={"seconds": 30}, headers=owner)
        assert (overlap.status_code, overlap.json()["reason"]) == (409, "overlap")
        start_ms = now_ms()
        await producer.send(MEDIA_GOPS, VIDEO, gop(2, start_ms))
        planned = await next_of(feed, "break")
        assert (planned["id"], planned["start_ms"], planned["duration_ms"]) == (
            taken.json()["cue_id"],
            start_ms,
            30_000,
        )
        listed = (await client.get("/v1/channels/demo/cues")).json()["breaks"]
        assert [b["id"] for b in listed] == [planned["id"]]
        nobody = await client.post("/v1/channels/nobody/cues", json={}, headers=owner)
        assert nobody.status_code == 401


async def test_bad_joins_are_closed_with_their_codes(system: System) -> None:
    address = f"ws://127.0.0.1:{system.settings.http_port}/v1/channels"

    async def code_of(path: str, *messages: str | bytes, protocol: str = "logcast.v1") -> int:
        async with asyncio.timeout(60):
            async with connect(address + path, subprotocols=[Subprotocol(protocol)]) as socket:
                for message in messages:
                    await socket.send(message)
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await socket.recv()
                return socket.close_code or 0

    assert await code_of("/demo/feed", "no json") == 4400
    assert await code_of("/demo/feed", orjson.dumps({"type": "ping"}).decode()) == 4400
    assert await code_of("/demo/feed", orjson.dumps({"type": "join", "token": "forged.token"}).decode()) == 4401
    assert await code_of("/nobody/feed") == 4404
    assert await code_of("/demo/feed", "x" * 20_000) in {4413, 4400}
    with pytest.raises(FeedError, match="no such channel"):
        async with FeedClient(system.url, "nobody") as feed:
            await next_of(feed, "joined")


async def test_the_api_says_what_is_wrong(system: System) -> None:
    async with httpx.AsyncClient(base_url=system.url) as client:
        token = (await client.post("/v1/guests", json={"name": "Ann"})).json()["token"]
        guest = {"Authorization": f"Bearer {token}"}
        cases = [
            (client.post("/v1/guests", json={"name": ""}), 422, "bad_name"),
            (client.post("/v1/guests", content=b"{"), 400, "bad_json"),
            (client.post("/v1/guests", content=b"x" * 40_000), 413, "too_large"),
            (client.get("/v1/channels/nobody"), 404, "no_channel"),
            (client.get("/v1/videos/nothing"), 404, "no_video"),
            (client.get(f"/v1/videos/{VIDEO}/comments?limit=0"), 400, "bad_limit"),
            (client.get(f"/v1/videos/{VIDEO}/comments?before=x"), 400, "bad_before"),
            (client.post(f"/v1/videos/{VIDEO}/comments", json={"id": "c-123456", "text": "x"}), 401, "bad_token"),
            (client.post(f"/v1/videos/{VIDEO}/comments", json={"id": "c", "text": "x"}, headers=guest), 422, "bad_id"),
            (
                client.post(f"/v1/videos/{VIDEO}/comments", json={"id": "c-123456", "text": " "}, headers=guest),
                422,
                "empty",
            ),
            (client.post(f"/v1/videos/{VIDEO}/reactions", json={"kind": "boo"}, headers=guest), 422, "bad_kind"),
            (client.put(f"/v1/videos/{VIDEO}/like"), 401, "bad_token"),
        ]
        for call, status, reason in cases:
            answer = await call
            assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        document = (await client.get("/v1/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
