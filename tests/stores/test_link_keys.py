"""The file of the keys that sign links."""

import stat
from pathlib import Path

import pytest

from stores.link_keys import LinkKeysError, ensure_link_keys, parse_link_keys, read_link_keys, rotate_link_keys


def test_the_first_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "links.keys"
    ensure_link_keys(path)
    first = read_link_keys(path)
    ensure_link_keys(path)
    assert read_link_keys(path) == first
    assert [name for name, _ in first] == ["k1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rotation_puts_a_new_key_first_and_lets_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "links.keys"
    ids = [rotate_link_keys(path) for _ in range(5)]
    assert ids == [["k1"], ["k2", "k1"], ["k3", "k2", "k1"], ["k4", "k3", "k2"], ["k1", "k4", "k3"]]
    secrets = [secret for _, secret in read_link_keys(path)]
    assert len(set(secrets)) == 3


def test_comments_and_empty_lines_are_passed_over() -> None:
    secret = "s" * 32
    assert parse_link_keys(f"# keys\n\nk1 {secret} # the first\n  b\t{secret}\n") == [("k1", secret), ("b", secret)]


@pytest.mark.parametrize("line", ["k1", "k1 short", f"K1 {'s' * 32}", f"k1 {'s' * 32} more", f"k1 {'s' * 31}é"])
def test_a_line_without_sense_is_named_and_its_secret_is_not(line: str) -> None:
    with pytest.raises(LinkKeysError, match="line 2: expected `ID SECRET`") as caught:
        parse_link_keys(f"ok {'x' * 32}\n{line}\n")
    assert "sss" not in str(caught.value)


def test_an_id_that_comes_twice_is_refused() -> None:
    with pytest.raises(LinkKeysError, match="line 2"):
        parse_link_keys(f"k1 {'x' * 32}\nk1 {'y' * 32}\n")


def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "links.keys"
    path.write_text("nonsense\n")
    with pytest.raises(LinkKeysError, match=str(path)):
        rotate_link_keys(path)
    assert path.read_text() == "nonsense\n"
