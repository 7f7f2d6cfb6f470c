"""Lossless pushes through a gateway: what it passes on arrives, what it refuses hears why."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.ingest_relay import AWAY, PROTOCOL, WRONG_KEY, WRONG_PROTOCOL, ingest_url
from gateway.server import run_gateway
from logcast.stack.probes import http_ok
from producers.lossless_push import LosslessPush
from stores.accounts import Accounts
from stores.settings import Settings, load_settings
from tests.conftest import free_ports
from tests.producers.conftest import ingest_of, log_of, make_flv
from tests.waiting import eventually, eventually_async

pytestmark = pytest.mark.integration


@contextlib.asynccontextmanager
async def gateway_of(settings: Settings) -> AsyncIterator[str]:
    """A gateway that serves; gives the address of the pushes to channel `one`."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(settings, stop))
    try:
        await eventually_async(lambda: http_ok(settings.http_port), what="the gateway")
        yield f"ws://127.0.0.1:{settings.http_port}/v1/channels/one/ingest"
    finally:
        stop.set()
        await running


async def closed_with(url: str, key: str, *protocols: str) -> int:
    """The code with which a connection is closed that says nothing."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    subprotocols = [Subprotocol(name) for name in protocols] or None
    async with connect(url, subprotocols=subprotocols, additional_headers=headers, proxy=None) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 60)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_push_waits_for_an_ingest_that_is_away_and_arrives_whole(topics: Settings, tmp_path: Path) -> None:
    http, rtmp, health = free_ports(3)
    settings = topics.model_copy(update={"http_port": http, "rtmp_port": rtmp, "health_port_ingest": health})
    async with Accounts.open(settings) as accounts:
        keys = [(await accounts.create_channel(name)).stream_key for name in ("one", "two")]
    clip = make_flv(tmp_path / "clip.flv", 3, (), video=True, audio=True)
    async with gateway_of(settings) as url, log_of(settings) as seen:
        assert await closed_with(url, "", PROTOCOL) == WRONG_KEY
        assert await closed_with(url, keys[1], PROTOCOL) == WRONG_KEY
        assert await closed_with(url, keys[0]) == WRONG_PROTOCOL
        assert await closed_with(url, keys[0], PROTOCOL) == AWAY
        with LosslessPush(tmp_path / "p", url, keys[0], str(clip.path), lambda _: None, realtime=False) as push:
            running = asyncio.create_task(push.run())
            async with ingest_of(settings):
                sent = await asyncio.wait_for(running, 90)
                await eventually(lambda: sum(c.frames for c in seen.chunks("one")) == clip.video_frames)
        assert sent.acknowledged == sent.made > 0


def test_a_channel_has_one_ingest_of_several_and_a_further_ingest_moves_only_its_share() -> None:
    def places(count: int) -> list[str]:
        urls = ",".join(f"ws://ingest-{n}:1936" for n in range(count))
        return [ingest_url(load_settings(ingest_url=urls), f"channel-{n}") for n in range(300)]

    two, three = places(2), places(3)
    assert two == places(2)
    assert 100 < two.count("ws://ingest-0:1936") < 200
    assert {after for before, after in zip(two, three, strict=True) if before != after} == {"ws://ingest-2:1936"}
