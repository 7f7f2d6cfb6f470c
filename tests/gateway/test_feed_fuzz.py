"""Whatever a client sends, the gateway goes on, others hear everything, and what it holds stays bounded."""

import asyncio
import contextlib
import os
import random
import struct
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import orjson
import psutil
import pytest

from logcast.client import FeedClient
from schemas.ids import new_video_id
from schemas.topics import VIDEOS
from stores.kafka import EventProducer
from stores.settings import Settings
from stores.topics import apply_topics
from tests.conftest import free_ports
from tests.gateway.tape import video
from tests.gateway.test_feed_log import LONG_S, Log, all_joined, heard, is_up, url
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration

SEED = 20261201
ROUNDS = 300
MORE_MB = 150
"""A gateway that had held what it was sent would have grown by many times that."""

SERVER = (
    "import asyncio, sys\n"
    "from gateway.server import run_gateway\n"
    "from stores.settings import Settings\n"
    "asyncio.run(run_gateway(Settings.model_validate_json(sys.argv[1]), asyncio.Event()))\n"
)
GOOD: list[dict[str, Any]] = [
    {"type": "join", "name": "Fuzz", "history": 5, "after": 0, "wants": ["source"]},
    {"type": "ping"},
    {"type": "want", "parts": ["480p"]},
    {"type": "token", "token": "x.y"},
    {"type": "like", "liked": True, "comment": "comment-000001"},
    {"type": "react", "kind": "heart", "count": 3},
    {"type": "vote", "poll": "p" * 20, "option": 0},
    {"type": "act", "kind": "hide", "comment_id": "comment-000001"},
    {"type": "revise", "id": "r-123456", "comment": "comment-000001", "text": None},
]
ODD: list[Any] = [None, True, -1, 2**63, 2**200, 1e308, "", "\u0000", "x" * 5_000, [], {}, [[]], {"type": "join"}]


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A frame of a client, right or wrong (RFC 6455 section 5.2)."""
    size, first = len(payload), (0x80 if fin else 0) | reserved << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    return head + (bytes(4) if masked else b"") + payload


def mutated(values: dict[str, Any], chance: random.Random) -> bytes:
    """A message with a member that is odd, gone or unknown; or its bytes damaged."""
    changed = dict(values)
    match chance.randrange(4):
        case 0:
            changed[chance.choice(list(changed))] = chance.choice(ODD)
        case 1:
            changed.pop(chance.choice(list(changed)))
        case 2:
            changed[chance.choice(["id", "seq", "__proto__", "video", "text"])] = chance.choice(ODD[:3] + ODD[5:])
        case _:
            data = bytearray(orjson.dumps(changed))
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)
    try:
        return orjson.dumps(changed)
    except TypeError:  # a number beyond 64 bits
        return repr(changed).replace("'", '"').replace("None", "null").replace("True", "true").encode()


def attack(chance: random.Random) -> bytes:  # noqa: C901, PLR0911, PLR0912  (a line for each kind)
    """What one connection sends after its handshake."""
    join = frame(orjson.dumps(GOOD[0]))
    match chance.randrange(13):
        case 0:
            return chance.randbytes(chance.randrange(1, 2_000))
        case 1:
            return join + b"".join(frame(mutated(chance.choice(GOOD), chance)) for _ in range(20))
        case 2:
            return frame(mutated(GOOD[0], chance)) + frame(b'{"type":"ping"}')
        case 3:  # a message in pieces, with a ping between, bad UTF-8 at the cut
            return join + frame(b'{"type":"p\xc3', fin=False) + frame(b"x", 9) + frame(b'\xa9ing"}', 0)
        case 4:
            return join + frame(b'{"type":"\xff\xfe"}') + frame(chance.randbytes(50))
        case 5:  # a length that never comes
            return (
                join + struct.pack("!BBQ", 0x81, 0xFF, chance.choice([2**63 - 1, 2**64 - 1, 2**31, 70_000])) + bytes(9)
            )
        case 6:
            return join + frame(b"{}", chance.choice([3, 7, 11, 15])) + frame(b"x" * 200, 9)
        case 7:
            return join + frame(b"{}", masked=False) + frame(b"{}", reserved=chance.randrange(1, 8))
        case 8:  # deep JSON
            depth = chance.choice([500, 5_000, 15_000])
            return join + frame(b'{"type":' + b"[" * depth) + frame(b'{"a":' * 2_000 + b"1" + b"}" * 2_000)
        case 9:  # close in the middle of a frame, or with a wrong code
            return join + frame(b'{"type":"ping"}')[: chance.randrange(1, 18)] + frame(struct.pack("!H", 1), 8)
        case 10:  # many empty pieces
            return join + frame(b"", fin=False) + frame(b"", 0, fin=False) * 5_000
        case 11:  # pings without end, pongs unread
            return join + frame(b"y" * 125, 9) * 3_000
        case _:
            return join + frame(b'{"type":"ping"}') * 500 + frame(b"x" * 60_000, 2)


async def hit(port: int, data: bytes, chance: random.Random) -> None:
    """Send it after a good handshake, read a little, and go without a word or abruptly."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /v1/channels/ann/feed HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: logcast.v1\r\n\r\n".encode()
    )
    with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
            await reader.read(chance.choice([1, 100, 4_000]))
    if chance.random() < 0.5:
        writer.transport.abort()
    else:
        writer.close()


@pytest.fixture
async def gateway_process(
    kafka: str, make_settings: Callable[..., Settings]
) -> AsyncIterator[tuple[Settings, Log, asyncio.subprocess.Process]]:
    """A gateway in a process of its own, so that its memory can be seen, and a log beside it."""
    settings = make_settings(http_port=free_ports(1)[0])
    await asyncio.to_thread(apply_topics, settings)
    values = settings.model_dump_json(exclude={"admin_token", "guest_secret"})
    async with EventProducer(settings, "test") as producer:
        log = Log(producer, new_video_id(1_790_000_000_000, os.urandom(8)))
        await producer.send(VIDEOS, log.video_id, video(video_id=log.video_id))
        with (settings.data_dir / "gateway.log").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVER, values, stdout=output, stderr=output
            )
        try:
            async with httpx.AsyncClient(base_url=url(settings), timeout=20) as client:
                await eventually_async(partial(is_up, client), 2 * LONG_S, "readiness")
            yield settings, log, process
        finally:
            process.kill()
            await process.wait()


def resident_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1024 / 1024


async def test_nothing_that_a_client_sends_brings_the_gateway_down_or_holds_others_up(
    gateway_process: tuple[Settings, Log, asyncio.subprocess.Process],
) -> None:
    settings, log, process = gateway_process
    chance = random.Random(SEED)
    async with FeedClient(url(settings), "ann", history=0) as witness:
        await eventually_async(partial(all_joined, [witness]), LONG_S, "the witness")
        line = asyncio.create_task(heard(witness, 60))
        before = resident_mb(process.pid)
        for _ in range(ROUNDS // 30):
            await asyncio.gather(*(hit(settings.http_port, attack(chance), chance) for _ in range(30)))
            await log.comments(6)
        assert await line == list(range(1, 61))
    assert process.returncode is None, (settings.data_dir / "gateway.log").read_text()[-4_000:]
    assert resident_mb(process.pid) - before < MORE_MB
    text = (settings.data_dir / "gateway.log").read_text()
    assert "Traceback" not in text, text[text.index("Traceback") :][:4_000]
    async with httpx.AsyncClient(base_url=url(settings), timeout=20) as client:

        async def alone() -> bool:
            return "logcast_feed_subscribers 0.0" in (await client.get("/metrics")).text

        await eventually_async(alone, LONG_S, "all of them to be gone")
