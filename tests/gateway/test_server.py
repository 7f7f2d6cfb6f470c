"""A real gateway on a real log: what viewers get, and that another one, or the same one again, gives the same."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway.server import run_gateway
from schemas.events import PartReady
from schemas.ids import VideoId, new_video_id
from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.kafka import EventProducer
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from stores.topics import apply_topics
from tests.conftest import free_ports
from tests.gateway.playlist_reader import read
from tests.gateway.tape import Media, Tape, data_of, video
from tests.waiting import eventually_async

pytestmark = pytest.mark.integration
STARTED_S = 90


class Studio:
    """Writes parts and events as a worker does."""

    def __init__(self, settings: Settings, producer: EventProducer, video_id: VideoId) -> None:
        self.video_id = video_id
        self._store = LocalSegmentStore(settings.segments_path)
        self._producer = producer

    async def start(self) -> None:
        await self._producer.send(VIDEOS, self.video_id, video(video_id=self.video_id))

    async def write(self, *events: Media) -> None:
        for event in events:
            if isinstance(event, PartReady):
                self._store.put(event.name, data_of(event.name))
        await asyncio.gather(*(self._producer.send(MEDIA_PARTS, self.video_id, event) for event in events))


@pytest.fixture
async def studio(topics: Settings) -> AsyncIterator[Studio]:
    async with EventProducer(topics, "test") as producer:
        studio = Studio(topics, producer, new_video_id(time.time_ns() // 1_000_000, bytes(7)))
        await studio.start()
        yield studio


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in this loop, ready."""
    port = free_ports(1)[0]
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(settings.model_copy(update={"http_port": port}), stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        try:
            await eventually_async(lambda: is_ready(client), what="readiness")
            yield client
        finally:
            stop.set()
            await running


async def test_viewers_get_what_the_log_says_and_blocked_reloads_wake(topics: Settings, studio: Studio) -> None:
    tape = Tape([4] * 10, video_id=studio.video_id)
    await studio.write(*tape.events(0, 3))
    async with served(topics) as client:
        master = await client.get("/live/ann/master.m3u8")
        assert f"../../v1/videos/{studio.video_id}/source/media.m3u8" in master.text
        path = f"/v1/videos/{studio.video_id}/source/media.m3u8"
        assert [s.uri for s in read((await client.get(path)).text).whole] == [f"{n:08d}.m4s" for n in range(3)]
        part = tape.part(3, 0)
        waiting = [
            asyncio.create_task(client.get(path + "?_HLS_msn=3&_HLS_part=0")),
            asyncio.create_task(client.get(f"/v1/videos/{part.name}")),
        ]
        metrics = await eventually_async(lambda: parked(client, 2), what="two parked requests")
        assert "logcast_log_events_total" in metrics
        assert not any(task.done() for task in waiting)
        await studio.write(part)
        reload, data = await asyncio.gather(*waiting)
        assert read(reload.text).edge == (3, 1)
        assert data.content == data_of(part.name)
        assert (await client.get(f"/v1/videos/{studio.video_id}/source/00000002.m4s")).content == b"".join(
            data_of(tape.part(2, n).name) for n in range(4)
        )


async def parked(client: httpx.AsyncClient, count: int) -> str:
    """The metrics, once so many requests wait."""
    text = (await client.get("/metrics")).text
    return text if f"logcast_gateway_parked_requests {count}.0" in text else ""


async def test_two_gateways_and_a_later_one_give_the_same_bytes(topics: Settings, studio: Studio) -> None:
    tape, sound = Tape([4] * 8, video_id=studio.video_id), Tape([4] * 8, "audio", video_id=studio.video_id)
    paths = [f"/v1/videos/{studio.video_id}/{name}/media.m3u8" for name in ("source", "audio")]
    await studio.write(*tape.segment(1), *sound.events(0, 5), *tape.segment(0), *tape.events(2, 5), tape.part(1, 0))
    async with served(topics) as first, served(topics) as second:
        texts = await settled(first, paths, 4)
        assert await settled(second, paths, 4) == texts
        await studio.write(*tape.events(5, 8), *sound.events(5, 8))
        texts = await settled(first, paths, 7)
    async with served(topics) as later:
        assert await settled(later, paths, 7) == texts


async def settled(client: httpx.AsyncClient, paths: list[str], segment: int) -> list[bytes]:
    """The playlists once all of them have a segment: the reports in one are as new as what has come of the others."""
    for path in paths:
        await eventually_async(partial(found, client, path), 60, path)
        await client.get(f"{path}?_HLS_msn={segment}")
    return [(await client.get(path)).content for path in paths]


async def found(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code == 200


async def test_a_killed_gateway_comes_back_with_the_same_playlist(
    kafka: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(http_port=free_ports(1)[0])
    apply_topics(settings)
    code = (
        "import asyncio, sys\n"
        "from gateway.server import run_gateway\n"
        "from stores.settings import Settings\n"
        "asyncio.run(run_gateway(Settings.model_validate_json(sys.argv[1]), asyncio.Event()))\n"
    )
    values = settings.model_dump_json(exclude={"admin_token", "guest_secret"})

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "gateway.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-c", code, values], stdout=log, stderr=log)

    async with (
        EventProducer(settings, "test") as producer,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}", timeout=20) as client,
    ):
        studio = Studio(settings, producer, new_video_id(time.time_ns() // 1_000_000, bytes(7)))
        tape = Tape([4] * 6, video_id=studio.video_id)
        await studio.start()
        await studio.write(*tape.events(0, 5), tape.part(5, 0))
        texts = []
        for _ in range(2):
            process = start()
            try:
                await eventually_async(lambda: is_ready(client), STARTED_S, "readiness of a new process")
                texts.append((await client.get(f"/v1/videos/{studio.video_id}/source/media.m3u8")).content)
            finally:
                process.kill()
                process.wait()
    assert texts[0] == texts[1]
    assert read(texts[0].decode()).edge == (5, 1)


async def test_a_stop_answers_who_waits_and_takes_less_than_five_seconds(topics: Settings, studio: Studio) -> None:
    tape = Tape([4] * 10, video_id=studio.video_id)
    await studio.write(*tape.events(0, 3))
    async with served(topics) as client:
        path = f"/v1/videos/{studio.video_id}/source/media.m3u8?_HLS_msn=3"
        waiting = [asyncio.create_task(client.get(path)) for _ in range(20)]
        await eventually_async(lambda: parked(client, 20), what="parked requests")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert {(await task).status_code for task in waiting} == {503}


async def test_a_taken_port_is_said_in_a_sentence(settings: Settings) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{port}"):
            await run_gateway(settings.model_copy(update={"http_port": port}), asyncio.Event())
