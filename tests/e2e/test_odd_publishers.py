"""Publishers that are refused, and publishers that are odd but right."""

import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import channel_row
from tests.e2e.watch_page import WatchPage

pytestmark = pytest.mark.e2e


async def test_a_wrong_key_and_a_second_publisher_are_refused_and_the_first_goes_on(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    clip = clips.make("640x360", 20)
    with publishing(clip, stack.push_url("lc_" + "0" * 32), tmp_path / "wrong.log") as stranger:
        assert await stranger.finished(60) != 0
    assert "wrong stream key" in stranger.complaints
    assert (await channel_row(http, stack.server, channel.name))["state"] == "offline"

    with publishing(clip, stack.push_url(channel.key), tmp_path / "first.log", for_ever=True) as first:
        variants = await viewer.live({"source", "240p", "audio"})
        video = (await channel_row(http, stack.server, channel.name))["video_id"]
        with publishing(clip, stack.push_url(channel.key), tmp_path / "second.log") as second:
            assert await second.finished(60) != 0
        assert "on the air already" in second.complaints
        playlist = await viewer.newer_than(variants["240p"], time.time() * 1000, 60)
        assert {segment.epoch for segment in playlist.segments} == {0}
        assert first.exit_code is None
        assert (await channel_row(http, stack.server, channel.name))["video_id"] == video


@dataclass(frozen=True)
class Odd:
    name: str
    video: bool
    audio: bool
    gop_s: int
    renditions: frozenset[str]


ODD = (
    Odd("picture without sound", video=True, audio=False, gop_s=2, renditions=frozenset({"source", "240p"})),
    Odd("sound without picture", video=False, audio=True, gop_s=2, renditions=frozenset({"audio"})),
    Odd("a keyframe every 8 s", video=True, audio=True, gop_s=8, renditions=frozenset({"source", "240p", "audio"})),
)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
async def test_an_odd_stream_plays(
    odd: Odd,
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    watch_page: WatchPage,
    tmp_path: Path,
) -> None:
    clip = clips.make("640x360", 24, gop_s=odd.gop_s, video=odd.video, audio=odd.audio)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        await viewer.live(set(odd.renditions))
        before = await watch_page.open(f"{stack.server}/watch/{channel.name}")
        after = await watch_page.plays_on(10, deadline_s=60)
        assert (after.height > 0) is odd.video
        assert (after.frames > before.frames) is odd.video
        assert not watch_page.errors
