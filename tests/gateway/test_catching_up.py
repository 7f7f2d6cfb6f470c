"""What a gateway answers while it reads the log that was there before it."""

import asyncio

import pytest
from starlette.types import Message, Scope

from gateway import catching_up
from stores.log_reader import LogReader
from tests.gateway.conftest import Gateway
from tests.gateway.tape import VIDEO, Tape, video

PLAYLIST = f"/v1/videos/{VIDEO}/source/media.m3u8"


@pytest.fixture
async def reader(gateway: Gateway) -> LogReader:
    """A reader at the beginning of the log; the tests say when it has caught up."""
    state = gateway.state
    state.reader = LogReader(state.settings, state.subscriptions, state.batch_folded)
    state.reader.failed = asyncio.get_running_loop().create_future()
    return state.reader


async def test_a_request_waits_until_the_log_is_folded(gateway: Gateway, reader: LogReader) -> None:
    early = asyncio.create_task(gateway.get(PLAYLIST))
    assert (await gateway.get("/healthz")).status_code == 200
    assert (await gateway.get("/readyz")).status_code == 503
    assert not early.done()
    gateway.fold(video(), *Tape([4] * 4).events(0, 3))
    reader._caught_up.set()
    assert (await early).status_code == 200
    assert (await gateway.get("/v1/videos/00000000000000000000/source/media.m3u8")).status_code == 404


async def test_a_log_that_takes_too_long_is_told_and_not_taken_for_an_empty_one(
    gateway: Gateway, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "WAIT_S", 0.01)
    answer = await gateway.get(PLAYLIST)
    assert (answer.status_code, answer.json()["reason"], answer.headers["retry-after"]) == (503, "starting", "1")


async def test_too_many_do_not_wait(gateway: Gateway, reader: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "MAX_WAITING", 0)
    assert (await gateway.get(PLAYLIST)).status_code == 503


async def test_who_waits_is_let_go_when_reading_fails_or_the_gateway_stops(gateway: Gateway, reader: LogReader) -> None:
    waiting = asyncio.create_task(gateway.get(PLAYLIST))
    await gateway.get("/healthz")
    assert reader.failed is not None
    reader.failed.set_exception(RuntimeError("the log is gone"))
    assert (await waiting).status_code == 503
    reader.failed = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(gateway.get(PLAYLIST))
    await gateway.get("/healthz")
    gateway.state.stop()
    assert (await waiting).status_code == 503


async def test_a_feed_is_closed_with_restart_so_that_its_client_comes_back(
    gateway: Gateway, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "WAIT_S", 0.01)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": f"/v1/videos/{VIDEO}/feed", "headers": [], "subprotocols": []}
    await gateway.app(scope, receive, send)
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1012)]
