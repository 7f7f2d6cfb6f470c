"""What this project relies on in uvicorn: when one of these fails after an update, look at gateway/feed_socket.py first."""

import asyncio
import inspect
from importlib.metadata import requires, version
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from gateway.feed_socket import USED, FeedProtocol, text_frame
from gateway.server import server_config
from gateway.state import GatewayState
from stores.settings import Settings

OVERRIDDEN = (
    "connection_made",
    "handle_connect",
    "handle_cont",
    "handle_ping",
    "keepalive_timeout",
    "pause_writing",
    "resume_writing",
    "send_receive_event_to_app",
)


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that is never asked."""


async def test_uvicorn_has_what_the_feed_uses_of_it() -> None:
    config = uvicorn.Config(nothing, ws=FeedProtocol, log_config=None)
    config.load()
    assert config.ws_protocol_class is FeedProtocol
    connection = FeedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    missing = [name for name in USED if not hasattr(connection, name)]
    assert not missing, f"uvicorn {version('uvicorn')} has no {missing}: gateway/feed_socket.py must be looked at"
    gone = [name for name in OVERRIDDEN if name not in vars(WebSocketsSansIOProtocol)]
    assert not gone, f"uvicorn {version('uvicorn')} calls no {gone}: gateway/feed_socket.py must be looked at"


def test_uvicorn_still_closes_and_ends_as_the_feed_expects() -> None:
    send = inspect.getsource(WebSocketsSansIOProtocol.send)
    run = inspect.getsource(WebSocketsSansIOProtocol.run_asgi)
    assert "self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)" in send
    assert "if self.close_timer is None:\n            self.transport.close()" in run
    assert "websocket.http.response" in inspect.getsource(WebSocketsSansIOProtocol.handle_connect)


def test_uvicorn_is_held_to_the_minor_version_that_was_looked_at() -> None:
    wanted = [line for line in requires("logcast") or [] if line.startswith("uvicorn")] or ["uvicorn<0.55,>=0.54"]
    assert version("uvicorn").startswith("0.54."), wanted


def test_the_gateway_compresses_no_messages(settings: Settings) -> None:
    config = server_config(settings, GatewayState(settings))
    assert config.ws is FeedProtocol
    assert not config.ws_per_message_deflate


@given(size=st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]))
def test_a_frame_is_read_as_the_message_by_the_websockets_library(size: int) -> None:
    payload = b"x" * size
    reader = ClientProtocol(parse_uri("ws://gateway/"), max_size=None)
    reader.state = type(reader.state).OPEN
    reader.parser = reader.parse()
    next(reader.parser)
    reader.receive_data(text_frame(payload))
    (event,) = reader.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, event.fin, bytes(event.data)) == (Opcode.TEXT, True, payload)


@pytest.mark.parametrize("size", [125, 65_535])
def test_frames_back_to_back_are_as_many_messages(size: int) -> None:
    one = text_frame(b"x" * size)
    assert (one * 3).count(one) == 3
