"""Pictures over HTTP: which type, what is refused and how it says so, how long it may be kept."""

import io
import re

import av
import pytest
from av.container import InputContainer

from gateway.openapi.document import openapi_document
from schemas.events import VideoState, Visibility
from schemas.ids import new_video_id
from tests.gateway.conftest import Gateway
from tests.gateway.real_media import Reel, shows
from tests.gateway.tape import START_MS, VIDEO, Tape, video
from tests.processors.gops import Clip, mark

SOURCE = Reel()
SMALL = Reel("90p", Clip(width=160, height=90, gops=4, gop_frames=30, part_frames=6))
FRAME = f"/v1/videos/{VIDEO}/frame"
FOREVER = "public, max-age=31536000, immutable"


def opened(data: bytes) -> InputContainer:
    container = av.open(io.BytesIO(data))
    assert isinstance(container, InputContainer)
    return container


def store(gateway: Gateway, *reels: Reel) -> None:
    for reel in reels:
        for name, data in reel.stored.items():
            gateway.store.put(name, data)


def finished(gateway: Gateway) -> None:
    """A finished video of two renditions."""
    gateway.fold(video(), *SOURCE.events(), *SMALL.events())
    gateway.fold(video(VideoState.ENDED, last_segment=3, ended_ms=START_MS + 4_000))
    store(gateway, SOURCE, SMALL)


def live(gateway: Gateway) -> None:
    """A live video with two whole segments and one open."""
    for reel in (SOURCE, SMALL):
        gateway.fold(video(), *reel.events([0, 1]), *reel.parts(2, 3))
    store(gateway, SOURCE, SMALL)


@pytest.mark.parametrize(
    ("accept", "kind", "magic"),
    [
        ("*/*", "image/jpeg", b"\xff\xd8\xff"),
        ("image/webp", "image/webp", b"RIFF"),
        ("image/avif", "image/avif", b"\x00\x00\x00 ftypavif"),
        ("image/avif;q=0.3,image/webp;q=0.7", "image/webp", b"RIFF"),
        ("video/mp4", "video/mp4", b"\x00\x00\x00"),
    ],
)
async def test_accept_chooses_the_type(gateway: Gateway, accept: str, kind: str, magic: bytes) -> None:
    finished(gateway)
    answer = await gateway.get(FRAME + "?offset=1", accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content.startswith(magic)
    assert "accept" in answer.headers["vary"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_type_that_there_is_not_is_refused_with_those_that_there_are(gateway: Gateway) -> None:
    finished(gateway)
    answer = await gateway.get(FRAME, accept="image/png")
    assert answer.status_code == 406
    assert answer.json()["available"] == ["image/jpeg", "image/webp", "image/avif", "video/mp4"]


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("offset=soon", 400, "bad_offset"),
        ("offset=4.5", 416, "outside"),
        ("offset=-00:00:09", 416, "outside"),
        ("width=8", 400, "bad_width"),
        ("width=1921", 400, "bad_width"),
        ("width=x", 400, "bad_width"),
        ("exact=perhaps", 400, "bad_exact"),
        ("duration=0", 400, "bad_duration"),
        ("duration=61", 400, "bad_duration"),
        ("deviceType=toaster", 400, "bad_device_type"),
    ],
)
async def test_what_has_no_meaning_is_refused_with_what_is_expected(
    gateway: Gateway, query: str, status: int, reason: str
) -> None:
    finished(gateway)
    answer = await gateway.get(f"{FRAME}?{query}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "expected" in answer.json()["detail"]
    if status == 416:
        assert answer.json()["available"] == {"start": 0.0, "end": 4.0}


async def test_a_video_that_is_not_there_or_has_no_picture_is_not_found(gateway: Gateway) -> None:
    nobody = await gateway.get(f"/v1/videos/{VIDEO[:-1]}z/frame")
    assert (nobody.status_code, nobody.json()["reason"]) == (404, "no_such_video")
    gateway.fold(video(audio=True), *Tape([4] * 3, "audio").events())
    for path in ("frame", "poster.jpg", "thumbnails.vtt"):
        silent = await gateway.get(f"/v1/videos/{VIDEO}/{path}")
        assert (silent.status_code, silent.json()["reason"]) == (404, "no_picture")


async def test_a_recorded_frame_is_kept_for_ever_and_validated(gateway: Gateway) -> None:
    finished(gateway)
    answer = await gateway.get(FRAME + "?offset=1.5&exact=true")
    assert answer.headers["cache-control"] == FOREVER
    again = await gateway.get(FRAME + "?offset=1.5&exact=true", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", "public, max-age=1"),
        ("offset=-1", "public, max-age=1"),
        ("offset=2.4", "public, max-age=1"),
        ("offset=0.2", "public, max-age=3600"),
    ],
)
async def test_a_live_frame_is_kept_as_long_as_it_is_true(gateway: Gateway, query: str, kept: str) -> None:
    live(gateway)
    answer = await gateway.get(f"{FRAME}?{query}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, kept)


async def test_the_device_chooses_how_large_a_frame_is(gateway: Gateway) -> None:
    finished(gateway)
    widths = {}
    for device in ("desktop", "audio-only"):
        answer = await gateway.get(f"{FRAME}?offset=1&deviceType={device}")
        widths[device] = opened(answer.content).streams.video[0].width
    assert widths == {"desktop": 320, "audio-only": 160}


async def test_mp4_begins_at_the_keyframe_before_the_offset(gateway: Gateway) -> None:
    finished(gateway)
    answer = await gateway.get(FRAME + "?offset=00:00:01.500&duration=1", accept="video/mp4")
    assert answer.headers["cache-control"] == FOREVER
    frames = list(opened(answer.content).decode(video=0))
    assert len(frames) == 60
    assert shows(frames[0], 30)


async def test_the_thumbnails_of_a_video_are_all_where_the_vtt_says(gateway: Gateway) -> None:
    finished(gateway)
    answer = await gateway.get(f"/v1/videos/{VIDEO}/thumbnails.vtt")
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
    assert answer.text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n")
    addresses = set(re.findall(r"^(sprites/\S+)#xywh=", answer.text, re.MULTILINE))
    assert addresses == {"sprites/00000000.jpg?every=2&tiles=2"}
    for address in addresses:
        sheet = await gateway.get(f"/v1/videos/{VIDEO}/{address}")
        assert (sheet.status_code, sheet.headers["cache-control"]) == (200, FOREVER)
        stream = opened(sheet.content).streams.video[0]
        assert (stream.width, stream.height) == (800, 450)


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("sprites/00000001.jpg", 404, "no_sheet"),
        ("sprites/x.jpg", 400, "bad_sheet"),
        ("sprites/00000000.jpg?every=3", 400, "bad_every"),
        ("sprites/00000000.jpg?tiles=26", 400, "bad_tiles"),
        ("poster.jpg?width=1", 400, "bad_width"),
    ],
)
async def test_sheets_that_there_are_not_are_refused(gateway: Gateway, path: str, status: int, reason: str) -> None:
    finished(gateway)
    answer = await gateway.get(f"/v1/videos/{VIDEO}/{path}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_the_newest_sheet_of_a_live_video_gets_another_address_as_it_fills(gateway: Gateway) -> None:
    live(gateway)
    first = await gateway.get(f"/v1/videos/{VIDEO}/thumbnails.vtt")
    assert "tiles=2#" in first.text
    assert first.headers["cache-control"] == "public, max-age=1"
    early = await gateway.get(f"/v1/videos/{VIDEO}/sprites/00000000.jpg?every=2&tiles=9")
    assert early.headers["cache-control"] == "public, max-age=1"
    gateway.fold(*SOURCE.parts(2)[3:], SOURCE.closed(2), *SOURCE.events([3]))
    assert "tiles=2#" in (await gateway.get(f"/v1/videos/{VIDEO}/thumbnails.vtt")).text


async def test_pictures_reach_back_before_the_live_window(gateway: Gateway) -> None:
    long = Reel(clip=Clip(width=160, height=90, gops=90, gop_frames=30, part_frames=6, kbps=60))
    gateway.fold(video(), *long.events(range(60)))
    assert (await gateway.get(f"/v1/videos/{VIDEO}/thumbnails.vtt")).status_code == 200
    gateway.fold(*long.events(range(60, 90)))
    store(gateway, long)
    playlist = await gateway.get(f"/v1/videos/{VIDEO}/source/media.m3u8")
    assert "#EXT-X-MEDIA-SEQUENCE:0\n" not in playlist.text
    vtt = await gateway.get(f"/v1/videos/{VIDEO}/thumbnails.vtt")
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.000 -->")
    answer = await gateway.get(FRAME + "?offset=5.505&exact=true")
    assert answer.status_code == 200
    assert shows(next(opened(answer.content).decode(video=0)), 165)
    sheet = await gateway.get(f"/v1/videos/{VIDEO}/sprites/00000000.jpg?every=2&tiles=25")
    grey = next(opened(sheet.content).decode(video=0)).to_ndarray(format="gray")
    assert abs(int(grey[95:107, 2:24].mean()) - mark(300)) < 25, "the first tile of the second row is of second 10"


async def test_a_poster_is_there_by_video_and_by_channel(gateway: Gateway) -> None:
    finished(gateway)
    by_video = await gateway.get(f"/v1/videos/{VIDEO}/poster.jpg?width=100")
    assert opened(by_video.content).streams.video[0].width == 100
    by_channel = await gateway.get("/live/ann/poster.jpg?width=100")
    assert by_channel.content == by_video.content
    assert (await gateway.get("/live/nobody/poster.jpg")).status_code == 404


async def test_head_and_preflight_are_answered(gateway: Gateway) -> None:
    finished(gateway)
    head = await gateway.client.head(FRAME)
    assert head.status_code == 200
    assert (await gateway.client.options(FRAME)).status_code == 204
    assert (await gateway.client.post(FRAME)).status_code == 405


async def test_the_shelf_lists_what_is_over_public_and_still_there(gateway: Gateway) -> None:
    finished(gateway)
    rows = (await gateway.get("/v1/videos")).json()["videos"]
    assert [(row["id"], row["duration_ms"]) for row in rows] == [(VIDEO, 4_000)]
    assert (await gateway.get("/v1/channels/ann/videos")).json()["videos"] == rows
    assert (await gateway.get("/v1/channels/bob/videos")).json()["videos"] == []
    assert (await gateway.get("/v1/videos?limit=0")).json()["reason"] == "bad_limit"


async def test_the_shelf_leaves_out_what_is_live_hidden_or_gone(gateway: Gateway) -> None:
    from dataclasses import replace

    ids = [new_video_id(START_MS + n, bytes(7)) for n in range(4)]
    over = video(VideoState.ENDED, last_segment=3, ended_ms=START_MS + 4_000)
    gateway.fold(
        replace(over, video_id=ids[0], state=VideoState.LIVE),
        replace(over, video_id=ids[1], visibility=Visibility.UNLISTED),
        replace(over, video_id=ids[2], started_ms=START_MS - 90_000_000),
        replace(over, video_id=ids[3], started_ms=START_MS - 90_000_000, keep_days=7),
    )
    assert [row["id"] for row in (await gateway.get("/v1/videos")).json()["videos"]] == [ids[3]]


def test_every_picture_has_its_description() -> None:
    paths = openapi_document()["paths"]
    types = paths["/v1/videos/{video}/frame"]["get"]["responses"]["200"]["content"]
    assert list(types) == ["image/jpeg", "image/webp", "image/avif", "video/mp4"]
    assert {"/v1/videos/{video}/poster.jpg", "/v1/videos/{video}/thumbnails.vtt"} <= set(paths)
