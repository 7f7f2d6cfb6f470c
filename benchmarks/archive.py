"""How fast closed segments go from the hot tier into the cold store, and what it costs: a directory, and a real S3 server.

`python -m benchmarks.archive`; segments of 1.25 MB in five parts (2 s at 5 Mbit/s), four at once as by default. The S3 server
is the one of the tests (`make test-deps`) on the same machine: its own CPU is not counted.
"""

import asyncio
import os
import resource
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from consumers.open_segments import ClosedSegment
from consumers.segment_archive import SegmentArchive
from stores.recordings import open_recordings
from stores.segments import LocalSegmentStore, init_name
from stores.settings import load_settings
from tests.conftest import free_ports
from tests.s3_server import PROGRAM, s3_server

SEGMENTS: Final = 400
PARTS: Final = 5
PART_BYTES: Final = 250_000
AT_ONCE: Final = 4
VIDEO: Final = "0123456789abcdefghjk"


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        hot = LocalSegmentStore(directory / "segments")
        segments = [_closed(number) for number in range(SEGMENTS)]
        for segment in segments:
            hot.put(segment.init, b"init")
            for part in segment.part_names():
                hot.put(part, os.urandom(PART_BYTES))
        stores: dict[str, dict[str, Any]] = {"a directory": {}}
        if PROGRAM.exists():
            (directory / "s3").mkdir()
            served = stack.enter_context(s3_server(directory / "s3", free_ports(1)[0]))
            stores["S3 on this machine"] = served.options("benchmark")
        for where, options in stores.items():
            asyncio.run(_measure(where, segments, hot, directory, options))


def _closed(number: int) -> ClosedSegment:
    return ClosedSegment(VIDEO, "ann", "source", number, init_name(VIDEO, "source", b"init"), (PART_BYTES,) * PARTS)


async def _measure(
    where: str, segments: list[ClosedSegment], hot: LocalSegmentStore, directory: Path, options: dict[str, Any]
) -> None:
    async with open_recordings(load_settings(data_dir=directory, recordings_reserve_mb=0, **options)) as cold:
        archive = SegmentArchive(hot, cold, lambda: 0)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(segment: ClosedSegment) -> None:
            async with slots:
                told = await archive.archive(segment)
                assert told is not None
                assert not told.missing

        began_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(one, segments))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    megabytes = SEGMENTS * PARTS * PART_BYTES / 1e6
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{where}: {megabytes / took_s:.0f} MB/s, {SEGMENTS / took_s:.0f} segments a second, "
        f"{cpu_s / SEGMENTS * 1000:.2f} ms CPU a segment, at most {memory_mb:.0f} MB of memory"
    )


if __name__ == "__main__":
    main()
