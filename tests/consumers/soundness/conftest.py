"""A small broadcast that has happened, and the `logcast` command with its settings."""

import asyncio
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from logcast.cli import cli
from logcast.stack.environment import environment
from schemas.ids import new_video_id
from stores.log_reader import now_ms
from stores.settings import Settings
from tests.consumers.soundness.small_broadcast import SmallBroadcast

Run = Callable[..., Result]


@pytest.fixture
def broadcast(system: Settings) -> SmallBroadcast:
    """It has happened."""
    settings = system.model_copy(update={"ladder": "64:150", "worker_threads": 1})
    made = SmallBroadcast(settings, new_video_id(now_ms(), b"verify!"))
    asyncio.run(made.happen())
    return made


@pytest.fixture
def run(broadcast: SmallBroadcast, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, with the broadcast's settings."""
    for name, value in environment(broadcast.settings).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(cli, list(arguments))
