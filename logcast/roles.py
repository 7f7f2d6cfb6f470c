"""The roles of Logcast: what `logcast serve` can be, and the command line of each."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from stores.settings import Settings

Run = Callable[[Settings, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process: `entry` is `module:function` of type `Run`; the worker has none, for Faust starts it."""

    name: str
    entry: str | None
    argv: tuple[str, ...]

    def load(self) -> Run:
        """Import the entry point."""
        assert self.entry is not None
        module, _, function = self.entry.partition(":")
        return cast("Run", getattr(import_module(module), function))


def _served(name: str, entry: str) -> Role:
    return Role(name, entry, (sys.executable, "-m", "logcast", "serve", name))


WORKER_ARGV = (sys.executable, "-m", "faust", "-A", "processors.app", "worker", "-l", "info", "--without-web")

ROLES = {
    role.name: role
    for role in (
        _served("ingest", "producers.ingest:run_ingest"),
        Role("worker", None, WORKER_ARGV),
        _served("consumers", "consumers.service:run_consumers"),
        _served("gateway", "gateway.server:run_gateway"),
    )
}
