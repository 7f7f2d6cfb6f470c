"""Import a file as a video of a channel, faster than it plays."""

import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError
from logcast.keep_times import KeepTime

if TYPE_CHECKING:
    from producers.file_import import ImportState
    from stores.settings import Settings


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", "name", required=True, help="Whose video it becomes.")
@click.option("--title", help="Of the video. [default: the file's name]")
@click.option(
    "--keep",
    type=KeepTime(),
    default="forever",
    show_default=True,
    help="How long the recording is kept: 30d, 4w, never, forever.",
)
@data_option
def command(file: Path, name: str, title: str | None, keep: int, data_dir: Path | None) -> None:
    """Import FILE as a video. H.264, H.265, AV1 and AAC are taken untouched; the rest is transcoded.

    Needs a running stack (`logcast up`). One that is stopped leaves nothing that is kept: import the file again.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from producers.file_import import ImportFailedError, ImportState
    from stores.accounts import AccountsError
    from stores.kafka import LogError

    settings = absolute_settings(data_dir)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    try:
        with Progress(*columns, refresh_per_second=4) as bars:
            reading = bars.add_task("read", total=None, note="")
            making = bars.add_task("renditions", total=None, note="")

            def show(now: ImportState) -> None:
                bars.update(reading, completed=now.read_s, total=now.length_s, note=f"{now.read_s:,.0f} s")
                total = now.segments + 1 if now.finished else None
                waits = f", waits for {now.waits_for}" if now.waits_for else ""
                bars.update(making, completed=now.done + 1, total=total, note=f"{now.done + 1} segments{waits}")

            video_id = asyncio.run(_import(settings, file, name, title or file.stem, keep, show))
    except (ImportFailedError, AccountsError, LogError) as error:
        raise LogcastError(str(error)) from error
    except KeyboardInterrupt:
        raise LogcastError(f"the import of {file} was stopped; nothing of it is kept: import it again") from None
    click.echo(f"{file} is video {video_id}: {settings.public_host}:{settings.http_port}/watch/{video_id}")
    _leave()


def _leave() -> NoReturn:
    """End now: all is written, and librdkafka may hang for ever when its handles are destroyed (its issues 5434, 5476)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _import(
    settings: "Settings", file: Path, name: str, title: str, keep: int, show: "Callable[[ImportState], None]"
) -> str:
    from producers.broadcast import Clock
    from producers.file_import import FileImport
    from stores.accounts import Accounts, NoSuchChannel

    async with Accounts.open(settings) as accounts:
        channel = await accounts.channel(name)
    if channel is None:
        raise NoSuchChannel(f"there is no channel {name}; `logcast channel create {name}` makes one")
    channel = dataclasses.replace(channel, title=title, keep_days=keep)
    clock = Clock(now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom)
    async with FileImport(settings, channel, clock, show) as importing:
        return await importing.run(file)
