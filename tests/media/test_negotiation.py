"""Accept headers as clients send them (RFC 9110 section 12.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.negotiation import media_ranges, preferred

OFFERED = ("image/jpeg", "image/webp", "image/avif", "video/mp4")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("video/*", "video/mp4"),
        ("image/webp", "image/webp"),
        ("IMAGE/WebP", "image/webp"),
        ("image/avif;q=0.5, image/webp;q=0.8", "image/webp"),
        ("image/avif, image/webp;q=0.8, */*;q=0.1", "image/avif"),
        ("video/mp4;q=0.9, image/jpeg;q=0.8", "video/mp4"),
        ("image/*;q=0.2, image/jpeg;q=0, */*;q=0.1", "image/webp"),
        ("*/*;q=0.5, image/avif;q=0.4, image/jpeg;q=0.3, image/webp;q=0", "video/mp4"),
        ("image/jpeg;level=1;q=0.1, image/webp;q=0.2", "image/webp"),
        ("image/webp;q=1.000, image/jpeg;q=0.999", "image/webp"),
        ("image/png", None),
        ("image/jpeg;q=0", None),
        ("*/*;q=0", None),
        ("text/html, application/json", None),
        ("nonsense", None),
        ("image/jpeg;q=2, image/webp;q=x", None),
        ("*/jpeg", None),
    ],
)
def test_the_highest_weight_of_the_most_specific_range_wins(accept: str, chosen: str | None) -> None:
    assert preferred(accept, OFFERED) == chosen


def test_what_a_browser_s_image_element_sends_gets_a_type_that_it_names() -> None:
    accept = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
    assert preferred(accept, OFFERED) == "image/webp"


@given(st.text(max_size=300))
def test_any_text_is_answered(accept: str) -> None:
    assert preferred(accept, OFFERED) in {*OFFERED, None}
    assert all(0 <= found.weight <= 1 for found in media_ranges(accept))


def test_a_header_of_endless_wishes_is_read_up_to_a_bound() -> None:
    assert preferred("a/b," * 100_000 + "image/webp", OFFERED) is None
