"""A viewer asks for a rendition that a finished video lacks, and plays it a moment later; the log gives another ladder."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.e2e.rest import current_video
from tests.gateway.playlist_reader import read
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

DEADLINE_S = 90.0
LADDER = "[[rendition]]\nheight = 96\nbitrate_kbps = 120\n"


async def finished(http: httpx.AsyncClient, viewer: HlsViewer) -> Variant | None:
    """The source of the channel's video once it is there as a whole, for those who come now."""
    source = {variant.name: variant for variant in await viewer.variants()}.get("source")
    if source is None:
        return None
    return source if "#EXT-X-PLAYLIST-TYPE:VOD" in (await http.get(source.url)).text else None


async def rendition(http: httpx.AsyncClient, url: str, state: str) -> dict[str, Any] | None:
    """The rendition once it is in a state."""
    row: dict[str, Any] = (await http.get(url)).json()
    return row if row.get("state") == state else None


async def frames_of(http: httpx.AsyncClient, url: str) -> int:
    """How many pictures a VOD playlist shows; it must not have a gap."""
    text = (await http.get(url)).raise_for_status().text
    assert "#EXT-X-GAP" not in text
    playlist = read(text)
    base = url.partition("?")[0].rpartition("/")[0]
    init = next(line for line in text.splitlines() if line.startswith("#EXT-X-MAP")).split('"')[1]
    data = (await http.get(f"{base}/{init}")).content
    for segment in playlist.segments:
        data += (await http.get(f"{base}/{segment.uri}")).raise_for_status().content
    with av.open(io.BytesIO(data), "r") as media:
        return sum(1 for _ in media.decode(video=0))


async def test_a_rendition_is_asked_for_made_and_played_and_the_log_gives_another(
    stack: LiveStack, channel: Channel, clips: ClipMaker, viewer: HlsViewer, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    clip = clips.make("320x180", 6)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log") as publisher:
        assert await publisher.finished(120) == 0
    await eventually_async(partial(finished, http, viewer), DEADLINE_S, "the finished video")
    video = await current_video(http, stack.server, channel.name)
    renditions = f"{stack.server}/v1/videos/{video}/renditions"

    asked = await http.post(renditions, json={"height": 144})
    assert asked.status_code == httpx.codes.ACCEPTED, asked.text
    again = await http.post(renditions, json={"height": 144})
    assert again.json()["name"] == asked.json()["name"], "asking twice is one job"
    name = asked.json()["name"]
    there = partial(rendition, http, f"{renditions}/{name}", "there")
    row = await eventually_async(there, DEADLINE_S, f"{name} in the playlists")
    assert row is not None
    assert (row["width"], row["height"], row["lost_segments"]) == (256, 144, 0)
    variants = {variant.name: variant for variant in await viewer.variants()}
    assert variants[name].height == 144
    assert await frames_of(http, variants[name].url) == clip.frames

    ladder = tmp_path / "ladder.toml"
    ladder.write_text(LADDER)
    replayed = await stack.run("replay", video, "--ladder", str(ladder))
    assert replayed.returncode == 0, replayed.stderr
    assert "96p120k" in replayed.stdout
    there = partial(rendition, http, f"{renditions}/96p120k", "there")
    await eventually_async(there, DEADLINE_S, "96p120k in the playlists")
    variants = {variant.name: variant for variant in await viewer.variants()}
    assert await frames_of(http, variants["96p120k"].url) == clip.frames
