"""Looks at videos for `logcast verify` and `logcast repair`, and shows what was found."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from logcast.errors import LogcastError

if TYPE_CHECKING:
    from rich.table import Table

    from consumers.soundness.facts import Facts, Patience
    from consumers.soundness.findings import Finding, Verdict
    from consumers.soundness.gathering import Places, Report
    from schemas.events import VideoChanged
    from stores.settings import Settings

NO_CHANNEL = ""


@asynccontextmanager
async def open_places(settings: "Settings") -> "AsyncIterator[Places]":
    """Index and stores.

    Raises:
        CassandraError, RecordingsError.
    """
    from consumers.soundness.gathering import Places
    from stores.cassandra import Cassandra
    from stores.hot_tier import open_segment_store
    from stores.recordings import open_recordings

    hot = open_segment_store(settings)
    try:
        async with Cassandra.open(settings) as cassandra, open_recordings(settings) as cold:
            yield Places(cassandra, cold, hot)
    finally:
        hot.close()


async def chosen_videos(
    settings: "Settings", video_ids: Sequence[str], channel: str | None, *, every: bool
) -> "list[tuple[VideoChanged, bool]]":
    """The videos that are asked for, each with whether its recording was removed; oldest first.

    Raises:
        LogcastError: the log knows no such video.
        LogError.
    """
    from consumers.keeping import videos_on_log
    from schemas.video_settings import NOT_KEPT

    known = await videos_on_log(settings)
    if every or channel is not None:
        kept = [one for one in known if one.keep_days != NOT_KEPT and channel in (None, one.channel)]
        return [(one, False) for one in sorted(kept, key=lambda one: one.video_id)]
    found = []
    for video_id in video_ids:
        video = known.get(video_id)
        if video is None and not known.is_removed(video_id):
            raise LogcastError(f"there is no video {video_id[:40]!r}; `logcast video list` shows those that exist")
        found.append((video or _removed(video_id), video is None))
    return found


def _removed(video_id: str) -> "VideoChanged":
    """A video of which nothing is left but its id."""
    from schemas.events import VideoChanged, VideoState

    return VideoChanged(
        video_id=video_id,
        channel=NO_CHANNEL,
        title="(removed)",
        state=VideoState.ENDED,
        started_ms=0,
        changed_ms=0,
        ended_ms=0,
        last_segment=-1,
        part_target_ms=0,
        segment_max_ms=0,
        audio=False,
        video=False,
    )


async def looked_at(
    settings: "Settings",
    places: "Places",
    videos: "Sequence[tuple[VideoChanged, bool]]",
    patience: "Patience",
    report: "Report",
    *,
    deep: bool,
) -> "AsyncIterator[tuple[Facts, Verdict]]":
    """The facts of each video, and what is to be said of it.

    Raises:
        LogError, CassandraError, RecordingsError, SegmentStoreError.
    """
    from consumers.soundness.gathering import told
    from consumers.soundness.rules import verdict
    from logcast.source_log import source_gaps, source_gops

    there = [video for video, removed in videos if not removed]
    gops = {}
    for step, video in enumerate(there if deep else ()):  # first: what is a chunk now is a part when the parts are read
        report("source", step, len(there))
        gops[video.video_id] = await asyncio.to_thread(source_gops, settings, video)
    logged = await asyncio.to_thread(told, settings, [video for video, _ in videos], report)
    for video, removed in videos:
        mine = logged.pop(video.video_id)
        mine.source_gaps = list(source_gaps(gops.pop(video.video_id, {}), mine))
        facts = await places.facts(video, mine, patience, report, removed=removed, deep=deep)
        yield facts, verdict(facts)


def patience_of(settings: "Settings", settle_s: int) -> "Patience":
    """What is not expected yet, or not any more, as of now."""
    from consumers.soundness.facts import Patience
    from stores.log_reader import now_ms

    return Patience(now_ms(), settle_s * 1000, settings.hot_retention_s * 1000)


@contextmanager
def progress() -> "Iterator[Report]":
    """A bar on a terminal's stderr, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        bar = bars.add_task("looking", total=1)

        def report(what: str, done: int, total: int) -> None:
            bars.update(bar, description=what, completed=done, total=max(total, 1))

        yield report


def findings_table(found: "Sequence[Finding]") -> "Table":
    """What is missing, wrong and extra, with what mends it."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "what", "which", "why", "mended by", box=None, pad_edge=False, header_style="bold")
    colours = {"missing": "red", "wrong": "yellow", "extra": "cyan"}
    for one in found:
        which, mends = escape(one.name), one.mends or "nothing"
        table.add_row(f"[{colours[one.what]}]{one.what}[/]", one.thing.value, which, escape(one.said), mends)
    return table


def summary(facts: "Facts", found: "Verdict") -> str:
    """A line about a video."""
    video = facts.video
    counts = f"{found.segments} segments, {found.objects} objects, {found.comments} comments"
    awaited = f", {found.awaited} segments too young to be judged" if found.awaited else ""
    what = {"missing": 0, "wrong": 0, "extra": 0}
    for one in found.findings:
        what[one.what] += 1
    said = ", ".join(f"{count} {word}" for word, count in what.items() if count) or "whole"
    return f"{video.video_id} ({video.channel}, {video.title!r}, {video.state.value}): {said}; {counts}{awaited}"


def as_json(facts: "Facts", found: "Verdict") -> dict[str, Any]:
    """The same for programs."""
    video = facts.video
    return {
        "video_id": video.video_id,
        "channel": video.channel,
        "title": video.title,
        "state": video.state.value,
        "whole": found.sound,
        "segments": found.segments,
        "objects": found.objects,
        "comments": found.comments,
        "awaited": found.awaited,
        "findings": [finding_json(one) for one in found.findings],
    }


def finding_json(one: "Finding") -> dict[str, Any]:
    """A finding for programs."""
    return {"is": one.what.value, "what": one.thing.value, "which": one.name, "why": one.said, "mended_by": one.mends}
