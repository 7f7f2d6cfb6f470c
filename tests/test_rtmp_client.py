"""The test client against a connection behind a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from media.rtmp.connection import Event, PublishRequested, ServerConnection, VideoReceived
from tests.rtmp_client import Publisher, RtmpClient, avc_config, avc_frame, open_publisher


class _Server(asyncio.Protocol):
    """Accept every publisher but those with the key `bad`; stop each one after its second video message."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._connection = ServerConnection(epoch_ms=0, random_bytes=bytes(1528))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._connection.receive_data(data)
        stop = False
        for event in self._connection.events():
            self._events.append(event)
            if isinstance(event, PublishRequested) and event.stream_key == "bad":
                self._connection.refuse_publish()
            elif isinstance(event, PublishRequested):
                self._connection.accept_publish()
            stop = [type(event) for event in self._events].count(VideoReceived) == 2
        if stop:
            self._connection.report("error", "NetStream.Publish.Denied", "Enough.")
        self._transport.write(self._connection.data_to_send())
        if stop:
            self._transport.close()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def port(events: list[Event]) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: _Server(events), "127.0.0.1", 0)
    async with server:
        number: int = server.sockets[0].getsockname()[1]
        yield number


async def test_a_publisher_is_accepted_sends_and_reads_why_it_is_stopped(port: int, events: list[Event]) -> None:
    client = RtmpClient(chunk_size=128)
    async with await open_publisher("127.0.0.1", port, stream_key="good", client=client) as publisher:
        assert await publisher.status() == "NetStream.Publish.Start"
        await publisher.send(client.set_chunk_size(4096) + client.video(0, avc_config()))
        await publisher.send(client.video(40, avc_frame(b"v" * 5000, keyframe=True)))
        assert await publisher.status() == "NetStream.Publish.Denied"
        await publisher.closed()
    assert events[-2:] == [
        VideoReceived(0, avc_config()),
        VideoReceived(40, avc_frame(b"v" * 5000, keyframe=True)),
    ]


async def test_a_refused_publisher_reads_the_refusal(port: int) -> None:
    publisher: Publisher = await open_publisher("127.0.0.1", port, stream_key="bad")
    async with publisher:
        assert await publisher.status() == "NetStream.Publish.BadName"
