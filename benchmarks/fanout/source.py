"""A live source: parts of 200 ms into the hot store and onto the log, at the pace of their pictures.

Every part begins with the wall clock at which it was announced (8 bytes, microseconds), so that a viewer knows its age.
"""

import asyncio
import hashlib
import os
import time
from collections import deque
from dataclasses import dataclass, replace

from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer, Written
from stores.settings import Settings
from tests.gateway.tape import Tape, video

PART_MS = 200
PARTS_PER_SEGMENT = 5
RENDITION = "source"
IN_FLIGHT = 50


@dataclass(frozen=True, slots=True)
class Stream:
    """What is sent: `kbps` of one rendition of a video."""

    video_id: str
    kbps: int

    @property
    def part_bytes(self) -> int:
        """Size of each part."""
        return self.kbps * PART_MS // 8


def send(settings: Settings, stream: Stream) -> None:
    """Send until the process is ended."""
    asyncio.run(_send(settings, stream))


async def _send(settings: Settings, stream: Stream) -> None:
    store = open_segment_store(settings)
    body = os.urandom(stream.part_bytes - 8)
    tape = Tape([PARTS_PER_SEGMENT] * 10_000, RENDITION, stream.video_id, part_ms=PART_MS)
    began_ms = time.time_ns() // 1_000_000
    sent: deque[asyncio.Future[Written]] = deque()
    async with EventProducer(settings, "bench-source") as producer:
        await producer.send(
            VIDEOS,
            stream.video_id,
            replace(video(video_id=stream.video_id), started_ms=began_ms, part_target_ms=PART_MS),
        )
        first = tape.part(0, 0)
        store.put(first.init, b"init")
        for number in range(10_000 * PARTS_PER_SEGMENT):
            segment, part = divmod(number, PARTS_PER_SEGMENT)
            await asyncio.sleep(began_ms / 1000 + (number + 1) * PART_MS / 1000 - time.time())
            now_us = time.time_ns() // 1_000
            data = now_us.to_bytes(8, "big") + body
            ready = replace(
                tape.part(segment, part),
                captured_ms=began_ms + number * PART_MS,
                received_ms=now_us // 1_000,
                size=len(data),
                sha256=hashlib.sha256(data).digest(),
            )
            store.put(ready.name, data)
            sent.append(producer.send(MEDIA_PARTS, stream.video_id, ready))
            if part == PARTS_PER_SEGMENT - 1:
                sent.append(producer.send(MEDIA_PARTS, stream.video_id, tape.closed(segment)))
            while len(sent) > IN_FLIGHT:  # a log that answers late does not slow a camera down
                await sent.popleft()
