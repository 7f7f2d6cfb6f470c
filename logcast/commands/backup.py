"""Copy all that cannot be derived: accounts, keys, Cassandra's rows, the log's states."""

import asyncio
import os
from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.soundness import progress
from logcast.video_tables import operator_errors


@click.command("backup")
@click.option("--to", "where", required=True, metavar="DIR|URL", help="An empty directory, s3://…, gs://… or az://…")
@click.option("--media", is_flag=True, help="The recordings' bytes, too; else only their names.")
@data_option
def command(where: str, *, media: bool, data_dir: Path | None) -> None:
    """Make a backup while everything runs on. It holds secrets: keep it as you keep those.

    What is in it, as of when, and how to go back: docs/backup.md.
    """
    from logcast.backup import make_backup, summary
    from stores.backup_files import BackupPlace

    os.umask(0o077)
    settings = absolute_settings(data_dir)
    with operator_errors(), progress() as report:
        place = BackupPlace(settings, where)
        manifest = asyncio.run(make_backup(settings, place, report, media=media))
    for line in summary(manifest):
        click.echo(line)
    click.echo(
        f"backup {manifest.id} is whole in {place.url}, {sum(f.size_bytes for f in manifest.files) / 1e6:,.1f} MB"
    )
