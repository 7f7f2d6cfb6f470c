"""Make again what is missing of a video, each thing from where it still is."""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.commands.verify import SETTLE_S
from logcast.soundness import chosen_videos, finding_json, open_places, patience_of, progress
from logcast.video_tables import operator_errors, show

if TYPE_CHECKING:
    from rich.table import Table

    from logcast.mending.repair import Repaired, Wish
    from stores.settings import Settings


@click.command("repair")
@click.argument("videos", nargs=-1, metavar="[VIDEO]...")
@click.option("--all", "every", is_flag=True, help="Every video that is kept.")
@click.option("--channel", help="Every kept video of a channel.")
@click.option("--dry-run", "dry", is_flag=True, help="Change nothing; say what could be mended, and from what.")
@click.option(
    "--deep", is_flag=True, help="Read every object and all source chunks that the log has, and mend what is wrong."
)
@click.option("--remove-extra", is_flag=True, help="Remove objects that neither log nor index names.")
@click.option("--rewrite-index", is_flag=True, help="Also write every row again that the log tells of, lost or not.")
@click.option(
    "--settle",
    "settle_s",
    type=click.IntRange(0),
    default=SETTLE_S,
    show_default=True,
    help="Seconds that index and recording may be behind the log.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@data_option
def command(
    videos: tuple[str, ...],
    channel: str | None,
    *,
    every: bool,
    dry: bool,
    deep: bool,
    remove_extra: bool,
    rewrite_index: bool,
    settle_s: int,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Mend what `logcast verify` names of VIDEO: objects, init segments, hot parts, rows of the index.

    Safe while everything runs, and to repeat. Exit code 0: a second look finds the videos whole. 1: something could not
    be mended (or, with --dry-run, something is to be mended).
    """
    if bool(videos) + every + (channel is not None) != 1:
        raise click.UsageError("give videos, or --all, or --channel")
    settings = absolute_settings(data_dir)
    from logcast.mending.repair import Wish

    wish = Wish(deep, dry, remove_extra, rewrite_index)
    with operator_errors():
        sound, told = asyncio.run(
            _repair(settings, videos, channel, every=every, wish=wish, settle_s=settle_s, tell=not as_json)
        )
    if as_json:
        click.echo(json.dumps({"whole": sound, "videos": told}, indent=2))
    sys.exit(0 if sound else 1)


async def _repair(
    settings: "Settings",
    video_ids: tuple[str, ...],
    channel: str | None,
    *,
    every: bool,
    wish: "Wish",
    settle_s: int,
    tell: bool,
) -> tuple[bool, list[dict[str, Any]]]:
    from logcast.mending.repair import Repair

    sound, told = True, []
    videos = await chosen_videos(settings, video_ids, channel, every=every)
    async with open_places(settings) as places:
        for video, removed in videos:
            with progress() as report:
                patience = partial(patience_of, settings, settle_s)
                done = await Repair(settings, places, video, removed, patience, report, wish).run()
            sound = sound and done.sound
            told.append(_json(done))
            if tell:
                _show(done)
    return sound, told


def _show(done: "Repaired") -> None:
    click.echo(_summary(done))
    if done.became:
        show(_table(done))


def _summary(done: "Repaired") -> str:
    """A line about a video."""
    video = done.facts.video
    counts: dict[str, int] = {}
    for _, state, _ in done.became:
        counts[state.value] = counts.get(state.value, 0) + 1
    said = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "whole"
    rows = f"; {done.rewritten} rows written again" if done.rewritten else ""
    return f"{video.video_id} ({video.channel}, {video.title!r}, {video.state.value}): {said}{rows}"


def _table(done: "Repaired") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "what", "which", "was", "from, or why not", box=None, pad_edge=False, header_style="bold")
    colours = {"mended": "green", "would be mended": "yellow", "not mended": "red", "extra": "cyan"}
    for one, state, said in done.became:
        was = f"{one.what.value}: {one.said}"
        table.add_row(f"[{colours[state]}]{state}[/]", one.thing.value, escape(one.name), escape(was), escape(said))
    return table


def _json(done: "Repaired") -> dict[str, Any]:
    video = done.facts.video
    return {
        "video_id": video.video_id,
        "channel": video.channel,
        "title": video.title,
        "state": video.state.value,
        "whole": done.sound,
        "rows_written": done.rewritten,
        "findings": [finding_json(one) | {"became": state.value, "from": said} for one, state, said in done.became],
    }
