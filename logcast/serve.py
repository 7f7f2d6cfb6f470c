"""Runs a role: logging, signals, exit code."""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from logcast.roles import ROLES, Run
from stores.malloc import keep_heaps_small
from stores.settings import Settings, load_settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def serve(name: str) -> None:
    """Run the role `name` until it is told to stop.

    The worker becomes a `faust worker` process: Faust does not process events inside a program of somebody else.

    Raises:
        SettingsError: a setting is wrong.
        SystemExit: with 1, when the role ended by an error; the log has it.
    """
    settings = load_settings()
    role = ROLES[name]
    if role.entry is None:
        os.execv(role.argv[0], role.argv)  # noqa: S606  (no shell is what is wanted)
    keep_heaps_small()
    logging.basicConfig(level=settings.log_level, format=LOG_FORMAT, stream=sys.stderr)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(role.load(), settings))
    except Exception:
        logging.getLogger("logcast").exception("%s ended by an error", name)
        sys.exit(1)


async def _until_signalled(run: Run, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def signalled() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):  # the next one ends the process, as by default
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled)
    await run(settings, stop)
