"""Pages of comments over HTTP, out of a real Cassandra: every list, both ways, each comment once."""

import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from consumers.projections.totals import totals_writes
from gateway.app import create_app
from gateway.comment_handlers import Revise, revise_of
from gateway.comment_pages import Cursor, wanted_of
from gateway.feed_messages import MessageError
from gateway.problems import Problem
from gateway.state import GatewayState
from schemas.events import Change, CommentAccepted, CommentChanged, PlacedMoment, ReactionsPlaced, TotalsChanged
from schemas.ids import new_video_id
from stores.comment_writes import change_writes, comment_writes
from stores.comments import Clock, Moment
from stores.reaction_bursts import moment_writes, place_writes
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.conftest import Clock as WallClock
from tests.gateway.conftest import Gateway
from tests.gateway.tape import START_MS, video
from tests.waiting import eventually

VIDEO = new_video_id(START_MS, b"comments")
COMMENTS = f"/v1/videos/{VIDEO}/comments"
COUNT = 23


def comment(seq: int) -> CommentAccepted:
    parent = f"comment-{seq - 2}" if seq % 4 == 0 else None
    return CommentAccepted(
        video_id=VIDEO,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{seq}",
        user_id="g_ann" if seq % 3 else "g_bob",
        name="Ann" if seq % 3 else "Bob",
        text=f"number {seq}",
        parent_id=parent,
        root_id="comment-1" if parent else None,
        submitted_ms=START_MS + seq * 1_000,
        media_ms=START_MS + (seq * 7 % 23) * 10_000,
        source_offset=seq,
        role="viewer",
    )


def change(seq: int, of: int, kind: Change, text: str | None = None) -> CommentChanged:
    return CommentChanged(
        video_id=VIDEO,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{of}",
        comment_seq=of,
        user_id="g_ann",
        change=kind,
        text=text,
        by="mod",
        act_id="",
        revision_id="",
        comments=COUNT - 2,
        changed_ms=START_MS + seq * 1_000,
        source_offset=seq,
    )


ALL = [comment(seq) for seq in range(1, COUNT + 1)]
CHANGES = [
    change(COUNT + 1, 5, Change.HIDDEN),
    change(COUNT + 2, 7, Change.EDITED, "said better"),
    change(COUNT + 3, 9, Change.REMOVED),
    change(COUNT + 4, 2, Change.PINNED),
]


@pytest.fixture
async def gateway(
    make_settings: Callable[..., Settings], cassandra: tuple[str, int], keyspace: str
) -> AsyncIterator[Gateway]:
    """A gateway with all comments in Cassandra, none in memory."""
    settings = make_settings(cassandra_keyspace=keyspace, admin_token="a" * 32)
    clock = WallClock(START_MS + 600_000)
    state = GatewayState(settings, clock)
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        state.cassandra,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client,
    ):
        await eventually(lambda: state.cassandra.session is not None, 60, "a session")
        assert state.cassandra.session is not None
        writes = [write for event in ALL for write in comment_writes(event)]
        await state.cassandra.session.write(writes + [write for event in CHANGES for write in change_writes(event)])
        gateway = Gateway(app, state, client, LocalSegmentStore(settings.segments_path), clock)
        gateway.fold(video(video_id=VIDEO))
        yield gateway


@pytest.mark.integration
async def test_a_gateway_that_knows_nothing_of_an_old_video_has_its_figures_from_cassandra(gateway: Gateway) -> None:
    assert gateway.state.cassandra.session is not None
    counted = TotalsChanged(
        video_id=VIDEO,
        channel="ann",
        as_of_offset=9,
        as_of_ms=START_MS,
        likes=7,
        reactions={"heart": 3},
        comment_likes={},
    )
    await gateway.state.cassandra.session.write(totals_writes(counted))
    expected = {"likes": 7, "comments": COUNT - 2, "reactions": {"heart": 3}, "comment_likes": {}}
    for _ in range(2):
        assert (await read(gateway, f"/v1/videos/{VIDEO}"))["totals"] == expected
        assert await read(gateway, f"/v1/videos/{VIDEO}/totals") == expected
    gateway.fold(dataclasses.replace(counted, likes=8, as_of_offset=10))
    gateway.fold(dataclasses.replace(comment(COUNT + 5), comments=COUNT - 1))
    assert (await read(gateway, f"/v1/videos/{VIDEO}"))["totals"] == expected | {"likes": 8, "comments": COUNT - 1}


async def read(gateway: Gateway, path: str, **query: Any) -> dict[str, Any]:
    """A page."""
    answer = await gateway.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def walked(gateway: Gateway, path: str, side: str, page: dict[str, Any], **query: Any) -> list[list[int]]:
    """The numbers of the pages from one on to the end of the list in a direction."""
    pages = [[row["seq"] for row in page["comments"]]]
    while page[side] is not None and (page["comments"] or len(pages) == 1):
        page = await read(gateway, path, cursor=page[side], **query)
        pages.append([row["seq"] for row in page["comments"]])
    return [numbers for numbers in pages if numbers]


NUMBERS = list(range(1, COUNT + 1))
REPLIES = [event.seq for event in ALL if event.root_id]
BY_PICTURE = [event.seq for event in sorted(ALL, key=lambda event: event.media_ms or 0)]
LISTS: dict[str, tuple[str, dict[str, Any], list[int]]] = {
    "all": (COMMENTS, {}, NUMBERS[::-1]),
    "author": (COMMENTS, {"author": "g_bob"}, [n for n in NUMBERS[::-1] if n % 3 == 0]),
    "thread": (f"{COMMENTS}/comment-1/replies", {}, REPLIES),
    "picture": (COMMENTS, {"from_ms": START_MS, "to_ms": START_MS + 500_000}, BY_PICTURE),
    "written": (COMMENTS, {"since_ms": START_MS, "until_ms": START_MS + 500_000}, NUMBERS),
}


@pytest.mark.integration
@pytest.mark.parametrize("limit", [4, 200])
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_paged_through_both_ways_and_has_each_comment_once(
    gateway: Gateway, name: str, limit: int
) -> None:
    path, query, expected = LISTS[name]
    first = await read(gateway, path, limit=limit, **query)
    forth = await walked(gateway, path, "next", first, limit=limit, **query)
    assert list(itertools.chain.from_iterable(forth)) == expected
    assert all(len(page) == limit for page in forth[:-1])
    page = first
    while page["next"] is not None:
        page = await read(gateway, path, limit=limit, cursor=page["next"], **query)
    back = await walked(gateway, path, "previous", page, limit=limit, **query)
    assert list(itertools.chain.from_iterable(back[::-1])) == expected


@pytest.mark.integration
async def test_who_keeps_the_first_pages_previous_finds_what_came_since(gateway: Gateway) -> None:
    page = await read(gateway, COMMENTS, limit=2)
    empty = await read(gateway, COMMENTS, cursor=page["previous"])
    assert empty["comments"] == []
    late = dataclasses.replace(comment(COUNT), seq=COUNT + 90, comment_id="comment-late")
    assert gateway.state.cassandra.session is not None
    other = dataclasses.replace(late, video_id=new_video_id(START_MS, b"another!"))
    await gateway.state.cassandra.session.write(comment_writes(other))
    assert (await read(gateway, COMMENTS, cursor=page["previous"]))["comments"] == [], "of another video"


@pytest.mark.integration
async def test_a_comment_is_shown_as_it_is_now_and_a_hidden_one_to_moderators_only(gateway: Gateway) -> None:
    rows = {row["seq"]: row for row in (await read(gateway, COMMENTS, limit=200))["comments"]}
    assert rows[1]["user"] == {"id": "g_ann", "name": "Ann", "role": "viewer"}
    assert (rows[7]["text"], rows[7]["edited_ms"]) == ("said better", START_MS + (COUNT + 2) * 1_000)
    assert rows[2]["pinned"] is True
    for seq, state in ((5, "hidden"), (9, "removed")):
        assert rows[seq]["state"] == state
        assert not rows[seq].keys() & {"text", "user"}
    assert (rows[8]["parent"], rows[8]["root"]) == ("comment-6", "comment-1"), "one row, and in reply to what"
    moderator = {"Authorization": "Bearer " + "a" * 32}
    seen = (await gateway.client.get(f"{COMMENTS}/comment-5", headers=moderator)).json()
    assert (seen["text"], seen["state"]) == ("number 5", "hidden")
    gone = (await gateway.client.get(f"{COMMENTS}/comment-9", headers=moderator)).json()
    assert "text" not in gone, "what its writer removed nobody reads"
    pinned = await read(gateway, f"/v1/videos/{VIDEO}/pinned")
    assert [row["seq"] for row in pinned["comments"]] == [2]


@pytest.mark.integration
async def test_what_has_not_changed_is_not_sent_again(gateway: Gateway) -> None:
    for path in (COMMENTS, f"{COMMENTS}/comment-1"):
        first = await gateway.client.get(path)
        again = await gateway.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    gateway.fold(comment(COUNT), change(COUNT + 1, COUNT, Change.EDITED, "anew"))
    path = f"{COMMENTS}/comment-{COUNT}"
    assert (await gateway.client.get(path)).json()["text"] == "anew", "memory is ahead of Cassandra"


@pytest.mark.integration
async def test_wrong_questions_are_answered_with_the_field_and_the_rule(gateway: Gateway) -> None:
    for query, field, rule in (
        ({"limit": "0"}, "limit", "range"),
        ({"before": "x"}, "before", "range"),
        ({"cursor": "o120"}, "cursor", "form"),
        ({"cursor": "oa12.3"}, "cursor", "form"),
        ({"cursor": "oa12", "from_ms": "1", "to_ms": "2"}, "cursor", "form"),
        ({"before": "1", "after": "2"}, "after", "alone"),
        ({"author": "g_bob", "from_ms": "1", "to_ms": "2"}, "author", "alone"),
        ({"author": "x" * 65}, "author", "max_length"),
        ({"from_ms": "2", "to_ms": "1"}, "from_ms", "range"),
        ({"from_ms": "2"}, "from_ms", "range"),
        ({"from_ms": "1", "to_ms": "2", "since_ms": "1", "until_ms": "2"}, "since_ms", "alone"),
    ):
        answer = await gateway.client.get(COMMENTS, params=query)
        assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (400, field, rule), answer.text
    for path, status, reason in (
        (f"{COMMENTS}/comment-99", 404, "no_comment"),
        (f"{COMMENTS}/comment-99/replies", 404, "no_comment"),
        (f"{COMMENTS}/bad", 400, "bad_id"),
        ("/v1/videos/nothing/comments", 404, "no_video"),
    ):
        answer = await gateway.client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)


@pytest.mark.integration
async def test_a_comment_is_changed_by_its_writer_only(gateway: Gateway) -> None:
    guest = (await gateway.client.post("/v1/guests", json={"name": "Eve"})).json()
    eve = {"Authorization": f"Bearer {guest['token']}"}
    path = f"{COMMENTS}/comment-1"
    for answer, status, reason in (
        (await gateway.client.patch(path, json={"text": "x"}), 401, "bad_token"),
        (await gateway.client.patch(path, json={"text": "x"}, headers=eve), 403, "not_yours"),
        (await gateway.client.delete(path, headers=eve), 403, "not_yours"),
        (await gateway.client.delete(f"{COMMENTS}/comment-99", headers=eve), 404, "no_comment"),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text


async def test_wrong_comments_are_refused_with_the_field_and_the_rule(gateway: Gateway) -> None:
    guest = (await gateway.client.post("/v1/guests", json={"name": "Eve"})).json()
    eve = {"Authorization": f"Bearer {guest['token']}"}
    for body, field, rule in (
        ({"id": "short", "text": "x"}, "id", "form"),
        ({"id": "comment-x", "text": 7}, "text", "type"),
        ({"id": "comment-x", "text": "x" * 5_000}, "text", "max_length"),
        ({"id": "comment-x", "text": "x", "parent": "?"}, "parent", "form"),
        ({"id": "comment-x", "text": "x", "media_ms": -1}, "media_ms", "range"),
    ):
        answer = await gateway.client.post(COMMENTS, json=body, headers=eve)
        assert answer.status_code == 422
        assert (answer.json()["field"], answer.json()["rule"]) == (field, rule), answer.text
        assert answer.json()["errors"][0]["field"] == field


def test_a_cursor_comes_back_as_it_was() -> None:
    for timed, oldest, above in itertools.product((False, True), repeat=3):
        cursor = Cursor(oldest, above, Moment(17 if timed else 0, 4))
        times = {"from_ms": "0", "to_ms": "99"} if timed else {}
        assert wanted_of({"cursor": cursor.text(timed=timed)} | times).cursor == cursor
    assert wanted_of({"from_ms": "0", "to_ms": "99"}).clock is Clock.MEDIA
    with pytest.raises(Problem, match="expected limit from 1 to 200"):
        wanted_of({"limit": "201"})


def test_a_revision_names_its_comment_and_has_a_text_or_none() -> None:
    known = {"id": "revision-1", "comment": "comment-1"}
    assert revise_of(known | {"text": None}) == Revise(id="revision-1", comment="comment-1", text=None)
    assert revise_of(known | {"text": "anew"}).text == "anew"
    for wrong, code in (
        (known, "bad_text"),
        (known | {"text": 1}, "bad_text"),
        ({"text": "x"}, "bad_comment"),
        (known | {"id": "?", "text": "x"}, "bad_id"),
    ):
        with pytest.raises(MessageError) as refused:
            revise_of(wrong)
        assert refused.value.code == code


@pytest.mark.integration
async def test_bursts_are_read_by_position(gateway: Gateway) -> None:
    path = f"/v1/videos/{VIDEO}/bursts"
    range_ms = {"from_ms": START_MS, "to_ms": START_MS + 60_000}
    counted = TotalsChanged(
        video_id=VIDEO,
        channel="ann",
        as_of_offset=1,
        as_of_ms=START_MS + 21_000,
        likes=3,
        reactions={"heart": 4},
        comment_likes={},
    )
    assert gateway.state.cassandra.session is not None
    placed = ReactionsPlaced(
        video_id=VIDEO,
        channel="ann",
        gateway_id="run-1",
        number=1,
        recorded_ms=START_MS + 90_000,
        moments=(PlacedMoment(at_ms=START_MS + 20_000, reactions={"heart": 4}),),
    )
    await gateway.state.cassandra.session.write([*moment_writes(counted), *place_writes(placed)])
    found = await read(gateway, path, **range_ms)
    assert found == {
        "moment_ms": 5_000,
        "bursts": [{"at_ms": START_MS + 20_000, "likes": 3, "reactions": {"heart": 4}}],
    }
    for query in ({}, {"from_ms": 1}, {"from_ms": 0, "to_ms": 3_600_001}, {"from_ms": 2, "to_ms": 1}):
        answer = await gateway.client.get(path, params=query)
        assert (answer.status_code, answer.json()["field"]) == (400, "from_ms"), answer.text
