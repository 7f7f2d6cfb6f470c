"""Two workers in a live push are restarted one after another by SIGTERM. By hand: `LOGCAST_FAULTS=1 pytest -s` this file."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from schemas.events import GopClosed, MediaChunk
from stores.kafka import EventProducer
from stores.settings import Settings
from tests.processors.gops import WALL_MS, Clip, SourceGop, make_gops
from tests.processors.test_transcode_worker import (
    ANN,
    BOB,
    DEADLINE_S,
    Parts,
    expected,
    members,
    segments_of,
    send,
    stored,
    transcoding,
)
from tests.waiting import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not os.environ.get("LOGCAST_FAULTS"), reason="a minute of live time: LOGCAST_FAULTS=1"),
]

SECONDS = 60


@pytest.fixture
def parts(topics: Settings) -> Iterator[Parts]:
    found = Parts(topics)
    yield found
    found.reader.close()


@pytest.fixture
async def producer(topics: Settings) -> AsyncIterator[EventProducer]:
    async with EventProducer(topics, "test") as opened:
        yield opened


class Pauses:
    """How long each rendition of each video had no new part."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seen = 0
        self._last: dict[tuple[str, str], float] = {}
        self.longest: dict[tuple[str, str], float] = {}

    async def watch(self) -> None:
        while True:
            self._parts.read()
            now_s = time.monotonic()
            for part in list(self._parts.ready.values())[self._seen :]:
                key = (part.video_id, part.rendition)
                pause_s = now_s - self._last.get(key, now_s)
                self.longest[key] = max(self.longest.get(key, 0.0), pause_s)
                self._last[key] = now_s
            self._seen = len(self._parts.ready)
            await asyncio.sleep(0)


def at_live_pace(streams: list[tuple[SourceGop, ...]]) -> list[tuple[int, MediaChunk | GopClosed]]:
    """Every event with the media time, ms, at which an ingest would have written it."""
    timed: list[tuple[int, MediaChunk | GopClosed]] = []
    for stream in streams:
        for gop in stream:
            timed += [(chunk.received_ms - WALL_MS, chunk) for chunk in gop.chunks]
            timed.append((max(chunk.received_ms for chunk in gop.chunks) - WALL_MS, gop.closed))
    return sorted(timed, key=lambda one: one[0])


async def test_a_rolling_restart_of_the_workers_of_a_live_push_loses_no_frame_and_is_no_gap(
    topics: Settings, parts: Parts, producer: EventProducer, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = Clip(fps=24, gops=SECONDS // 2, gop_frames=48, part_frames=6, segment_parts=4, audio=True)
    streams = [make_gops(clip), make_gops(replace(clip, video_id=BOB, start_ms=700))]
    every = [gop for stream in streams for gop in stream]
    pauses = Pauses(parts)

    async def push() -> None:
        began_s = time.monotonic()
        for at_ms, event in at_live_pace(streams):
            await asyncio.sleep(began_s + at_ms / 1000 - time.monotonic())
            send(producer, topics, event)

    with ExitStack() as stack:
        workers = {slot: stack.enter_context(transcoding(topics, slot)) for slot in ("0", "1")}
        await eventually(lambda: all(worker.ready() for worker in workers.values()), DEADLINE_S, "both workers")
        pushing, watching = asyncio.create_task(push()), asyncio.create_task(pauses.watch())
        try:
            for slot in ("0", "1"):
                await asyncio.sleep(SECONDS / 6)
                undisturbed, pauses.longest = pauses.longest, {}
                worker = workers[slot]
                worker.process.terminate()
                await eventually(lambda w=worker: w.process.poll() is not None, DEADLINE_S, "its end")  # type: ignore[misc]
                assert worker.process.returncode == 0, worker.log.read_text()[-3000:]
                fresh = workers[slot] = stack.enter_context(transcoding(topics, slot))
                await eventually(fresh.ready, DEADLINE_S, "its return")
                await eventually(lambda: members(topics) == 2, DEADLINE_S, "both members")
                await asyncio.sleep(2)
                _tell(capsys, slot, undisturbed, pauses.longest)
            await pushing
            await eventually(lambda: parts.all_closed(segments_of(every)), DEADLINE_S, "the end of every segment")
        finally:
            watching.cancel()
    assert stored(topics, (ANN, BOB)) == expected(every)
    with capsys.disabled():
        print(f"{parts.repeated} of {len(parts.ready)} parts made twice, with the same bytes")  # noqa: T201


def _tell(
    capsys: pytest.CaptureFixture[str],
    slot: str,
    undisturbed: dict[tuple[str, str], float],
    longest: dict[tuple[str, str], float],
) -> None:
    before, during = max(undisturbed.values(), default=0), max(longest.values(), default=0)
    with capsys.disabled():
        print(f"\nworker {slot} restarted: longest pause of a playlist {during:.2f} s, before it {before:.2f} s")  # noqa: T201
