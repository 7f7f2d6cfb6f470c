import stat
from pathlib import Path

from stores.secrets import ensure_secret, ensure_secrets, read_secret, write_secret


def test_secrets_are_made_once_and_differ(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path)
    assert ensure_secrets(tmp_path) == first
    assert len({first.admin_token, first.guest_secret, ensure_secrets(tmp_path / "other").admin_token}) == 3
    assert min(len(first.admin_token), len(first.guest_secret)) >= 43, "256 bits"


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_they_are_not_shown_by_accident(tmp_path: Path) -> None:
    secrets = ensure_secrets(tmp_path)
    assert secrets.admin_token not in repr(secrets)
    assert secrets.guest_secret not in repr(secrets)


def test_an_empty_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "a.key").touch()
    assert read_secret(tmp_path / "a.key") is None
    assert ensure_secret(tmp_path / "a.key") == read_secret(tmp_path / "a.key")


def test_a_secret_is_replaced_whole(tmp_path: Path) -> None:
    write_secret(tmp_path / "a.key", "old")
    assert write_secret(tmp_path / "a.key", "new") == "new"
    assert (tmp_path / "a.key").read_text() == "new\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]
