"""The contract of a segment store. A new store joins by a fixture parameter."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stores.redis_segments import RedisSegmentStore
from stores.segments import (
    MAX_SEGMENT_BYTES,
    BadSegmentNameError,
    LocalSegmentStore,
    Removed,
    SegmentStore,
    SegmentStoreError,
    StoreFullError,
    checked_name,
    init_name,
    part_name,
)

VIDEO = "0123456789abcdefghjk"
OTHER = "zzzzzzzzzzzzzzzzzzzz"

Open = Callable[[], SegmentStore]


@pytest.fixture(params=["local", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the store under test; twice gives two handles on the same segments, as two processes have."""
    opened: list[SegmentStore] = []
    make: Open = lambda: LocalSegmentStore(tmp_path / "segments")  # noqa: E731  (one of two)
    if request.param == "redis":
        port, prefix = request.getfixturevalue("redis_server"), f"{tmp_path}:"
        make = lambda: RedisSegmentStore(f"redis://127.0.0.1:{port}/0", 3600, time.time, prefix)  # noqa: E731

    def open_one() -> SegmentStore:
        opened.append(make())
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def store(open_store: Open) -> SegmentStore:
    return open_store()


def test_what_is_put_can_be_got_by_every_process(open_store: Open) -> None:
    name = part_name(VIDEO, "480p", 7, 2)
    open_store().put(name, b"part")
    assert open_store().get(name) == b"part"


def test_a_name_that_was_never_put_has_no_bytes(store: SegmentStore) -> None:
    assert store.get(part_name(VIDEO, "480p", 7, 2)) is None


def test_a_size_is_told_without_the_bytes(store: SegmentStore) -> None:
    part, init = part_name(VIDEO, "480p", 0, 0), init_name(VIDEO, "480p", b"init")
    assert store.size(part) is store.size(init) is None
    store.put(part, b"seven b")
    store.put(init, b"init")
    assert (store.size(part), store.size(init)) == (7, 4)


def test_putting_twice_is_the_same_as_once_and_the_last_bytes_count(store: SegmentStore) -> None:
    name = part_name(VIDEO, "source", 0, 0)
    for data in (b"broken by a crash", b"whole", b"whole"):
        store.put(name, data)
    assert store.get(name) == b"whole"
    assert store.remove_video(VIDEO) == Removed(1, 5)


def test_empty_and_large_segments_are_kept_exactly(store: SegmentStore) -> None:
    large = os.urandom(1 << 20) * 8
    store.put(part_name(VIDEO, "source", 0, 0), b"")
    store.put(part_name(VIDEO, "source", 0, 1), large)
    assert store.get(part_name(VIDEO, "source", 0, 0)) == b""
    assert store.get(part_name(VIDEO, "source", 0, 1)) == large


def test_a_segment_beyond_the_limit_is_refused(store: SegmentStore) -> None:
    name = part_name(VIDEO, "source", 0, 0)
    with pytest.raises(SegmentStoreError, match="at most"):
        store.put(name, bytes(MAX_SEGMENT_BYTES + 1))
    assert store.get(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        f"../{VIDEO}/480p/00000000.0000.m4s",
        f"{VIDEO}/../{OTHER}/00000000.0000.m4s",
        f"{VIDEO}/480p/../00000000.0000.m4s",
        f"{VIDEO}/480p/00000000.0000.m4s/..",
        f"{VIDEO}/480p/00000000.0000.m4s\n",
        f"{VIDEO}/480p/00000000.0000.m4s\0",
        f"{VIDEO}/480p/init-0123456789AB.mp4",
        f"{VIDEO}/480p/.tmp-1",
        f"{VIDEO}//00000000.0000.m4s",
        f"{VIDEO}/480p/\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660.0000.m4s",
        f"{VIDEO.upper()}/480p/00000000.0000.m4s",
        "x" * 5000,
    ],
)
def test_a_name_that_no_segment_can_have_is_refused(store: SegmentStore, name: str) -> None:
    with pytest.raises(BadSegmentNameError, match="expected VIDEO/RENDITION"):
        store.get(name)
    with pytest.raises(BadSegmentNameError, match="expected VIDEO/RENDITION"):
        store.put(name, b"x")


@pytest.mark.parametrize("video_id", ["", "..", ".", "/", f"{VIDEO}/480p"])
def test_a_video_that_cannot_be_is_not_removed(store: SegmentStore, video_id: str) -> None:
    with pytest.raises(BadSegmentNameError, match="video id"):
        store.remove_video(video_id)


def test_names_say_what_they_name() -> None:
    assert part_name(VIDEO, "480p", 7, 2) == f"{VIDEO}/480p/00000007.0002.m4s"
    assert init_name(VIDEO, "480p", b"") == f"{VIDEO}/480p/init-e3b0c44298fc.mp4"
    assert checked_name(init_name(VIDEO, "480p", b"")) == (VIDEO, "480p", "init-e3b0c44298fc.mp4")


def test_removing_a_video_leaves_the_others(store: SegmentStore) -> None:
    for video in (VIDEO, OTHER):
        for rendition in ("source", "480p"):
            store.put(part_name(video, rendition, 0, 0), b"1234")
    assert store.remove_video(VIDEO) == Removed(2, 8)
    assert store.remove_video(VIDEO) == Removed(0, 0)
    assert store.get(part_name(VIDEO, "source", 0, 0)) is None
    assert store.get(part_name(OTHER, "source", 0, 0)) == b"1234"


def test_parts_go_by_age_and_the_init_segment_with_the_last_of_them(store: SegmentStore) -> None:
    part, init = part_name(VIDEO, "480p", 0, 0), init_name(VIDEO, "480p", b"init")
    store.put(init, b"init")
    store.put(part, b"part")
    now_s = time.time()
    assert store.remove_older(60, now_s) == Removed(0, 0)
    assert store.get(part) == b"part"
    assert store.remove_older(60, now_s + 120) == Removed(2, 8)
    assert store.get(part) is None
    assert store.get(init) is None


def test_a_video_goes_on_after_its_old_parts_are_gone(store: SegmentStore) -> None:
    store.put(part_name(VIDEO, "480p", 0, 0), b"old")
    store.remove_older(60, time.time() + 120)
    store.put(part_name(VIDEO, "480p", 1, 0), b"new")
    assert store.get(part_name(VIDEO, "480p", 1, 0)) == b"new"


def test_many_old_files_go_and_the_young_ones_stay(store: SegmentStore) -> None:
    for segment in range(300):
        for part in range(2):
            store.put(part_name(VIDEO, "480p", segment, part), b"old")
    store.put(part_name(OTHER, "480p", 0, 0), b"old too")
    assert store.remove_older(60, time.time() + 120) == Removed(601, 1807)
    store.put(part_name(VIDEO, "480p", 300, 0), b"new")
    assert store.remove_older(60, time.time()) == Removed()
    assert store.get(part_name(VIDEO, "480p", 300, 0)) == b"new"


def test_a_store_that_can_be_used_says_nothing(store: SegmentStore) -> None:
    store.check()


def test_a_reader_never_sees_half_a_segment(open_store: Open) -> None:
    name = part_name(VIDEO, "source", 0, 0)
    versions = [bytes([n]) * 300_000 for n in range(2)]
    writer, reader = open_store(), open_store()
    writer.put(name, versions[0])
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            writer.put(name, versions[n % 2])
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not done.is_set():
        seen.add(reader.get(name))
    thread.join()
    assert seen <= set(versions)


def test_writers_of_the_same_name_do_not_disturb_each_other(open_store: Open) -> None:
    name = part_name(VIDEO, "source", 0, 0)
    failures: list[BaseException] = []

    def write(store: SegmentStore) -> None:
        try:
            for _ in range(30):
                store.put(name, b"the same")
                store.remove_older(0, 0)
        except BaseException as error:  # noqa: BLE001  (a thread's failure is the test's)
            failures.append(error)

    threads = [threading.Thread(target=write, args=(open_store(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert open_store().get(name) == b"the same"


class TestLocal:
    """What only files can do."""

    def test_an_init_segment_stays_while_a_part_is_young(self, tmp_path: Path) -> None:
        store = LocalSegmentStore(tmp_path)
        init, old, young = init_name(VIDEO, "480p", b""), part_name(VIDEO, "480p", 0, 0), part_name(VIDEO, "480p", 1, 0)
        for name in (init, old, young):
            store.put(name, b"data")
        hour_ago = time.time() - 3600
        for name in (init, old):
            os.utime(tmp_path / name, (hour_ago, hour_ago))
        assert store.remove_older(60, time.time()) == Removed(1, 4)
        assert store.get(old) is None
        assert store.get(init) == store.get(young) == b"data"

    def test_what_a_crash_left_half_written_goes_with_time(self, tmp_path: Path) -> None:
        store = LocalSegmentStore(tmp_path)
        store.put(part_name(VIDEO, "480p", 0, 0), b"part")
        (tmp_path / VIDEO / "480p" / ".tmp-1-2-3").write_bytes(b"half")
        assert store.remove_older(60, time.time() + 120) == Removed(2, 8)
        assert list(tmp_path.iterdir()) == []

    def test_foreign_files_in_the_directory_are_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "lost+found").mkdir()
        (tmp_path / "lost+found" / "note").write_bytes(b"")
        LocalSegmentStore(tmp_path).remove_older(0, time.time() + 120)
        assert (tmp_path / "lost+found" / "note").exists()

    def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # /dev/full refuses every write with ENOSPC: a directory entry of the store that leads there is a full disk.
        store = LocalSegmentStore(tmp_path)
        name = part_name(VIDEO, "480p", 0, 0)
        store.put(name, b"before")
        aside = store._aside(tmp_path / name)
        aside.symlink_to("/dev/full")
        monkeypatch.setattr(store, "_aside", lambda _path: aside)
        with pytest.raises(StoreFullError, match="LOGCAST_SEGMENT_DIR"):
            store.put(name, b"x" * 100_000)
        assert store.get(name) == b"before"
        assert [path.name for path in (tmp_path / VIDEO / "480p").iterdir()] == ["00000000.0000.m4s"]

    def test_a_directory_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(SegmentStoreError, match="cannot write"):
            LocalSegmentStore(tmp_path / "file").put(part_name(VIDEO, "480p", 0, 0), b"x")
