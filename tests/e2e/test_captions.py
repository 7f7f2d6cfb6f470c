"""Captions of a broadcast: by RTMP in, as WebVTT out, at the right time, and on the screen of a real Chromium."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from playwright.async_api import Browser

from media.captions.cues import Cue
from media.captions.uploads import read_upload
from tests.e2e.hls_viewer import HlsViewer, Variant, frame_times
from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.players import PlayerPage
from tests.e2e.publishing import FRAME_RATE, Clip, ClipMaker, publishing
from tests.e2e.watch_page import WatchPage
from tests.media.captions.encoder import EDM, EOC, Pair, captioned_clip, control, pop_on, spread
from tests.waiting import eventually_async

pytestmark = pytest.mark.e2e

SECONDS = 16
CAPTIONS = {"Good evening": (1.5, 3.0), "Zwei Zeilen ♪": (5.5, 7.5), "¿Qué tal?": (10.0, 13.2)}
"""Text, and when it is shown and erased, in seconds of the clip."""

LATE_MS = 100
ACTIVE = """[...video.textTracks].some((track) => track.mode === "showing"
    && [...(track.activeCues ?? [])].some((cue) => /evening|Zeilen|tal/.test(cue.text)))"""

SHOWN = """[...video.textTracks].some((track) => track.mode !== "disabled"
    && [...(track.activeCues ?? [])].some((cue) => cue.text === %s))"""

SAMPLED_S = 12
SAMPLES = """async (seconds) => {
    const { player } = window.logcast, video = document.querySelector("video"), samples = [];
    for (const began = performance.now(); performance.now() - began < seconds * 1000;) {
        const active = [...video.textTracks].filter((t) => t.mode === "showing").flatMap((t) => [...(t.activeCues ?? [])]);
        samples.push([player.mediaTimeOf(video.currentTime) * 1000, active.map((cue) => cue.text)]);
        await new Promise((done) => setTimeout(done, 50));
    }
    return samples;
}"""
EDGE_MS = 400
"""Browsers look for cues four times a second; near a start or end both answers are right."""

LEAST_SHOWN = 0.75
MOST_DOUBLED = 0.1
"""A player that falls back from parts to a whole segment shows a caption twice for a moment."""


def captioned(clips: ClipMaker, directory: Path) -> Clip:
    """A clip with the captions in its pictures."""
    clip = clips.make("640x360", SECONDS)
    script: list[tuple[float, list[Pair]]] = []
    for text, (start, end) in CAPTIONS.items():
        script += [(start - 1.0, pop_on([text])), (start, control(EOC)), (end, control(EDM))]
    path = directory / "captioned.mp4"
    captioned_clip(clip.path, path, spread(script, SECONDS * FRAME_RATE, FRAME_RATE))
    return replace(clip, path=path)


async def text_playlist(http: httpx.AsyncClient, master_url: str) -> str | None:
    """The address of the text rendition, once it is offered."""
    answer = await http.get(master_url)
    found = re.search(r'TYPE=SUBTITLES.*URI="([^"]*text/cc1/media.m3u8[^"]*)"', answer.text)
    return urljoin(str(answer.url), found[1]) if found else None


async def cues_of(http: httpx.AsyncClient, url: str) -> list[Cue]:
    """Every cue of a text rendition; those that were cut at the end of a segment joined again."""
    playlist = (await http.get(url)).raise_for_status().text
    cues: list[Cue] = []
    for line in playlist.splitlines():
        if line.startswith("#") or not line:
            continue
        text = (await http.get(urljoin(url, line))).raise_for_status().text
        assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n")
        for cue in read_upload(text.encode()):
            if cues and (cues[-1].end_ms, cues[-1].text) == (cue.start_ms, cue.text):
                cues[-1] = replace(cues[-1], end_ms=cue.end_ms)
            else:
                cues.append(cue)
    return cues


def seen(samples: list[tuple[float, list[str]]], cues: list[Cue]) -> tuple[int, int, int]:
    """In how many samples of the screen a caption is due, in how many of them it is there, and how many have two."""
    due = shown = 0
    for at_ms, texts in samples:
        cue = next((c for c in cues if c.start_ms + EDGE_MS <= at_ms <= c.end_ms - EDGE_MS), None)
        if cue is not None:
            due += 1
            shown += cue.text in texts
    return due, shown, sum(len(texts) > 1 for _, texts in samples)


async def shown_by_others(browser: Browser, stack: LiveStack, manifest: str, texts: list[str]) -> None:
    """Other people's players show captions of a manifest."""
    context = await browser.new_context(viewport={"width": 400, "height": 300})
    pages = [await PlayerPage.opened(context, stack.server, name) for name in ("shaka", "dash.js")]

    async def watched(page: PlayerPage) -> None:
        await page.play(manifest)
        await page.page.evaluate("() => player.text()")
        for text in texts:
            await page.until(SHOWN % json.dumps(text), 60)

    await asyncio.gather(*map(watched, pages))
    await context.close()


async def test_captions_in_the_pictures_become_text_in_time_live_and_later(
    stack: LiveStack,
    channel: Channel,
    clips: ClipMaker,
    viewer: HlsViewer,
    http: httpx.AsyncClient,
    watch_page: WatchPage,
    browser: Browser,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    clip = captioned(clips, tmp_path)
    with publishing(clip, stack.push_url(channel.key), tmp_path / "ffmpeg.log", for_ever=True):
        url = await eventually_async(lambda: text_playlist(http, viewer.master_url), 60, "a text rendition")
        assert url is not None
        await watch_page.open(f"{stack.server}/watch/{channel.name}")
        await watch_page.until("player.captions.length === 1", 60, "the captions in the menu")
        await watch_page.page.evaluate("() => window.logcast.player.setCaption(0)")
        await watch_page.until(ACTIVE, 60, "a caption on the live picture")
        samples = await watch_page.page.evaluate(SAMPLES, SAMPLED_S)
        latency_s = (await watch_page.now()).latency
        await shown_by_others(browser, stack, f"{stack.server}/live/{channel.name}/manifest.mpd", list(CAPTIONS)[2:])

        async def three() -> list[Cue] | None:
            cues = await cues_of(http, url)
            return cues if len(cues) >= len(CAPTIONS) + 1 and cues[-1].start_ms > samples[-1][0] else None

        cues = await eventually_async(three, 60, "all captions")
    assert cues is not None
    due, shown, doubled = seen(samples, cues)
    say(f"{latency_s:.1f} s behind the camera, captions on the screen {100 * shown / max(1, due):.0f} % of their time")
    assert due
    assert shown >= LEAST_SHOWN * due
    assert doubled <= MOST_DOUBLED * len(samples)
    source = Variant("source", re.sub(r"/text/.*", "/source/media.m3u8", url), 360)
    playlist = await viewer.ended(source)
    first_s = float(frame_times(await viewer.media(source, playlist))[0])
    late = []
    for cue, (text, (start, end)) in zip(cues, CAPTIONS.items(), strict=False):
        assert cue.text == text
        late += [abs(cue.start_ms - 1000 * (first_s + start)), abs(cue.end_ms - 1000 * (first_s + end))]
    say(f"captions off by at most {max(late):.0f} ms")
    assert max(late) <= LATE_MS

    video_id = url.split("/videos/")[1].split("/")[0]
    later = await text_playlist(http, f"{stack.server}/v1/videos/{video_id}/master.m3u8")
    assert later is not None
    recorded = await cues_of(http, later)
    assert recorded[: len(CAPTIONS)] == cues[: len(CAPTIONS)]
    await watch_page.open(f"{stack.server}/watch/{video_id}")
    await watch_page.until("player.captions.length === 1", 60, "the captions in the menu")
    await watch_page.page.evaluate("() => { window.logcast.player.setCaption(0); window.logcast.player.seek(1); }")
    await watch_page.until(ACTIVE, 60, "a caption on the recorded picture")
    assert not watch_page.errors
    beginning_later = list(CAPTIONS)[1:]  # the first may be over when they begin
    await shown_by_others(browser, stack, f"{stack.server}/v1/videos/{video_id}/manifest.mpd", beginning_later)
