"""CPU of pictures: finding and decoding one, encoding it, a sheet of thumbnails.

`python -m benchmarks.stills`; figures are CPU time of this process, so that a busy machine changes them little.
"""

from functools import partial

from av.video.frame import VideoFrame

from benchmarks.playlists import cpu_us
from media.pictures import picture_at
from media.stills import KINDS, encode_still, sheet
from media.thumbnails import COLUMNS, ROWS, TILE_HEIGHT, TILE_WIDTH, TILES
from tests.processors.gops import Clip, make_gops

TIMES = 20
LADDER = {"720p": (1280, 720, 2800), "360p": (640, 360, 700), "240p": (426, 240, 350)}


def main() -> None:
    """Print the figures."""
    for name, (width, height, kbps) in LADDER.items():
        gop = make_gops(Clip(width=width, height=height, gop_frames=60, kbps=kbps))[0].video
        init, parts = gop[0].init, [chunk.data for chunk in gop]
        assert init is not None
        first = cpu_us(partial(picture_at, init, parts[:1], 0.0, exact=False), TIMES)
        last = cpu_us(partial(picture_at, init, parts, 2.0, exact=True), TIMES)
        print(f"{name}: a keyframe {first / 1000:.1f} ms, the last picture of a GOP of 2 s {last / 1000:.1f} ms")
        frame = picture_at(init, parts[:1], 0.0, exact=False).frame
        for kind in KINDS:
            took = cpu_us(partial(encode_still, frame, kind), TIMES)
            print(f"{name}: {kind} {took / 1000:.1f} ms, {len(encode_still(frame, kind)) / 1000:.0f} kB")
    tiles: list[VideoFrame | None] = [frame] * TILES
    took = cpu_us(lambda: sheet(tiles, COLUMNS, ROWS, TILE_WIDTH, TILE_HEIGHT), TIMES)
    print(f"a sheet of {TILES} decoded tiles: {took / 1000:.1f} ms")


if __name__ == "__main__":
    main()
