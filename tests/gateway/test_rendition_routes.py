"""What may be asked for, by whom, and what the answers say; the making itself is tested on real servers elsewhere."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.state import GatewayState
from schemas.events import JobState, RenditionChanged, RenditionRequested, VideoState
from schemas.topics import MEDIA_JOBS
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.conftest import Clock, Gateway
from tests.gateway.tape import START_MS, VIDEO, Tape, video
from tests.processors.log_reader import reading
from tests.waiting import eventually

ENDED = replace(video(VideoState.ENDED, last_segment=3, ended_ms=START_MS + 4_000), keep_days=-1)
PATH = f"/v1/videos/{VIDEO}/renditions"


def changed(state: JobState = JobState.RUNNING, finished: int = 1, **options: Any) -> RenditionChanged:
    facts: dict[str, Any] = {"rendition": "144p150k", "requested_ms": START_MS}
    return RenditionChanged(
        video_id=VIDEO,
        channel="ann",
        height=144,
        bitrate_bps=150_000,
        state=state,
        tasks=4,
        finished=finished,
        lost=0,
        requested_by="ann",
        changed_ms=START_MS + finished,
        **(facts | options),
    )


def recorded(gateway: Gateway, *, keep_days: int = -1, state: VideoState = VideoState.ENDED) -> None:
    """A video with source, 480p and audio whose whole length is in memory."""
    for name in ("source", "480p", "audio"):
        gateway.fold(*Tape([4] * 4, name).events())
    gateway.fold(replace(ENDED, keep_days=keep_days, state=state))


async def ask(gateway: Gateway, body: object, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await gateway.client.post(PATH, json=body, headers=headers)


async def test_a_video_tells_its_renditions_and_how_far_those_under_way_are(gateway: Gateway) -> None:
    recorded(gateway)
    gateway.fold(changed(finished=1), changed(finished=2), changed(finished=1))
    rows = (await gateway.get(PATH)).json()["renditions"]
    assert [(row["name"], row["state"], row["progress"]) for row in rows] == [
        ("480p", "there", 1.0),
        ("audio", "there", 1.0),
        ("source", "there", 1.0),
        ("144p150k", "running", 0.5),
    ]
    one = (await gateway.get(f"{PATH}/144p150k")).json()
    assert (one["tasks"], one["finished"]) == (4, 2)
    assert (await gateway.get(f"{PATH}/source")).json()["height"] == 720
    assert (await gateway.get(f"{PATH}/999p")).status_code == 404


async def test_what_is_there_or_under_way_is_not_made_again(gateway: Gateway) -> None:
    recorded(gateway)
    there = await ask(gateway, {"height": 480})
    assert (there.status_code, there.json()["state"]) == (200, "there")
    gateway.fold(changed())
    known = await ask(
        gateway, {"height": 144, "bitrate_kbps": 150}, gateway.state.settings.admin_token.get_secret_value()
    )
    assert (known.status_code, known.json()["name"], known.json()["state"]) == (200, "144p150k", "running")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({}, 422, "height"),
        ({"height": "144"}, 422, "height"),
        ({"height": 145}, 422, "rung"),
        ({"height": 1080}, 422, "height"),
        ({"height": 100}, 422, "height"),
        ({"height": 144, "bitrate_kbps": "150"}, 422, "bitrate_kbps"),
        ({"height": 144, "bitrate_kbps": 150}, 422, "height"),
        ([], 400, "bad_json"),
    ],
    ids=str,
)
async def test_a_request_that_makes_no_sense_names_the_field(
    gateway: Gateway, body: object, status: int, reason: str
) -> None:
    recorded(gateway)
    problem = await ask(gateway, body)
    assert (problem.status_code, problem.json()["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("keep_days", "state", "reason"), [(0, VideoState.ENDED, "not_kept"), (-1, VideoState.LIVE, "live")]
)
async def test_a_video_that_cannot_be_made_now_says_why(
    gateway: Gateway, keep_days: int, state: VideoState, reason: str
) -> None:
    recorded(gateway, keep_days=keep_days, state=state)
    problem = await ask(gateway, {"height": 144})
    assert (problem.status_code, problem.json()["reason"]) == (409, reason)


async def test_an_unknown_video_is_not_found_and_too_many_requests_are_refused(gateway: Gateway) -> None:
    answers = [(await ask(gateway, {"height": 144})).status_code for _ in range(7)]
    assert answers[:5] == [404] * 5
    assert 429 in answers[5:]


async def test_only_so_many_are_made_of_one_video(gateway: Gateway) -> None:
    recorded(gateway)
    gateway.fold(*(changed(rendition=f"144p{kbps}k") for kbps in range(100, 116)))
    problem = await ask(gateway, {"height": 144})
    assert (problem.status_code, problem.json()["reason"]) == (409, "too_many")


@pytest.fixture
async def writing(topics: Settings) -> AsyncIterator[Gateway]:
    """A gateway that can write, and reads no log; only owners may ask."""
    settings = topics.model_copy(update={"viewers_request_renditions": False})
    state = GatewayState(settings, Clock())
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=10) as client,
    ):
        await eventually(
            lambda: state.reader is not None and state.reader.caught_up, 60, "the gateway has read the log"
        )
        yield Gateway(app, state, client, LocalSegmentStore(settings.segments_path))


@pytest.mark.integration
async def test_a_request_is_on_the_log_with_the_gops_of_the_source(writing: Gateway) -> None:
    recorded(writing)
    assert (await ask(writing, {"height": 144})).status_code == 401
    token = writing.state.settings.admin_token.get_secret_value()
    taken = await ask(writing, {"height": 144, "bitrate_kbps": 150}, token)
    assert (taken.status_code, taken.headers["location"]) == (202, f"{PATH}/144p150k")
    assert (await writing.get(taken.headers["location"])).json()["state"] == "submitted"
    with reading(writing.state.settings, MEDIA_JOBS) as jobs:
        (event,) = jobs.read_to_now()
    assert isinstance(event, RenditionRequested)
    assert (event.starts, event.last_segment, event.requested_by) == ((0, 1, 2, 3), 3, "operator")
