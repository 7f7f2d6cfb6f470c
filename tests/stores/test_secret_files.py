"""Secrets come from the files that the environment names, and are refused with a sentence when there is none."""

from pathlib import Path

import pytest

from stores.secret_files import with_password
from stores.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOGCAST_CONFIG", raising=False)
    return tmp_path


def test_a_secret_is_what_the_named_file_has(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "token").write_text("from the file\n")
    monkeypatch.setenv("LOGCAST_ADMIN_TOKEN_FILE", str(nowhere / "token"))
    assert load_settings().admin_token.get_secret_value() == "from the file"


def test_a_variable_wins_over_the_file_and_the_file_over_toml(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "logcast.toml").write_text('admin_token = "toml"\nguest_secret = "toml"\n')
    (nowhere / "secret").write_text("file")
    monkeypatch.setenv("LOGCAST_ADMIN_TOKEN_FILE", str(nowhere / "secret"))
    monkeypatch.setenv("LOGCAST_GUEST_SECRET_FILE", str(nowhere / "secret"))
    monkeypatch.setenv("LOGCAST_ADMIN_TOKEN", "variable")
    settings = load_settings()
    assert (settings.admin_token.get_secret_value(), settings.guest_secret.get_secret_value()) == ("variable", "file")


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "LOGCAST_KAFKA_PASSWORD_FILE: cannot read"), (" \n", "is empty")]
)
def test_a_file_without_a_secret_is_refused(
    content: str | None, sentence: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (nowhere / "password").write_text(content)
    monkeypatch.setenv("LOGCAST_KAFKA_PASSWORD_FILE", str(nowhere / "password"))
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_what_is_no_secret_does_not_come_from_a_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "host").write_text("elsewhere")
    monkeypatch.setenv("LOGCAST_BIND_HOST_FILE", str(nowhere / "host"))
    assert load_settings().bind_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6379/0", "redis://:p%40s%2Fs@cache:6379/0"),
        ("redis://user@cache:6379/0", "redis://user:p%40s%2Fs@cache:6379/0"),
        ("redis://user:own@cache:6379/0", "redis://user:own@cache:6379/0"),
        ("postgresql+asyncpg://logcast@db/logcast?ssl=on", "postgresql+asyncpg://logcast:p%40s%2Fs@db/logcast?ssl=on"),
    ],
)
def test_a_password_is_put_into_an_address_that_has_none(url: str, expected: str) -> None:
    assert with_password(url, "p@s/s") == expected
    assert with_password(url, "") == url


def test_the_accounts_database_takes_its_password_from_a_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "password").write_text("pg-secret\n")
    monkeypatch.setenv("LOGCAST_DATABASE_PASSWORD_FILE", str(nowhere / "password"))
    settings = load_settings(database_url="postgresql://logcast@db/logcast")
    assert settings.sql_url == "postgresql://logcast:pg-secret@db/logcast"
    assert "pg-secret" not in repr(settings)
