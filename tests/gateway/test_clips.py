"""A range of a video becomes a video of its own, with the same pictures."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.app import create_app
from gateway.clips import captions_in
from gateway.rendition_fold import Limits, RenditionFold
from gateway.state import GatewayState
from media.rebase import rebased
from processors.parts import captions_in as passed_on_captions
from processors.parts import passed_on
from schemas.events import Origin, Track, TrackInfo, VideoChanged, VideoState
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.clip_tape import ClipTape
from tests.gateway.conftest import Clock, Gateway
from tests.gateway.tape import START_MS, VIDEO, video
from tests.gateway.test_downloads import frames
from tests.media.captions.encoder import control, line_21
from tests.media.test_hls import segment
from tests.processors.gops import Clip as Tiny
from tests.processors.gops import make_gops
from tests.processors.test_relay import captioned
from tests.waiting import eventually, eventually_async

pytestmark = pytest.mark.integration

CLIPS = f"/v1/videos/{VIDEO}/clips"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipTape:
    return ClipTape(tmp_path_factory.mktemp("clip"))


@pytest.fixture
async def gateway(topics: Settings) -> AsyncIterator[Gateway]:
    """A gateway that is open on a real log, but reads none of it by itself."""
    clock = Clock()
    state = GatewayState(topics, clock)
    app = create_app(topics, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with state, httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=20) as client:
        assert state.reader is not None
        await state.reader.wait_caught_up()
        yield Gateway(app, state, client, LocalSegmentStore(topics.segments_path), clock)


def operator(gateway: Gateway) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.state.settings.admin_token.get_secret_value()}"}


async def test_a_clip_has_the_pictures_of_its_range_and_starts_at_zero(gateway: Gateway, clip: ClipTape) -> None:
    gateway.fold(video(audio=True))
    clip.play(gateway)
    gateway.fold(video(VideoState.ENDED, audio=True, last_segment=clip.last_segment, ended_ms=START_MS + 6_000))
    before = {e.video_id for e in gateway.state.videos.every()}
    body = {"start": 1.5, "end": "00:00:03.5", "title": "The best of it"}
    answer = await gateway.client.post(CLIPS, json=body, headers=operator(gateway))
    assert answer.status_code == 202, answer.text
    made = answer.json()["video_id"]
    assert made not in before

    def over() -> VideoChanged | None:
        known = gateway.state.videos.get(made)
        return known if known is not None and known.state is VideoState.ENDED else None

    known = await eventually(over, what="the end of the clip")
    assert known is not None
    assert (known.title, known.keep_days, known.origin) == ("The best of it", -1, Origin.IMPORT)
    assert known.ended_ms is not None
    assert 2_000 <= known.ended_ms - known.started_ms <= 3_100

    async def whole() -> bool:
        return (await gateway.get(f"/v1/videos/{made}/download")).status_code == 200

    await eventually_async(whole, what="the last part of the clip")
    pictures, sounds = frames((await gateway.get(f"/v1/videos/{made}/download")).content)
    original, _ = frames((await gateway.get(f"/v1/videos/{VIDEO}/download")).content)
    assert 0 <= pictures[0] < 0.05
    assert len(pictures) in (90, 60)
    assert len(original) == 180
    assert abs(sounds[0] - pictures[0]) < 0.05
    playlist = (await gateway.get(f"/v1/videos/{made}/source/media.m3u8?vod=1")).text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in playlist
    assert "00000000.m4s" in playlist
    current = gateway.state.videos.of_channel("ann")
    assert current is not None
    assert current.video_id == VIDEO  # a clip is not what a channel plays


def test_the_captions_of_a_part_go_with_it_into_a_clip() -> None:
    (gop,) = make_gops(Tiny(gop_frames=12))
    chunk = captioned(gop.video[1], line_21(control(0x20)))
    info = TrackInfo(codecs=chunk.codecs, width=0, height=0, frame_rate=0.0, sample_rate=0, channels=0)
    source = RenditionFold("source", Track.VIDEO, Limits(60_000, 100), from_start=True)
    source.info = info
    ready, ticks = passed_on(chunk, "init"), 9_000
    (found,) = captions_in(source, segment(0), ready, rebased(chunk.data, ticks))
    (before,) = passed_on_captions(chunk)
    assert [p.data for p in found.pictures] == [p.data for p in before.pictures]
    assert [p.pts for p in found.pictures] == [p.pts - ticks for p in before.pictures]
    plain = gop.video[0]
    assert captions_in(source, segment(0), passed_on(plain, "init"), plain.data) == ()


async def test_what_is_no_clip_and_who_is_no_owner_is_refused(gateway: Gateway, clip: ClipTape) -> None:
    gateway.fold(video(audio=True))
    clip.play(gateway)
    cases: list[tuple[dict[str, object], int]] = [
        ({"start": 3, "end": 2}, 400),
        ({"start": 1}, 400),
        ({"start": 1, "end": True}, 400),
        ({"start": 1, "end": 2, "title": ""}, 422),
        ({"start": 1, "end": 2, "keep_days": "x"}, 422),
    ]
    for body, status in cases:
        assert (await gateway.client.post(CLIPS, json=body, headers=operator(gateway))).status_code == status
    assert (await gateway.client.post(CLIPS, json={"start": 1, "end": 2})).status_code == 401
