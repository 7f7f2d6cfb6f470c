"""Make a video again from the log: compare it with what is there, or with another ladder."""

import asyncio
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError
from logcast.soundness import open_places, patience_of, progress
from logcast.video_tables import operator_errors, show

if TYPE_CHECKING:
    from logcast.replayed import Compared
    from media.ladder import Rung
    from processors.replay import LoggedGop, Replay
    from schemas.events import VideoChanged
    from stores.settings import Settings


@click.command("replay")
@click.argument("video_id", metavar="VIDEO")
@click.option(
    "--ladder",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML: [[rendition]] tables with height and bitrate_kbps: make these, and compare nothing.",
)
@click.option(
    "--keep-source",
    is_flag=True,
    help="Also store source and audio where they are missing: for a video that was not recorded.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Empty directory for what is made, without --ladder; else a temporary one.",
)
@data_option
def command(video_id: str, ladder: Path | None, *, keep_source: bool, into: Path | None, data_dir: Path | None) -> None:
    """Make VIDEO again from the log, and compare it with what is there; with --ladder, make other renditions of it.

    Without --ladder nothing that is there is changed: parts, recording, comments, totals and polls are made in a fresh
    place by what the workers use. Exit code 0: all is equal; 1: something is not.

    With --ladder the renditions join the video's playlists beside those that it has. Doing it again gives the same bytes
    under the same names.
    """
    settings = absolute_settings(data_dir)
    if ladder is None:
        if keep_source:
            raise click.UsageError("--keep-source is for --ladder")
        sys.exit(0 if _compare(settings, video_id, into) else 1)
    if into is not None:
        raise click.UsageError("--into is for a replay without --ladder")
    rungs = _rungs(ladder)
    asyncio.run(_replay(settings, video_id, rungs, keep_source=keep_source))


def _compare(settings: "Settings", video_id: str, into: Path | None) -> bool:
    """Whether all is equal; shows the table."""
    from rich.table import Table

    video = _video(settings, video_id)
    if into is not None and into.exists() and any(into.iterdir()):
        raise LogcastError(f"{into} is not empty: give a directory that is, or that is not there yet")
    with operator_errors(), TemporaryDirectory(prefix="logcast-replay-") as temporary:
        try:
            rows, late = asyncio.run(_compared(settings, video, into or Path(temporary)))
        except OSError as error:
            raise LogcastError(f"cannot write what is made again: {error}") from error
    table = Table("what", "equal", "different", "missing", "not on the log", "first")
    for row in rows:
        table.add_row(row.what, *map(str, (row.equal, row.different, row.missing, row.not_rebuilt)), row.first)
    show(table)
    for topic in late:
        click.echo(f"the log has lost the beginning of {topic}: what is decided from there on may differ")
    return all(row.same for row in rows)


async def _compared(settings: "Settings", video: "VideoChanged", into: Path) -> "tuple[list[Compared], list[str]]":
    from consumers.soundness.gathering import events_of, told
    from logcast.rebuilding import Rebuilding
    from logcast.replayed import comparison
    from schemas.events import CommentAccepted, CommentChanged
    from schemas.topics import COMMENTS_FEED, partition_of

    with progress() as report:
        rebuilt = await asyncio.to_thread(Rebuilding(settings, video, into, report).run)
        logged = (await asyncio.to_thread(told, settings, [video], report))[video.video_id]
        partition = partition_of(video.video_id, settings.partitions)
        said = await asyncio.to_thread(lambda: list(events_of(settings, COMMENTS_FEED, partition, [video])))
        feed = {one.seq: one for _, one, _ in said if isinstance(one, CommentAccepted | CommentChanged)}
        async with open_places(settings) as places:
            facts = await places.facts(video, logged, patience_of(settings, 0), report)
            return await comparison(places, facts, rebuilt, feed), rebuilt.begins_late


def _rungs(path: Path) -> "tuple[Rung, ...]":
    from media.ladder import LadderError, rungs_of_file

    try:
        return rungs_of_file(tomllib.loads(path.read_text("utf-8")))
    except (LadderError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LogcastError(f"{path}: {error}") from error


async def _replay(settings: "Settings", video_id: str, rungs: "tuple[Rung, ...]", *, keep_source: bool) -> None:
    from processors.replay import Replay, ReplayError
    from stores.kafka import EventProducer, LogError
    from stores.recordings import RecordingsError, open_recordings

    video = await asyncio.to_thread(_video, settings, video_id)
    if video.keep_days == 0 and not keep_source:
        raise LogcastError(
            f"video {video_id} is not kept: keep it first (`logcast video set {video_id} --keep 30d`), and give "
            "--keep-source if its source was not recorded"
        )
    total = video.last_segment + 1 if video.last_segment >= 0 else None
    try:
        async with open_recordings(settings) as recordings:
            with _progress(video, total) as report:
                replay = Replay(settings, video, rungs, recordings, report, keep_source=keep_source)
                await replay.run()
            async with EventProducer(settings, "replay") as producer:
                await replay.announce(producer, time.time_ns() // 1_000_000, "operator")
    except* (ReplayError, LogError, RecordingsError) as group:
        raise LogcastError(str(_first(group))) from group
    _summary(replay)


def _video(settings: "Settings", video_id: str) -> "VideoChanged":
    """The video as the log has it, with what its owner chose."""
    from processors.replay import video_on_log
    from stores.kafka import LogError

    try:
        video = video_on_log(settings, video_id)
    except LogError as error:
        raise LogcastError(str(error)) from error
    if video is None:
        raise LogcastError(f"the log knows no video {video_id}; `logcast video list` shows which there are")
    return video


@contextmanager
def _progress(video: "VideoChanged", total: int | None) -> "Iterator[Callable[[LoggedGop], None]]":
    """A progress bar in segments of the video."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.completed:.0f} segments"),
    )
    with Progress(*columns, refresh_per_second=4) as bars:
        bar = bars.add_task(video.video_id, total=total)

        def show(gop: "LoggedGop") -> None:
            bars.advance(bar, gop.last_segment - gop.first_segment + 1)

        yield show


def _summary(replay: "Replay") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("rendition", "size", "segments", "lost", "MB")
    for replayed in replay.renditions:
        made = [segment for task in replayed.tasks.values() for segment in task.segments if segment.parts]
        info = next((task.info for task in replayed.tasks.values() if task.info), None)
        size = f"{info.width}x{info.height}" if info else "-"
        megabytes = sum(part.size for segment in made for part in segment.parts) / 1e6
        table.add_row(replayed.name, size, str(len(made)), str(replayed.lost), f"{megabytes:.1f}")
    Console().print(table)


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The first error of a group that is no group itself."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
