"""`logcast up`: check, fetch, start, show, and stop in order."""

import asyncio
import signal
import time
from contextlib import nullcontext
from functools import partial

from pydantic import SecretStr
from rich.console import Console

from logcast.errors import CannotStartError
from logcast.keys import local_keys
from logcast.stack.addresses import page_address, push_address, welcome
from logcast.stack.doctor import raise_open_files, require_all
from logcast.stack.downloads import download
from logcast.stack.instance import only_instance, remove_stack_file, write_stack_file
from logcast.stack.jars import cache_dir, class_path, locked_jars
from logcast.stack.java import find_java
from logcast.stack.layout import ONE, Layout
from logcast.stack.local import LocalStack
from logcast.stack.process import Snapshot
from logcast.stack.security import Security
from logcast.stack.supervisor import Supervisor
from logcast.stack.view import StackView
from stores.link_keys import ensure_link_keys, link_keys_path
from stores.secrets import ensure_secrets
from stores.settings import Settings
from stores.sql import DatabaseError

CHANNELS = ("demo", "my-channel")
REFRESH_S = 1.0
QUIET_S = 5.0
"""After the start, before anything is done for later starts."""


def run_stack(
    settings: Settings, console: Console, *, demo: bool, began: float, layout: Layout = ONE, secure: bool = False
) -> None:
    """Run everything of a layout until a signal says stop; `began` is the monotonic time that the start is counted from.

    Raises:
        CannotStartError, DownloadError: the message says what to do; nothing is left running.
    """
    for warning in require_all(settings, layout):
        console.print(f"warning: {warning.found}; {warning.advice}", highlight=False)
    with only_instance(settings.data_dir):
        raise_open_files()
        jars = locked_jars()
        download(jars, cache_dir(), console)
        settings, keys = _with_keys(settings) if layout.roles else (settings, {})
        stack = LocalStack(
            settings,
            find_java(),
            partial(class_path, jars, cache=cache_dir()),
            cache_dir() / "class-archives",
            push_address(settings, keys["demo"]) if demo else None,
            layout,
            _security(settings, layout) if secure else None,
        )
        asyncio.run(_supervise(settings, stack, console, _welcome(settings, keys, layout, demo=demo), began))


def _welcome(settings: Settings, keys: dict[str, str], layout: Layout, *, demo: bool) -> str:
    if not layout.roles:
        return f"only Kafka and Cassandra run: logcast restore --from DIR --data {settings.data_dir}"
    return welcome(settings, keys["my-channel"], demo=demo)


def _security(settings: Settings, layout: Layout) -> Security:
    security = Security(settings.data_dir / "keys" / "cluster")
    security.prepare(layout.nodes)
    return security


def _with_keys(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings with secrets, and the stream keys of the local channels."""
    try:
        settings = with_secrets(settings)
        return settings, asyncio.run(local_keys(settings, CHANNELS))
    except DatabaseError as error:
        raise CannotStartError(str(error)) from error
    except OSError as error:
        raise CannotStartError(
            f"cannot keep secrets in {settings.data_dir} ({error.strerror}): make room or rights there, "
            f"or choose another directory with --data"
        ) from error


def with_secrets(settings: Settings) -> Settings:
    """The settings with the secrets of the data directory where none were set."""
    kept = ensure_secrets(settings.data_dir)
    ensure_link_keys(link_keys_path(settings))
    return settings.model_copy(
        update={
            "admin_token": settings.admin_token
            if settings.admin_token.get_secret_value()
            else SecretStr(kept.admin_token),
            "guest_secret": settings.guest_secret
            if settings.guest_secret.get_secret_value()
            else SecretStr(kept.guest_secret),
        }
    )


async def _supervise(settings: Settings, stack: LocalStack, console: Console, welcome_text: str, began: float) -> None:
    data_dir, started, stop = settings.data_dir, time.time(), asyncio.Event()
    view = StackView(console, data_dir)
    addresses = {"page": page_address(settings), "push": push_address(settings)}

    def changed(snapshot: Snapshot) -> None:
        try:
            write_stack_file(data_dir, started, addresses, supervisor.snapshots)
        except OSError as error:  # a full disk is no reason to stop what runs
            view.warn(f"cannot write {data_dir / 'run'} ({error.strerror}): `logcast status` shows what was before")
        view.tell(snapshot)
        view.show(supervisor.snapshots)

    supervisor = Supervisor(stack.specs(), data_dir, changed)
    _stop_on_signals(stop, supervisor, console)
    with view.live or nullcontext():
        aside = (
            asyncio.create_task(_tell_when_ready(supervisor, console, welcome_text, began)),
            asyncio.create_task(_tick(view, supervisor)),
            asyncio.create_task(_speed_up(supervisor, stack)),
        )
        try:
            await supervisor.run(stop)
        finally:
            for task in aside:
                task.cancel()
            await asyncio.wait(aside)
            view.show(supervisor.snapshots)
            remove_stack_file(data_dir)
    console.print("stopped, no process is left", highlight=False)


def _stop_on_signals(stop: asyncio.Event, supervisor: Supervisor, console: Console) -> None:
    """The first signal stops in order, the second at once."""

    def signalled() -> None:
        if stop.is_set():
            supervisor.kill()
        else:
            console.print("stopping in order; once more to stop at once", highlight=False)
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signalled)


async def _tell_when_ready(supervisor: Supervisor, console: Console, text: str, began: float) -> None:
    await supervisor.all_ready()
    console.print(f"\nready in {time.monotonic() - began:.1f} s\n", highlight=False)
    console.print(text + "\n", highlight=False, soft_wrap=True)


async def _tick(view: StackView, supervisor: Supervisor) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        view.show(supervisor.snapshots)


async def _speed_up(supervisor: Supervisor, stack: LocalStack) -> None:
    await supervisor.all_ready()
    await asyncio.sleep(QUIET_S)
    await stack.build_archives()
