"""Where the thumbnails of a video are."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.offsets import parse_offset
from media.thumbnails import EVERY, TILES, seconds_between, thumbnails_vtt, tile_times, tiles_of, tiles_on


@pytest.mark.parametrize(("length_s", "every"), [(0, 2), (600, 2), (601, 5), (3_600, 5), (3_601, 10), (90_000, 10)])
def test_long_videos_have_fewer_tiles_a_minute(length_s: float, every: int) -> None:
    assert seconds_between(length_s) == every


def test_the_vtt_of_a_minute_names_two_sheets() -> None:
    text = thumbnails_vtt(0.0, 60.5, 2)
    lines = text.split("\n\n")
    assert lines[0] == "WEBVTT"
    assert len(lines) == 1 + 31
    assert lines[1] == "00:00:00.000 --> 00:00:02.000\nsprites/00000000.jpg?every=2&tiles=25#xywh=0,0,160,90"
    assert lines[8] == "00:00:14.000 --> 00:00:16.000\nsprites/00000000.jpg?every=2&tiles=25#xywh=320,90,160,90"
    assert lines[-1].strip() == ("00:01:00.000 --> 00:01:00.500\nsprites/00000001.jpg?every=2&tiles=6#xywh=0,90,160,90")


def test_a_window_that_moved_on_begins_with_the_tile_it_begins_in() -> None:
    first, *_, last = tiles_of(51.0, 63.0, 2)
    assert (first.sheet, first.start_s, first.end_s, first.x, first.y) == (1, 51.0, 52.0, 0, 0)
    assert (last.start_s, last.end_s) == (62.0, 63.0)


def test_the_times_on_a_sheet_are_those_of_its_tiles() -> None:
    assert tile_times(1, 3, 5) == [125.0, 130.0, 135.0]


@given(st.floats(0, 20_000), st.floats(0.1, 5_000), st.sampled_from(EVERY))
def test_the_cues_cover_the_video_without_a_gap(start_s: float, length_s: float, every: int) -> None:
    tiles = tiles_of(start_s, start_s + length_s, every)
    assert tiles[0].start_s == start_s
    assert tiles[-1].end_s == start_s + length_s
    assert all(before.end_s == after.start_s for before, after in pairwise(tiles))
    cues = re.findall(r"(\S+) --> (\S+)\n\S+tiles=(\d+)#", thumbnails_vtt(start_s, start_s + length_s, every))
    assert all(parse_offset(begin) <= parse_offset(end) and 1 <= int(n) <= TILES for begin, end, n in cues)
    assert all(tiles_on(tile.sheet, start_s + length_s, every) > 0 for tile in tiles)
