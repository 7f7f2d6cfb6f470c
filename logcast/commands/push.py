"""Push a file or an address to a channel, in real time."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError

if TYPE_CHECKING:
    from producers import push
    from stores.settings import Settings


@click.command("push")
@click.argument("source")
@click.option("--channel", required=True, help="Where to.")
@click.option("--server", help="The ingest. [default: rtmp://HOST:PORT of the settings]")
@click.option("--key", envvar="LOGCAST_STREAM_KEY", help="The stream key. [default: the one kept for a local channel]")
@click.option("--fast", is_flag=True, help="As fast as the server takes it, not in real time.")
@click.option(
    "--lossless", is_flag=True, help="Through a spool and the gateway: every frame arrives, once, over any cut."
)
@data_option
def command(
    channel: str, source: str, server: str | None, key: str | None, fast: bool, lossless: bool, data_dir: Path | None
) -> None:
    """Push SOURCE, a file or an address, to a channel. H.264, H.265, AV1 and AAC go out untouched; the rest is transcoded.

    With --lossless, --server is the gateway, http://HOST:PORT. Run again after it was ended, it goes on where it was.
    """
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from logcast.keys import key_file
    from producers import push
    from stores.secrets import read_secret

    settings = absolute_settings(data_dir)
    key = key or read_secret(key_file(settings.data_dir, channel))
    if not key:
        raise LogcastError(
            f"no stream key for {channel}: give --key or LOGCAST_STREAM_KEY; `logcast channel create {channel}` prints one"
        )
    if lossless:
        _push_lossless(settings, channel, source, server, key, fast=fast)
        return
    base = (server or f"rtmp://{settings.public_host}:{settings.rtmp_port}").rstrip("/")
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    try:
        with Progress(*columns, refresh_per_second=4) as bars:
            bar = bars.add_task(f"{channel}", total=None, speed="")

            def show(now: push.Progress) -> None:
                kbps = now.sent_bytes * 8 / 1000 / now.media_s if now.media_s else 0
                bars.update(
                    bar, completed=now.media_s, total=now.length_s, speed=f"{kbps:,.0f} kbit/s · {now.frames} frames"
                )

            done = push.push(source, f"{base}/live/{key}", show, realtime=not fast)
    except push.PushError as error:
        raise LogcastError(str(error)) from error
    except KeyboardInterrupt:
        return
    click.echo(f"{channel}: {done.frames} frames, {done.media_s:.1f} s, {done.sent_bytes / 1e6:.1f} MB sent")


CLEAR = "\r\x1b[K"
"""To the beginning of the line, and empty it."""


def _read_so_far(now: "push.Progress") -> str:
    share = f" of {now.length_s:.0f} s ({now.media_s / now.length_s:.0%})" if now.length_s else " s"
    return f"{now.media_s:.1f}{share}"


def _push_lossless(
    settings: "Settings", channel: str, source: str, server: str | None, key: str, *, fast: bool
) -> None:
    import asyncio

    from producers.lossless_push import LosslessPush, Sent
    from producers.push import Progress, PushError
    from stores.spool_log import SpoolError

    base = (server or f"http://{settings.public_host}:{settings.http_port}").rstrip("/").replace("http", "ws", 1)
    read = [Progress(0.0, None, 0, 0)]
    trouble = [""]

    def show(sent: Sent) -> None:
        line = f"{channel}: {_read_so_far(read[0])} read, {sent.acknowledged / 1e6:.1f} MB on the log"
        waits = f", {(sent.made - sent.acknowledged) / 1e6:.1f} MB wait in the spool" if sent.trouble else ""
        cuts = f", {sent.cuts} cuts" if sent.cuts else ""
        if sent.trouble != trouble[0]:
            trouble[0] = sent.trouble
            said = f"{sent.trouble}; trying again" if sent.trouble else "connected again"
            click.echo(f"{CLEAR}{channel}: {said}" if sys.stderr.isatty() else f"{channel}: {said}", err=True)
        if sys.stderr.isatty():
            click.echo(f"{CLEAR}{line}{waits}{cuts}", nl=False, err=True)

    def progress(now: Progress) -> None:
        read[0] = now

    async def run() -> Sent:
        directory = settings.data_dir / "push" / channel
        url = f"{base}/v1/channels/{channel}/ingest"
        limit_bytes = settings.spool_max_mb * 1024 * 1024
        with LosslessPush(directory, url, key, source, progress, realtime=not fast, limit_bytes=limit_bytes) as push:
            return await push.run(show)

    try:
        done = asyncio.run(run())
    except (PushError, SpoolError) as error:
        raise LogcastError(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nstopped; the same command goes on where it was", err=True)
        return
    click.echo(
        f"{CLEAR if sys.stderr.isatty() else ''}{channel}: all {done.acknowledged / 1e6:.1f} MB are on the log, over {done.cuts + 1} connections"
    )
