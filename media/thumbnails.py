"""Preview thumbnails: which picture of a video is where on which sprite sheet, and the WebVTT that says so.

Tile `i` of a video shows the time from `i * every_s` on, whatever part of the video can be had now: so a sheet's address
stands for the same pictures for ever, in a broadcast that grows and in its recording. How many tiles a sheet has so far
is part of its address, because the newest one still fills.
"""

import math
from dataclasses import dataclass
from typing import Final

from media.offsets import clock_text

COLUMNS: Final = 5
ROWS: Final = 5
TILES: Final = COLUMNS * ROWS
TILE_WIDTH: Final = 160
TILE_HEIGHT: Final = 90

STEPS: Final = ((600.0, 2), (3_600.0, 5))
"""(length up to which, seconds between tiles); longer videos have a tile every `LONGEST_STEP_S`."""

LONGEST_STEP_S: Final = 10
EVERY: Final = (2, 5, LONGEST_STEP_S)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture on a sheet: the time it stands for, and its place in pixels."""

    sheet: int
    start_s: float
    end_s: float
    x: int
    y: int


def seconds_between(length_s: float) -> int:
    """Seconds between two tiles of a video of this length: one of `EVERY`."""
    return next((every for most, every in STEPS if length_s <= most), LONGEST_STEP_S)


def tiles_of(start_s: float, end_s: float, every_s: int) -> list[Tile]:
    """The tiles of the part of a video that can be had, in order; the last one may be shorter."""
    first, last = math.floor(start_s / every_s), math.ceil(end_s / every_s)
    return [_tile(number, start_s, end_s, every_s) for number in range(max(0, first), last)]


def tiles_on(sheet: int, end_s: float, every_s: int) -> int:
    """How many tiles a sheet has when the video ends, or is so far, at `end_s`: 0 to `TILES`."""
    return min(TILES, max(0, math.ceil(end_s / every_s) - sheet * TILES))


def tile_times(sheet: int, tiles: int, every_s: int) -> list[float]:
    """The media times of a sheet's first `tiles` tiles."""
    return [float((sheet * TILES + index) * every_s) for index in range(tiles)]


def thumbnails_vtt(start_s: float, end_s: float, every_s: int) -> str:
    """WebVTT (W3C) whose cues are sheets' addresses, relative to it, with the tile as a media fragment (`#xywh=`)."""
    cues = [_cue(tile, tiles_on(tile.sheet, end_s, every_s), every_s) for tile in tiles_of(start_s, end_s, every_s)]
    return "WEBVTT\n" + "".join(f"\n{cue}\n" for cue in cues)


def _tile(number: int, start_s: float, end_s: float, every_s: int) -> Tile:
    sheet, place = divmod(number, TILES)
    row, column = divmod(place, COLUMNS)
    begin, end = max(start_s, number * every_s), min(end_s, (number + 1) * every_s)
    return Tile(sheet, begin, end, column * TILE_WIDTH, row * TILE_HEIGHT)


def _cue(tile: Tile, tiles: int, every_s: int) -> str:
    return (
        f"{clock_text(tile.start_s)} --> {clock_text(tile.end_s)}\n"
        f"sprites/{tile.sheet:08d}.jpg?every={every_s}&tiles={tiles}"
        f"#xywh={tile.x},{tile.y},{TILE_WIDTH},{TILE_HEIGHT}"
    )
