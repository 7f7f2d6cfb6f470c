"""What a viewer does with a real broadcast: goes back, only listens, watches it again when it is over."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.watch_page import PLAY_DEADLINE_S, WatchPage
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

PICTURES = "video.getVideoPlaybackQuality().totalVideoFrames"


async def test_a_viewer_goes_back_only_listens_and_watches_again_when_it_is_over(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    watch_page: WatchPage,
    http: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    page = watch_page.page
    clip = clips.make("640x480", 40)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        await viewer.live({"source", "360p", "240p", "audio"}, seconds=8)
        await watch_page.open(f"{stack.server}/watch/{channel.name}")
        await watch_page.until(
            "player.window.end - player.window.start > 8", PLAY_DEADLINE_S, "something to go back to"
        )
        await page.keyboard.press("ArrowLeft")
        await watch_page.plays_on(1, PLAY_DEADLINE_S)
        before = await watch_page.now()
        assert before.program_ms is not None
        await watch_page.until("player.hasSound", PLAY_DEADLINE_S, "sound")

        await page.get_by_test_id("video").hover()
        await page.get_by_test_id("quality").click()
        await page.get_by_test_id("quality-item").filter(has_text="Sound only").click()
        await watch_page.until("player.audioOnly && player.state === 'playing'", PLAY_DEADLINE_S, "the sound")
        await watch_page.until("video.videoHeight === 0 && video.currentTime > 0", PLAY_DEADLINE_S, "no picture")
        heard = await watch_page.plays_on(1, PLAY_DEADLINE_S)
        assert heard.program_ms is not None
        assert abs(heard.program_ms - before.program_ms) < 15_000, "it went on where the picture was"

        await page.get_by_test_id("quality").click()
        await page.get_by_test_id("quality-item").filter(has_text="Auto").click()
        await watch_page.until(f"video.videoHeight > 0 && {PICTURES} > 5", PLAY_DEADLINE_S, "the picture again")
        video = (await http.get(f"{stack.server}/v1/channels/{channel.name}")).json()["video_id"]
        still = await http.get(f"{stack.server}/v1/videos/{video}/frame?offset=-2&width=320")
        assert (still.status_code, still.headers["content-type"]) == (200, "image/jpeg")

    async def listed() -> bool:
        rows = (await http.get(f"{stack.server}/v1/channels/{channel.name}/videos")).json()["videos"]
        return [row["id"] for row in rows] == [video]

    await eventually_async(listed, 60, "the finished video on the shelf")
    await watch_page.open(f"{stack.server}/watch/{video}")
    await watch_page.until("!player.live && player.window.start === 0", PLAY_DEADLINE_S, "a finished video")
    poster = await http.get(f"{stack.server}/v1/videos/{video}/poster.jpg")
    thumbnails = await http.get(f"{stack.server}/v1/videos/{video}/thumbnails.vtt")
    assert (poster.status_code, thumbnails.status_code) == (200, 200)
    assert thumbnails.text.count("#xywh=") >= 5
    assert not watch_page.errors
