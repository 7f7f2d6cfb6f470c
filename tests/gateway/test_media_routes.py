"""HLS as a client sees it, over ASGI: what blocks, what is refused, what may be cached."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway import media_routes
from media.hls import SegmentTexts, Skip, Window, media_playlist
from schemas.events import PartReady, VideoState
from tests.gateway.conftest import Gateway
from tests.gateway.playlist_reader import attributes, read
from tests.gateway.tape import START_MS, VIDEO, Tape, data_of, planned, video
from tests.waiting import eventually

SOURCE, SMALL, SOUND = Tape([4] * 40), Tape([4] * 40, "480p"), Tape([4] * 40, "audio")
PLAYLIST = f"/v1/videos/{VIDEO}/source/media.m3u8"


def started(gateway: Gateway, segments: int = 2, parts: int = 2) -> None:
    """A live video with whole segments and one open."""
    gateway.fold(video())
    for tape in (SOURCE, SMALL):
        gateway.fold(*tape.events(0, segments), *(tape.part(segments, part) for part in range(parts)))


async def parked(gateway: Gateway, request: Coroutine[Any, Any, httpx.Response]) -> "asyncio.Task[httpx.Response]":
    """A request that waits now."""
    from gateway.broadcasts import PARKED

    before = PARKED._value.get()
    task = asyncio.create_task(request)
    await eventually(lambda: PARKED._value.get() > before or task.done(), what="a parked request")
    assert not task.done(), task.result().text
    return task


async def test_a_media_playlist_holds_what_was_folded(gateway: Gateway) -> None:
    started(gateway)
    answer = await gateway.get(PLAYLIST)
    playlist = read(answer.text)
    assert answer.status_code == 200
    assert [segment.uri for segment in playlist.segments] == ["00000000.m4s", "00000001.m4s", ""]
    assert playlist.hints == ["00000002.0002.m4s"]
    assert playlist.reports == [{"URI": "../480p/media.m3u8", "LAST-MSN": "2", "LAST-PART": "1"}]
    assert playlist.target == 2


async def test_a_playlist_reports_what_the_client_s_multivariant_playlist_named(gateway: Gateway) -> None:
    cut = frozenset({2})
    source, sound, rung = (Tape([4] * 4, name, epochs=cut) for name in ("source", "audio", "480p"))
    small = [
        replace(event, info=replace(event.info, width=640, height=360))
        if isinstance(event, PartReady) and event.info
        else event
        for event in source.events(0, 2)
    ]
    gateway.fold(video(), *small, *source.events(2), *sound.events(), *rung.events(2))
    known = [read((await gateway.get(f"{PLAYLIST}{query}")).text).reports for query in ("", "?epoch=1")]
    assert [[report["URI"] for report in reports] for reports in known] == [
        ["../audio/media.m3u8"],
        ["../480p/media.m3u8?epoch=1", "../audio/media.m3u8?epoch=1"],
    ]
    assert (await gateway.get(f"{PLAYLIST}?epoch=new")).status_code == 400


async def test_playlists_say_how_they_may_be_kept_and_read(gateway: Gateway) -> None:
    started(gateway)
    answer = await gateway.get(PLAYLIST, accept_encoding="gzip")
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    plain = await gateway.get(PLAYLIST, accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text
    assert plain.headers["etag"] != answer.headers["etag"]
    again = await gateway.get(PLAYLIST, if_none_match=plain.headers["etag"], accept_encoding="identity")
    assert (again.status_code, again.content) == (304, b"")
    gateway.fold(SOURCE.part(2, 2))
    changed = await gateway.get(PLAYLIST, if_none_match=plain.headers["etag"], accept_encoding="identity")
    assert changed.status_code == 200


async def test_a_blocking_reload_waits_for_its_part(gateway: Gateway) -> None:
    started(gateway)
    waiting = await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=3"))
    gateway.fold(SOURCE.part(2, 2))
    gateway.fold(SMALL.part(2, 2), SMALL.part(2, 3))
    await asyncio.sleep(0)
    assert not waiting.done()
    gateway.fold(SOURCE.part(2, 3))
    answer = await waiting
    assert read(answer.text).edge == (2, 4)
    assert answer.headers["cache-control"] == "public, max-age=12"


async def test_a_blocking_reload_of_a_segment_waits_until_it_is_whole(gateway: Gateway) -> None:
    started(gateway)
    waiting = await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2"))
    gateway.fold(SOURCE.part(2, 2), SOURCE.part(2, 3))
    await asyncio.sleep(0)
    assert not waiting.done()
    gateway.fold(SOURCE.closed(2))
    assert read((await waiting).text).segments[-1].uri == "00000002.m4s"


async def test_a_part_past_the_segment_s_last_means_the_next_segment_s_first(gateway: Gateway) -> None:
    started(gateway)
    waiting = await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=4"))
    gateway.fold(SOURCE.part(2, 2), SOURCE.part(2, 3), SOURCE.closed(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    gateway.fold(SOURCE.part(3, 0))
    assert read((await waiting).text).edge == (3, 1)


async def test_what_is_there_is_answered_at_once(gateway: Gateway) -> None:
    started(gateway)
    for query in (
        "_HLS_msn=0",
        "_HLS_msn=1",
        "_HLS_msn=1&_HLS_part=3",
        "_HLS_msn=1&_HLS_part=9",
        "_HLS_msn=2&_HLS_part=1",
    ):
        assert read((await gateway.get(f"{PLAYLIST}?{query}")).text).edge == (2, 2)
    assert (await gateway.get(f"{PLAYLIST}?_HLS_msn=0")).headers["cache-control"] == "public, max-age=1"


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_part=0",
        "_HLS_msn=5",
        "_HLS_msn=52&_HLS_part=0",
        "_HLS_msn=2&_HLS_part=60",
        "_HLS_msn=-1",
        "_HLS_msn=x",
        "_HLS_msn=",
        "_HLS_msn=2&_HLS_part=1.5",
        "_HLS_msn=9999999999999999999999",
        "_HLS_skip=NO",
        "a=" + "x" * 3_000,
        "&".join(f"p{n}=1" for n in range(30)),
    ],
)
async def test_directives_without_a_meaning_are_refused(gateway: Gateway, query: str) -> None:
    started(gateway)
    answer = await gateway.get(f"{PLAYLIST}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "bad_directive"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_blocking_reload_that_is_not_answered_in_time_gets_503(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_routes, "WAIT_TARGETS", 0.01)
    started(gateway)
    answer = await gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=2")
    assert (answer.status_code, answer.json()["reason"]) == (503, "not_in_time")
    assert answer.headers["retry-after"] == "1"


async def test_a_stop_lets_parked_requests_go(gateway: Gateway) -> None:
    started(gateway)
    waiting = await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=2"))
    hinted = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/00000002.0002.m4s"))
    gateway.state.stop()
    assert (await waiting).status_code == 503
    assert (await hinted).status_code == 503


async def test_a_delta_update_leaves_out_what_is_old(gateway: Gateway) -> None:
    started(gateway, segments=30)
    delta, full = read((await gateway.get(PLAYLIST + "?_HLS_skip=YES")).text), read((await gateway.get(PLAYLIST)).text)
    assert delta.skipped == 18
    assert [s.uri for s in delta.segments] == [s.uri for s in full.segments[18:]]


async def test_an_ended_video_has_an_end_and_no_directives(gateway: Gateway) -> None:
    started(gateway, segments=30, parts=0)
    gateway.fold(video(VideoState.ENDED, last_segment=29, ended_ms=START_MS + 30_000))
    answer = await gateway.get(PLAYLIST + "?_HLS_msn=900&_HLS_skip=YES")
    playlist = read(answer.text)
    assert playlist.ended
    assert not playlist.skipped
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert (await gateway.get(PLAYLIST + "?_HLS_part=none")).text == answer.text


async def test_the_end_answers_those_who_wait(gateway: Gateway) -> None:
    started(gateway, segments=2, parts=0)
    waiting = await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=0"))
    gateway.fold(video(VideoState.ENDED, last_segment=1, ended_ms=START_MS + 2_000))
    assert read((await waiting).text).ended


async def test_breaks_are_date_ranges_in_every_playlist(gateway: Gateway) -> None:
    started(gateway, segments=6)
    gateway.fold(planned(3, 3_000))
    for rendition in ("source", "480p"):
        playlist = read((await gateway.get(f"/v1/videos/{VIDEO}/{rendition}/media.m3u8")).text)
        start, end = playlist.date_ranges
        assert start["START-DATE"] == playlist.segments[3].date
        assert start["SCTE35-OUT"].startswith("0xFC")
        assert end["ID"] == start["ID"]
        assert "SCTE35-IN" in end


async def test_parts_segments_and_init_are_served_for_ever(gateway: Gateway) -> None:
    started(gateway)
    names = [SOURCE.part(1, part).name for part in range(4)]
    part = await gateway.get(f"/v1/videos/{names[2]}")
    assert part.content == data_of(names[2])
    assert part.headers["content-type"] == "video/mp4"
    assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert part.headers["access-control-allow-origin"] == "*"
    whole = await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.m4s")
    assert whole.content == b"".join(map(data_of, names))
    assert whole.headers["content-length"] == str(len(whole.content))
    init = await gateway.get(f"/v1/videos/{SOURCE.part(0, 0).init}")
    assert init.content.startswith(b"init ")
    again = await gateway.get(f"/v1/videos/{names[2]}", if_none_match=part.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


async def test_audio_says_that_it_is_audio(gateway: Gateway) -> None:
    gateway.fold(video(audio=True), *SOUND.segment(0))
    answer = await gateway.get(f"/v1/videos/{VIDEO}/audio/00000000.m4s")
    assert answer.headers["content-type"] == "audio/mp4"


@pytest.mark.parametrize(
    ("asked", "status", "first", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=600-700", 206, 600, 701),
        ("bytes=2500-", 206, 2_500, 2_560),
        ("bytes=-60", 206, 2_500, 2_560),
        ("bytes=-99999", 206, 0, 2_560),
        ("bytes=0-99999", 206, 0, 2_560),
        ("bytes=5-2", 200, 0, 2_560),
        ("bytes=0-1,4-5", 200, 0, 2_560),
        ("lines=0-1", 200, 0, 2_560),
        ("bytes=2560-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
async def test_ranges_of_a_segment(gateway: Gateway, asked: str, status: int, first: int, end: int) -> None:
    started(gateway)
    whole = b"".join(data_of(SOURCE.part(1, part).name) for part in range(4))
    answer = await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.m4s", range=asked)
    assert (answer.status_code, answer.content) == (status, whole[first:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/2560"
    if status == 416:
        assert answer.headers["content-range"] == "bytes */2560"


async def test_if_range_of_another_version_gets_all(gateway: Gateway) -> None:
    started(gateway)
    answer = await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.m4s", range="bytes=0-9", if_range='"other"')
    assert answer.status_code == 200


async def test_head_is_get_without_the_body(gateway: Gateway) -> None:
    started(gateway)
    for path in (PLAYLIST, f"/v1/videos/{VIDEO}/source/00000001.m4s"):
        got = await gateway.get(path)
        head = await gateway.client.head(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["etag"] == got.headers["etag"]


async def test_other_methods_are_refused_and_preflights_are_answered(gateway: Gateway) -> None:
    posted = await gateway.client.post(PLAYLIST)
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
    preflight = await gateway.client.options(PLAYLIST)
    assert preflight.status_code == 204
    assert "range" in preflight.headers["access-control-allow-headers"]


async def test_a_hinted_part_is_waited_for(gateway: Gateway) -> None:
    started(gateway)
    part = SOURCE.part(2, 2)
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{part.name}"))
    gateway.fold(SMALL.part(2, 2))
    await asyncio.sleep(0)
    assert not waiting.done()
    gateway.fold(part)
    assert (await waiting).content == data_of(part.name)


async def test_a_hinted_part_is_the_next_segment_s_first_where_the_segment_ends(gateway: Gateway) -> None:
    started(gateway, parts=4)
    hint = read((await gateway.get(PLAYLIST)).text).hints[0]
    assert hint == "00000002.0004.m4s"
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/{hint}"))
    gateway.fold(SOURCE.closed(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert read((await gateway.get(PLAYLIST)).text).hints == [hint], "it is still what comes next"
    gateway.fold(SOURCE.part(3, 0))
    answer = await waiting
    assert answer.content == data_of(f"{VIDEO}/source/00000003.0000.m4s")
    assert read((await gateway.get(PLAYLIST)).text).segments[-1].parts[0][0] == hint
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000003.0000.m4s")).content == answer.content
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.0005.m4s")).status_code == 404


async def test_a_hint_does_not_lead_over_a_discontinuity(gateway: Gateway) -> None:
    tape = replace(SOURCE, epochs=frozenset({3}))
    gateway.fold(video(), *tape.events(0, 2), *(tape.part(2, part) for part in range(4)))
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/00000002.0004.m4s"))
    gateway.fold(tape.closed(2), tape.part(3, 0))
    assert (await waiting).status_code == 404, "it has another header, which nobody would have asked for"
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000003.0000.m4s")).status_code == 200


async def test_a_part_that_is_hinted_still_gets_503_when_its_publisher_stays_away(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_routes, "HINT_WAIT_S", 0.2)
    started(gateway, parts=4)
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/00000002.0004.m4s"))
    gateway.fold(SOURCE.closed(2))
    answer = await waiting
    assert (answer.status_code, answer.json()["reason"]) == (503, "not_in_time")
    assert answer.headers["retry-after"] == "1"


async def test_a_part_that_was_hinted_and_never_comes_is_not_found(gateway: Gateway) -> None:
    started(gateway, parts=3)
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/480p/00000002.0003.m4s"))
    for number in range(3, 17):
        gateway.clock.now_ms += 1_000
        gateway.fold(*SMALL.segment(number))
    assert (await waiting).status_code == 404, "it is a gap now"
    ended = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/00000002.0003.m4s"))
    gateway.fold(SOURCE.closed(2, parts=3), video(VideoState.ENDED, last_segment=2, ended_ms=START_MS))
    assert (await ended).status_code == 404, "the video is over"


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/videos/{VIDEO}/source/00000009.m4s",
        f"/v1/videos/{VIDEO}/source/00000009.0000.m4s",
        f"/v1/videos/{VIDEO}/source/00000001.0005.m4s",
        f"/v1/videos/{VIDEO}/source/1.m4s",
        f"/v1/videos/{VIDEO}/source/000000001.m4s",
        f"/v1/videos/{VIDEO}/source/000000001.00000.m4s",
        f"/v1/videos/{VIDEO}/source/00000001-no-such.m4s",
        f"/v1/videos/{VIDEO}/source/{'9' * 5000}.m4s",
        f"/v1/videos/{VIDEO}/source/init-123456789abc.mp4",
        f"/v1/videos/{VIDEO}/source/init-ABCDEFABCDEF.mp4",
        f"/v1/videos/{VIDEO}/1080p/media.m3u8",
        f"/v1/videos/{VIDEO[:-1]}z/source/media.m3u8",
        f"/v1/videos/{VIDEO[:-1]}z/master.m3u8",
        "/live/nobody/master.m3u8",
    ],
)
async def test_what_is_neither_listed_nor_hinted_is_not_found(gateway: Gateway, path: str) -> None:
    started(gateway)
    answer = await gateway.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_segment_that_left_the_playlist_is_still_served(gateway: Gateway) -> None:
    long = Tape([1] * 400)
    gateway.fold(video(), *long.events())
    assert read((await gateway.get(PLAYLIST)).text).sequence > 90
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000090.m4s")).status_code == 200


async def test_the_parts_of_a_gap_are_not_found(gateway: Gateway) -> None:
    gateway.fold(video(), *SOURCE.segment(0), *SMALL.events(0, 3), SOURCE.closed(1, parts=0), *SOURCE.segment(2))
    assert [s.gap for s in read((await gateway.get(PLAYLIST)).text).segments] == [False, True, False]
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.0000.m4s")).status_code == 404


async def test_parts_whose_bytes_are_gone_are_not_found(gateway: Gateway) -> None:
    started(gateway)
    gateway.store.remove_video(VIDEO)
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.m4s")).status_code == 404


def variants(text: str) -> dict[str, dict[str, str]]:
    """Attributes of each variant by URI."""
    lines = text.splitlines()
    return {
        lines[at + 1]: attributes(line.partition(":")[2])
        for at, line in enumerate(lines)
        if line.startswith("#EXT-X-STREAM-INF")
    }


async def test_the_multivariant_playlist_names_the_renditions(gateway: Gateway) -> None:
    started(gateway)
    gateway.fold(video(audio=True), *SOUND.segment(0))
    own = await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")
    assert set(variants(own.text)) == {"source/media.m3u8", "480p/media.m3u8", "audio/media.m3u8"}
    variant = variants(own.text)["480p/media.m3u8"]
    assert variant["CODECS"] == "avc1.64001f,mp4a.40.2"
    assert variant["RESOLUTION"] == "1280x720"
    assert int(variant["BANDWIDTH"]) >= 1_200_000, "at least the encoder's setting"
    channel = await gateway.get("/live/ann/master.m3u8")
    names = ("source", "480p", "audio")
    assert set(variants(channel.text)) == {f"../../v1/videos/{VIDEO}/{name}/media.m3u8" for name in names}
    assert f'URI="../../v1/videos/{VIDEO}/audio/media.m3u8"' in channel.text
    assert channel.headers["cache-control"] == "public, max-age=1"


async def test_a_device_gets_the_renditions_that_suit_it(gateway: Gateway) -> None:
    started(gateway)
    gateway.fold(video(audio=True), *SOUND.segment(0))
    master = f"/v1/videos/{VIDEO}/master.m3u8"
    named = await gateway.get(master + "?deviceType=audio-only")
    assert list(variants(named.text)) == ["audio/media.m3u8"]
    assert named.headers["vary"] == "accept-encoding"
    hinted = await gateway.get(master, sec_ch_ua_mobile="?1", sec_ch_ua_platform='"Android"')
    assert list(variants(hinted.text))[-1] == "audio/media.m3u8"
    assert hinted.headers["vary"] == "accept-encoding, sec-ch-ua-mobile, sec-ch-ua-platform, save-data, ect, downlink"


async def test_a_device_that_nobody_knows_is_told_which_there_are(gateway: Gateway) -> None:
    started(gateway)
    answer = await gateway.get("/live/ann/master.m3u8?deviceType=toaster")
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_device_type")
    assert answer.json()["choices"] == ["phone", "tablet", "desktop", "tv", "low-power", "audio-only"]
    assert all(choice in answer.json()["detail"] for choice in answer.json()["choices"])


async def test_an_i_frame_playlist_lists_the_start_of_each_whole_segment(gateway: Gateway) -> None:
    gateway.fold(video())
    for event in SOURCE.events(0, 3):
        gateway.fold(replace(event, keyframe_size=100) if isinstance(event, PartReady) and event.part == 0 else event)
    master = await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")
    assert 'URI="source/iframes.m3u8"' in master.text
    playlist = await gateway.get(f"/v1/videos/{VIDEO}/source/iframes.m3u8")
    assert playlist.headers["cache-control"] == "public, max-age=1"
    lines = playlist.text.splitlines()
    assert "#EXT-X-I-FRAMES-ONLY" in lines
    assert [line for line in lines if not line.startswith("#")] == [f"0000000{n}.m4s" for n in range(3)]
    assert lines.count("#EXT-X-BYTERANGE:100@0") == 3
    keyframe = await gateway.get(f"/v1/videos/{VIDEO}/source/00000001.m4s", range="bytes=0-99")
    assert (keyframe.status_code, keyframe.content) == (206, data_of(f"{VIDEO}/source/00000001.0000.m4s")[:100])
    assert (await gateway.get(f"/v1/videos/{VIDEO}/audio/iframes.m3u8")).status_code == 404


async def test_playlists_are_sent_in_brotli_where_it_is_taken(gateway: Gateway) -> None:
    started(gateway)
    plain = await gateway.get(PLAYLIST, accept_encoding="identity")
    small = await gateway.get(PLAYLIST, accept_encoding="gzip, deflate, br, zstd")
    assert (small.headers["content-encoding"], small.text) == ("br", plain.text)
    assert int(small.headers["content-length"]) < len(plain.content)
    assert small.headers["etag"] not in (plain.headers["etag"], "")
    refused = await gateway.get(PLAYLIST, accept_encoding="br;q=0, gzip")
    assert refused.headers["content-encoding"] == "gzip"


async def test_a_head_request_gets_the_headers_alone(gateway: Gateway) -> None:
    started(gateway)
    whole = await gateway.get(PLAYLIST, accept_encoding="identity")
    head = await gateway.client.head(PLAYLIST, headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["etag"] == whole.headers["etag"]


async def test_the_multivariant_playlist_waits_until_all_renditions_have_begun(gateway: Gateway) -> None:
    gateway.fold(video(audio=True), SOURCE.part(0, 0))
    waiting = await parked(gateway, gateway.get("/live/ann/master.m3u8"))
    gateway.fold(SMALL.part(0, 0))
    gateway.fold(*SOURCE.segment(0))
    await asyncio.sleep(0)
    assert not waiting.done(), "the announced audio is missing"
    gateway.fold(SOUND.part(0, 0))
    assert len(variants((await waiting).text)) == 3


async def test_a_source_that_cannot_be_entered_at_every_segment_is_left_out(gateway: Gateway) -> None:
    long_gop = Tape([4] * 3, long_gop=True)
    gateway.fold(video(), *long_gop.events())
    assert set(variants((await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text)) == {"source/media.m3u8"}
    gateway.fold(*SMALL.events(0, 3))
    assert set(variants((await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text)) == {"480p/media.m3u8"}
    assert not read((await gateway.get(PLAYLIST)).text).independent


async def test_a_video_that_has_no_media_yet_is_asked_for_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_routes, "SETTLE_S", 0.01)
    gateway.fold(video(), SOURCE.closed(0, parts=0))
    answer = await gateway.get("/live/ann/master.m3u8")
    assert (answer.status_code, answer.json()["reason"]) == (503, "starting")


async def test_one_text_serves_all_until_something_changes(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Window] = []

    def counted(window: Window, *, skip: Skip, texts: SegmentTexts) -> str:
        rendered.append(window)
        return media_playlist(window, skip=skip, texts=texts)

    started(gateway)
    monkeypatch.setattr("gateway.playlists.media_playlist", counted)
    waiting = [await parked(gateway, gateway.get(PLAYLIST + "?_HLS_msn=2&_HLS_part=2")) for _ in range(20)]
    gateway.fold(SOURCE.part(2, 2))
    assert len({(await task).text for task in waiting}) == 1
    assert len(rendered) == 1
