"""The spool before a real Kafka: in order, once, over deaths of the process and absences of the brokers."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producers.spool import Spool, Spooled
from producers.spool_present import Present
from schemas import codec
from schemas.events import Event, GopClosed, GopOpened
from schemas.topics import MEDIA_GOPS, MEDIA_SOURCE, source_partition
from stores.kafka import EventProducer, read_to_end
from stores.settings import Settings
from stores.spool_log import Limits, SpoolFullError, SpoolLog
from tests.conftest import free_ports
from tests.waiting import eventually

pytestmark = pytest.mark.integration

VIDEO = "0123456789abcdefghjk"


def closed(gop: int, video: str = VIDEO) -> GopClosed:
    return GopClosed(
        video_id=video, channel="one", gop=gop, first_segment=gop, last_segment=gop, video_chunks=1, audio_chunks=0
    )


def gop_opened(gop: int, video: str = VIDEO) -> GopOpened:
    return GopOpened(video_id=video, channel="one", gop=gop, segment=gop, epoch=0, media_time_ms=0, captured_ms=0)


@contextlib.asynccontextmanager
async def spool_of(settings: Settings, bootstrap: str = "") -> AsyncIterator[Spool]:
    away = settings.model_copy(update={"kafka_bootstrap": bootstrap}) if bootstrap else settings
    limits = Limits(total=settings.spool_max_mb << 20, reserve=0)
    with SpoolLog(settings.spool_path, limits, lambda: time.time_ns() // 1_000_000) as files:
        async with (
            EventProducer(away, "test", close_timeout_s=0.1, spooled=True) as producer,
            Spool(away, files, producer) as spool,
        ):
            yield spool


async def put(spool: Spool, settings: Settings, gops: range) -> None:
    """For each GOP its announcement, and its closing to where GOPs go."""
    for gop in gops:
        await spool.put(MEDIA_GOPS, VIDEO, gop_opened(gop))
        partition = source_partition(VIDEO, gop, settings.partitions)
        await spool.put(MEDIA_SOURCE, f"{VIDEO}/{gop}", closed(gop), partition=partition)


async def on_the_log(settings: Settings) -> tuple[list[int], list[int]]:
    """GOPs announced, in order; GOPs closed, sorted, for they are on several partitions."""

    def read() -> tuple[list[int], list[int]]:
        found: dict[str, list[int]] = {}
        for topic in (MEDIA_GOPS, MEDIA_SOURCE):
            values = [message.value() for message in read_to_end(settings, topic, "test")]
            events: list[Event] = [codec.decode(value) for value in values if value is not None]
            found[topic.name] = [e.gop for e in events if isinstance(e, GopOpened | GopClosed)]
        return found[MEDIA_GOPS.name], sorted(found[MEDIA_SOURCE.name])

    return await asyncio.to_thread(read)


def test_a_record_is_read_as_it_was_written() -> None:
    record = Spooled("media.source", 513, b"video/7", bytes(range(256)))
    assert Spooled.unpack(record.pack()) == record
    assert record.video == b"video"


def test_a_record_that_compaction_took_from_before_a_later_one_counts_as_sent() -> None:
    present = Present()
    present.add(MEDIA_GOPS.name, b"v", bytes(16) + (9).to_bytes(8, "big"))
    present.add(MEDIA_SOURCE.name, b"v/1", bytes(16) + (8).to_bytes(8, "big"))
    assert present.has(b"gone", 5, MEDIA_GOPS.name, b"v")
    assert not present.has(b"later", 10, MEDIA_GOPS.name, b"v")
    assert not present.has(b"of another", 5, MEDIA_GOPS.name, b"w")
    assert not present.has(b"never sent", 5, MEDIA_SOURCE.name, b"v/1")
    assert present.has(bytes(16) + (8).to_bytes(8, "big"), 8, MEDIA_SOURCE.name, b"v/1")


async def test_what_was_put_is_on_the_log_in_order_and_leaves_the_disk(topics: Settings) -> None:
    async with spool_of(topics) as spool:
        await put(spool, topics, range(50))
        await spool.delivered(60)
        assert spool.waiting == 0
    assert await on_the_log(topics) == (list(range(50)), list(range(50)))


async def test_what_was_put_while_kafka_was_away_is_delivered_after_the_next_start(topics: Settings) -> None:
    nobody = f"127.0.0.1:{secrets.randbelow(1000) + 1}"
    async with spool_of(topics, nobody) as spool:
        await put(spool, topics, range(20))
        assert spool.waiting == 40
    async with spool_of(topics) as spool:
        await put(spool, topics, range(20, 25))
        await spool.delivered(60)
    assert await on_the_log(topics) == (list(range(25)), list(range(25)))


async def test_what_is_on_the_log_already_is_not_sent_again(topics: Settings) -> None:
    async with spool_of(topics) as spool:
        await put(spool, topics, range(10))
        await spool.delivered(60)
        files = {path: path.read_bytes() for path in topics.spool_path.glob("*.spool")}
    for path, data in files.items():  # as if the process had died before it noted what was acknowledged
        path.write_bytes(data)
    (topics.spool_path / "acknowledged").unlink()
    async with spool_of(topics) as spool:
        assert spool.waiting == 20
        await put(spool, topics, range(10, 12))
        await spool.delivered(60)
    assert await on_the_log(topics) == (list(range(12)), list(range(12)))


RUN = """
import asyncio, sys
from stores.settings import load_settings
from tests.producers.test_spool import put, spool_of

async def main():
    settings = load_settings()
    async with spool_of(settings) as spool:
        gop = int(sys.argv[1])
        while True:
            await put(spool, settings, range(gop, gop + 1))
            print(gop, flush=True)
            gop += 1

asyncio.run(main())
"""


async def test_kill_9_at_any_time_loses_and_doubles_nothing(topics: Settings) -> None:
    values = topics.model_dump(mode="json").items()
    environ = os.environ | {f"LOGCAST_{name.upper()}": str(value) for name, value in values if value is not None}
    done, cut = -1, set[int]()
    for target in (40, 120, 250):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, str(done + 1), stdout=asyncio.subprocess.PIPE, env=environ
        )
        assert process.stdout is not None
        while done < target:
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            done = int(line)
        process.send_signal(signal.SIGKILL)
        for line in (await process.stdout.read()).splitlines():
            done = int(line)
        await process.wait()
        # a GOP may have been put, whole or in part, and not be said: the next run goes on behind what is in the spool
        done = max(done, _last_gop(topics.spool_path))
        cut.add(done)
    async with spool_of(topics) as spool:
        await spool.delivered(60)
    announced, ended = await on_the_log(topics)
    assert announced == list(range(done + 1))
    assert set(range(done + 1)) - set(ended) <= cut, "the kill may have come between the two records of a GOP"
    assert len(ended) == len(set(ended))


def _last_gop(directory: Path) -> int:
    with SpoolLog(directory, Limits(total=1 << 30), lambda: 0) as files:
        entries, cursor = files.read(files.first, 1 << 30)
        assert not files.read(cursor, 1)[0]
    events = [codec.decode(Spooled.unpack(entry.data).value) for entry in entries]
    return max((e.gop for e in events if isinstance(e, GopOpened | GopClosed)), default=-1)


@contextlib.asynccontextmanager
async def way_to(bootstrap: str, port: int) -> AsyncIterator[None]:
    """A broker can be found at this port, too."""
    host, _, at = bootstrap.rpartition(":")

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(host, int(at))
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield


async def test_a_full_spool_takes_again_when_there_is_room_also_when_nobody_asks(
    topics: Settings, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    settings = topics.model_copy(update={"spool_patience_s": 1, "kafka_bootstrap": f"127.0.0.1:{port}"})
    limits = Limits(total=4_000, file=16_000)
    with SpoolLog(tmp_path / "small", limits, lambda: time.time_ns() // 1_000_000) as files:
        async with EventProducer(settings, "test", spooled=True) as producer, Spool(settings, files, producer) as spool:
            with pytest.raises(SpoolFullError, match="is full"):
                await put(spool, settings, range(100))
            assert "is full" in spool.full
            taken = spool.waiting
            async with way_to(topics.kafka_bootstrap, port):
                await spool.delivered(60)
                await eventually(lambda: not spool.full, 60, "room in the spool")
                await put(spool, topics, range(taken, taken + 1))
                await spool.delivered(60)
    announced, ended = await on_the_log(topics)
    assert len(announced) + len(ended) == taken + 2
