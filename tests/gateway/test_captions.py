"""Captions of a source, from the log to text renditions."""

import asyncio
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.captions_fold import CaptionsFold, span_ms
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.captions.cues import Cue
from media.cmaf import parse_chunk
from media.cmaf_init import text_init
from schemas.events import VideoState
from tests.gateway.captioned import captioned, captions
from tests.gateway.conftest import Gateway
from tests.gateway.manifest_reader import read_manifest
from tests.gateway.playlist_reader import attributes
from tests.gateway.tape import VIDEO, Media, Tape, video
from tests.media.captions.encoder import EDM, EOC, control, pop_on
from tests.waiting import eventually

TAPE = Tape([8] * 12)
TEXT = f"/v1/videos/{VIDEO}/text/cc1"


def with_captions(texts: dict[int, str], end: int = 6) -> list[object]:
    """The events of the tape's first segments, captions before their parts."""
    found = captioned(TAPE, texts)
    events: list[object] = []
    for number in range(end):
        for event in TAPE.segment(number):
            part = getattr(event, "part", None)
            events += [one for one in found if (one.segment, one.part) == (number, part)]
            events.append(event)
    return events


async def test_a_text_rendition_is_offered_and_cut_like_the_video(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({1: "Hello", 3: "Bye"}))  # type: ignore[arg-type]
    master = (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    (media,) = [attributes(line.partition(":")[2]) for line in master.splitlines() if "TYPE=SUBTITLES" in line]
    assert media["URI"] == "text/cc1/media.m3u8"
    assert 'SUBTITLES="subtitles"' in master

    answer = await gateway.get(f"{TEXT}/media.m3u8")
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    listed = [line for line in answer.text.splitlines() if line.endswith(".vtt")]
    assert [line for line in listed if not line.startswith("#")] == [f"{number:08d}.vtt" for number in range(6)]
    assert answer.text.count("#EXTINF:2.00000,") == 6
    assert "#EXT-X-TARGETDURATION:2" in answer.text
    assert "#EXT-X-ENDLIST" not in answer.text


async def test_a_text_segment_has_its_cues_and_the_map_of_times(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({1: "Hello"}))  # type: ignore[arg-type]
    answer = await gateway.get(f"{TEXT}/00000001.vtt")
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
    head, cue = answer.text.split("\n\n")
    assert head == "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"
    assert cue == "00:00:02.500 --> 00:00:03.750 line:79.33% position:10% align:start\nHello\n"
    empty = await gateway.get(f"{TEXT}/00000002.vtt")
    assert empty.text == head + "\n"


async def test_a_caption_over_several_segments_is_in_each_of_them(gateway: Gateway) -> None:
    found = [
        captions(TAPE, 0, 0, pop_on(["Long"])),
        captions(TAPE, 0, 6, control(EOC)),
        captions(TAPE, 2, 2, control(EDM)),
    ]
    gateway.fold(video(), *found, *TAPE.events(0, 4))
    texts = [(await gateway.get(f"{TEXT}/{number:08d}.vtt")).text for number in range(4)]
    times = [text.split("\n\n")[1].split(" line")[0] if "Long" in text else "" for text in texts]
    assert times == [
        "00:00:01.500 --> 00:00:02.000",
        "00:00:02.000 --> 00:00:04.000",
        "00:00:04.000 --> 00:00:04.500",
        "",
    ]


async def test_blocking_reload_waits_for_the_segment(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({0: "Hello"}, end=3))  # type: ignore[arg-type]
    asked = asyncio.create_task(gateway.get(f"{TEXT}/media.m3u8?_HLS_msn=3"))
    await asyncio.sleep(0)
    gateway.fold(*TAPE.segment(3)[:-1])
    assert not asked.done()
    gateway.fold(TAPE.closed(3))
    assert "\n00000003.vtt" in (await asked).text
    assert (await gateway.get(f"{TEXT}/media.m3u8?_HLS_msn=9")).status_code == 400


async def test_a_part_of_text_is_there_with_the_videos_part(gateway: Gateway) -> None:
    tape = Tape([8] * 4)
    gateway.fold(video(), *tape.segment(0), captions(tape, 1, 0, pop_on(["Now"])), *tape.segment(1)[:2])
    gateway.fold(captions(tape, 1, 2, control(EOC)), tape.part(1, 2))
    playlist = (await gateway.get(f"{TEXT}/media.m3u8")).text
    assert '#EXT-X-PART:DURATION=0.25000,URI="00000001.0002.vtt"' in playlist
    assert '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="00000001.0003.vtt"' in playlist
    assert "00000001.vtt" not in playlist
    assert "00:00:02.500 --> 00:00:02.750" in (await gateway.get(f"{TEXT}/00000001.0002.vtt")).text
    asked = asyncio.create_task(gateway.get(f"{TEXT}/00000001.0003.vtt"))
    blocked = asyncio.create_task(gateway.get(f"{TEXT}/media.m3u8?_HLS_msn=1&_HLS_part=3"))
    await asyncio.sleep(0)
    gateway.fold(tape.part(1, 3))
    assert "00:00:02.750 --> 00:00:03.000" in (await asked).text, "what is shown goes on"
    assert '"00000001.0004.vtt"' in (await blocked).text
    gateway.fold(*tape.segment(1)[4:])
    hinted = asyncio.create_task(gateway.get(f"{TEXT}/00000001.0008.vtt"))
    await asyncio.sleep(0)
    gateway.fold(tape.part(2, 0))
    assert "00:00:04.000 --> 00:00:04.250" in (await hinted).text, "the next segment's first, as it was hinted"
    assert '#EXT-X-PART:DURATION=0.25000,URI="00000001.0008.vtt"' in (await gateway.get(f"{TEXT}/media.m3u8")).text


async def test_the_parts_and_the_segment_say_the_same(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({1: "Hello", 2: "Bye"}, end=3))  # type: ignore[arg-type]
    for number in (1, 2):
        pieces = [(await gateway.get(f"{TEXT}/{number:08d}.{part:04d}.vtt")).text for part in range(8)]
        times = [text.split("\n\n")[1].split(" line")[0] for text in pieces if "-->" in text]
        whole = (await gateway.get(f"{TEXT}/{number:08d}.vtt")).text
        assert len(times) == 5
        assert f"{times[0][:12]} --> {times[-1][-12:]}" in whole


async def test_what_is_not_there_is_a_404(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({0: "Hello"}))  # type: ignore[arg-type]
    for path in (
        "cc2/media.m3u8",
        "cc1/00000099.vtt",
        "cc1/0000001.vtt",
        "cc1/000000001.vtt",
        "cc1/00000001.0099.vtt",
        "en/media.m3u8",
    ):
        assert (await gateway.get(f"/v1/videos/{VIDEO}/text/{path}")).status_code == 404, path


async def test_a_source_with_a_place_for_captions_offers_them_before_the_first_one(gateway: Gateway) -> None:
    gateway.fold(video(), replace(captions(TAPE, 0, 0, []), pictures=()), *TAPE.events(0, 4))
    assert 'URI="text/cc1/media.m3u8"' in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    assert "-->" not in (await gateway.get(f"{TEXT}/00000002.vtt")).text
    gateway.fold(*captioned(TAPE, {4: "At last"}), *TAPE.segment(4))
    assert "At last" in (await gateway.get(f"{TEXT}/00000004.vtt")).text
    assert "svc1" not in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text


async def test_a_video_without_captions_offers_no_text(gateway: Gateway) -> None:
    gateway.fold(video(), *TAPE.events(0, 4))
    assert "SUBTITLES" not in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text


async def test_an_ended_video_has_a_playlist_with_an_end(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({1: "Hello"}, end=12))  # type: ignore[arg-type]
    ended = video(VideoState.ENDED, last_segment=11, ended_ms=gateway.clock())
    gateway.fold(replace(ended, changed_ms=gateway.clock()))
    live = (await gateway.get(f"{TEXT}/media.m3u8")).text
    assert live.endswith("00000011.vtt\n#EXT-X-ENDLIST\n")
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in (await gateway.get(f"{TEXT}/media.m3u8?vod=1")).text


async def test_the_manifest_of_a_video_that_is_over_has_its_captions_in_segments(gateway: Gateway) -> None:
    long = [
        captions(TAPE, 3, 0, pop_on(["Long"])),
        captions(TAPE, 3, 6, control(EOC)),
        captions(TAPE, 5, 2, control(EDM)),
    ]
    gateway.fold(video(), *with_captions({1: "Hello"}, end=3), *long, *TAPE.events(3, 12))  # type: ignore[arg-type]
    manifest = f"/v1/videos/{VIDEO}/manifest.mpd"
    gateway.fold(video(VideoState.ENDED, last_segment=11, ended_ms=gateway.clock()))
    found = read_manifest((await gateway.get(manifest)).text).representation("text-cc1")
    header = await gateway.get(f"/v1/videos/{VIDEO}/{found.init}")
    assert (header.status_code, header.headers["content-type"]) == (200, "application/mp4")
    assert header.content == text_init()
    shown = []
    for segment in found.segments:
        answer = await gateway.get(f"/v1/videos/{VIDEO}/{segment.url}")
        assert answer.headers["content-type"] == "application/mp4"
        assert answer.headers["cache-control"] == "public, max-age=600"
        chunk = parse_chunk(answer.content)
        assert (chunk.base_decode_time, chunk.duration) == (segment.ticks, segment.duration)
        shown += [(s.dts, s.dts + s.duration, s.data[-5:]) for s in chunk.samples if b"payl" in s.data]
    assert shown == [
        (2500, 3750, b"Hello"[-5:]),
        (7500, 8000, b"lLong"),
        (8000, 10000, b"lLong"),
        (10000, 10500, b"lLong"),
    ]
    for wrong in ("7.m4s", "000000007.m4s", "00000012.m4s", "00000001.0001.m4s"):
        assert (await gateway.get(f"{TEXT}/{wrong}")).status_code == 404
    assert (await gateway.get(f"/v1/videos/{VIDEO}/text/cc2/init.mp4")).status_code == 404


async def test_a_live_manifest_has_the_captions_of_the_source_up_to_its_last_whole_segment(gateway: Gateway) -> None:
    manifest = f"/v1/videos/{VIDEO}/manifest.mpd"
    gateway.fold(video(), *TAPE.events(0, 4))
    before = read_manifest((await gateway.get(manifest)).text)
    assert "text" not in before.periods[0].sets
    gateway.fold(captions(TAPE, 4, 0, pop_on(["Hello"])), TAPE.part(4, 0))
    heard = read_manifest((await gateway.get(manifest)).text)
    assert [s.number for s in heard.representation("text-cc1").segments] == [0, 1, 2, 3]
    assert heard.time("publishTime") > before.time("publishTime"), "5.4.1: another MPD has another publishTime"
    gateway.fold(captions(TAPE, 4, 2, control(EOC)), *TAPE.segment(4)[1:], TAPE.part(5, 0))
    later = read_manifest((await gateway.get(manifest)).text)
    source, text = later.representation("source"), later.representation("text-cc1")
    assert [s.number for s in text.segments] == [s.number for s in source.segments] == list(range(5))
    assert [s.time for s in text.segments] == [s.time for s in source.segments]
    answer = await gateway.get(f"/v1/videos/{VIDEO}/{text.segments[-1].url}")
    assert b"Hello" in answer.content
    assert (await gateway.get(f"{TEXT}/00000005.m4s?v=0")).status_code == 404, "it is not whole"


async def test_a_live_manifest_that_reaches_back_has_captions_that_do(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({1: "Hello"}, end=6))  # type: ignore[arg-type]
    text = read_manifest((await gateway.get(f"/v1/videos/{VIDEO}/manifest.mpd?dvr=900")).text).representation(
        "text-cc1"
    )
    assert text.segments[1].url == "text/cc1/00000001.m4s?v=0&dvr=900"
    assert b"Hello" in (await gateway.get(f"/v1/videos/{VIDEO}/{text.segments[1].url}")).content


async def test_captions_are_forgotten_with_their_video(gateway: Gateway) -> None:
    captions_ = gateway.state.captions
    assert captions_ is not None
    gateway.fold(captions(TAPE, 0, 0, pop_on(["Never shown"])))
    captions_.forget()
    assert captions_._live, "its first part may be about to come"
    captions_.forget()
    assert not captions_._live


# The fold


def folded(events: list[object]) -> tuple[CaptionsFold, VideoFold]:
    fold, media = CaptionsFold(), VideoFold(VIDEO, Limits(3_600_000, 10_000))
    for event in events:
        if isinstance(event, Media):
            media.part(event) if hasattr(event, "part") else media.closed(event)  # type: ignore[arg-type]
            fold.advance(media.renditions["source"].segments)
        else:
            fold.found(event)  # type: ignore[arg-type]
    return fold, media


def all_cues(fold: CaptionsFold, end: int) -> list[Cue]:
    segments = [fold.segment(number) for number in range(end)]
    return [cue for found in segments if found is not None for cue in found.cues.get("cc1", ())]


@hypothesis.settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_and_repeats_of_events_change_no_cue(random: object, repeats: int) -> None:
    texts = {number: f"Text {number}" for number in range(0, 5, 2)}
    events = with_captions(texts, end=5)
    expected = all_cues(folded(events)[0], 5)
    gops = [[e for e in events if e.segment == number] for number in range(5)]  # type: ignore[attr-defined]
    gops += gops[:repeats]
    lines = [list(gop) for gop in gops]
    mixed: list[object] = []
    while any(lines):  # GOPs are done side by side, each in its order
        line = random.choice([line for line in lines if line])  # type: ignore[attr-defined]
        mixed.append(line.pop(0))
    assert [cue.text for cue in expected] == list(texts.values())
    assert all_cues(folded(mixed)[0], 5) == expected


def test_a_lost_segment_has_no_cues_and_the_next_ones_have_theirs() -> None:
    events = [e for e in with_captions({1: "Lost", 3: "Kept"}) if getattr(e, "segment", None) != 1]
    lost = TAPE.closed(1, 0)
    fold, _ = folded([*events[:8], lost, *events[8:]])
    assert [cue.text for cue in all_cues(fold, 6)] == ["Kept"]


def test_what_is_remembered_is_bounded() -> None:
    tape = Tape([1] * 1_000)
    fold, media = CaptionsFold(), VideoFold(VIDEO, Limits(60_000, 100))
    sizes = []
    for number in range(1_000):
        fold.found(captions(tape, number, 0, control(EDM)))
        for event in tape.segment(number):
            media.part(event) if hasattr(event, "part") else media.closed(event)  # type: ignore[arg-type]
        fold.advance(media.renditions["source"].segments)
        sizes.append(fold.size_bytes)
    assert max(sizes[500:]) <= max(sizes[:500])
    for number in range(10_000, 13_000):
        fold.found(captions(replace(tape, counts=[1] * 13_000), number, 0, control(EDM)))
    assert len(fold._raw) <= 1_000


@pytest.mark.parametrize("segment", [0, 3])
def test_a_span_is_in_media_time(segment: int) -> None:
    _, media = folded(list(TAPE.events(0, 5)))
    found = media.renditions["source"].segment(segment)
    assert found is not None
    assert span_ms(found) == (TAPE.start_ms(segment), TAPE.start_ms(segment + 1))


async def test_a_gateway_that_stops_lets_waiting_players_go(gateway: Gateway) -> None:
    gateway.fold(video(), *with_captions({0: "Hello"}, end=3))  # type: ignore[arg-type]
    asked = asyncio.create_task(gateway.get(f"{TEXT}/media.m3u8?_HLS_msn=3"))
    media = gateway.state.media
    assert media is not None
    await eventually(lambda: media.broadcasts._parked > 0)
    gateway.state.stop()
    assert (await asked).status_code == 503
