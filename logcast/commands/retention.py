"""Remove recordings whose keep time is over, or show which would go."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.video_tables import due_table, operator_errors, show

if TYPE_CHECKING:
    from consumers.retention import Due
    from stores.segments import Removed
    from stores.settings import Settings


@click.group("retention")
def command() -> None:
    """Recordings that are past their keep time. The consumers remove them by themselves; this is for now and here."""


@command.command("run")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@data_option
def run(*, dry_run: bool, data_dir: Path | None) -> None:
    """Remove what is past its time, and print what it was, with its size."""
    settings = absolute_settings(data_dir)
    with operator_errors():
        rows = asyncio.run(_run(settings, dry_run=dry_run))
    show(due_table(rows))
    total = sum(size.size_bytes for _, size in rows)
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{len(rows)} videos {verb}, {sum(size.files for _, size in rows)} objects, {total / 1e6:,.1f} MB")


async def _run(settings: "Settings", *, dry_run: bool) -> "list[tuple[Due, Removed]]":
    from consumers.keeping import open_retention, recorded, videos_on_log
    from stores.segments import Removed

    rows = []
    async with open_retention(settings, await videos_on_log(settings)) as (retention, cold):
        for found in retention.due():
            if dry_run:
                rows.append((found, await recorded(cold, found.video.video_id)))
            else:
                event = await retention.remove(found)
                rows.append((found, Removed(event.files, event.size)))
    return rows
