"""The command as a user types it."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer, frame_times
from tests.e2e.live_stack import ROLES, Channel, LiveStack
from tests.e2e.publishing import ClipMaker
from tests.e2e.rest import current_video
from tests.waiting import eventually

pytestmark = pytest.mark.e2e


async def test_push_puts_every_frame_of_a_file_on_the_air_and_tail_shows_the_life_of_the_video(
    stack: LiveStack, clips: ClipMaker, http: httpx.AsyncClient
) -> None:
    clip = clips.make("640x360", 8)
    pushed = await stack.run("push", str(clip.path), "--channel", "my-channel")
    assert pushed.returncode == 0, pushed.stderr
    assert f"my-channel: {clip.frames} frames" in pushed.stdout

    viewer = HlsViewer(http, stack.master_url("my-channel"))
    for name, variant in (await viewer.live({"source", "240p", "audio"})).items():
        playlist = await viewer.ended(variant)
        if name != "audio":
            assert len(await asyncio.to_thread(frame_times, await viewer.media(variant, playlist))) == clip.frames

    tailed = await stack.run("tail", "videos", "--from-beginning", "--until-end")
    assert tailed.returncode == 0, tailed.stderr
    lines = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert {(line["topic"], line["event"]) for line in lines} == {("videos", "VideoChanged")}
    video = await current_video(http, stack.server, "my-channel")
    states = [line["state"] for line in lines if line["video_id"] == video]
    assert states[-2:] == ["interrupted", "ended"]
    assert "live" in states


async def test_push_with_a_wrong_key_ends_with_one_sentence(
    stack: LiveStack, channel: Channel, clips: ClipMaker, tmp_path: Path
) -> None:
    clip = clips.make("640x360", 8)
    refused = await stack.run("push", str(clip.path), "--channel", channel.name, "--key", "lc_" + "0" * 32)
    assert refused.returncode == 1
    assert "key" in refused.stderr
    keyless = await stack.run("push", str(clip.path), "--channel", channel.name)
    assert keyless.returncode == 1
    assert f"no stream key for {channel.name}" in keyless.stderr


async def test_status_shows_every_process_for_programs(stack: LiveStack) -> None:
    await eventually(lambda: stack.status().ready, 60, "that all are ready")
    shown = await stack.run("status", "--json")
    assert shown.returncode == 0, shown.stderr
    status = json.loads(shown.stdout)
    assert status["ready"] is True
    assert [process["name"] for process in status["processes"]] == list(ROLES)
    assert {process["state"] for process in status["processes"]} == {"ready"}
    ours = {process.pid for process in stack.processes()}
    assert {process["pid"] for process in status["processes"]} | {status["supervisor_pid"]} <= ours
    assert status["memory_bytes"] > sum(process["memory_bytes"] for process in status["processes"]) > 0
    assert status["addresses"]["page"] == f"{stack.server}/"
