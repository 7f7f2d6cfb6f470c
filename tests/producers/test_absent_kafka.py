"""A broker of this test's own stands still: the ingest takes on, dies, and what it took is on the log once."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from logcast.stack.java import find_java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.probes import kafka_serves
from logcast.stack.spool_view import SpoolView, read_spool
from producers.spool import Spooled
from schemas.codec import decode
from schemas.events import MediaChunk, Track
from stores.accounts import Accounts
from stores.settings import Settings
from stores.spool_log import Limits, SpoolLog
from stores.topics import apply_topics
from tests.conftest import faster, free_ports, jars_of, server
from tests.producers.conftest import decoded_frames, log_of, make_flv, push
from tests.producers.test_ingest import RUN, _connects
from tests.waiting import eventually

pytestmark = pytest.mark.integration

WAITING_RECORDS = 50
"""About five seconds of both tracks."""


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """Bootstrap servers of a broker that may be stopped, and its process."""
    directory = tmp_path_factory.mktemp("own-kafka")
    port, controller_port = free_ports(2)
    node = KafkaNode(directory, port, controller_port, find_java(), jars_of("kafka"))
    node.prepare()
    bootstrap = f"127.0.0.1:{port}"
    with server(faster(node, "kafka"), directory, lambda: kafka_serves(bootstrap)):
        family = psutil.Process().children(recursive=True)
        (java,) = [process for process in family if process.name() == "java" and str(directory) in process.cwd()]
        yield bootstrap, java


def taken(settings: Settings, copy: Path) -> int:
    """How many pictures are in the spool's files, delivered or not."""
    shutil.copytree(settings.spool_path / "0", copy)
    (copy / "acknowledged").unlink(missing_ok=True)
    with SpoolLog(copy, Limits(total=1 << 40), lambda: 0) as files:
        entries, _ = files.read(files.first, 1 << 40)
    events = [decode(Spooled.unpack(entry.data).value) for entry in entries]
    return sum(event.frames for event in events if isinstance(event, MediaChunk) and event.track is Track.VIDEO)


async def test_an_ingest_killed_while_kafka_stands_still_delivers_what_it_took_once(
    broker: tuple[str, psutil.Process], make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    rtmp, health = free_ports(2)
    kafka = broker[1]
    settings = make_settings(kafka_bootstrap=broker[0], rtmp_port=rtmp, health_port_ingest=health, grace_s=30)
    await asyncio.to_thread(apply_topics, settings)
    async with Accounts.open(settings) as accounts:
        key = (await accounts.create_channel("one")).stream_key
    clip = await asyncio.to_thread(make_flv, tmp_path / "clip.flv", 60, (), video=True, audio=True)
    environment = {f"LOGCAST_{k.upper()}": str(v) for k, v in settings.model_dump(mode="json").items() if v is not None}

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)
        await eventually(lambda: _connects(rtmp), 90, "the ingest's port")
        return process

    def waits() -> SpoolView:
        return read_spool(health) or SpoolView(0, -1, 0.0, full=False)

    ingest = await start()
    try:
        async with log_of(settings) as seen:
            pushing = await push(clip, f"rtmp://127.0.0.1:{rtmp}/live/{key}")
            await eventually(lambda: len({c.gop for c in seen.chunks("one")}) >= 2, 60, "two GOPs")
            kafka.suspend()
            try:
                await eventually(lambda: waits().records > WAITING_RECORDS, 60, "records in the spool")
                assert pushing.process.returncode is None, "the publisher goes on"
                ingest.send_signal(signal.SIGKILL)
                await ingest.wait()
                await pushing.ended()
                pictures = taken(settings, tmp_path / "copy")
            finally:
                kafka.resume()
            ingest = await start()
            await eventually(lambda: waits().records == 0, 90, "an empty spool")
            await eventually(lambda: sum(c.frames for c in seen.chunks("one")) >= pictures, 60, "what was taken")
        video, audio = seen.chunks("one"), seen.chunks("one", Track.AUDIO)
        assert sum(c.frames for c in video) == pictures == decoded_frames(video)
        assert len({(c.track, c.gop, c.index) for c in video + audio}) == len(video + audio)
        assert {c.epoch for c in video} == {0}
        opened, gops = [o.gop for o in seen.opened("one")], sorted({c.gop for c in video})
        assert opened[: len(gops)] == gops
        assert opened[len(gops) :] in ([], [len(gops)]), "a GOP that had opened, and no chunk yet, when the ingest died"
    finally:
        if ingest.returncode is None:
            ingest.send_signal(signal.SIGKILL)
        await ingest.wait()
