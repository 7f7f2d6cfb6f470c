import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.ladder import (
    LadderError,
    Rung,
    checked_rung,
    choose_ladder,
    parse_rungs,
    requested_rendition,
    rungs_of_file,
    usual_bitrate_bps,
)


def shape(width: int, height: int) -> list[tuple[str, int, int]]:
    return [(rung.name, rung.width, rung.height) for rung in choose_ladder(width, height, 30)]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, [("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360), ("240p", 426, 240)]),
        (1280, 720, [("480p", 854, 480), ("360p", 640, 360), ("240p", 426, 240)]),
        (1080, 1920, [("720p", 720, 1280), ("480p", 480, 854), ("360p", 360, 640), ("240p", 240, 426)]),
        (640, 480, [("360p", 480, 360), ("240p", 320, 240)]),
        (720, 720, [("480p", 480, 480), ("360p", 360, 360), ("240p", 240, 240)]),
        (426, 240, []),
    ],
)
def test_rungs_lie_below_the_source_and_keep_its_shape(
    width: int, height: int, expected: list[tuple[str, int, int]]
) -> None:
    assert shape(width, height) == [("source", width, height), *expected]


@settings(deadline=None)
@given(st.integers(2, 4096), st.integers(2, 4096))
def test_nothing_is_scaled_up_and_every_side_is_even(width: int, height: int) -> None:
    if max(width, height) > 8 * min(width, height):
        with pytest.raises(LadderError, match="at most 8:1"):
            choose_ladder(width, height, 30)
        return
    source, *made = choose_ladder(width, height, 30)
    assert source.is_source
    assert not source.preset
    for rung in made:
        assert rung.width % 2 == rung.height % 2 == 0
        assert min(rung.width, rung.height) < min(width, height)
        assert rung.width <= width
        assert rung.height <= height
        assert abs(rung.width * height - rung.height * width) <= max(width, height)  # within a pixel of the shape
    assert [rung.video_bitrate_bps for rung in made] == sorted((r.video_bitrate_bps for r in made), reverse=True)


def test_high_frame_rates_get_half_as_many_bits_again() -> None:
    slow, fast = (choose_ladder(1920, 1080, rate)[1] for rate in (30, 60))
    assert (slow.video_bitrate_bps, fast.video_bitrate_bps) == (2_800_000, 4_200_000)
    assert (slow.max_rate_bps, slow.buffer_bits, slow.preset) == (3_080_000, 2_800_000, "superfast")


@pytest.mark.parametrize("size", [(0, 720), (1280, 0), (20_000, 10_000), (-1, -1)])
def test_an_impossible_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(LadderError, match="expected 1 to 16384"):
        choose_ladder(*size, 30)


def test_a_setting_is_read() -> None:
    assert parse_rungs(" 720:2800, 480:1200,") == (Rung(720, 2_800_000), Rung(480, 1_200_000))
    assert parse_rungs("") == ()
    assert [r.name for r in choose_ladder(1920, 1080, 30, parse_rungs("360:700,540:1500"))] == [
        "source",
        "540p",
        "360p",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("720", "'720': expected HEIGHT:KBPS, such as 720:2800"),
        ("720p:2800", "expected HEIGHT:KBPS"),
        ("720:-1", "expected HEIGHT:KBPS"),
        ("721:2800", "expected an even number from 64 to 4320"),
        ("720:0", "0 kbit/s, expected 50 to 100000"),
        ("99999999999999999999:1", "expected an even number"),
        ("720:2800,720:1000", "different heights"),
        (",".join(f"{side}:500" for side in range(100, 120, 2)), "at most 8 rungs"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(LadderError, match=says):
        parse_rungs(text)


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ((1280, 720), ["720p", "480p", "360p", "240p"]),
        ((1920, 1080), ["720p", "480p", "360p", "240p"]),
        ((320, 180), ["180p"]),
        ((321, 181), ["180p"]),
    ],
)
def test_a_ladder_that_stands_in_for_its_source_reaches_the_source_s_size(
    size: tuple[int, int], names: list[str]
) -> None:
    source, *made = choose_ladder(*size, 30, stands_in=True)
    assert source.is_source
    assert [rendition.name for rendition in made] == names
    assert choose_ladder(*size, 30, (), stands_in=True) == (source,)


def test_rungs_that_were_made_stay_when_the_source_becomes_smaller() -> None:
    source, *made = choose_ladder(640, 360, 30, below=720)
    assert (source.width, source.height) == (640, 360)
    assert [(one.name, one.width, one.height) for one in made] == [
        ("480p", 854, 480),
        ("360p", 640, 360),
        ("240p", 426, 240),
    ]


def test_a_requested_rendition_is_named_by_all_that_makes_it_and_never_scaled_up() -> None:
    made = requested_rendition(1280, 720, Rung(144, 150_000))
    assert (made.name, made.width, made.height, made.video_bitrate_bps) == ("144p150k", 256, 144, 150_000)
    assert requested_rendition(720, 1280, Rung(720, 900_000)).width == 720
    with pytest.raises(LadderError, match="1080p of a 720p source"):
        requested_rendition(1280, 720, Rung(1080, 4_000_000))


def test_a_height_without_a_bit_rate_gets_that_of_its_neighbour_by_size() -> None:
    assert usual_bitrate_bps(240) == 350_000
    assert 100_000 < usual_bitrate_bps(144) < 350_000
    assert usual_bitrate_bps(1080) > 2_800_000


def test_a_rung_of_a_request_has_the_limits_of_the_setting() -> None:
    assert checked_rung(144, 150_000) == Rung(144, 150_000)
    with pytest.raises(LadderError, match="expected an even number from 64 to 4320"):
        checked_rung(145, 150_000)
    with pytest.raises(LadderError, match="expected 50 to 100000"):
        checked_rung(144, 10_000)


def test_a_ladder_file_gives_its_rungs() -> None:
    text = "[[rendition]]\nheight = 144\nbitrate_kbps = 150\n[[rendition]]\nheight = 540\nbitrate_kbps = 900\n"
    assert rungs_of_file(tomllib.loads(text)) == (Rung(144, 150_000), Rung(540, 900_000))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, r"expected \[\[rendition\]\] tables"),
        ({"rendition": []}, "expected 1 to 8 different renditions, found 0"),
        ({"rendition": [{"height": 144}]}, "rendition 1: expected whole numbers"),
        ({"rendition": [{"height": 144, "bitrate_kbps": 1}]}, "expected 50 to 100000"),
        ({"rendition": [{"height": 144, "bitrate_kbps": 150}] * 2}, "different renditions, found 2"),
    ],
    ids=str,
)
def test_a_ladder_file_that_makes_no_sense_says_what_is_expected(values: object, says: str) -> None:
    with pytest.raises(LadderError, match=says):
        rungs_of_file(values)
