"""How videos are kept and shown: who may choose it, what is refused and why, and that every gateway knows."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.openapi.document import openapi_document
from gateway.problems import Problem
from gateway.settings_routes import wanted_of
from gateway.state import GatewayState
from gateway.videos import VideoDirectory
from schemas import codec
from schemas.events import (
    Event,
    VideoChanged,
    VideoForgotten,
    VideoRemoved,
    VideoSettingsChanged,
    VideoState,
    Visibility,
)
from schemas.ids import new_video_id
from schemas.topics import VIDEOS, VIDEOS_SETTINGS
from stores.accounts import Accounts
from stores.kafka import EventProducer, read_to_end
from stores.log_reader import Place
from stores.settings import Settings
from tests.waiting import eventually, eventually_async

integration = pytest.mark.integration

ANN, BEN = (new_video_id(1_790_000_000_000, bytes([n]) * 8) for n in (1, 2))
START_MS = 1_790_000_000_000


def video(video_id: str, channel: str, state: VideoState = VideoState.LIVE, **more: Any) -> VideoChanged:
    return VideoChanged(
        video_id=video_id,
        channel=channel,
        title=f"{channel} paints",
        state=state,
        started_ms=START_MS,
        changed_ms=START_MS + 1,
        ended_ms=START_MS + 60_000 if state is VideoState.ENDED else None,
        last_segment=-1,
        part_target_ms=200,
        segment_max_ms=10_000,
        audio=True,
        video=True,
        keep_days=7,
        **more,
    )


@dataclass
class Site:
    """Two gateways over one log, the channels ann and ben with a video each, and who may steer them."""

    settings: Settings
    states: tuple[GatewayState, GatewayState]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    keys: dict[str, str]

    async def call(self, method: str, path: str, token: str = "", body: object = None, at: int = 0) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.clients[at].request(method, path, json=body, headers=headers)

    async def patch(self, path: str, body: object, token: str = "") -> httpx.Response:
        return await self.call("PATCH", path, token, body)

    def chosen(self) -> list[Event]:
        values = [message.value() for message in read_to_end(self.settings, VIDEOS_SETTINGS, "test")]
        return [codec.decode(value) for value in values if value is not None]


@pytest.fixture
async def site(topics: Settings) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        async with Accounts.open(topics) as accounts:
            keys = {name: (await accounts.create_channel(name)).stream_key for name in ("ann", "ben")}
        states = GatewayState(topics), GatewayState(topics)
        clients = []
        for state in states:
            app = create_app(topics, state)
            await stack.enter_async_context(state)
            clients.append(await stack.enter_async_context(_client(app)))
        async with EventProducer(topics, "test") as producer:
            for event in (video(ANN, "ann"), video(BEN, "ben")):
                await producer.deliver(VIDEOS, event.video_id, event)
        for state in states:
            await eventually(partial(_knows_both, state), 60)
        keys["operator"] = topics.admin_token.get_secret_value()
        yield Site(topics, states, (clients[0], clients[1]), keys)


def _knows_both(state: GatewayState) -> bool:
    return state.videos.get(BEN) is not None and state.reader is not None and state.reader.caught_up


def _client(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=30)


@integration
async def test_what_an_owner_chooses_holds_on_every_gateway_whatever_the_ingest_repeats(site: Site) -> None:
    wanted = {"title": " Ann paints a boat ", "keep_days": 30, "visibility": "unlisted"}
    answer = await site.patch(f"/v1/videos/{ANN}", wanted, site.keys["ann"])
    assert answer.status_code == 200, answer.text
    row = answer.json()
    assert (row["title"], row["keep_days"], row["visibility"]) == ("Ann paints a boat", 30, "unlisted")
    async with EventProducer(site.settings, "test") as producer:
        await producer.deliver(VIDEOS, ANN, video(ANN, "ann", VideoState.ENDED))
    for state in site.states:
        held = await eventually(partial(_ended, state), 60)
        assert held is not None
        assert (held.title, held.keep_days, held.visibility) == ("Ann paints a boat", 30, Visibility.UNLISTED)
    (event,) = await asyncio.to_thread(site.chosen)
    assert isinstance(event, VideoSettingsChanged)
    assert (event.video_id, event.channel, event.changed_by) == (ANN, "ann", "ann")


def _ended(state: GatewayState) -> VideoChanged | None:
    held = state.videos.get(ANN)
    return held if held is not None and held.state is VideoState.ENDED else None


@integration
async def test_one_field_is_changed_and_the_others_stay(site: Site) -> None:
    await site.patch(f"/v1/videos/{ANN}", {"visibility": "unlisted"}, site.keys["operator"])
    row = (await site.patch(f"/v1/videos/{ANN}", {"keep_days": -1}, site.keys["ann"])).json()
    assert (row["title"], row["keep_days"], row["visibility"]) == ("ann paints", -1, "unlisted")
    shown = (await site.call("GET", f"/v1/videos/{ANN}")).json()
    assert {name: shown[name] for name in ("title", "keep_days", "visibility", "origin")} == {
        "title": "ann paints",
        "keep_days": -1,
        "visibility": "unlisted",
        "origin": "live",
    }
    events = await asyncio.to_thread(site.chosen)
    assert [e.changed_by for e in events if isinstance(e, VideoSettingsChanged)] == ["operator", "ann"]


@integration
async def test_nobody_but_the_owner_and_the_operator_may_choose(site: Site) -> None:
    for method, path in (
        ("PATCH", f"/v1/videos/{ANN}"),
        ("DELETE", f"/v1/videos/{ANN}"),
        ("PATCH", "/v1/channels/ann"),
    ):
        for token in ("", "lc_" + "0" * 32, site.keys["ben"]):
            answer = await site.call(method, path, token, {"visibility": "private"})
            assert (answer.status_code, answer.json()["reason"]) == (401, "not_owner"), (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert await asyncio.to_thread(site.chosen) == []
    held = site.states[0].videos.get(ANN)
    assert held is not None
    assert held.visibility is Visibility.PUBLIC


@integration
async def test_the_owner_of_one_channel_cannot_reach_a_video_of_another_through_a_body(site: Site) -> None:
    for body in ({"channel": "ben", "keep_days": 0}, {"video_id": BEN, "keep_days": 0}):
        answer = await site.patch(f"/v1/videos/{ANN}", body, site.keys["ann"])
        assert answer.status_code == 422
    assert await asyncio.to_thread(site.chosen) == []


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"keep_days": -2}, "keep_days", "expected keep_days from 0"),
        ({"keep_days": 36_501}, "keep_days", "36500"),
        ({"keep_days": 1.5}, "keep_days", "whole number"),
        ({"keep_days": True}, "keep_days", "whole number"),
        ({"keep_days": "30"}, "keep_days", "whole number"),
        ({"keep_days": None}, "keep_days", "whole number"),
        ({"keep_days": 10**18}, "keep_days", "36500"),
        ({"visibility": "secret"}, "visibility", "public, unlisted, private"),
        ({"visibility": ["public"]}, "visibility", "public, unlisted, private"),
        ({"title": ""}, "title", "not empty"),
        ({"title": 7}, "title", "not empty"),
        ({"title": "x" * 201}, "title", "at most 200"),
        ({"title": "a\nb"}, "title", "printable"),
        ({"colour": "red"}, "colour", "title, keep_days, visibility"),
        ({}, "body", "at least one of"),
    ],
)
def test_what_is_wrong_is_named_with_its_rule(body: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(Problem) as caught:
        wanted_of(body)
    assert (caught.value.status, caught.value.extra["field"]) == (422, field)
    assert rule in caught.value.detail


@integration
async def test_what_is_wrong_changes_nothing(site: Site) -> None:
    for path in (f"/v1/videos/{ANN}", "/v1/channels/ann"):
        answer = await site.patch(path, {"title": "good", "keep_days": -2}, site.keys["ann"])
        assert (answer.status_code, answer.json()["field"]) == (422, "keep_days")
        assert (await site.clients[0].patch(path, content=b"[]", headers=_bearer(site))).status_code == 400
    assert await asyncio.to_thread(site.chosen) == []


def _bearer(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.keys['ann']}"}


@integration
async def test_what_is_not_there_is_a_404(site: Site) -> None:
    nobodys = new_video_id(START_MS, b"nobodys!")
    for method, path in (
        ("PATCH", f"/v1/videos/{nobodys}"),
        ("PATCH", "/v1/channels/nobody"),
        ("DELETE", "/v1/videos/x"),
    ):
        answer = await site.call(method, path, site.keys["operator"], {"keep_days": 1})
        assert answer.status_code == 404, path


@integration
async def test_a_channel_s_choice_is_for_its_next_videos(site: Site) -> None:
    answer = await site.patch("/v1/channels/ann", {"keep_days": 30, "visibility": "unlisted"}, site.keys["ann"])
    about = {"tags": [], "description": ""}
    assert answer.json() == {"name": "ann", "title": "ann", "keep_days": 30, "visibility": "unlisted"} | about
    held = site.states[0].videos.get(ANN)
    assert held is not None
    assert (held.keep_days, held.visibility) == (7, Visibility.PUBLIC)
    async with Accounts.open(site.settings) as accounts:
        channel = await accounts.channel("ann")
    assert channel is not None
    assert (channel.keep_days, channel.visibility) == (30, Visibility.UNLISTED)


@integration
async def test_an_ended_video_can_be_removed_and_is_seen_by_nobody_at_once(site: Site) -> None:
    answer = await site.call("DELETE", f"/v1/videos/{ANN}", site.keys["ann"])
    assert (answer.status_code, answer.json()["reason"]) == (409, "not_ended")
    async with EventProducer(site.settings, "test") as producer:
        await producer.deliver(VIDEOS, ANN, video(ANN, "ann", VideoState.ENDED))
    await eventually(partial(_ended, site.states[0]), 60)
    assert (await site.call("DELETE", f"/v1/videos/{ANN}", site.keys["ann"])).status_code == 202
    assert (await site.call("GET", f"/v1/videos/{ANN}")).status_code in {401, 403, 404}
    (event,) = await asyncio.to_thread(site.chosen)
    assert isinstance(event, VideoSettingsChanged)
    assert (event.keep_days, event.visibility) == (0, Visibility.PRIVATE)


def test_the_api_is_described() -> None:
    paths = openapi_document()["paths"]
    assert {"get", "patch", "delete"} <= set(paths["/v1/videos/{video}"])
    assert {"get", "patch"} <= set(paths["/v1/channels/{channel}"])


REMOVED = VideoRemoved(
    video_id=ANN, channel="ann", title="", reason="expired", files=1, size=1, removed_ms=5, removed_by="retention"
)
CHOICE = VideoSettingsChanged(
    video_id=ANN,
    channel="ann",
    title="chosen",
    keep_days=1,
    visibility=Visibility.PRIVATE,
    changed_ms=5,
    changed_by="ann",
)


def test_a_choice_that_is_read_before_its_video_holds_all_the_same() -> None:
    directory = VideoDirectory()
    for event in (CHOICE, video(ANN, "ann")):
        directory.apply(event)
    held = directory.get(ANN)
    assert held == dataclasses.replace(video(ANN, "ann"), title="chosen", keep_days=1, visibility=Visibility.PRIVATE)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_a_removed_video_is_nowhere_and_the_channel_shows_the_one_before(order: tuple[int, ...]) -> None:
    events = (video(ANN, "ann"), video(BEN, "ann"), dataclasses.replace(REMOVED, video_id=BEN))
    directory = VideoDirectory()
    for number in order:
        directory.apply(events[number])
    assert directory.get(BEN) is None
    assert directory.is_removed(BEN)
    current = directory.of_channel("ann")
    assert current is not None
    assert current.video_id == ANN
    assert [v.video_id for v in directory.all_of("ann")] == [ANN]


def test_a_forgotten_video_is_gone_without_a_trace_in_whatever_order_its_keys_are_deleted() -> None:
    forgotten = VideoForgotten(video_id=BEN, channel="ann", removed_ms=5, forgotten_ms=6, until_ms=7)
    for last, first in ((VIDEOS, VIDEOS_SETTINGS), (VIDEOS_SETTINGS, VIDEOS)):
        directory = VideoDirectory()
        for event in (video(ANN, "ann"), video(BEN, "ann"), CHOICE, forgotten):
            directory.apply(event)
        assert directory.is_removed(BEN)
        for topic in (first, last):
            directory.gone(BEN, Place(topic.name, 0, 0, 0))
        assert (directory.is_removed(BEN), len(directory)) == (False, 1)
        current = directory.of_channel("ann")
        assert current is not None
        assert current.video_id == ANN


def test_a_video_whose_key_is_deleted_is_let_go_though_nobody_knows_that_it_was_removed() -> None:
    directory = VideoDirectory()
    directory.apply(video(BEN, "ann"))
    directory.gone(BEN, Place(VIDEOS.name, 0, 0, 0))
    assert directory.get(BEN) is None
    assert directory.of_channel("ann") is None


@integration
async def test_what_a_channel_is_about_holds_for_the_video_on_the_air_and_is_shown(site: Site) -> None:
    about = {"title": "Ann paints again", "tags": ["#Oil", "oil", "still life"], "description": "Every day.\nAt noon."}
    answer = await site.patch("/v1/channels/ann", about, site.keys["ann"])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["tags"], answer.json()["description"]) == (["Oil", "still life"], about["description"])
    for at in (0, 1):
        shown = await eventually_async(partial(_titled, site, at), 60)
        assert (shown["tags"], shown["description"]) == (["Oil", "still life"], about["description"])
    (listed,) = [row for row in (await site.call("GET", "/v1/channels")).json()["channels"] if row["name"] == "ann"]
    assert listed["tags"] == ["Oil", "still life"]
    kept = (await site.patch("/v1/channels/ann", {"keep_days": 3}, site.keys["ann"])).json()
    assert (kept["title"], kept["tags"]) == ("Ann paints again", ["Oil", "still life"])
    events = [event for event in await asyncio.to_thread(site.chosen) if isinstance(event, VideoSettingsChanged)]
    assert [(event.title, event.tags) for event in events] == [("Ann paints again", ("Oil", "still life"))]


async def _titled(site: Site, at: int) -> Any:
    row = (await site.call("GET", "/v1/channels/ann", at=at)).json()
    return row if row["title"] == "Ann paints again" else None


def test_every_wrong_field_is_named_with_its_rule() -> None:
    with pytest.raises(Problem) as refused:
        wanted_of({"title": " ", "tags": ["a,b"], "description": 7, "colour": "red"})
    assert [(error["field"], error["rule"]) for error in refused.value.extra["errors"]] == [
        ("title", "required"),
        ("tags", "tag"),
        ("description", "form"),
        ("colour", "unknown"),
    ]
