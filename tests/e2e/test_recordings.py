"""What is pushed is in the cold store, whole, also when the consumers are killed meanwhile; and it goes when told."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from stores.recordings import open_recordings
from stores.segments import LocalSegmentStore, part_name
from stores.settings import load_settings
from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

RENDITIONS = ("source", "240p", "audio")
DEADLINE_S = 60.0
SEGMENT = re.compile(r"([0-9]{8})\.m4s")


async def test_a_push_is_recorded_whole_though_the_consumers_are_killed_and_goes_when_it_is_removed(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    clip = clips.make("640x360", 20)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log") as publisher:
        variants = await viewer.live(set(RENDITIONS), seconds=4)
        stack.kill("consumers")
        assert await publisher.finished(120) == 0, publisher.complaints
    numbers = {name: await _numbers(viewer, variants[name]) for name in RENDITIONS}
    video = (await http.get(f"{stack.server}/v1/channels/{channel.name}")).json()["video_id"]

    settings = load_settings(data_dir=stack.data_dir)
    hot = LocalSegmentStore(settings.segments_path)
    async with open_recordings(settings) as cold:

        async def recorded() -> bool:
            found = [one.name async for one in cold.of_video(video)]
            return all(sum(f"/{name}/0" in one for one in found) == len(numbers[name]) for name in RENDITIONS)

        await eventually_async(recorded, DEADLINE_S, f"all of {numbers} in the cold store")
        for name in RENDITIONS:
            inits = [one async for one in cold.of_video(video) if f"/{name}/init-" in one.name]
            assert len(inits) == 1
            for number in numbers[name]:
                assert await cold.get(f"{video}/{name}/{number:08d}.m4s") == _joined(hot, video, name, number)

        size = sum([one.size_bytes async for one in cold.of_video(video)])
        say(f"recorded {clip.seconds} s in {len(RENDITIONS)} renditions: {size / 1e6:.1f} MB")
        removed = await stack.run("video", "remove", video, "--yes")
        assert removed.returncode == 0, removed.stderr
        assert [one async for one in cold.of_video(video)] == []
        assert hot.get(part_name(video, "source", 0, 0)) is None

    async def gone() -> bool:
        return (await http.get(f"{stack.server}/v1/videos/{video}")).status_code == 404

    await eventually_async(gone, DEADLINE_S, "a gateway that knows it no more")
    assert (await http.get(f"{stack.server}/v1/videos/{video}/master.m3u8")).status_code == 404


async def _numbers(viewer: HlsViewer, variant: object) -> list[int]:
    """The segments that the ended playlist has."""
    playlist = await viewer.ended(variant)  # type: ignore[arg-type]
    found = [SEGMENT.search(segment.uri) for segment in playlist.segments]
    assert all(found)
    return [int(one[1]) for one in found if one]


def _joined(hot: LocalSegmentStore, video: str, rendition: str, segment: int) -> bytes:
    """The parts of a segment as they are in the hot store."""
    parts: list[bytes] = []
    while (data := hot.get(part_name(video, rendition, segment, len(parts)))) is not None:
        parts.append(data)
    return b"".join(parts)
