"""Places in a video."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.offsets import OffsetError, clock_text, parse_offset, place_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("12.5", 12.5),
        ("12.", 12.0),
        ("-10", -10.0),
        ("-0.25", -0.25),
        ("00:00:05", 5.0),
        ("01:02:03.250", 3723.25),
        ("1:30", 90.0),
        ("-00:00:10", -10.0),
        ("100:00:00", 360_000.0),
    ],
)
def test_seconds_and_clocks_are_read(text: str, seconds: float) -> None:
    assert parse_offset(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1e3",
        "+5",
        "--5",
        " 5",
        "5 ",
        "0:60",
        "1:2:3:4",
        "00:61:00",
        "nan",
        "inf",
        "1" * 20,
        "٣",
        "-",
        "1:",
        ".5",
    ],
)
def test_what_is_no_place_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(OffsetError, match="expected seconds"):
        parse_offset(text)


@pytest.mark.parametrize(
    ("offset", "place"),
    [(0.0, 10.0), (9.96, 10.0), (10.0, 10.0), (25.5, 25.5), (-0.0, 40.0), (-1.0, 39.0), (-30.0, 10.0), (40.04, 40.0)],
)
def test_an_offset_counts_from_the_start_or_from_the_live_edge(offset: float, place: float) -> None:
    start = 0.0 if offset == 0.0 and str(offset) == "0.0" else 10.0
    assert place_of(offset, start, 40.0, 0.05) == (0.0 if start == 0.0 else place)


@pytest.mark.parametrize("offset", [9.0, 41.0, -31.0])
def test_a_place_outside_is_refused_with_the_range_that_there_is(offset: float) -> None:
    with pytest.raises(OffsetError, match=r"expected an offset from 10\.000 to 40\.000 s"):
        place_of(offset, 10.0, 40.0, 0.05)


@given(st.integers(0, 359_999_999))
def test_a_clock_that_is_written_is_read_back(ms: int) -> None:
    assert round(parse_offset(clock_text(ms / 1000)) * 1000) == ms
