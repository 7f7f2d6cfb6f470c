"""Settings come from options, environment and file, in this order, and are refused with a sentence when wrong."""

from pathlib import Path

import pytest

from stores.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOGCAST_CONFIG", raising=False)
    return tmp_path


def test_options_win_over_environment_over_file_over_defaults(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "logcast.toml").write_text("http_port = 1001\nrtmp_port = 1002\nwindow_s = 100\n")
    monkeypatch.setenv("LOGCAST_RTMP_PORT", "2002")
    monkeypatch.setenv("LOGCAST_HTTP_PORT", "2001")
    settings = load_settings(http_port=3001)
    assert (settings.http_port, settings.rtmp_port, settings.window_s, settings.partitions) == (3001, 2002, 100, 8)


def test_options_that_are_none_leave_the_setting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGCAST_HTTP_PORT", "2001")
    assert load_settings(http_port=None).http_port == 2001


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("http_port", 0, "http_port: .*found 0"),
        ("part_target_ms", 99, "part_target_ms: .*found 99"),
        ("worker_agents", "transcode,dance", "unknown agents .*dance.*choose from"),
        ("hot_retention_s", 600, "hot_retention_s is 600, expected at least window_s"),
        ("topic_prefix", "A B", "topic_prefix"),
        ("no_such_setting", 1, "no_such_setting: .*not permitted"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_found(name: str, value: object, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(**{name: value})


def test_secrets_are_never_shown() -> None:
    settings = load_settings(admin_token="very-secret-token")
    assert "very-secret-token" not in repr(settings)
    assert settings.admin_token.get_secret_value() == "very-secret-token"
