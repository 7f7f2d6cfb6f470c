"""The hot tier stays small: what is old goes, what is young stays, and a store that fails is tried again."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from consumers.hot_janitor import BYTES, FILES, HotJanitor
from stores.segments import LocalSegmentStore, Removed, SegmentStoreError, part_name
from tests.waiting import eventually

VIDEO = "0123456789abcdefghjk"
NOW_S = 1_700_000_000.0


def put(directory: Path, segment: int, age_s: float) -> str:
    name = part_name(VIDEO, "source", segment, 0)
    LocalSegmentStore(directory).put(name, b"x" * 1_000)
    os.utime(directory / name, (NOW_S - age_s, NOW_S - age_s))
    return name


async def test_old_parts_go_and_it_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = LocalSegmentStore(tmp_path)
    old, young = put(tmp_path, 1, 3_601), put(tmp_path, 2, 3_599)
    files, size = FILES._value.get(), BYTES._value.get()
    stop = asyncio.Event()
    task = asyncio.create_task(HotJanitor(store, 3_600, lambda: NOW_S).run(stop))
    await eventually(lambda: store.get(old) is None)
    stop.set()
    await task
    assert store.get(young) == b"x" * 1_000
    assert (FILES._value.get() - files, BYTES._value.get() - size) == (1, 1_000)
    assert "removed 1 hot segment files, 0.0 MB, older than 3600 s" in caplog.text


class FailingOnce:
    """A store whose disk is away the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def remove_older(self, than_s: float, now_s: float) -> Removed:
        self.asked += 1
        if self.asked == 1:
            raise SegmentStoreError("the disk is away")
        assert (than_s, now_s) == (0.02, NOW_S)
        return Removed()

    def put(self, name: str, data: bytes) -> None: ...
    def get(self, name: str) -> bytes | None: ...
    def size(self, name: str) -> int | None: ...
    def remove_video(self, video_id: str) -> Removed: ...  # type: ignore[empty-body]
    def check(self) -> None: ...
    def close(self) -> None: ...


async def test_a_store_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store, stop = FailingOnce(), asyncio.Event()
    task = asyncio.create_task(HotJanitor(store, 0.02, lambda: NOW_S).run(stop))
    await eventually(lambda: store.asked >= 2)
    stop.set()
    await task
    assert "old segments stay for now: the disk is away" in caplog.text


async def test_a_stop_does_not_wait_for_the_next_time(tmp_path: Path) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(HotJanitor(LocalSegmentStore(tmp_path), 86_400, lambda: NOW_S).run(stop))
    stop.set()
    await asyncio.wait_for(task, 60)


@pytest.mark.parametrize(("retention_s", "interval_s"), [(120, 30), (3_600, 60), (604_800, 60)])
def test_it_cleans_often_enough_for_the_retention(tmp_path: Path, retention_s: float, interval_s: float) -> None:
    assert HotJanitor(LocalSegmentStore(tmp_path), retention_s, lambda: NOW_S).interval_s == interval_s
