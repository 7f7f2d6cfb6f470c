"""From hot parts to one cold object: whole, with gaps, again, and never worse than before."""

import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.open_segments import ClosedSegment
from consumers.segment_archive import SegmentArchive, filler, joined
from media.boxes import iter_boxes
from schemas.events import SegmentArchived
from stores.recordings import Recordings, open_recordings, segment_name
from stores.redis_segments import RedisSegmentStore
from stores.segments import LocalSegmentStore, SegmentStore, init_name
from stores.settings import load_settings

VIDEO = "0123456789abcdefghjk"
INIT = init_name(VIDEO, "480p", b"init")
PARTS = [os.urandom(size) for size in (900, 20, 4_000)]
SEGMENT = ClosedSegment(VIDEO, "ann", "480p", 7, INIT, tuple(map(len, PARTS)))
NAME = segment_name(VIDEO, "480p", 7)


@pytest.fixture
async def cold(tmp_path: Path) -> AsyncIterator[Recordings]:
    async with open_recordings(load_settings(data_dir=tmp_path)) as recordings:
        yield recordings


@pytest.fixture(params=["directory", "redis"])
def hot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SegmentStore]:
    """Either hot tier."""
    if request.param == "directory":
        yield LocalSegmentStore(tmp_path / "segments")
        return
    port = request.getfixturevalue("redis_server")
    store = RedisSegmentStore(f"redis://127.0.0.1:{port}/0", 3_600, time.time, f"test:{secrets.token_hex(6)}")
    yield store
    store.close()


@pytest.fixture
def archive(hot: SegmentStore, cold: Recordings) -> SegmentArchive:
    return SegmentArchive(hot, cold, lambda: 5)


def put(hot: SegmentStore, *numbers: int) -> None:
    hot.put(INIT, b"init")
    for number in numbers:
        hot.put(SEGMENT.part_names()[number], PARTS[number])


def told(size: int, *missing: int) -> SegmentArchived:
    return SegmentArchived(
        video_id=VIDEO, channel="ann", rendition="480p", segment=7, size=size, missing=missing, archived_ms=5
    )


async def test_the_parts_become_one_object_beside_their_init_segment(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 1, 2)
    assert await archive.archive(SEGMENT) == told(4_920)
    assert await cold.get(NAME) == b"".join(PARTS)
    assert await cold.get(INIT) == b"init"


async def test_a_lost_part_is_a_gap_and_all_others_are_where_the_index_says(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 2)
    assert await archive.archive(SEGMENT) == told(4_920, 1)
    assert await cold.get_range(NAME, 0, 900) == PARTS[0]
    assert await cold.get_range(NAME, 920, 4_000) == PARTS[2]


async def test_a_part_of_another_size_than_announced_is_a_gap(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 1, 2)
    hot.put(SEGMENT.part_names()[1], b"something else that is longer")
    assert await archive.archive(SEGMENT) == told(4_920, 1)
    assert await cold.size(NAME) == 4_920


async def test_a_segment_of_which_nothing_is_left_has_no_object(archive: SegmentArchive, cold: Recordings) -> None:
    assert await archive.archive(SEGMENT) == told(0, 0, 1, 2)
    assert await cold.size(NAME) is None


async def test_a_gap_of_unknown_size_makes_the_segment_a_gap(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 2)
    unknown = ClosedSegment(VIDEO, "ann", "480p", 7, INIT, (900, None, 4_000))
    assert await archive.archive(unknown) == told(0, 0, 1, 2)
    assert await cold.size(NAME) is None


async def test_an_object_that_is_whole_is_not_replaced_once_the_hot_parts_are_gone(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 1, 2)
    await archive.archive(SEGMENT)
    hot.remove_video(VIDEO)
    assert await archive.archive(SEGMENT) is None
    assert await cold.get(NAME) == b"".join(PARTS)


async def test_an_object_with_gaps_becomes_whole_when_the_part_is_found(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    put(hot, 0, 2)
    await archive.archive(SEGMENT)
    put(hot, 1)
    assert await archive.archive(SEGMENT) == told(4_920)
    assert await cold.get(NAME) == b"".join(PARTS)


async def test_looking_back_passes_over_what_is_there_and_what_is_not_hot_any_more(
    archive: SegmentArchive, hot: SegmentStore, cold: Recordings
) -> None:
    assert await archive.archive(SEGMENT, only_new=True) is None
    put(hot, 0, 1, 2)
    assert await archive.archive(SEGMENT, only_new=True) == told(4_920)
    assert await archive.archive(SEGMENT, only_new=True) is None
    assert await cold.get(NAME) == b"".join(PARTS)


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=8))
def test_whatever_is_missing_what_is_there_stays_in_its_place(parts: list[tuple[bytes, bool]]) -> None:
    result = joined([data if there else None for data, there in parts], [len(data) for data, _ in parts])
    assert len(result.data) == sum(len(data) for data, _ in parts)
    at = 0
    for number, (data, there) in enumerate(parts):
        assert (number in result.missing) is not there
        if there:
            assert result.data[at : at + len(data)] == data
        at += len(data)


@given(st.integers(8, 5_000))
def test_a_filler_is_one_free_box(size: int) -> None:
    (box,) = iter_boxes(filler(size))
    assert (box.kind, box.end) == (b"free", size)
