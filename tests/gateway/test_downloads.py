"""A finished video as one file: every picture and sound of it, whole, in ranges, resumed."""

import io
import itertools
from dataclasses import replace
from fractions import Fraction

import av
import pytest

from gateway.openapi.document import openapi_document
from schemas.events import PartReady, VideoState
from tests.gateway.clip_tape import ClipTape
from tests.gateway.conftest import Gateway
from tests.gateway.real_media import Reel
from tests.gateway.tape import START_MS, VIDEO, Tape, video
from tests.processors.gops import Clip

DOWNLOAD = f"/v1/videos/{VIDEO}/download"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipTape:
    return ClipTape(tmp_path_factory.mktemp("clip"))


def ended(gateway: Gateway, clip: ClipTape, without: tuple[int, ...] = ()) -> None:
    gateway.fold(video(audio=True))
    clip.play(gateway, without)
    gateway.fold(video(VideoState.ENDED, audio=True, last_segment=clip.last_segment, ended_ms=START_MS + 6_000))


def frames(data: bytes) -> tuple[list[Fraction], list[Fraction]]:
    """When pictures and sounds are shown."""
    with av.open(io.BytesIO(data), mode="r") as container:
        found: dict[str, list[Fraction]] = {"video": [], "audio": []}
        for packet in container.demux():
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame | av.AudioFrame)
                assert frame.pts is not None
                assert frame.time_base is not None
                found[packet.stream.type].append(frame.pts * frame.time_base)
    return found["video"], found["audio"]


async def test_a_file_has_every_picture_and_sound_in_time(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip)
    answer = await gateway.get(DOWNLOAD)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "video/mp4"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "A%20title.mp4" in answer.headers["content-disposition"]
    pictures, sounds = frames(answer.content)
    assert len(pictures) == 180
    assert all(abs(b - a - Fraction(1, 30)) < Fraction(1, 500) for a, b in itertools.pairwise(pictures))
    assert len(sounds) == len(clip.packaged.samples("audio"))
    shown = min(s.dts + s.cts_offset for s in clip.packaged.samples("video"))
    heard = clip.packaged.samples("audio")[0].dts
    offset = Fraction(heard, 44_100) - Fraction(shown, 90_000)
    assert abs((sounds[0] - pictures[0]) - offset) < Fraction(1, 1_000)


async def test_a_broken_transfer_is_resumed_where_it_broke(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip)
    whole = await gateway.get(DOWNLOAD)
    size = len(whole.content)
    for first, end in ((0, 100), (size // 3, size // 2), (size - 10, size), (size // 2, size)):
        piece = await gateway.get(DOWNLOAD, range=f"bytes={first}-{end - 1}", if_range=whole.headers["etag"])
        assert piece.status_code == 206
        assert piece.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
        assert piece.content == whole.content[first:end]
    assert (await gateway.get(DOWNLOAD, range=f"bytes={size}-")).status_code == 416
    assert (await gateway.get(DOWNLOAD, if_none_match=whole.headers["etag"])).status_code == 304


async def test_a_range_is_cut_to_the_picture_without_encoding(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip)
    whole = await gateway.get(DOWNLOAD)
    answer = await gateway.get(DOWNLOAD + "?start=1.5&end=00:00:03.5")
    assert answer.status_code == 200
    assert len(answer.content) < 0.7 * len(whole.content)
    with av.open(io.BytesIO(answer.content), mode="r") as container:
        assert container.duration is not None
        assert abs(container.duration / 1_000_000 - 2.0) < 0.06
    pictures, sounds = frames(answer.content)
    assert 59 <= sum(1 for at in pictures if 0 <= at < 2) <= 61
    assert abs(sum(1 for at in sounds if 0 <= at < 2) - 2 * 44_100 / 1024) < 3


async def test_a_lost_segment_leaves_the_sound_where_it_was(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip, without=(2,))
    assert (await gateway.get(DOWNLOAD)).status_code == 503  # it may still come
    gateway.clock.now_ms += 60_000
    assert gateway.state.media is not None
    gateway.state.media.broadcasts.tick()
    pictures, _ = frames((await gateway.get(DOWNLOAD)).content)
    lost = sum(1 for s in clip.packaged.samples("video")) - len(pictures)
    assert 0 < lost < 60
    assert abs(pictures[-1] - Fraction(179, 30)) < Fraction(1, 10)


async def test_a_rendition_that_began_late_has_pictures_of_another_one_before(gateway: Gateway) -> None:
    first, second = Clip(width=320, height=180, gops=4), Clip(width=192, height=108, gops=2, first_gop=2)
    source, late = Reel("source", first), Reel("108p", second)
    events = [event for reel in (source, late) for event in reel.events()]
    gateway.fold(video(), *(replace(e, epoch=int(e.segment > 1)) if isinstance(e, PartReady) else e for e in events))
    for name, data in {**source.stored, **late.stored}.items():
        gateway.store.put(name, data)
    gateway.fold(video(VideoState.ENDED, last_segment=3, ended_ms=START_MS + 4_000))
    gateway.clock.now_ms += 60_000
    assert gateway.state.media is not None
    gateway.state.media.broadcasts.tick()
    answer = await gateway.get(DOWNLOAD + "?rendition=108p")
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(answer.content), mode="r") as container:
        widths = [frame.width for frame in container.decode(video=0)]
    half = len(widths) // 2
    assert widths == [320] * half + [192] * half
    assert half == len([event for event in source.events([0, 1]) if isinstance(event, PartReady)]) * 6


async def test_audio_alone_is_a_file_too(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip)
    answer = await gateway.get(DOWNLOAD + "?rendition=audio")
    assert answer.headers["content-type"] == "audio/mp4"
    pictures, sounds = frames(answer.content)
    assert not pictures
    assert len(sounds) == len(clip.packaged.samples("audio"))


@pytest.mark.parametrize("query", ["start=5&end=4", "start=100", "start=x", "end=-100", "&".join(["a=b"] * 20)])
async def test_what_is_no_range_is_refused(gateway: Gateway, clip: ClipTape, query: str) -> None:
    ended(gateway, clip)
    assert (await gateway.get(f"{DOWNLOAD}?{query}")).status_code == 400


async def test_what_there_is_none_of_is_not_found(gateway: Gateway, clip: ClipTape) -> None:
    ended(gateway, clip)
    assert (await gateway.get(DOWNLOAD + "?rendition=4320p")).status_code == 404
    assert (await gateway.get(f"/v1/videos/{'0' * 20}/download")).status_code == 404


async def test_a_running_broadcast_is_downloaded_in_ranges_only(gateway: Gateway, clip: ClipTape) -> None:
    gateway.fold(video(audio=True))
    clip.play(gateway)
    answer = await gateway.get(DOWNLOAD)
    assert (answer.status_code, answer.json()["reason"]) == (409, "still_live")
    gateway.fold(Tape([4] * 3, "480p").part(0, 0))
    assert (await gateway.get(DOWNLOAD + "?start=0&end=2")).status_code == 200


def test_the_api_says_how_to_save_a_video_and_to_make_a_clip() -> None:
    paths = openapi_document()["paths"]
    assert set(paths["/v1/videos/{video}/download"]["get"]["responses"]["200"]["content"]) == {"video/mp4", "audio/mp4"}
    assert "202" in paths["/v1/videos/{video}/clips"]["post"]["responses"]
