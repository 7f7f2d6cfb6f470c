"""CPU of a gateway's playlists: folding a part, rendering a window of ten minutes, compressing it.

`python -m benchmarks.playlists`; figures are CPU time of this process, so that a busy machine changes them little.
"""

import gzip
import time
from collections.abc import Callable

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.hls import SegmentTexts, Skip, media_playlist
from media.hls_multivariant import multivariant_playlist
from schemas.codec import decode, encode
from schemas.events import PartReady
from tests.gateway.tape import VIDEO, Tape, video

SEGMENTS = 600
RENDITIONS = ("source", "720p", "480p", "360p", "audio")


def cpu_us(work: Callable[[], object], times: int) -> float:
    """Mean CPU time of a call, in microseconds."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def main() -> None:
    """Print the figures."""
    tapes = [Tape([4] * SEGMENTS, name) for name in RENDITIONS]
    events = [event for number in range(SEGMENTS) for tape in tapes for event in tape.segment(number)]
    records = [encode(event) for event in events]
    fold = VideoFold(VIDEO, Limits(600_000, 1_300))
    fold.state(video())

    def fold_all() -> None:
        for event in events:
            if isinstance(event, PartReady):
                fold.part(event)
            else:
                fold.closed(event)

    print(f"decode: {cpu_us(lambda: [decode(r) for r in records], 1) / len(records):.1f} us an event")
    print(f"fold: {cpu_us(fold_all, 1) / len(events):.1f} us an event, {fold.entries} entries")
    rendition = fold.renditions["source"]
    full = media_playlist(window_of(fold, rendition))
    texts = SegmentTexts()
    cost = cpu_us(lambda: media_playlist(window_of(fold, rendition), texts=texts), 50)
    print(f"media playlist with remembered texts: {cost:.0f} us")
    delta = media_playlist(window_of(fold, rendition), skip=Skip.SEGMENTS)
    print(f"media playlist: {cpu_us(lambda: media_playlist(window_of(fold, rendition)), 50):.0f} us, {len(full)} bytes")
    print(
        f"gzip: {cpu_us(lambda: gzip.compress(full.encode(), 4), 50):.0f} us, {len(gzip.compress(full.encode(), 4))} bytes"
    )
    cost = cpu_us(lambda: media_playlist(window_of(fold, rendition), skip=Skip.SEGMENTS), 50)
    print(f"delta update: {cost:.0f} us, {len(delta)} bytes")

    def multivariant() -> str:
        variants = variants_of(fold, {})
        return multivariant_playlist(variants.videos, variants.audio)

    print(f"multivariant: {cpu_us(multivariant, 5):.0f} us")


if __name__ == "__main__":
    main()
