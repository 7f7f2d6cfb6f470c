from dataclasses import fields

import pytest

from media.rtmp.limits import RtmpLimits


@pytest.mark.parametrize("name", [field.name for field in fields(RtmpLimits)])
def test_a_limit_of_zero_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, expected at least 1"):
        RtmpLimits(**{name: 0})


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"partial_bytes is 100, expected at least message_bytes \(200\)"):
        RtmpLimits(message_bytes=200, partial_bytes=100)
    with pytest.raises(ValueError, match="RTMP messages end at 16777215 bytes"):
        RtmpLimits(message_bytes=1 << 24, partial_bytes=1 << 25)
