"""`logcast replay VIDEO` on a real log: a good video is made again equal, a changed one is seen."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from logcast.cli import cli
from logcast.replayed import compared
from logcast.stack.environment import environment
from schemas.ids import new_video_id
from stores.log_reader import now_ms
from stores.recordings import segment_name
from stores.settings import Settings
from tests.consumers.soundness.small_broadcast import SmallBroadcast, session


def rows(output: str) -> dict[str, list[int]]:
    """The figures of each line of the table: equal, different, missing, not on the log."""
    found = {}
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if len(cells) == 6 and cells[1].isdigit():
            found[cells[0]] = [int(cell) for cell in cells[1:5]]
    return found


@pytest.mark.integration
def test_a_good_video_is_equal_and_a_changed_one_is_not(
    system: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = system.model_copy(update={"ladder": "64:150", "worker_threads": 1})
    broadcast = SmallBroadcast(settings, new_video_id(now_ms(), b"replay!"))
    asyncio.run(broadcast.happen())
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)

    into = tmp_path / "again"
    equal = CliRunner().invoke(cli, ["replay", broadcast.video_id, "--into", str(into)])
    assert equal.exit_code == 0, (equal.output, equal.exception)
    told = rows(equal.stdout)
    assert {name for name in told if name.startswith("recorded")} == {
        f"recorded segments of {rendition}" for rendition in ("source", "audio", "64p")
    }
    assert told["recorded segments of 64p"] == [3, 0, 0, 0]
    assert told["comments and changes on the log"] == [5, 0, 0, 0]
    assert told["comments of the index"] == [4, 0, 0, 0]
    assert told["totals"] == told["polls"] == [1, 0, 0, 0]
    name = segment_name(broadcast.video_id, "64p", 1)
    kept = settings.data_dir / "recordings" / name
    assert (into / "recordings" / name).read_bytes() == kept.read_bytes()
    full = CliRunner().invoke(cli, ["replay", broadcast.video_id, "--into", str(into)])
    assert "is not empty" in str(full.exception)

    async def change() -> None:
        async with session(settings) as cassandra:
            changed = "UPDATE $keyspace.comments SET text = 'changed' WHERE video_id = ? AND bucket = 0 AND seq = 1"
            await cassandra.rows(changed, (broadcast.video_id,))
            await cassandra.rows("DELETE FROM $keyspace.totals WHERE video_id = ?", (broadcast.video_id,))

    asyncio.run(change())
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    different = CliRunner().invoke(cli, ["replay", broadcast.video_id])
    assert different.exit_code == 1
    told = rows(different.stdout)
    assert told["recorded segments of 64p"] == [2, 1, 0, 0]
    assert told["comments of the index"] == [3, 1, 0, 0]
    assert told["totals"] == [0, 0, 1, 0]
    assert told["comments and changes on the log"] == [5, 0, 0, 0]


def test_things_are_compared_by_key() -> None:
    found = compared("parts", {1: "a", 2: "b", 3: "c"}, {1: "a", 2: "x", 4: "d"})
    assert (found.equal, found.different, found.missing, found.not_rebuilt, found.first) == (1, 1, 1, 1, "2")
    assert not found.same
    assert compared("parts", {}, {}).same
