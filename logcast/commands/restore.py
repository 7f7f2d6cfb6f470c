"""Put a backup into a new place, from where everything goes on."""

import asyncio
from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.soundness import progress
from logcast.video_tables import operator_errors


@click.command("restore")
@click.option("--from", "where", required=True, metavar="DIR|URL", help="Where the backup is.")
@click.option(
    "--force", is_flag=True, help="Also into a place that is not empty: accounts and keys are replaced, rows merged."
)
@data_option
def command(where: str, *, force: bool, data_dir: Path | None) -> None:
    """Restore a backup. Kafka and Cassandra run (`logcast up --stores`), nothing else does.

    Every checksum is looked at before anything is written. One that was killed goes on when it is called again.
    """
    from logcast.backup import summary
    from logcast.restore import restore
    from stores.backup_files import BackupPlace

    settings = absolute_settings(data_dir)
    with operator_errors(), progress() as report:
        manifest = asyncio.run(restore(settings, BackupPlace(settings, where), report, force=force))
    for line in summary(manifest):
        click.echo(line)
    click.echo(f"backup {manifest.id} is restored; start the services now")
