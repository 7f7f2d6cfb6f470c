"""Walk log, index and stores of a video, and name what is missing."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.soundness import (
    as_json,
    chosen_videos,
    findings_table,
    looked_at,
    open_places,
    patience_of,
    progress,
    summary,
)
from logcast.video_tables import operator_errors, show

if TYPE_CHECKING:
    from stores.settings import Settings

SETTLE_S = 60


@click.command("verify")
@click.argument("videos", nargs=-1, metavar="[VIDEO]...")
@click.option("--all", "every", is_flag=True, help="Every video that is kept.")
@click.option("--channel", help="Every kept video of a channel.")
@click.option(
    "--deep", is_flag=True, help="Read every object and all source chunks that the log has, and compare them."
)
@click.option(
    "--settle",
    "settle_s",
    type=click.IntRange(0),
    default=SETTLE_S,
    show_default=True,
    help="Seconds that index and recording may be behind the log.",
)
@click.option("--json", "as_json_", is_flag=True, help="For programs.")
@data_option
def command(
    videos: tuple[str, ...],
    channel: str | None,
    *,
    every: bool,
    deep: bool,
    settle_s: int,
    as_json_: bool,
    data_dir: Path | None,
) -> None:
    """Say whether all of VIDEO is there, and of what is not, what mends it. Changes nothing.

    Exit code 0: whole. 1: something is missing or wrong. What is extra harms nobody.
    """
    if bool(videos) + every + (channel is not None) != 1:
        raise click.UsageError("give videos, or --all, or --channel")
    settings = absolute_settings(data_dir)
    with operator_errors():
        found = asyncio.run(
            _verify(settings, videos, channel, every=every, deep=deep, settle_s=settle_s, tell=not as_json_)
        )
    whole = all(one["whole"] for one in found)
    if as_json_:
        click.echo(json.dumps({"whole": whole, "videos": found}, indent=2))
    sys.exit(0 if whole else 1)


async def _verify(
    settings: "Settings",
    video_ids: tuple[str, ...],
    channel: str | None,
    *,
    every: bool,
    deep: bool,
    settle_s: int,
    tell: bool,
) -> list[dict[str, Any]]:
    told = []
    videos = await chosen_videos(settings, video_ids, channel, every=every)
    async with open_places(settings) as places:
        with progress() as report:
            patience = patience_of(settings, settle_s)
            async for facts, found in looked_at(settings, places, videos, patience, report, deep=deep):
                told.append((as_json(facts, found), summary(facts, found), found.findings))
    for _, line, findings in told if tell else ():
        click.echo(line)
        if findings:
            show(findings_table(findings))
    return [values for values, _, _ in told]
