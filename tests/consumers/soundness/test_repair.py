"""`logcast repair` on a real log, a real index and real stores: damage of each kind is mended, byte for byte."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from consumers.projections.table import writes_of_event
from logcast.cli import cli
from logcast.stack.environment import environment
from schemas.events import SegmentClosed
from schemas.topics import MEDIA_JOBS, MEDIA_PARTS, MEDIA_SOURCE, RECORDINGS
from stores.recordings import segment_name
from stores.segments import part_name
from stores.settings import Settings
from tests.consumers.soundness.conftest import Run
from tests.consumers.soundness.damage import (
    age_log,
    change_comment,
    delete_rows,
    lose_hot,
    lose_object,
    lose_recording,
    objects,
    spoil_object,
    tell,
)
from tests.consumers.soundness.small_broadcast import SmallBroadcast, session

pytestmark = pytest.mark.integration
Became = list[tuple[str, str, str, str]]


def repaired(run: Run, video_id: str, *options: str) -> tuple[bool, Became]:
    """Whether all is whole, and what became of what, from what."""
    result = run("repair", video_id, "--settle", "0", "--json", *options)
    assert result.exit_code in {0, 1}, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    (video,) = told["videos"]
    assert (result.exit_code == 0) is told["whole"] is video["whole"]
    return told["whole"], [(one["became"], one["what"], one["which"], one["from"]) for one in video["findings"]]


def whole(run: Run, video_id: str) -> bool:
    """What `verify --deep` says."""
    result = run("verify", video_id, "--settle", "0", "--deep", "--json")
    assert result.exit_code in {0, 1}, result.output
    (video,) = json.loads(result.stdout)["videos"]
    return not video["findings"]


def test_rows_and_objects_are_made_again_and_a_repeat_does_nothing(broadcast: SmallBroadcast, run: Run) -> None:
    video_id, before = broadcast.video_id, objects(broadcast)
    assert repaired(run, video_id) == (True, [])
    rows: list[tuple[str, *tuple[str | int, ...]]] = [
        ("segments", "audio", 2),
        ("segments", "64p", 0),
        ("renditions", "64p"),
        ("videos",),
        ("comments", 2),
        ("comments", 3),
        ("comment_changes", 5),
        ("comment_heads",),
        ("totals",),
        ("polls",),
    ]
    asyncio.run(delete_rows(broadcast, *rows))
    asyncio.run(change_comment(broadcast, 1, "what nobody said"))
    lose_object(broadcast, "64p", 1)
    spoil_object(broadcast, "source", 2, before[segment_name(video_id, "source", 2)][:-7])
    part = broadcast.settings.segments_path / part_name(video_id, "source", 0, 2)
    part.unlink()
    (init,) = (name for name in before if name.startswith(f"{video_id}/64p/init-"))
    (broadcast.settings.data_dir / "recordings" / init).unlink()
    spoiled = objects(broadcast)

    planned, would_be = repaired(run, video_id, "--dry-run")
    assert not planned
    assert {state for state, *_ in would_be} == {"would be mended"}
    assert objects(broadcast) == spoiled
    assert not part.exists()

    sound, became = repaired(run, video_id)
    assert sound, "\n".join(map(str, became))
    assert {state for state, *_ in became} == {"mended"}
    assert [one[1:] for one in became if one[1] in {"object", "hot part", "init segment"}] == [
        ("object", segment_name(video_id, "64p", 1), "its hot parts"),
        ("hot part", part_name(video_id, "source", 0, 2), "its recording"),
        ("object", segment_name(video_id, "source", 2), "its hot parts"),
        ("init segment", init, "its hot parts"),
    ]
    assert objects(broadcast) == before
    assert whole(run, video_id)
    assert repaired(run, video_id, "--deep") == (True, [])
    shown = run("repair", "--channel", "ann", "--rewrite-index")
    assert shown.exit_code == 0
    assert f"{video_id} (ann, 'Ann paints', ended): whole" in shown.stdout
    assert whole(run, video_id)


def test_a_recording_whose_disk_is_lost_comes_again_from_the_source_on_the_log(
    broadcast: SmallBroadcast, run: Run
) -> None:
    video_id, before = broadcast.video_id, objects(broadcast)
    lose_hot(broadcast)
    lose_recording(broadcast, "source", "audio", "64p")
    sound, became = repaired(run, video_id)
    assert sound, "\n".join(map(str, became))
    assert {(state, source) for state, *_, source in became} == {("mended", "the source on the log")}
    assert objects(broadcast) == before
    assert whole(run, video_id)


def test_what_the_log_has_forgotten_comes_from_the_recording(broadcast: SmallBroadcast, run: Run) -> None:
    """A rung from the recorded source, rows from the recorded objects; what nobody has is said."""
    video_id, before = broadcast.video_id, objects(broadcast)
    lose_hot(broadcast)
    age_log(broadcast, MEDIA_SOURCE, MEDIA_PARTS, MEDIA_JOBS, RECORDINGS)
    assert whole(run, video_id)
    lose_recording(broadcast, "64p")
    asyncio.run(delete_rows(broadcast, ("segments", "audio", 1), ("segments", "audio", 2), ("segments", "source", 0)))
    sound, became = repaired(run, video_id)
    assert sound, "\n".join(map(str, became))
    assert {(state, what, source) for state, what, _, source in became} == {
        ("mended", "object", "the recorded source"),
        ("mended", "init segment", "the recorded source"),
        ("mended", "row of a segment", "its recorded object"),
    }
    assert objects(broadcast) == before
    assert whole(run, video_id)

    lose_object(broadcast, "source", 1)
    sound, became = repaired(run, video_id)
    assert not sound
    ((state, _, which, said),) = became
    assert (state, which) == ("not mended", segment_name(video_id, "source", 1))
    assert said


def test_a_segment_that_was_lost_live_is_made_of_the_source_and_extras_go_when_asked(
    broadcast: SmallBroadcast, run: Run
) -> None:
    video_id, before = broadcast.video_id, objects(broadcast)
    lose_hot(broadcast)
    age_log(broadcast, MEDIA_PARTS, MEDIA_JOBS, RECORDINGS)
    lost = [
        SegmentClosed(video_id=video_id, channel="ann", rendition=rendition, gop=1, segment=1, parts=0)
        for rendition in ("source", "64p")
    ]
    asyncio.run(tell(broadcast, MEDIA_PARTS, lost))
    asyncio.run(lose_rows(broadcast, lost))
    lose_object(broadcast, "source", 1)
    lose_object(broadcast, "64p", 1)
    spoil_object(broadcast, "64p", 77, b"nobody knows it")
    sound, became = repaired(run, video_id)
    assert sound, "\n".join(map(str, became))
    # The rows were deleted: a later write time hides what the index is told.
    made = [one[:3] for one in became if one[1] != "row of a segment"]
    assert made == [
        ("mended", "segment", "64p 1"),
        ("mended", "segment", "source 1"),
        ("extra", "object", segment_name(video_id, "64p", 77)),
    ]
    assert segment_name(video_id, "64p", 77) in objects(broadcast)
    sound, became = repaired(run, video_id, "--remove-extra")
    assert (sound, became) == (True, [("mended", "object", segment_name(video_id, "64p", 77), "removed")])
    assert objects(broadcast) == before
    assert run("verify", video_id, "--settle", "0").exit_code == 0


async def lose_rows(broadcast: SmallBroadcast, lost: list[SegmentClosed]) -> None:
    """The index says of them what it says of segments that were lost live."""
    await delete_rows(broadcast, *(("segments", one.rendition, one.segment) for one in lost))
    async with session(broadcast.settings) as cassandra:
        await cassandra.write([write for one in lost for write in writes_of_event(one)])


def test_an_unknown_video_is_said_and_one_must_say_which(topics: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(topics).items():
        monkeypatch.setenv(name, value)
    unknown = CliRunner().invoke(cli, ["repair", "zzzzzzzzzzzzzzzzzzzz"])
    assert "there is no video" in str(unknown.exception)
    assert CliRunner().invoke(cli, ["repair"]).exit_code == 2
    assert CliRunner().invoke(cli, ["repair", "--all", "--channel", "ann"]).exit_code == 2
