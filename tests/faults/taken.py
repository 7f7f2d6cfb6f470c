"""What the ingest took of a video, by its spool and by the log; and what the video has of it in the end."""

import asyncio
import io
import itertools
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import httpx

from benchmarks.glass import stamp
from benchmarks.glass.publisher import luma_of
from producers.spool import Spooled
from schemas.codec import decode
from schemas.events import MediaChunk, Track
from schemas.topics import MEDIA_SOURCE
from stores.spool_log import Limits, SpoolLog
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.faults.ledgers import Log
from tests.faults.numbered_push import Run
from tests.gateway.playlist_reader import ReadPlaylist
from tests.waiting import eventually_async

WHOLE_S = 240.0

ChunkName = tuple[Track, int, int, int, int]
"""Track, GOP, segment, part, index."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Chunks of one video and how many frames each has; `repeated`: how often one was there again."""

    chunks: dict[ChunkName, int]
    repeated: int

    @classmethod
    def of(cls, chunks: Iterable[MediaChunk]) -> "Taken":
        """Count them."""
        found: dict[ChunkName, int] = {}
        count = 0
        for chunk in chunks:
            found[chunk.track, chunk.gop, chunk.segment, chunk.part, chunk.index] = chunk.frames
            count += 1
        return cls(found, count - len(found))

    def segments(self, track: Track) -> set[int]:
        """Those of which anything is there: an ingest that is killed may have opened one without more."""
        return {name[2] for name in self.chunks if name[0] is track}

    def frames(self, track: Track) -> int:
        """How many frames of a track."""
        return sum(frames for name, frames in self.chunks.items() if name[0] is track)


def on_the_log(log: Log) -> Taken:
    """What the log has of a video. Blocking."""
    return Taken.of(log.of(MEDIA_SOURCE, MediaChunk))


def in_the_spool(spool: Path, video: str, copy: Path) -> Taken:
    """What lies in a spool's files, delivered or not. Blocking; nobody may write meanwhile: stop the ingest."""
    chunks: list[MediaChunk] = []
    for number, place in enumerate(sorted(path for path in spool.iterdir() if (path / "lock").exists())):
        of_one = copy / str(number)
        shutil.copytree(place, of_one)
        (of_one / "acknowledged").unlink(missing_ok=True)
        with SpoolLog(of_one, Limits(total=1 << 40), lambda: 0) as files:
            entries, _ = files.read(files.oldest, 1 << 40)
        events = [decode(Spooled.unpack(entry.data).value) for entry in entries]
        chunks += [event for event in events if isinstance(event, MediaChunk) and event.video_id == video]
    return Taken.of(chunks)


async def on_demand(viewer: HlsViewer, variant: Variant, segments: set[int]) -> ReadPlaylist:
    """The playlist of a video that is over, once none of these segments is missing any more."""
    asked = Variant(variant.name, f"{variant.url.partition('?')[0]}?vod=1", variant.height)

    log: list[str] = []

    async def without_gaps() -> ReadPlaylist | None:
        try:
            playlist = await viewer.playlist(asked)
        except httpx.HTTPError as error:
            log.append(f"{variant.name}: {error!r}")
            return None
        gaps = [segment.number for segment in playlist.segments if segment.gap and segment.number in segments]
        log.append(f"{variant.name}: {len(playlist.segments)} segments, ended {playlist.ended}, gaps {gaps}")
        return playlist if playlist.ended and not gaps else None

    try:
        playlist = await eventually_async(without_gaps, WHOLE_S, f"all of {variant.name}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {log[-1]}") from error
    assert playlist is not None
    return playlist


async def pictures(viewer: HlsViewer, variant: Variant, playlist: ReadPlaylist) -> list[int]:
    """The numbers of all pictures that a decoder makes of a video, epoch by epoch."""
    found: list[int] = []
    for media in await _runs(viewer, variant, playlist):
        found += await asyncio.to_thread(_numbers, media)
    return found


async def sounds(viewer: HlsViewer, variant: Variant, playlist: ReadPlaylist) -> int:
    """How many frames of sound a video has."""
    return sum([await asyncio.to_thread(_packets, media) for media in await _runs(viewer, variant, playlist)])


async def _runs(viewer: HlsViewer, variant: Variant, playlist: ReadPlaylist) -> list[bytes]:
    found, there = [], [segment for segment in playlist.whole if not segment.gap]
    for (_, init), group in itertools.groupby(there, key=lambda segment: (segment.epoch, segment.map)):
        media = [await viewer.get(variant, init), *[await viewer.get(variant, segment.uri) for segment in group]]
        found.append(b"".join(media))
    return found


def _numbers(media: bytes) -> list[int]:
    found = []
    with av.open(io.BytesIO(media), "r") as container:
        for frame in container.decode(container.streams.video[0]):
            number = stamp.read(luma_of(frame))
            assert number is not None, f"the picture at {frame.time} s cannot be read"
            found.append(number - 1)
    return found


def _packets(media: bytes) -> int:
    with av.open(io.BytesIO(media), "r") as container:
        return sum(1 for packet in container.demux(container.streams.audio[0]) if packet.size)


def expected(runs: list[Run], shown: list[int]) -> list[int]:
    """The pictures that should be there: all of each run that was not cut, and of the others from their first on.

    How many of a cut run, only the ingest can know: as many as are shown, but without a hole.
    """
    found: list[int] = []
    for run in runs:
        within = sum(run.first <= number < run.first + run.sent for number in shown)
        found += range(run.first, run.first + (within if run.cut else run.sent))
    return found
