"""What the relay announces, and in which order."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from media.cmaf import parse_chunk, write_chunk
from processors.part_writer import Arrived, PartWriter, Record
from processors.relay import Relay
from schemas.events import CaptionsFound, Event, MediaChunk, PartReady
from schemas.topics import Topic
from stores.kafka import EventProducer, Written
from stores.segments import LocalSegmentStore
from tests.media.captions.encoder import control, line_21, with_captions
from tests.processors.gops import Clip, make_gops

(GOP,) = make_gops(Clip(gop_frames=12))
PAIRS = line_21(control(0x20))


class Log:
    """Remembers what is written, in its order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def enqueue(self, _topic: Topic, _key: str, event: Event) -> asyncio.Future[Written]:
        self.events.append(event)
        written: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        written.set_result(Written(0, len(self.events)))
        return written


def captioned(chunk: MediaChunk, triplets: list[bytes]) -> MediaChunk:
    """The chunk with captions on its first picture."""
    read = parse_chunk(chunk.data)
    first, *rest = read.samples
    samples = [replace(first, data=with_captions(first.data, triplets)), *rest]
    return replace(chunk, data=write_chunk(read.track_id, read.sequence, samples))


async def announced(directory: Path, chunks: list[MediaChunk]) -> list[Event]:
    log = Log()
    with ThreadPoolExecutor(1) as threads:
        producer = cast("EventProducer", cast("Any", log))
        writer = PartWriter(LocalSegmentStore(directory), producer, threads, "test", lambda: 0)
        relay = Relay(chunks[0], writer)
        for chunk in chunks:
            record = cast("Record", SimpleNamespace(value=b""))
            await relay.chunk(Arrived(chunk, record, 0.0))
    return log.events


async def test_captions_are_announced_before_the_part_that_carries_them(tmp_path: Path) -> None:
    first, second = GOP.video
    events = await announced(tmp_path, [first, captioned(second, PAIRS)])
    plain, found, carrier = events
    assert isinstance(plain, PartReady)
    assert isinstance(found, CaptionsFound)
    assert isinstance(carrier, PartReady)
    assert (found.segment, found.part, found.timescale) == (carrier.segment, carrier.part, carrier.timescale)
    (picture,) = found.pictures
    assert picture.data == b"".join(PAIRS)
    assert carrier.dts <= picture.pts < carrier.dts + carrier.duration


async def test_a_place_for_captions_is_announced_once_a_gop(tmp_path: Path) -> None:
    padding = line_21([(0x80, 0x80)])
    first, second = (captioned(chunk, padding) for chunk in GOP.video)
    events = await announced(tmp_path, [first, second])
    assert [type(event) for event in events] == [CaptionsFound, PartReady, PartReady]
    assert isinstance(events[0], CaptionsFound)
    assert events[0].pictures == ()


async def test_padding_and_broken_chunks_are_no_captions(tmp_path: Path) -> None:
    first, second = GOP.video
    padded = captioned(second, line_21([(0x80, 0x80)]))
    broken = replace(padded, data=padded.data[:-40])
    events = await announced(tmp_path, [first, padded, broken])
    assert [type(event) for event in events] == [PartReady] * 3
