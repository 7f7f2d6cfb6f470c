"""Videos from the command line, over a real log and a real directory of recordings."""

import asyncio
import dataclasses
import secrets
from pathlib import Path

import pytest

from logcast.keep_times import KeepTime, keep_text
from schemas.events import VideoState
from schemas.topics import VIDEOS
from stores.log_reader import now_ms
from stores.recordings import open_recordings, segment_name
from stores.settings import Settings
from tests.consumers.broadcast import Broadcast, publish
from tests.logcast.test_cli import logcast


@pytest.mark.parametrize(
    ("text", "days", "shown"),
    [
        ("30d", 30, "30 d"),
        ("4w", 28, "28 d"),
        ("1 day", 1, "1 d"),
        ("7", 7, "7 d"),
        ("never", 0, "never"),
        ("forever", -1, "for ever"),
    ],
)
def test_keep_times_are_read_and_shown(text: str, days: int, shown: str) -> None:
    assert KeepTime().convert(text, None, None) == days
    assert keep_text(days) == shown


@pytest.mark.parametrize("text", ["", "soon", "-5d", "1.5d", "99999d", "30x"])
def test_what_is_no_keep_time_is_refused(text: str) -> None:
    from click import BadParameter

    with pytest.raises(BadParameter, match="`never` or `forever`"):
        KeepTime().convert(text, None, None)


@pytest.mark.integration
def test_videos_are_listed_chosen_expired_and_removed(topics: Settings, tmp_path: Path) -> None:
    old, new = (secrets.token_hex(10) for _ in range(2))
    asyncio.run(_prepare(topics, old, new))
    listed = logcast("video", "list", "--sizes", settings=topics)
    assert listed.returncode == 0, listed.stderr
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
    assert set(rows) == {old, new}
    assert "2 d" in rows[new]
    assert "public" in rows[new]

    chosen = logcast("video", "set", new, "--keep", "forever", "--visibility", "unlisted", settings=topics)
    assert chosen.stdout.strip() == f"{new}: 'Ann paints', keep for ever, unlisted"
    dry = logcast("retention", "run", "--dry-run", settings=topics)
    assert dry.returncode == 0, dry.stderr
    assert old in dry.stdout
    assert new not in dry.stdout
    assert "1 videos would be removed, 2 objects, 0.2 MB" in dry.stdout
    assert asyncio.run(_recorded(topics)) == sorted([old, new])

    done = logcast("retention", "run", settings=topics)
    assert "1 videos removed, 2 objects, 0.2 MB" in done.stdout
    assert asyncio.run(_recorded(topics)) == [new]
    assert "0 videos removed" in logcast("retention", "run", settings=topics).stdout

    removed = logcast("video", "remove", new, "--yes", settings=topics)
    assert removed.stdout == f"removed {new}: 2 objects, 0.2 MB\n"
    assert asyncio.run(_recorded(topics)) == []
    again = logcast("video", "remove", new, "--yes", settings=topics)
    assert (again.returncode, "there is no video" in again.stderr) == (1, True)
    assert new not in logcast("video", "list", settings=topics).stdout


async def _prepare(settings: Settings, old: str, new: str) -> None:
    """Two ended videos of two objects each; the old one's time is over."""
    at_ms = now_ms()
    for video_id, ended_ms in ((old, at_ms - 3 * 86_400_000), (new, at_ms)):
        event = dataclasses.replace(Broadcast(video_id, 0).video(VideoState.ENDED), keep_days=2, ended_ms=ended_ms)
        await publish(settings, [(VIDEOS, event)])
    async with open_recordings(settings) as cold:
        for video_id in (old, new):
            for segment in range(2):
                await cold.put(segment_name(video_id, "source", segment), bytes(100_000))


async def _recorded(settings: Settings) -> list[str]:
    async with open_recordings(settings) as cold:
        return await cold.videos()
