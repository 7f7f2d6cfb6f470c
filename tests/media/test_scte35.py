"""`splice_insert`, against the example of SCTE 35 (section 14.2) and the check value of its CRC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.scte35 import Scte35Error, SpliceInsert, crc32_mpeg2

EXAMPLE = bytes.fromhex(
    "FC302F000000000000FFFFF014054800008F7FEFFE7369C02EFE0052CCF500000000000A0008435545490000013562DBA30A"
)
"""Out at 21695.740089 s for 60.293567 s, with an avail descriptor of 10 bytes that we do not write."""


def test_the_crc_has_the_published_check_value() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7
    assert crc32_mpeg2(EXAMPLE) == 0, "over a section with its CRC"


def test_a_splice_out_is_the_example_but_for_its_descriptor() -> None:
    ours = SpliceInsert(0x4800008F, out=True, pts=0x07369C02E, duration=0x0052CCF5).encode()
    body = EXAMPLE[3:34]  # behind the section's length up to the length of the descriptors
    assert ours[:3] == bytes.fromhex("FC3025")
    assert ours[3:-6] == body
    assert ours[-6:-4] == b"\0\0"
    assert crc32_mpeg2(ours) == 0


def test_a_splice_in_has_no_duration() -> None:
    ours = SpliceInsert(7, out=False, pts=90_000).encode()
    assert ours[:-4].hex() == "fc3020000000000000fffff00f05000000077f4ffe00015f90" + 6 * "00"
    assert crc32_mpeg2(ours) == 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**40), st.integers(0, 2**33 - 1))
def test_every_section_is_as_long_as_it_says_and_ends_with_its_crc(event: int, pts: int, duration: int) -> None:
    section = SpliceInsert(event, out=True, pts=pts, duration=duration).encode()
    assert int.from_bytes(section[1:3], "big") & 0xFFF == len(section) - 3
    assert crc32_mpeg2(section) == 0
    assert int.from_bytes(section[14:18], "big") == event
    assert int.from_bytes(section[20:25], "big") & (1 << 33) - 1 == pts % 2**33


@pytest.mark.parametrize(("event", "duration"), [(2**32, 1), (-1, 1), (1, 2**33), (1, -1)])
def test_what_does_not_fit_is_refused(event: int, duration: int) -> None:
    with pytest.raises(Scte35Error, match="expected 0 to"):
        SpliceInsert(event, out=True, pts=0, duration=duration).encode()
