"""Ids sort by time and keep their form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import VIDEO_ID, new_video_id

TIME = st.integers(0, 2**50 - 1)


@given(first=TIME, second=TIME, random=st.binary(min_size=7, max_size=9))
def test_video_ids_sort_by_time(first: int, second: int, random: bytes) -> None:
    earlier, later = sorted((first, second))
    if earlier != later:
        assert new_video_id(earlier, random) < new_video_id(later, random)


@given(now=TIME, random=st.binary(min_size=7, max_size=9))
def test_video_ids_have_their_form(now: int, random: bytes) -> None:
    assert VIDEO_ID.fullmatch(new_video_id(now, random))


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 7 random bytes, found 3"):
        new_video_id(0, b"abc")
