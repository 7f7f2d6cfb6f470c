"""Lossless pushes: every frame once, in one epoch, over cuts of the line and deaths of the ingest and of the client."""

import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from producers import push_protocol as protocol
from producers.lossless_push import LosslessPush
from producers.push import PushError
from schemas.events import Track
from stores.settings import Settings
from tests.producers.conftest import Clip, Seen, decoded_frames, log_of, make_flv
from tests.producers.test_ingest import RUN, _connects
from tests.waiting import eventually

pytestmark = pytest.mark.integration

MakeClip = Callable[..., Clip]


class Line:
    """A TCP line between a client and the ingest that can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.carried = 0

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator["Line"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        for source, target in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(8_192):
                self.carried += len(data)
                target.write(data)
                await target.drain()
        target.transport.abort()


def url(port: int, channel: str = "one") -> str:
    return f"ws://127.0.0.1:{port}/v1/channels/{channel}/ingest"


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return make_flv(tmp_path / "clip.flv", 8, ("-b:v", "1500k"), video=True, audio=True)


async def check(seen: Seen, clip: Clip, *, frames: int = 0) -> None:
    """Every picture is there once and can be decoded, without a discontinuity; sound too, but its first, priming frame."""
    frames = frames or clip.video_frames
    await eventually(lambda: sum(c.frames for c in seen.chunks("one")) >= frames, what="every picture")
    await eventually(lambda: len(seen.closed("one")) == len(seen.opened("one")) > 0, what="the last GOP")
    video, audio = seen.chunks("one"), seen.chunks("one", Track.AUDIO)
    assert len({(c.track, c.gop, c.index) for c in video + audio}) == len(video + audio), "a chunk is there twice"
    assert sum(c.frames for c in video) == frames == decoded_frames(video)
    assert len({c.video_id for c in video}) == 1
    assert {c.epoch for c in video} == {0}
    await eventually(
        lambda: sum(c.frames for c in seen.chunks("one", Track.AUDIO)) >= clip.audio_frames - 1, what="the sound"
    )


async def test_a_push_over_a_line_that_is_cut_again_and_again_brings_every_frame_once(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], clip: Clip, tmp_path: Path
) -> None:
    size = clip.path.stat().st_size
    async with log_of(ingest_settings) as seen, Line(ingest_settings.push_port_or_next).laid() as line:
        with LosslessPush(
            tmp_path / "spool", url(line.port), keys["one"], str(clip.path), lambda _: None, realtime=False
        ) as push:
            running = asyncio.create_task(push.run())
            await eventually(lambda: line.carried > size // 3 or running.done(), what="a third of the stream")
            line.cut()
            await eventually(lambda: line.carried > 2 * size // 3 or running.done(), what="two thirds of it")
            line.cut()
            sent = await asyncio.wait_for(running, 60)
        assert sent.cuts >= 1  # the second may come before there is a connection again
        assert sent.acknowledged == sent.made > size // 2
        await check(seen, clip)


async def test_kill_9_of_the_ingest_in_mid_push_loses_and_doubles_nothing(
    ingest_settings: Settings, keys: dict[str, str], clip: Clip, tmp_path: Path
) -> None:
    environment = {
        f"LOGCAST_{k.upper()}": str(v) for k, v in ingest_settings.model_dump(mode="json").items() if v is not None
    }

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)
        await eventually(lambda: _connects(ingest_settings.push_port_or_next), what="the ingest's port")
        return process

    ingest = await start()
    try:
        async with log_of(ingest_settings) as seen:
            with LosslessPush(
                tmp_path / "push",
                url(ingest_settings.push_port_or_next),
                keys["one"],
                str(clip.path),
                lambda _: None,
                realtime=True,
            ) as push:
                running = asyncio.create_task(push.run())
                await eventually(lambda: len({c.gop for c in seen.chunks("one")}) >= 3, what="three GOPs")
                ingest.send_signal(signal.SIGKILL)
                await ingest.wait()
                ingest = await start()
                sent = await asyncio.wait_for(running, 90)
            assert sent.cuts >= 1
            await check(seen, clip)
    finally:
        if ingest.returncode is None:
            ingest.send_signal(signal.SIGTERM)
            ingest.kill()
        await ingest.wait()


async def test_a_client_that_died_goes_on_when_it_is_run_again(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], clip: Clip, tmp_path: Path
) -> None:
    where, port = tmp_path / "spool", ingest_settings.push_port_or_next
    async with log_of(ingest_settings) as seen:
        with LosslessPush(where, url(port), keys["one"], str(clip.path), lambda _: None) as push:
            running = asyncio.create_task(push.run())
            await eventually(lambda: len({c.gop for c in seen.chunks("one")}) >= 2, what="two GOPs")
            running.cancel()
            await asyncio.wait({running})
        with LosslessPush(where, url(port), keys["one"], str(clip.path), lambda _: None, realtime=False) as push:
            await asyncio.wait_for(push.run(), 60)
        await check(seen, clip)


async def test_what_cannot_be_taken_is_refused_with_a_sentence(
    ingest: str, ingest_settings: Settings, keys: dict[str, str], clip: Clip, tmp_path: Path
) -> None:
    port = ingest_settings.push_port_or_next
    with (
        LosslessPush(tmp_path / "a", url(port), "lc_wrong", str(clip.path), lambda _: None) as push,
        pytest.raises(PushError, match="wrong stream key"),
    ):
        await asyncio.wait_for(push.run(), 60)
    for first, code, sentence in (
        ("hello", protocol.BAD_MESSAGE, "expected a JSON object"),
        (protocol.text("push", push="x", **{"from": 0}), protocol.BAD_MESSAGE, "expected"),
        (
            protocol.text("push", push=secrets.token_hex(8), **{"from": 9}),
            protocol.MISSING_BYTES,
            "first 9 bytes are gone",
        ),
    ):
        headers = {"Authorization": f"Bearer {keys['one']}"}
        async with connect(
            url(port), subprotocols=[Subprotocol(protocol.PROTOCOL)], additional_headers=headers, proxy=None
        ) as raw:
            await raw.send(first)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(raw.recv(), 60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
            assert sentence in closed.value.rcvd.reason
