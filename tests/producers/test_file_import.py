"""Files of every kind become videos on the log; the log's workers are played by a task that says what it has seen."""

import asyncio
import contextlib
import itertools
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from media.cmaf import parse_chunk
from producers.broadcast import Clock
from producers.file_import import FileImport, ImportFailedError, ImportState
from schemas.events import Event, GopClosed, Origin, SegmentClosed, Track, VideoState
from schemas.topics import MEDIA_PARTS, MEDIA_SOURCE
from stores import log_reader
from stores.accounts import Channel
from stores.kafka import EventProducer
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings
from tests.producers.conftest import Seen, log_of
from tests.waiting import eventually

pytestmark = pytest.mark.integration

CLOCK = Clock(now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom)
CHANNEL = Channel(1, "ann", "A title", 0, 7)  # type: ignore[arg-type]
SECONDS = 4


def make(path: Path, *encoding: str, size: str = "320x180", audio: bool = True, video: bool = True) -> Path:
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30"] if video else []
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"] if audio else []
    command = ["ffmpeg", "-v", "error", "-y", *picture, *sound, "-t", str(SECONDS), *encoding, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@contextlib.asynccontextmanager
async def workers(settings: Settings) -> AsyncIterator[None]:
    """Say of every segment that it is done."""
    gops: asyncio.Queue[GopClosed] = asyncio.Queue()

    def came(event: Event, _place: object) -> None:
        if isinstance(event, GopClosed):
            gops.put_nowait(event)

    async def work() -> None:
        async with EventProducer(settings, "test-worker") as producer:
            while True:
                gop = await gops.get()
                for segment in range(gop.first_segment, gop.last_segment + 1):
                    done = SegmentClosed(
                        video_id=gop.video_id,
                        channel=gop.channel,
                        rendition="source",
                        gop=gop.gop,
                        segment=segment,
                        parts=1,
                    )
                    await producer.deliver(MEDIA_PARTS, gop.video_id, done)

    async with LogReader(settings, [Subscription(MEDIA_SOURCE, came)], role="test-worker"):
        working = asyncio.create_task(work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait({working})


async def imported(settings: Settings, path: Path, states: list[ImportState] | None = None) -> Seen:
    """What an import puts on the log."""
    async with log_of(settings) as seen, workers(settings):
        async with FileImport(settings, CHANNEL, CLOCK, (states if states is not None else []).append) as importing:
            await asyncio.wait_for(importing.run(path), 60)
        await eventually(lambda: seen.videos("ann")[-1:] and seen.videos("ann")[-1].state is VideoState.ENDED)
        # partitions are read one beside the other
        await eventually(lambda: {gop.gop for gop in seen.opened("ann")} == {gop.gop for gop in seen.closed("ann")})
        await eventually(lambda: sum(gop.video_chunks for gop in seen.closed("ann")) == len(seen.chunks("ann")))
    return seen


def pictures(seen: Seen) -> list[int]:
    samples = [s for chunk in seen.chunks("ann") for s in parse_chunk(chunk.data).samples]
    return sorted(s.dts + s.cts_offset for s in samples)


def check_times(seen: Seen) -> None:
    """Every picture is there, a thirtieth of a second after the one before."""
    shown = pictures(seen)
    assert len(shown) == 30 * SECONDS
    assert all(abs(later - earlier - 3_000) <= 100 for earlier, later in itertools.pairwise(shown))


async def test_h264_and_aac_are_taken_as_they_are(topics: Settings, tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", "-c:v", "libx264", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac")
    states: list[ImportState] = []
    before_ms = CLOCK.now_ms()
    seen = await imported(topics, path, states)
    check_times(seen)
    last = seen.videos("ann")[-1]
    assert (last.origin, last.title, last.keep_days, last.video, last.audio) == (
        Origin.IMPORT,
        "A title",
        7,
        True,
        True,
    )
    assert last.ended_ms is not None
    assert abs(last.ended_ms - last.started_ms - 1000 * SECONDS) < 100
    assert last.last_segment == max(chunk.segment for chunk in seen.chunks("ann"))
    assert seen.chunks("ann", Track.AUDIO)
    assert all(chunk.captured_ms <= CLOCK.now_ms() for chunk in seen.chunks("ann"))
    assert seen.chunks("ann")[0].captured_ms < before_ms
    assert states[-1].finished
    assert states[-1].done == last.last_segment


@pytest.mark.parametrize(
    ("name", "encoding", "size"),
    [
        ("odd.mkv", ("-c:v", "libx264", "-pix_fmt", "yuv444p", "-c:a", "libopus"), "321x181"),
        ("mpeg4.avi", ("-c:v", "mpeg4", "-c:a", "mp2"), "320x180"),
    ],
)
async def test_what_players_do_not_take_is_transcoded(
    topics: Settings, tmp_path: Path, name: str, encoding: tuple[str, ...], size: str
) -> None:
    seen = await imported(topics, make(tmp_path / name, *encoding, size=size))
    assert seen.chunks("ann")[0].codecs.startswith("avc1.")
    assert len(pictures(seen)) >= 30 * SECONDS - 2
    assert seen.chunks("ann", Track.AUDIO)[0].codecs == "mp4a.40.2"


async def test_a_file_without_sound_is_a_video(topics: Settings, tmp_path: Path) -> None:
    path = make(tmp_path / "silent.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", audio=False)
    seen = await imported(topics, path)
    check_times(seen)
    assert not seen.videos("ann")[-1].audio


async def test_an_import_that_fails_leaves_a_video_that_is_over_and_not_kept(topics: Settings, tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all" * 100)
    async with log_of(topics) as seen:
        async with FileImport(topics, CHANNEL, CLOCK, lambda _: None) as importing:
            with pytest.raises(ImportFailedError, match="cannot read"):
                await importing.run(path)
        await eventually(lambda: seen.videos("ann"))
    last = seen.videos("ann")[-1]
    assert (last.state, last.keep_days) == (VideoState.ENDED, 0)


async def test_an_import_says_what_it_waits_for_when_no_worker_does_anything(
    topics: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.file_import.PATIENCE_S", 2.0)
    path = make(tmp_path / "a.mp4", "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", audio=False)
    states: list[ImportState] = []
    async with log_of(topics) as seen:
        async with FileImport(topics, CHANNEL, CLOCK, states.append) as importing:
            with pytest.raises(ImportFailedError, match=r"waited 2 s for the workers: segment \d \(nothing came yet\)"):
                await asyncio.wait_for(importing.run(path), 60)
        await eventually(lambda: seen.videos("ann")[-1:] and seen.videos("ann")[-1].state is VideoState.ENDED, 60)
    assert seen.videos("ann")[-1].keep_days == 0
    assert states[-1].waits_for.startswith("the workers: segment")


async def test_an_import_without_a_log_ends_and_says_so(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.file_import.PATIENCE_S", 2.0)
    monkeypatch.setattr("producers.file_import.GIVE_UP_S", 1.0)
    path = make(tmp_path / "a.mp4", "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", audio=False)
    nowhere = make_settings(kafka_bootstrap="127.0.0.1:9")
    async with FileImport(nowhere, CHANNEL, CLOCK, lambda _: None) as importing:
        with pytest.raises(ImportFailedError, match="waited 2 s for the log to write what was read"):
            await asyncio.wait_for(importing.run(path), 60)


async def test_an_import_whose_reader_hangs_goes_on_with_another(
    topics: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that never answers its first question, as a hung connection does."""
    monkeypatch.setattr("producers.file_import.AGAIN_S", 1.0)
    monkeypatch.setattr("stores.log_reader.STOP_S", 0.5)
    answers, over, starts = itertools.count(), threading.Event(), log_reader.first_offsets

    def hangs_once(consumer: Consumer, name: str, start_ms: int) -> list[TopicPartition]:
        if name.endswith(MEDIA_PARTS.name) and next(answers) == 0:
            over.wait(60)
        return starts(consumer, name, start_ms)

    monkeypatch.setattr("stores.log_reader.first_offsets", hangs_once)
    path = make(tmp_path / "a.mp4", "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", audio=False)
    states: list[ImportState] = []
    try:
        async with workers(topics), FileImport(topics, CHANNEL, CLOCK, states.append) as importing:
            await asyncio.wait_for(importing.run(path), 60)
    finally:
        over.set()
    assert states[-1].done == states[-1].segments > 0
    assert next(answers) >= 2
