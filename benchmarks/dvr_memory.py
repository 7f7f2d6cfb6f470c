"""Memory of a gateway over hours of a live broadcast that viewers go back an hour in; time is simulated.

`python -m benchmarks.dvr_memory [HOURS]`: segments of 2 s with ten parts, five renditions, a live window of ten minutes,
viewers at `?dvr=3600` who reload after every segment. Prints a table; memory must stop to grow once the hour is full.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from gateway.cassandra_link import CassandraLink
from gateway.dvr import DvrViews
from gateway.playlists import Playlists
from gateway.recorded import RecordedVideos
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.hls import Skip
from schemas.events import PartReady
from stores.settings import load_settings
from tests.gateway.tape import START_MS, VIDEO, Tape, video

RENDITIONS: Final = ("source", "720p", "480p", "360p", "audio")
SEGMENT_S: Final = 2
PARTS: Final = 10
EVERY_S: Final = 600
DVR_S: Final = 3_600


async def main() -> None:
    """Print the table."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    count = int(hours * 3_600 / SEGMENT_S)
    settings = load_settings(data_dir=Path("/nowhere"), window_s=600)
    now_ms = START_MS
    recorded = RecordedVideos(CassandraLink(settings), lambda: now_ms, 1_000, settings.hot_retention_s, _no_init)
    views = DvrViews(settings.model_copy(update={"hot_retention_s": 2 * DVR_S}), recorded, lambda: now_ms)
    playlists, fold = Playlists(settings), VideoFold(VIDEO, Limits(600_000, 1_300))
    fold.state(video())
    tapes = [Tape(range(0), name, part_ms=SEGMENT_S * 1000 // PARTS) for name in RENDITIONS]
    print("simulated  segments listed   RSS MiB   full playlist      delta update")
    for number in range(count):
        now_ms = START_MS + (number + 1) * SEGMENT_S * 1000
        for tape in tapes:
            _segment(fold, Tape(_Even(), tape.rendition, part_ms=tape.part_ms), number)
        view = await views.view(fold, DVR_S)
        for rendition in view.listed:
            playlists.media(view, rendition, skip=Skip.SEGMENTS, query="?dvr=3600")
        if (number + 1) * SEGMENT_S % EVERY_S == 0:
            _report(playlists, view, (number + 1) * SEGMENT_S)


async def _no_init(_name: str) -> None:
    return None


class _Even(tuple[int, ...]):
    """As many parts in every segment, however many segments there are."""

    __slots__ = ()

    def __getitem__(self, at: object) -> object:  # type: ignore[override]
        return [PARTS] * (at.stop or 0) if isinstance(at, slice) else PARTS


def _segment(fold: VideoFold, tape: Tape, number: int) -> None:
    for event in tape.segment(number):
        if isinstance(event, PartReady):
            fold.part(event)
        else:
            fold.closed(event)


def _report(playlists: Playlists, view: VideoFold, at_s: int) -> None:
    gc.collect()
    rss = psutil.Process().memory_info().rss / 1024 / 1024
    source = view.renditions["source"]
    source.version += 1  # so that both are rendered anew
    began = time.process_time()
    full = playlists.media(view, source, query="?dvr=3600").plain
    middle = time.process_time()
    delta = playlists.media(view, source, skip=Skip.SEGMENTS, query="?dvr=3600").plain
    ended = time.process_time()
    times = f"{len(full):8,} B {1e3 * (middle - began):5.1f} ms  {len(delta):6,} B {1e3 * (ended - middle):5.1f} ms"
    print(f"{at_s // 60:6} min  {len(source.segments):15,}  {rss:8.1f}   {times}")


if __name__ == "__main__":
    asyncio.run(main())
