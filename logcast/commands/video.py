"""List videos, choose how one is kept and shown, remove recordings."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError
from logcast.keep_times import KeepTime, keep_text
from logcast.video_tables import operator_errors, show, video_table

if TYPE_CHECKING:
    from consumers.kept_videos import KeptVideos
    from schemas.events import VideoChanged
    from stores.segments import Removed
    from stores.settings import Settings


@click.group("video")
def command() -> None:
    """Videos, live and recorded, as the log has them; for the operator, where Kafka and the recordings are reached."""


@command.command("list")
@click.argument("channel", required=False)
@click.option("--sizes", is_flag=True, help="Look through the recordings for their sizes.")
@data_option
def list_(channel: str | None, *, sizes: bool, data_dir: Path | None) -> None:
    """The videos of all channels or of CHANNEL, newest first, and how they are kept and shown."""
    settings = absolute_settings(data_dir)
    with operator_errors():
        show(video_table(asyncio.run(_listed(settings, channel, sizes=sizes))))


@command.command("set")
@click.argument("video")
@click.option("--title", help="Shown on the page.")
@click.option("--keep", type=KeepTime(), help="How long after its end it is kept: 30d, 4w, never, forever.")
@click.option("--visibility", type=click.Choice(["public", "unlisted", "private"]), help="Who may watch.")
@data_option
def set_(video: str, title: str | None, keep: int | None, visibility: str | None, data_dir: Path | None) -> None:
    """Choose how VIDEO is kept and shown; what is not given stays."""
    from schemas.events import VideoSettingsChanged, Visibility
    from stores.accounts import checked_title
    from stores.log_reader import now_ms

    if title is None and keep is None and visibility is None:
        raise click.UsageError("give at least one of --title, --keep, --visibility")
    settings = absolute_settings(data_dir)
    with operator_errors():
        known = _known(asyncio.run(_videos(settings)), video)
        chosen = VideoSettingsChanged(
            video_id=known.video_id,
            channel=known.channel,
            title=checked_title(title) if title else known.title,
            keep_days=known.keep_days if keep is None else keep,
            visibility=Visibility(visibility) if visibility else known.visibility,
            changed_ms=now_ms(),
            changed_by="operator",
            tags=known.tags,
            description=known.description,
        )
        asyncio.run(_choose(settings, chosen))
    click.echo(f"{video}: {chosen.title!r}, keep {keep_text(chosen.keep_days)}, {chosen.visibility.value}")


@command.command("remove")
@click.argument("videos", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def remove(videos: tuple[str, ...], *, yes: bool, data_dir: Path | None) -> None:
    """Remove the recordings of ended VIDEOS for good, from both tiers, at once."""
    settings = absolute_settings(data_dir)
    with operator_errors():
        known = asyncio.run(_videos(settings))
        wanted = [_ended(_known(known, video)) for video in videos]
        if not yes:
            names = ", ".join(f"{video.video_id} ({video.title})" for video in wanted)
            click.confirm(f"remove {names} for good?", abort=True, err=True)
        asyncio.run(_remove(settings, known, wanted))


def _known(videos: "KeptVideos", video_id: str) -> "VideoChanged":
    video = videos.get(video_id)
    if video is None:
        raise LogcastError(f"there is no video {video_id[:40]!r}; `logcast video list` shows those that exist")
    return video


def _ended(video: "VideoChanged") -> "VideoChanged":
    if video.ended_ms is None:
        raise LogcastError(f"video {video.video_id} is still {video.state.value}; stop its publisher first")
    return video


async def _videos(settings: "Settings") -> "KeptVideos":
    from consumers.keeping import videos_on_log

    return await videos_on_log(settings)


async def _choose(settings: "Settings", chosen: object) -> None:
    from consumers.keeping import choose
    from schemas.events import VideoSettingsChanged

    assert isinstance(chosen, VideoSettingsChanged)
    await choose(settings, chosen)


async def _listed(
    settings: "Settings", channel: str | None, *, sizes: bool
) -> "list[tuple[VideoChanged, Removed | None]]":
    from consumers.keeping import recorded, videos_on_log
    from stores.recordings import open_recordings

    found = [video for video in await videos_on_log(settings) if channel in (None, video.channel)]
    found.sort(key=lambda video: video.video_id, reverse=True)
    if not sizes:
        return [(video, None) for video in found]
    async with open_recordings(settings) as cold:
        return [(video, await recorded(cold, video.video_id)) for video in found]


async def _remove(settings: "Settings", known: "KeptVideos", wanted: "list[VideoChanged]") -> None:
    from rich.console import Console
    from rich.progress import track

    from consumers.keeping import open_retention
    from consumers.retention import REQUESTED, Due
    from stores.log_reader import now_ms

    console = Console(stderr=True)
    async with open_retention(settings, known) as (retention, _):
        for video in track(wanted, "removing", console=console, disable=not console.is_terminal):
            event = await retention.remove(Due(video, REQUESTED, now_ms()), "operator")
            click.echo(f"removed {video.video_id}: {event.files} objects, {event.size / 1e6:,.1f} MB")
