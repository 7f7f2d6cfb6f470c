"""`logcast cue`: a break in every playlist and on the feed, or the reason why not."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from logcast.client import FeedClient
from tests.e2e.hls_viewer import HlsViewer, Variant
from tests.e2e.listening import Listener
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import ClipMaker, publishing
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

BREAK_S = 20


async def test_a_cue_becomes_a_break_in_every_playlist_and_on_the_feed(
    stack: LiveStack, channel: Channel, clips: ClipMaker, viewer: HlsViewer, tmp_path: Path
) -> None:
    with publishing(clips.make("640x360", 20), stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        variants = await viewer.live({"source", "240p", "audio"})
        async with Listener(FeedClient(stack.server, channel.name)) as feed:
            cued = await stack.run("cue", channel.name, "--seconds", str(BREAK_S))
            assert cued.returncode == 0, cued.stderr

            again = await stack.run("cue", channel.name, "--seconds", "10", "--key", channel.key)
            assert again.returncode == 1
            assert "Another break is planned for that time. (overlap)" in again.stderr

            told = await feed.heard(lambda m: m["type"] == "break", "the break on the feed")
            assert told["duration_ms"] == BREAK_S * 1000

        async def date_ranges(variant: Variant) -> list[dict[str, str]]:
            return (await viewer.playlist(variant)).date_ranges

        async def begins(variant: Variant, start: str) -> bool:
            return start in [segment.date for segment in (await viewer.playlist(variant)).segments]

        for name, variant in variants.items():
            ranges = await eventually_async(partial(date_ranges, variant), 60, f"the break in {name}")
            (found,) = ranges
            assert found["ID"] == told["id"]
            assert float(found["PLANNED-DURATION"]) == BREAK_S
            assert bytes.fromhex(found["SCTE35-OUT"].removeprefix("0x"))[0] == 0xFC, "a splice_info_section"
            if name != "audio":
                start = found["START-DATE"]
                await eventually_async(partial(begins, variant, start), 60, f"the segment of {name} at {start}")


async def test_a_cue_for_a_channel_that_is_not_live_says_so(stack: LiveStack, channel: Channel) -> None:
    offline, unknown, stranger = await asyncio.gather(
        stack.run("cue", channel.name),
        stack.run("cue", "nobody-here"),
        stack.run("cue", channel.name, "--key", "lc_" + "0" * 32),
    )
    assert (offline.returncode, unknown.returncode, stranger.returncode) == (1, 1, 1)
    assert "not_live" in offline.stderr
    assert "no_channel" in unknown.stderr
    assert "not_owner" in stranger.stderr
