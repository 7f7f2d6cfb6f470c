"""Everything is stopped and started again on the same directory."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer
from tests.e2e.live_stack import ROLES, Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import comment_as, comments, current_video
from tests.running_stack import HTTP_TIMEOUT_S
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e


async def test_a_comment_is_read_back_from_cassandra_after_a_restart_of_everything(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    with publishing(clips.make("640x360", 20), stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        await viewer.live({"source", "240p", "audio"})
        video = await current_video(http, stack.server, channel.name)
        seq = await comment_as(http, stack.server, video, "Ann", "still here tomorrow")

    stopped_s = await asyncio.to_thread(stack.stop)
    assert not stack.processes()
    ready_s = await asyncio.to_thread(stack.start)
    say(f"stopped in {stopped_s:.1f} s; second start: ready in {ready_s:.1f} s")
    status = stack.status()
    assert status.ready
    assert {process.name for process in status.processes} == set(ROLES)

    async with httpx.AsyncClient(timeout=HTTP_TIMEOUT_S) as anew:

        async def stored() -> list[tuple[int, str, str]]:
            rows = await comments(anew, stack.server, video)
            return [(row["seq"], row["user"]["name"], row["text"]) for row in rows]

        found = await eventually_async(stored, 60, "the comment in Cassandra")
        assert found == [(seq, "Ann", "still here tomorrow")]
        assert await comment_as(anew, stack.server, video, "Bea", "and numbers go on") == seq + 1
