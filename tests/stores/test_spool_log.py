"""The spool's files: what was appended is there after any end, what was cut off is not, and full means full."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.spool_log import Entry, Limits, SpoolError, SpoolFullError, SpoolInUseError, SpoolLog, first_free

LARGE = Limits(total=1 << 30)
SMALL_FILES = Limits(total=1 << 30, file=200)


def opened(directory: Path, limits: Limits = LARGE, now_ms: Callable[[], int] = lambda: 1_000) -> SpoolLog:
    return SpoolLog(directory, limits, now_ms)


def entries(spool: SpoolLog) -> list[Entry]:
    found: list[Entry] = []
    cursor = spool.first
    while True:
        some, cursor = spool.read(cursor, 1_000)
        if not some:
            return found
        found += some


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def test_what_was_appended_is_there_after_opening_again_in_order(tmp_path: Path) -> None:
    records = [bytes([n]) * (n * 7) for n in range(40)]
    with opened(tmp_path, SMALL_FILES) as spool:
        assert spool.append(records[:25]) == 25
        names = [e.name for e in entries(spool)]
    with opened(tmp_path, SMALL_FILES) as spool:
        assert spool.append(records[25:]) == 15
        assert [e.data for e in entries(spool)] == records
        assert [e.number for e in entries(spool)] == list(range(40))
        assert [e.name for e in entries(spool)][:25] == names
    assert len(files(tmp_path)) > 3


def test_a_reader_that_follows_gets_what_is_appended_behind_it(tmp_path: Path) -> None:
    with opened(tmp_path, SMALL_FILES) as spool:
        cursor = spool.first
        for n in range(30):
            spool.append([b"%d" % n * 20])
            found, cursor = spool.read(cursor, 1 << 20)
            assert [e.number for e in found] == [n]


def test_acknowledged_records_do_not_come_again_and_their_files_go(tmp_path: Path) -> None:
    with opened(tmp_path, SMALL_FILES) as spool:
        spool.append([b"x" * 50] * 20)
        before = len(files(tmp_path))
        spool.acknowledge(11)
        assert len(files(tmp_path)) < before
    with opened(tmp_path, SMALL_FILES) as spool:
        assert [e.number for e in entries(spool)] == list(range(12, 20))
        spool.acknowledge(19)
    with opened(tmp_path, SMALL_FILES) as spool:
        assert entries(spool) == []
        assert files(tmp_path) == []
        spool.append([b"next"])
        assert [e.number for e in entries(spool)] == [20], "numbers never repeat"


def test_without_the_note_of_what_is_delivered_all_of_it_comes_again(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([b"a", b"b"])
        spool.acknowledge(0)
    (tmp_path / "acknowledged").unlink()
    with opened(tmp_path) as spool:
        assert [e.data for e in entries(spool)] == [b"a", b"b"]


@given(cut=st.integers(0, 400))
def test_a_file_cut_anywhere_gives_its_whole_records_and_takes_new_ones(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    records = [bytes([65 + n]) * (10 * n) for n in range(6)]
    with opened(directory) as spool:
        spool.append(records)
    (file,) = files(directory)
    os.truncate(file, min(cut, file.stat().st_size))
    with opened(directory) as spool:
        kept = entries(spool)
        assert [e.data for e in kept] == records[: len(kept)]
        spool.append([b"new"])
        assert [e.data for e in entries(spool)] == [*records[: len(kept)], b"new"]


def test_a_spoilt_byte_ends_its_file_and_what_stands_in_other_files_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path, SMALL_FILES) as spool:
        spool.append([b"y" * 100] * 6)
    first = files(tmp_path)[0]
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    with opened(tmp_path, SMALL_FILES) as spool:
        numbers = [e.number for e in entries(spool)]
        assert numbers == [0, 2, 3, 4, 5]
        spool.append([b"more"])
        assert [e.number for e in entries(spool)] == [*numbers, 6]


def test_zeros_behind_the_last_record_as_a_loss_of_power_leaves_them_are_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([b"kept"])
    (file,) = files(tmp_path)
    with file.open("ab") as end:
        end.write(bytes(5_000))
    with opened(tmp_path) as spool:
        assert [e.data for e in entries(spool)] == [b"kept"]


def test_a_full_spool_takes_what_fits_keeps_the_old_and_takes_again_after_acknowledging(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(total=1_000, file=300)) as spool:
        taken = spool.append([b"z" * 100] * 20)
        assert 5 < taken < 10
        with pytest.raises(SpoolFullError, match=r"is full: it holds \d+ of 1000 bytes"):
            spool.append([b"z" * 100])
        assert len(entries(spool)) == taken
        spool.acknowledge(taken // 2)
        assert spool.append([b"z" * 100]) == 1


def test_a_disk_that_must_keep_more_than_it_has_left_is_full(tmp_path: Path) -> None:
    with (
        opened(tmp_path, Limits(total=1 << 30, reserve=1 << 60)) as spool,
        pytest.raises(SpoolFullError, match="bytes left"),
    ):
        spool.append([b"a"])


def test_a_file_that_fills_the_spool_alone_goes_when_it_is_delivered(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(total=1_000)) as spool:
        taken = spool.append([b"z" * 100] * 20)
        spool.acknowledge(taken - 2)
        with pytest.raises(SpoolFullError):
            spool.append([b"z" * 100])
        with pytest.raises(SpoolFullError):
            spool.check_room(200)
        spool.acknowledge(taken - 1)
        spool.check_room(200)
        assert spool.append([b"new"]) == 1
        assert [e.data for e in entries(spool)] == [b"new"]
        assert len(files(tmp_path)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk takes the rights of root: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(spool: SpoolLog) -> None:
    while True:
        spool.append([b"%08d" % spool.next_number * 5_000])


def test_a_real_disk_that_fills_up_costs_nothing_and_is_written_again_when_there_is_room(small_disk: Path) -> None:
    with opened(small_disk, Limits(total=1 << 30, file=300_000)) as spool:
        with pytest.raises(SpoolFullError, match="is full"):
            fill(spool)
        taken = spool.next_number
        with pytest.raises(SpoolFullError, match="bytes left"):
            spool.check_room(1 << 20)
        assert [e.data[:8] for e in entries(spool)] == [b"%08d" % n for n in range(taken)]
        spool.acknowledge(taken - 5)
        spool.check_room(1 << 20)
        assert spool.append([b"new"]) == 1
        kept = [e.data[:8] for e in entries(spool)]
    with opened(small_disk) as again:
        assert [e.data[:8] for e in entries(again)] == [b"%08d" % n for n in range(taken - 4, taken)] + [b"new"]
        assert kept[-5:] == [e.data[:8] for e in entries(again)]


FILL = """
import resource, signal, sys
from pathlib import Path
from stores.spool_log import Limits, SpoolFullError, SpoolLog
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
with SpoolLog(Path(sys.argv[1]), Limits(total=1 << 30), lambda: 0) as spool:
    taken = 0
    try:
        while True:
            taken += spool.append([b"d" * 900])
    except SpoolFullError as error:
        print(taken, error, flush=True)
    spool.acknowledge(3)
"""


def test_a_disk_that_refuses_a_write_half_way_leaves_whole_records_only(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    taken, _, sentence = done.stdout.partition(" ")
    assert "is full" in sentence
    with opened(tmp_path) as spool:
        assert [e.number for e in entries(spool)] == list(range(4, int(taken)))
        assert spool.append([b"again"]) == 1


def test_a_record_that_no_reader_could_take_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as spool, pytest.raises(SpoolError, match="expected at most"):
        spool.append([bytes((16 << 20) + 1)])


def test_a_number_that_is_given_again_after_a_loss_has_another_name(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([b"lost"])
        (lost,) = entries(spool)
    (file,) = files(tmp_path)
    os.truncate(file, file.stat().st_size - 1)
    with opened(tmp_path) as spool:
        spool.append([b"other"])
        (other,) = entries(spool)
    assert other.number == lost.number
    assert other.name != lost.name


def test_times_never_run_back_when_the_clock_does(tmp_path: Path) -> None:
    clock = iter([5_000, 4_000, 6_000])
    with opened(tmp_path, now_ms=lambda: next(clock)) as spool:
        for n in range(3):
            spool.append([b"%d" % n])
        assert [e.taken_ms for e in entries(spool)] == [5_000, 5_000, 6_000]


def test_one_process_at_a_time_has_it_and_the_next_one_takes_the_next_place(tmp_path: Path) -> None:
    with opened(tmp_path / "0") as spool:
        spool.append([b"mine"])
        with pytest.raises(SpoolInUseError), opened(tmp_path / "0"):
            pass
        with first_free(tmp_path, LARGE, lambda: 0) as other:
            assert other.directory.name == "1"
    with first_free(tmp_path, LARGE, lambda: 0) as again:
        assert [e.data for e in entries(again)] == [b"mine"]


APPEND = """
import sys
from pathlib import Path
from stores.spool_log import Limits, SpoolLog
with SpoolLog(Path(sys.argv[1]), Limits(total=1 << 30, file=5_000), lambda: 0) as spool:
    n = 0
    while True:
        spool.append([b"%08d" % n * 50])
        print(n, flush=True)
        n += 1
"""


def test_what_was_appended_before_kill_9_is_there(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = -1
        while said < 300:
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            said = int(line) if line.endswith("\n") else said
    with opened(tmp_path) as spool:
        found = entries(spool)
        assert [e.data for e in found] == [b"%08d" % n * 50 for n in range(len(found))]
        assert len(found) > said
