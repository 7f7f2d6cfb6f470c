"""The test's own tool: what it says of a command that hangs."""

from pathlib import Path

import pytest

from tests.e2e.live_stack import LiveStack


def test_a_command_that_hangs_fails_with_what_it_said_and_where_its_threads_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.e2e.live_stack.COMMAND_DEADLINE_S", 6)
    stack = LiveStack(tmp_path)
    with pytest.raises(AssertionError, match=r"(?s)logcast tail videos did not end within 6 s.*most recent call first"):
        stack.command("tail", "videos")  # nothing runs there: it waits for a log
