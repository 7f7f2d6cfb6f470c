"""What was pushed is found whole afterwards: every numbered picture once, in HLS and in the file, sound in time."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.numbered import Seen, numbered_clip, seen
from tests.e2e.publishing import FRAME_RATE, Clip, publishing
from tests.gateway.playlist_reader import read
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

ENDED_DEADLINE_S = 120.0
MOST_OFFSET_S = 0.020


class Recording:
    """A video that has ended, as an HLS player and a browser's "save as" get it."""

    def __init__(self, http: httpx.AsyncClient, server: str, channel: str) -> None:
        self._http = http
        self._server = server
        self._channel = channel

    async def ended(self) -> str:
        """Wait until the channel's video is a VOD; gives its address."""

        async def look() -> str | None:
            video = (await self._http.get(f"{self._server}/v1/channels/{self._channel}")).json()
            if video["state"] != "ended":
                return None
            base = f"{self._server}/v1/videos/{video['video_id']}/"
            playlist = await self._http.get(base + "source/media.m3u8?vod=1")
            return base if "#EXT-X-PLAYLIST-TYPE:VOD" in playlist.text else None

        base = await eventually_async(look, ENDED_DEADLINE_S, "a video on demand")
        assert base is not None
        return base

    async def hls(self, base: str) -> list[Seen]:
        """What each epoch of `source` and `audio` holds, by the variants of the multivariant playlist."""
        viewer = HlsViewer(self._http, base + "master.m3u8")
        variants = {variant.name: variant for variant in await viewer.variants()}
        source, audio = [await self._epochs(variants[name]) for name in ("source", "audio")]
        return [await asyncio.to_thread(seen, [source[epoch], audio[epoch]]) for epoch in sorted(source)]

    async def _epochs(self, variant: Variant) -> dict[int, bytes]:
        playlist = read((await self._http.get(variant.url)).text)
        assert not any(segment.gap for segment in playlist.segments)
        assert playlist.type == "VOD"
        assert playlist.sequence == 0
        found: dict[int, bytes] = {}
        for segment in playlist.segments:
            if segment.epoch not in found:
                found[segment.epoch] = (await self._http.get(urljoin(variant.url, segment.map))).content
            answer = await self._http.get(urljoin(variant.url, segment.uri))
            answer.raise_for_status()
            found[segment.epoch] += answer.content
        return found

    async def file(self, base: str) -> Seen:
        """What the downloaded file holds."""
        answer = await self._http.get(base + "download")
        answer.raise_for_status()
        return await asyncio.to_thread(seen, [answer.content])


@pytest.fixture
def recording(http: httpx.AsyncClient, stack: LiveStack, channel: Channel) -> Recording:
    return Recording(http, stack.server, channel.name)


async def test_a_pushed_file_is_read_back_with_every_picture_and_its_sound_in_time(
    stack: LiveStack, channel: Channel, recording: Recording, tmp_path: Path, say: Callable[[str], None]
) -> None:
    clip = numbered_clip(tmp_path / "clip.mp4", 12 * FRAME_RATE)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log") as publisher:
        assert await publisher.finished(120) == 0, publisher.complaints
    base = await recording.ended()
    (of_hls,) = await recording.hls(base)
    of_file = await recording.file(base)
    say(f"sound after picture: HLS {1000 * of_hls.offset_s:.1f} ms, file {1000 * of_file.offset_s:.1f} ms")
    for found in (of_hls, of_file):
        assert found.numbers == list(range(clip.frames))
        assert len(found.flashes) == len(found.beeps) == clip.seconds
        assert abs(found.offset_s) <= MOST_OFFSET_S


async def test_only_what_was_never_sent_is_missing_after_a_drop_and_return(
    stack: LiveStack,
    channel: Channel,
    viewer: HlsViewer,
    recording: Recording,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    first = numbered_clip(tmp_path / "first.mp4", 60 * FRAME_RATE)
    second = numbered_clip(tmp_path / "second.mp4", 8 * FRAME_RATE, first=10_000)
    with publishing(first, stack.push_url(channel.key), tmp_path / "first.log") as publisher:
        await viewer.live({"source", "240p", "audio"}, seconds=4)
        os.kill(publisher.pid, signal.SIGKILL)
        await publisher.finished(60)
    with publishing(second, stack.push_url(channel.key), tmp_path / "second.log") as publisher:
        assert await publisher.finished(120) == 0, publisher.complaints
    base = await recording.ended()
    of_hls = await recording.hls(base)
    of_file = await recording.file(base)
    assert len(of_hls) == 2
    before, after = of_hls
    say(f"{len(before.numbers)} pictures before the drop; sound after picture {1000 * of_file.offset_s:.1f} ms at most")
    assert len(before.numbers) > 3 * FRAME_RATE
    assert before.numbers == list(range(len(before.numbers)))
    assert after.numbers == list(range(10_000, 10_000 + second.frames))
    assert of_file.numbers == before.numbers + after.numbers
    for found in (before, after, of_file):
        assert abs(found.offset_s) <= MOST_OFFSET_S


async def imported(stack: LiveStack, clip: Clip, say: Callable[[str], None]) -> Channel:
    """Import a clip; gives the channel."""
    channel, began = stack.new_channel(), time.monotonic()
    done = await stack.run("import", str(clip.path), "--channel", channel.name, "--title", "A talk")
    assert done.returncode == 0, f"{done.stderr}\n{stack.last_lines()}"
    say(f"imported {clip.seconds} s in {time.monotonic() - began:.1f} s")
    return channel


@pytest.mark.timeout(900)
async def test_a_file_is_imported_and_a_clip_of_it_has_the_pictures_of_its_range(
    stack: LiveStack, http: httpx.AsyncClient, tmp_path: Path, say: Callable[[str], None]
) -> None:
    clip = numbered_clip(tmp_path / "talk.mp4", 20 * FRAME_RATE)
    channel = await imported(stack, clip, say)
    recording = Recording(http, stack.server, channel.name)
    base = await recording.ended()
    (of_hls,) = await recording.hls(base)
    of_file = await recording.file(base)
    for found in (of_hls, of_file):
        assert found.numbers == list(range(clip.frames))
        assert abs(found.offset_s) <= MOST_OFFSET_S

    owner = {"authorization": f"Bearer {channel.key}"}
    answer = await http.post(base + "clips", json={"start": 5.5, "end": 9, "title": "The best"}, headers=owner)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    made = urljoin(base, f"../{answer.json()['video_id']}/")

    async def whole() -> bool:
        playlist = await http.get(made + "source/media.m3u8?vod=1")
        return "#EXT-X-PLAYLIST-TYPE:VOD" in playlist.text

    await eventually_async(whole, ENDED_DEADLINE_S, "the clip")
    (of_clip,) = await recording.hls(made)
    assert of_clip.numbers == list(range(5 * FRAME_RATE, 9 * FRAME_RATE))
    assert abs(of_clip.offset_s) <= MOST_OFFSET_S
