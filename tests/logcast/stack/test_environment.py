from collections.abc import Callable
from pathlib import Path

import pytest

from logcast.stack.environment import environment
from stores.settings import Settings, load_settings


def test_another_process_reads_the_very_same_settings(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(partitions=3, blocked_words="a,b", segment_dir=tmp_path / "hot", worker_threads=2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logcast.toml").write_text("partitions = 99\n")
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_what_has_no_value_is_left_out(settings: Settings) -> None:
    assert "LOGCAST_SEGMENT_DIR" not in environment(settings)
