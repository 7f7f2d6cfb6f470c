"""Chunks on another place of the time line."""

import pytest

from media.boxes import CmafError
from media.cmaf import ProducerTime, Sample, parse_chunk, write_chunk
from media.rebase import rebased

SAMPLES = [Sample(b"a" * 10, 9_000, 0, 3_000, keyframe=True), Sample(b"b" * 5, 12_000, 3_000, 3_000, keyframe=False)]


def test_only_times_change() -> None:
    at = ProducerTime(1_700_000_000_000, 9_000)
    whole = write_chunk(1, 7, SAMPLES, segment_start=True, produced=at) + write_chunk(
        1, 8, [Sample(b"c", 15_000, 0, 3_000, keyframe=False)]
    )
    moved = rebased(whole, 9_000)
    assert len(moved) == len(whole)
    first = moved[: len(moved) - len(write_chunk(1, 8, [Sample(b"c", 6_000, 0, 3_000, keyframe=False)]))]
    assert [(s.dts, s.cts_offset, s.data) for s in parse_chunk(first).samples] == [
        (0, 0, b"a" * 10),
        (3_000, 3_000, b"b" * 5),
    ]
    assert moved == write_chunk(
        1,
        7,
        [Sample(b"a" * 10, 0, 0, 3_000, keyframe=True), Sample(b"b" * 5, 3_000, 3_000, 3_000, keyframe=False)],
        segment_start=True,
        produced=ProducerTime(1_700_000_000_000, 0),
    ) + write_chunk(1, 8, [Sample(b"c", 6_000, 0, 3_000, keyframe=False)])


def test_nothing_begins_before_zero() -> None:
    with pytest.raises(CmafError, match="expected at least 9001"):
        rebased(write_chunk(1, 7, SAMPLES), 9_001)
