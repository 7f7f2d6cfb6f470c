"""`logcast verify` on a real log, a real index and a real recording: it names exactly what was taken away."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from logcast.cli import cli
from logcast.stack.environment import environment
from stores.recordings import open_recordings, segment_name
from stores.segments import part_name
from stores.settings import Settings
from tests.consumers.soundness.conftest import Run
from tests.consumers.soundness.small_broadcast import SmallBroadcast, session

pytestmark = pytest.mark.integration


def found(run: Run, video_id: str, *options: str) -> list[tuple[str, str, str]]:
    """What `verify` names, in its order."""
    result = run("verify", video_id, "--settle", "0", "--json", *options)
    told: dict[str, Any] = json.loads(result.stdout)
    (video,) = told["videos"]
    findings = [(one["is"], one["what"], one["which"]) for one in video["findings"]]
    assert result.exit_code == (0 if video["whole"] else 1)
    assert video["whole"] is told["whole"]
    return findings


async def spoil(broadcast: SmallBroadcast) -> None:
    """Take away an object, a part, a row of the index and a row of a comment."""
    settings, video_id = broadcast.settings, broadcast.video_id
    async with open_recordings(settings) as cold:
        await cold.remove(segment_name(video_id, "64p", 1))
    settings.segments_path.joinpath(part_name(video_id, "source", 0, 2)).unlink()
    async with session(settings) as cassandra:
        of_segment = (
            "DELETE FROM $keyspace.segments WHERE video_id = ? AND rendition = ? AND bucket = 0 AND segment = ?"
        )
        await cassandra.rows(of_segment, (video_id, "audio", 2))
        of_comment = "DELETE FROM $keyspace.comments WHERE video_id = ? AND bucket = 0 AND seq = ?"
        await cassandra.rows(of_comment, (video_id, 2))


def taken(video_id: str) -> list[tuple[str, str, str]]:
    """What `spoil` took."""
    return [
        ("missing", "row of a segment", "audio 2"),
        ("missing", "object", segment_name(video_id, "64p", 1)),
        ("missing", "hot part", part_name(video_id, "source", 0, 2)),
        ("missing", "row of a comment", "comment 2"),
    ]


def test_what_was_taken_away_is_named_and_of_a_whole_video_nothing(broadcast: SmallBroadcast, run: Run) -> None:
    video_id = broadcast.video_id
    assert found(run, video_id, "--deep") == []
    asyncio.run(spoil(broadcast))
    assert sorted(found(run, video_id)) == sorted(taken(video_id))
    shown = run("verify", "--channel", "ann", "--settle", "0")
    assert shown.exit_code == 1
    assert f"{video_id} (ann, 'Ann paints', ended): 4 missing" in shown.stdout
    assert "its hot parts, else its source" in shown.stdout

    name = segment_name(video_id, "source", 1)
    path = broadcast.settings.data_dir / "recordings" / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    changed = ("wrong", "object", name)
    assert changed not in found(run, video_id)
    assert sorted(found(run, video_id, "--deep")) == sorted([*taken(video_id), changed])


def test_an_unknown_video_is_said_and_one_must_say_which(topics: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(topics).items():
        monkeypatch.setenv(name, value)
    unknown = CliRunner().invoke(cli, ["verify", "zzzzzzzzzzzzzzzzzzzz"])
    assert "there is no video" in str(unknown.exception)
    assert CliRunner().invoke(cli, ["verify"]).exit_code == 2
