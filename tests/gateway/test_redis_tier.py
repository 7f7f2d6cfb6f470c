"""A gateway whose hot segments are in Redis, and what it says when Redis is away."""

from collections.abc import Callable

import httpx
import pytest

from gateway.app import create_app
from gateway.memory_cache import MemoryCache
from gateway.segment_reader import SegmentReader
from gateway.state import GatewayState
from schemas.events import PartReady
from stores.hot_tier import open_segment_store
from stores.log_reader import Place
from stores.recordings import open_recordings, segment_name
from stores.segments import SegmentStoreError
from stores.settings import Settings
from tests.conftest import free_ports
from tests.gateway.conftest import Clock
from tests.gateway.tape import VIDEO, Tape, data_of, video

SOURCE = Tape([4] * 2)
SEGMENT = f"/v1/videos/{VIDEO}/source/00000001.m4s"


def folded(settings: Settings) -> httpx.AsyncClient:
    """A client of a gateway that has folded two segments."""
    state = GatewayState(settings, Clock())
    app = create_app(settings, state)
    for event in (video(), *SOURCE.events()):
        for subscription in state.subscriptions:
            if type(event).__name__ in subscription.topic.events:
                subscription.handler(event, Place(subscription.topic.name, 0, 0, state.clock()))
    state.batch_folded()
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://gateway")


async def test_what_another_machine_put_into_redis_is_served(
    make_settings: Callable[..., Settings], redis_server: int
) -> None:
    settings = make_settings(segment_url=f"redis://127.0.0.1:{redis_server}/0")
    worker = open_segment_store(settings)
    for event in SOURCE.events():
        if isinstance(event, PartReady):
            worker.put(event.name, data_of(event.name))
    worker.close()
    async with folded(settings) as client:
        answer = await client.get(SEGMENT)
    assert answer.content == b"".join(data_of(SOURCE.part(1, part).name) for part in range(4))
    assert not (settings.data_dir / "segments").exists()


async def test_a_redis_that_is_away_is_a_503_that_says_so(make_settings: Callable[..., Settings]) -> None:
    (port,) = free_ports(1)
    async with folded(make_settings(segment_url=f"redis://:geheim@127.0.0.1:{port}/0")) as client:
        answer = await client.get(SEGMENT, timeout=30)
    assert (answer.status_code, answer.json()["reason"]) == (503, "store")
    assert f"cannot read from Redis at 127.0.0.1:{port}" in answer.json()["detail"]
    assert "geheim" not in answer.text


async def test_what_is_recorded_is_served_while_redis_is_away(make_settings: Callable[..., Settings]) -> None:
    (port,) = free_ports(1)
    settings = make_settings(segment_url=f"redis://127.0.0.1:{port}/0")
    async with open_recordings(settings) as cold:
        await cold.put(segment_name(VIDEO, "source", 1), b"whole")
        reader = SegmentReader(MemoryCache("test", 1000, len), open_segment_store(settings), cold)
        assert await reader.segment(VIDEO, "source", 1, 4) == [b"whole"]
        with pytest.raises(SegmentStoreError, match="cannot read from Redis"):
            await reader.segment(VIDEO, "source", 2, 4)
