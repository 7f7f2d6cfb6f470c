import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcast.demo.font import glyph, text_mask
from logcast.demo.picture import (
    BALL_RADIUS,
    BARS_HEIGHT,
    BARS_RGB,
    CLOCK_AT,
    CLOCK_SCALE,
    FLASH_AT,
    ORANGE,
    WHITE,
    WIDTH,
    TestPicture,
    ball_position,
    clock_text,
    yuv,
)

NOON = 1_800_014_400.0


def read_clock(picture: TestPicture) -> str:
    """Read the time off the picture, as a viewer would."""
    known = {character: glyph(character, 1) for character in "0123456789:."}
    top, left = CLOCK_AT
    text = ""
    for place in range(12):
        begin = left + place * 6 * CLOCK_SCALE
        dots = picture.planes[0][
            top : top + 7 * CLOCK_SCALE : CLOCK_SCALE, begin : begin + 6 * CLOCK_SCALE : CLOCK_SCALE
        ]
        text += next(character for character, mask in known.items() if np.array_equal(dots == WHITE[0], mask))
    return text


def test_the_time_can_be_read_off_the_picture() -> None:
    picture = TestPicture()
    picture.draw(0, 0.0, NOON + 3723.456)
    assert read_clock(picture) == clock_text(NOON + 3723.456)
    picture.draw(1, 0.033, NOON + 3723.489)
    assert read_clock(picture) == clock_text(NOON + 3723.489)


@pytest.mark.parametrize(
    ("wall_s", "text"), [(0.0, "00:00:00.000"), (86_399.5, "23:59:59.500"), (NOON, "12:00:00.000")]
)
def test_the_clock_shows_universal_time_with_milliseconds(wall_s: float, text: str) -> None:
    assert clock_text(wall_s) == text


def test_the_ball_leaves_no_trace() -> None:
    picture, fresh = TestPicture(), TestPicture()
    for number in range(200):
        picture.draw(number, number / 30, NOON)
    fresh.draw(199, 199 / 30, NOON)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(picture.planes, fresh.planes, strict=True))


def test_the_ball_is_where_it_says() -> None:
    picture = TestPicture()
    picture.draw(0, 1.0, NOON)
    top, left = (edge + BALL_RADIUS for edge in ball_position(1.0))
    y, u, v = picture.planes
    assert (y[top, left], u[top // 2, left // 2], v[top // 2, left // 2]) == ORANGE


@given(st.floats(0, 1e6))
def test_the_ball_stays_inside_the_bars(elapsed_s: float) -> None:
    top, left = ball_position(elapsed_s)
    assert 0 <= top <= BARS_HEIGHT - 2 * BALL_RADIUS
    assert 0 <= left <= WIDTH - 2 * BALL_RADIUS
    assert top % 2 == left % 2 == 0


def test_a_light_flashes_at_each_full_second() -> None:
    picture = TestPicture()
    picture.draw(0, 0.0, NOON + 0.01)
    assert picture.planes[0][FLASH_AT] == WHITE[0]
    picture.draw(1, 0.0, NOON + 0.5)
    assert picture.planes[0][FLASH_AT] != WHITE[0]


def test_colours_are_those_of_bt709() -> None:
    assert yuv(0, 0, 0) == (16, 128, 128)
    assert yuv(255, 255, 255) == (235, 128, 128)
    assert [yuv(*colour)[0] for colour in BARS_RGB] == sorted((yuv(*colour)[0] for colour in BARS_RGB), reverse=True)


def test_a_character_that_the_font_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        text_mask("?", 1)
