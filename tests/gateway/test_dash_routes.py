"""DASH as a client sees it, over ASGI: manifests, the clock, open and lost segments."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from fractions import Fraction

import httpx
import pytest
import uvicorn

from gateway.server import listen, server_config
from media.boxes import iter_boxes
from schemas.events import PartReady, SegmentClosed, VideoState
from tests.conftest import free_ports
from tests.gateway.broadcast_tape import BroadcastTape, Stretch
from tests.gateway.conftest import Gateway
from tests.gateway.manifest_reader import read_manifest
from tests.gateway.tape import VIDEO, data_of
from tests.gateway.test_media_routes import parked
from tests.waiting import eventually

TAPE = BroadcastTape([Stretch(4), Stretch(3, away_ms=4_000, height=360)])
ENOUGH = 3
"""Segments of 2 s that are as much as players stay behind, when the next has begun."""
MANIFEST = f"/v1/videos/{VIDEO}/manifest.mpd"


def parts(rendition: str, number: int) -> list[PartReady]:
    return [event for event in TAPE.of(rendition, number) if isinstance(event, PartReady)]


def begin(gateway: Gateway, segments: int = ENOUGH, *, open_parts: int = 3) -> None:
    """A live video with whole segments, and parts of an open one."""
    gateway.fold(TAPE.video(), *(event for n in range(segments) for event in TAPE.segment(n)))
    for name in ("source", "480p", "audio"):
        gateway.fold(*parts(name, segments)[:open_parts])


async def test_a_manifest_lists_what_was_folded(gateway: Gateway) -> None:
    begin(gateway)
    answer = await gateway.get(MANIFEST)
    assert answer.status_code == 200
    found = read_manifest(answer.text)
    assert found.live
    assert {r.id: [s.number for s in r.segments] for r in found.periods[0].representations} == {
        name: [0, 1, 2] for name in ("source", "480p", "audio")
    }
    for one in found.periods[0].representations:
        for url in (one.init, *(segment.url for segment in one.segments)):
            assert (await gateway.get(str(httpx.URL(MANIFEST).join(url)))).status_code == 200


async def test_manifests_say_how_they_may_be_kept_and_read(gateway: Gateway) -> None:
    begin(gateway)
    answer = await gateway.get(MANIFEST, accept_encoding="gzip")
    assert answer.headers["content-type"] == "application/dash+xml"
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding", "edges keep it for all devices"
    again = await gateway.get(MANIFEST, accept_encoding="gzip", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    gateway.fold(*TAPE.segment(3))
    assert (await gateway.get(MANIFEST, if_none_match=answer.headers["etag"])).status_code == 200


async def test_a_channel_s_manifest_sends_players_on_to_the_video(gateway: Gateway) -> None:
    begin(gateway)
    answer = await gateway.get("/live/ann/manifest.mpd?deviceType=phone")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (307, "*")
    assert answer.headers["location"] == f"../../v1/videos/{VIDEO}/manifest.mpd?deviceType=phone"
    there = await gateway.get(str(httpx.URL("/live/ann/manifest.mpd").join(answer.headers["location"])))
    assert read_manifest(there.text).live


async def test_a_manifest_offers_what_suits_the_device(gateway: Gateway) -> None:
    begin(gateway)
    heights = {}
    for device in ("desktop", "audio-only"):
        found = read_manifest((await gateway.get(f"{MANIFEST}?deviceType={device}")).text)
        heights[device] = [r.id for r in found.periods[0].representations]
    assert heights == {"desktop": ["480p", "source", "audio"], "audio-only": ["audio"]}
    assert (await gateway.get(f"{MANIFEST}?deviceType=toaster")).status_code == 400


async def test_an_ended_video_is_static_and_each_period_says_what_it_was(gateway: Gateway) -> None:
    gateway.fold(TAPE.video(), *TAPE.events(), TAPE.video(VideoState.ENDED))
    answer = await gateway.get(MANIFEST)
    found = read_manifest(answer.text)
    assert not found.live
    assert [p.representations[-2].attributes["height"] for p in found.periods] == ["720", "360"]
    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_a_manifest_waits_until_all_renditions_have_a_segment(gateway: Gateway) -> None:
    gateway.fold(TAPE.video(), *TAPE.of("source", 0), *TAPE.of("480p", 0)[:1])
    waiting = await parked(gateway, gateway.get(MANIFEST))
    gateway.fold(*TAPE.of("480p", 0))
    await asyncio.sleep(0)
    assert not waiting.done(), "the announced sound is missing"
    gateway.fold(*TAPE.of("audio", 0), *TAPE.segment(1), *TAPE.segment(2), *TAPE.segment(3))
    assert len(read_manifest((await waiting).text).periods[0].representations) == 3


async def test_a_manifest_waits_until_there_is_as_much_as_players_stay_behind(gateway: Gateway) -> None:
    gateway.fold(TAPE.video(), *TAPE.segment(0), *TAPE.segment(1))
    waiting = await parked(gateway, gateway.get(MANIFEST))
    gateway.fold(*TAPE.segment(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    gateway.fold(*(parts(name, 3)[0] for name in ("source", "480p", "audio")))
    found = read_manifest((await waiting).text)
    delay_s = Fraction(found.root.attrib["suggestedPresentationDelay"][2:-1])
    for one in found.periods[0].representations:
        early_s = Fraction(one.template["availabilityTimeOffset"])
        lasts_s = sum(Fraction(segment.duration, one.timescale) for segment in one.segments)
        assert lasts_s + early_s - delay_s > 1, f"{one.id}: players begin more than a second behind the start"


async def test_a_manifest_does_not_wait_for_who_has_left(gateway: Gateway) -> None:
    gateway.fold(TAPE.video(), *TAPE.segment(0), TAPE.video(VideoState.INTERRUPTED))
    assert read_manifest((await gateway.get(MANIFEST)).text).live


async def test_what_has_been_waited_for_long_enough_is_given_as_it_is(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.dash_routes.ENOUGH_S", 0.01)
    gateway.fold(TAPE.video(), *TAPE.segment(0))
    assert read_manifest((await gateway.get(MANIFEST)).text).live


@pytest.mark.parametrize("path", ["/live/nobody/manifest.mpd", f"/v1/videos/{VIDEO[:-1]}z/manifest.mpd"])
async def test_what_does_not_exist_is_not_found(gateway: Gateway, path: str) -> None:
    answer = await gateway.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_video_without_media_yet_is_asked_for_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dash_routes.SETTLE_S", 0.01)
    gateway.fold(TAPE.video(), parts("source", 0)[0])
    answer = await gateway.get(MANIFEST)
    assert (answer.status_code, answer.json()["reason"]) == (503, "starting")


async def test_the_clock_is_an_xml_date_time_that_nobody_keeps(gateway: Gateway) -> None:
    answer = await gateway.get("/v1/time")
    assert datetime.fromisoformat(answer.text).timestamp() * 1000 == gateway.clock.now_ms
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


# Open and lost segments


async def test_an_open_segment_is_waited_for_to_its_end_and_is_what_it_is_afterwards(gateway: Gateway) -> None:
    begin(gateway)
    url = f"/v1/videos/{VIDEO}/source/00000003.m4s"
    waiting = await parked(gateway, gateway.get(url))
    gateway.fold(*TAPE.of("source", 3))
    answer = await waiting
    assert answer.content == b"".join(data_of(part.name) for part in parts("source", 3))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await gateway.get(url)).content == answer.content


async def test_a_segment_that_is_about_to_begin_is_waited_for(gateway: Gateway) -> None:
    begin(gateway, open_parts=0)
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/audio/00000003.m4s"))
    gateway.fold(*TAPE.of("audio", 3))
    assert (await waiting).status_code == 200


async def test_a_segment_further_ahead_is_not_found(gateway: Gateway) -> None:
    begin(gateway)
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000005.m4s")).status_code == 404


async def test_a_segment_that_does_not_begin_because_all_is_over_is_not_found(gateway: Gateway) -> None:
    tape = BroadcastTape([Stretch(2)])
    gateway.fold(tape.video(), *tape.events())
    waiting = await parked(gateway, gateway.get(f"/v1/videos/{VIDEO}/source/00000002.m4s"))
    gateway.fold(tape.video(VideoState.ENDED))
    assert (await waiting).status_code == 404


async def test_boxes_without_samples_stand_for_a_lost_segment(gateway: Gateway) -> None:
    lost = SegmentClosed(video_id=VIDEO, channel="ann", rendition="480p", gop=1, segment=1, parts=0)
    gateway.fold(TAPE.video(), *TAPE.segment(0), *TAPE.of("source", 1), *TAPE.of("audio", 1), lost)
    gateway.fold(*TAPE.segment(2), *TAPE.segment(3))
    found = read_manifest((await gateway.get(MANIFEST)).text).representation("480p")
    assert [segment.lost for segment in found.segments] == [False, True, False, False]
    answer = await gateway.get(f"/v1/videos/{VIDEO}/480p/00000001.m4s")
    assert answer.status_code == 200
    assert [box.kind for box in iter_boxes(answer.content)] == [b"styp", b"free"]
    assert answer.headers["cache-control"] == "public, max-age=60"


@asynccontextmanager
async def served(gateway: Gateway) -> AsyncIterator[str]:
    """The gateway under uvicorn, as it runs; gives its address."""
    port = free_ports(1)[0]
    config = server_config(gateway.state.settings, gateway.state)
    config.app, config.lifespan = gateway.app, "off"
    server = uvicorn.Server(config)
    with listen("127.0.0.1", port) as listening:
        task = asyncio.create_task(server.serve([listening]))
        try:
            await eventually(lambda: server.started, what="a listening server")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


async def chunk(reader: asyncio.StreamReader) -> bytes:
    """One chunk of a chunked body (RFC 9112, 7.1); empty at its end."""
    size = int(await reader.readline(), 16)
    data = await reader.readexactly(size)
    assert await reader.readexactly(2) == b"\r\n"
    return data


async def test_parts_of_an_open_segment_leave_as_they_are_made_one_http_chunk_each(gateway: Gateway) -> None:
    begin(gateway)
    wanted = parts("source", 3)
    async with served(gateway) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.rpartition(":")[2]))
        writer.write(f"GET /v1/videos/{VIDEO}/source/00000003.m4s HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).lower()
        assert head.startswith(b"http/1.1 200")
        assert b"transfer-encoding: chunked" in head
        for part in wanted[:3]:
            assert await asyncio.wait_for(chunk(reader), 60) == data_of(part.name)
        for part in wanted[3:]:
            gateway.fold(part)
            assert await asyncio.wait_for(chunk(reader), 60) == data_of(part.name), "the segment is not closed yet"
        gateway.fold(TAPE.of("source", 3)[-1])
        assert await asyncio.wait_for(chunk(reader), 60) == b""
        writer.close()
        await writer.wait_closed()


async def test_a_stop_in_the_midst_of_a_segment_cuts_the_connection(gateway: Gateway) -> None:
    begin(gateway)
    async with served(gateway) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.rpartition(":")[2]))
        writer.write(f"GET /v1/videos/{VIDEO}/source/00000003.m4s HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        gateway.state.stop()
        rest = await asyncio.wait_for(reader.read(), 60)
        assert rest
        assert not rest.endswith(b"0\r\n\r\n"), "no last chunk: nobody takes the segment for whole"
        writer.close()
        await writer.wait_closed()
