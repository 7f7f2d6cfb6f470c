import os
from pathlib import Path

from logcast.stack.logs import open_log, rotate, size, tail


def test_a_log_over_its_limit_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    writer = open_log(path)
    try:
        os.write(writer, b"x" * 100)
        assert not rotate(path, limit_bytes=100)
        os.write(writer, b"y")
        assert rotate(path, limit_bytes=100)
        os.write(writer, b"after\n")
    finally:
        os.close(writer)
    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "logs" / "a.log.1").read_bytes() == b"x" * 100 + b"y"


def test_the_last_lines_are_those_of_this_life(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    began = size(path)
    with path.open("a") as log:
        log.write("one\n\ntwo\nthree\n")
    assert tail(path, 2, since=began) == ["two", "three"]
    assert tail(path, 9, since=began) == ["one", "two", "three"]


def test_the_last_lines_survive_a_rotation_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\xff\xfe new\n")
    assert tail(path, 5, since=10_000) == ["\ufffd\ufffd new"]


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "absent.log", 5) == []
    assert size(tmp_path / "absent.log") == 0
    assert not rotate(tmp_path / "absent.log")
