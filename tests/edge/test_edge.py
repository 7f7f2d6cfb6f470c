"""The edge: one request for many, links checked without the gateway, nothing private shown, and what it shows alone."""

import asyncio
import re
from dataclasses import replace

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from schemas.events import PartReady, TrackInfo, Visibility
from stores.link_keys import link_keys_path, rotate_link_keys
from tests.edge.conftest import EdgeRig
from tests.gateway.playlist_reader import read
from tests.gateway.tape import VIDEO, Tape, data_of, video
from tests.waiting import eventually, eventually_async

SOURCE = Tape([4] * 8)
UHD = TrackInfo(codecs="avc1.640033", width=3_840, height=2_160, frame_rate=30.0, sample_rate=0, channels=0)
BELOW = f"videos/{VIDEO}"
PLAYLIST = f"/v1/{BELOW}/source/media.m3u8"
SEGMENT = f"/v1/{BELOW}/source/00000001.m4s"
PART = f"/v1/{BELOW}/source/00000001.0002.m4s"


def show(edge: EdgeRig, visibility: Visibility = Visibility.PUBLIC, parts: int = 2) -> None:
    """Two whole segments, and the first parts of the third."""
    edge.gateway.fold(replace(video(), visibility=visibility), *SOURCE.events(0, 2))
    edge.gateway.fold(*(SOURCE.part(2, part) for part in range(parts)))


def asked(edge: EdgeRig, path: str) -> int:
    return edge.origin.asked[path.removeprefix("/v1/")]


async def test_two_hundred_viewers_who_wait_for_a_playlist_are_one_request_to_the_gateway(edge: EdgeRig) -> None:
    show(edge)
    path = f"{PLAYLIST}?_HLS_msn=2&_HLS_part=2"
    viewers = [asyncio.create_task(edge.get(path)) for _ in range(200)]
    await eventually(lambda: asked(edge, PLAYLIST))
    await eventually_async(lambda: connections(edge, 200), what="all viewers at the edge")
    edge.gateway.fold(SOURCE.part(2, 2))
    answers = await asyncio.gather(*viewers)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert read(answers[0].text).edge == (2, 3)
    assert asked(edge, PLAYLIST) == 1


async def connections(edge: EdgeRig, at_least: int) -> bool:
    """Whether so many sockets of the client are open towards the edge."""
    pool = edge.client._transport._pool  # type: ignore[attr-defined]
    return len([c for c in pool.connections if not c.is_idle()]) >= at_least


async def test_viewers_who_wait_for_the_hinted_part_are_one_request_too(edge: EdgeRig) -> None:
    show(edge)
    part = SOURCE.part(2, 2)
    viewers = [asyncio.create_task(edge.get(f"/v1/videos/{part.name}")) for _ in range(100)]
    await eventually(lambda: asked(edge, f"/v1/videos/{part.name}"))
    edge.gateway.fold(part)
    answers = await asyncio.gather(*viewers)
    assert {answer.content for answer in answers} == {data_of(part.name)}
    assert asked(edge, f"/v1/videos/{part.name}") == 1


async def test_a_viewer_who_leaves_takes_nothing_from_the_others(edge: EdgeRig) -> None:
    show(edge)
    path = f"{PLAYLIST}?_HLS_msn=2&_HLS_part=2"
    first = asyncio.create_task(edge.get(path))
    await eventually(lambda: asked(edge, PLAYLIST))
    others = [asyncio.create_task(edge.get(path)) for _ in range(20)]
    first.cancel()
    await asyncio.wait({first})
    edge.gateway.fold(SOURCE.part(2, 2))
    assert {answer.status_code for answer in await asyncio.gather(*others)} == {200}
    assert asked(edge, PLAYLIST) == 1


@pytest.mark.parametrize("path", [SEGMENT, PART, f"/v1/videos/{SOURCE.part(0, 0).init}"])
async def test_media_is_asked_for_once_and_then_served_from_the_cache(edge: EdgeRig, path: str) -> None:
    show(edge)
    first, second = await edge.get(path), await edge.get(path)
    assert first.content == second.content
    assert first.status_code == second.status_code == 200
    assert second.headers["x-logcast-edge"] == "HIT"
    assert second.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "x-logcast-keep" not in second.headers
    assert asked(edge, path) == 1
    piece = await edge.get(path, range="bytes=5-9")
    assert (piece.status_code, piece.content) == (206, first.content[5:10])
    assert (await edge.get(path, if_none_match=first.headers["etag"])).status_code == 304
    assert asked(edge, path) == 1


async def test_each_coding_is_kept_once_however_it_is_spelled(edge: EdgeRig) -> None:
    show(edge)
    plain = (await edge.get(PLAYLIST, accept_encoding="identity")).text
    for spelling in ("gzip", "deflate, gzip;q=1.0", "gzip, zstd"):
        answer = await edge.get(PLAYLIST, accept_encoding=spelling)
        assert (answer.headers["content-encoding"], answer.text) == ("gzip", plain)
    refused = await edge.get(PLAYLIST, accept_encoding="gzip;q=0")
    assert "content-encoding" not in refused.headers
    assert asked(edge, PLAYLIST) <= 4, "two codings, each kept for a second or two"


async def test_a_phone_s_multivariant_playlist_is_not_a_desktop_s(edge: EdgeRig) -> None:
    show(edge)
    tall = Tape([4] * 3, "480p")
    edge.gateway.fold(*(replace(event, info=UHD) if isinstance(event, PartReady) else event for event in tall.events()))
    master = f"/v1/{BELOW}/master.m3u8"
    for _ in range(2):
        assert "480p/media.m3u8" in (await edge.get(master, sec_ch_ua_mobile="?0")).text
        assert "480p/media.m3u8" not in (await edge.get(master, sec_ch_ua_mobile="?1")).text
        assert "480p/media.m3u8" in (await edge.get(master + "?deviceType=tv", sec_ch_ua_mobile="?1")).text
        assert "480p/media.m3u8" in (await edge.get(master, downlink="0.1", ect="2g")).text
    assert asked(edge, master) <= 6, "each kept for a second or two"


async def test_what_is_not_there_is_answered_as_the_gateway_does_and_not_kept(edge: EdgeRig) -> None:
    show(edge)
    gone = f"/v1/{BELOW}/source/00000007.m4s"
    for _ in range(2):
        answer = await edge.get(gone)
        assert (answer.status_code, answer.json()["reason"]) == (404, "no_media")
        assert answer.headers["access-control-allow-origin"] == "*"
    assert asked(edge, gone) == 2
    assert (await edge.get(f"{PLAYLIST}?_HLS_msn=x")).status_code == 400


class TestLinks:
    """What the edge decides by itself."""

    async def test_a_good_link_opens_a_private_video_and_another_good_one_gets_the_same_from_the_cache(
        self, edge: EdgeRig
    ) -> None:
        show(edge, Visibility.PRIVATE)
        for tag in ("ann", "ben"):
            answer = await edge.get(f"/s/{edge.token(video_id=VIDEO, tag=tag)}{SEGMENT}")
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert asked(edge, SEGMENT) == 1

    async def test_a_playlist_below_a_link_leads_to_addresses_below_it(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        answer = await edge.get(f"/s/{edge.token(video_id=VIDEO)}/v1/{BELOW}/master.m3u8")
        media = await edge.client.get(answer.url.join("source/media.m3u8"))
        segment = await edge.client.get(media.url.join(read(media.text).segments[0].uri))
        assert segment.status_code == 200

    async def test_bad_and_ended_links_are_refused_without_asking_the_gateway(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        good = edge.token(video_id=VIDEO)
        cases = {
            edge.token(video_id=VIDEO, lasts_s=-60): "link_expired",
            good[:-5] + "AAAAA": "bad_link",
            good.replace(f".v{VIDEO}.", f".v{'z' * 20}."): "bad_link",
            good + "A": "bad_link",
            "k9" + good[2:]: "bad_link",
            "x": "bad_link",
            edge.token(video_id="z" * 20): "private",
        }
        for token, reason in cases.items():
            for path in (SEGMENT, PLAYLIST):
                answer = await edge.get(f"/s/{token}{path}")
                assert (answer.status_code, answer.json()["reason"]) == (403, reason)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["cache-control"] == "no-store"
        assert not edge.origin.asked

    async def test_a_link_just_past_its_end_still_works_for_clocks_differ(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        assert (await edge.get(f"/s/{edge.token(video_id=VIDEO, lasts_s=-1)}{SEGMENT}")).status_code == 200

    async def test_a_new_key_is_taken_up_and_an_old_one_ends_when_it_is_taken_out(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        file, old = link_keys_path(edge.gateway.state.settings), edge.token(video_id=VIDEO)

        async def status(token: str) -> int:
            return (await edge.get(f"/s/{token}{SEGMENT}")).status_code

        assert await status(old) == 200
        rotate_link_keys(file)
        await eventually(lambda: edge.token(video_id=VIDEO).split(".")[0] == "k2")
        new = edge.token(video_id=VIDEO)

        async def every_worker_answers(wanted: list[int]) -> bool:
            return all([[await status(old), await status(new)] == wanted for _ in range(10)])

        await eventually_async(lambda: every_worker_answers([200, 200]), what="the new key")
        rotate_link_keys(file, keep=1)
        file.write_text(file.read_text() + "k2 " + "x" * 43 + "\n")
        await eventually_async(lambda: every_worker_answers([403, 403]), what="the end of the old keys")

    async def test_a_channel_s_link_leads_to_its_current_video(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        answer = await edge.get(f"/s/{edge.token(channel='ann')}/live/ann/master.m3u8")
        assert answer.status_code == 307
        followed = await edge.client.get(answer.url.join(answer.headers["location"]))
        assert "source/media.m3u8" in followed.text
        below = followed.url.join("source/00000001.m4s")
        assert (await edge.client.get(below)).status_code == 200

    async def test_a_channel_s_link_below_a_video_is_decided_by_the_gateway_and_kept_nowhere(
        self, edge: EdgeRig
    ) -> None:
        show(edge, Visibility.PRIVATE)
        for channel, status in (("ann", 200), ("ben", 403), ("ann", 200)):
            assert (await edge.get(f"/s/{edge.token(channel=channel)}{SEGMENT}")).status_code == status
        assert asked(edge, SEGMENT) == 3

    async def test_an_address_that_is_written_with_escapes_is_refused(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        token = edge.token(video_id=VIDEO)
        await edge.get(f"/s/{token}{SEGMENT}")
        for path in (f"/v1/videos/{VIDEO[:-1]}%{ord(VIDEO[-1]):02x}/source/00000001.m4s", f"/s/{token}/../..{SEGMENT}"):
            raw = await raw_status(edge, path)
            assert raw == 400, path


async def raw_status(edge: EdgeRig, path: str) -> int:
    """The status of a path that no client may tidy up."""
    port = httpx.URL(edge.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(status.split()[1])


class TestPrivate:
    """Nothing private is shown without a link, whatever is in the cache and wherever the gateway is."""

    async def test_what_a_link_brought_into_the_cache_is_not_for_others(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        for path in (SEGMENT, PLAYLIST):
            assert (await edge.get(f"/s/{edge.token(video_id=VIDEO)}{path}")).status_code == 200
            answer = await edge.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (403, "private")
        await edge.origin.stop()
        assert (await edge.get(f"/s/{edge.token(video_id=VIDEO)}{SEGMENT}")).status_code == 200, "holders see it"
        for path in (SEGMENT, PLAYLIST):
            assert (await edge.get(path)).status_code == 503

    async def test_what_the_owner_got_by_a_token_is_not_for_others(self, edge: EdgeRig) -> None:
        show(edge, Visibility.PRIVATE)
        operator = edge.gateway.state.settings.admin_token.get_secret_value()
        for _ in range(2):
            assert (await edge.get(SEGMENT, authorization=f"Bearer {operator}")).status_code == 200
            assert (await edge.get(SEGMENT)).status_code == 403

    async def test_a_video_that_turns_private_is_shown_no_more_though_its_bytes_are_in_the_cache(
        self, edge: EdgeRig
    ) -> None:
        show(edge)
        assert (await edge.get(SEGMENT)).status_code == 200
        edge.gateway.fold(replace(video(), visibility=Visibility.PRIVATE))
        assert (await edge.get(f"{PLAYLIST}?_HLS_msn=2&_HLS_part=0")).status_code == 403
        assert (await edge.get(SEGMENT)).status_code == 403
        await edge.origin.stop()
        assert (await edge.get(SEGMENT)).status_code == 503
        await edge.origin.start()
        edge.gateway.fold(video())
        assert (await edge.get(SEGMENT)).status_code == 200, "public again"
        assert (await edge.get(SEGMENT)).headers["x-logcast-edge"] == "HIT"


class TestGatewayAway:
    """What an edge does alone."""

    async def test_what_was_kept_is_served_and_then_served_anew(self, edge: EdgeRig) -> None:
        show(edge)
        before = await edge.get(PLAYLIST)
        assert (await edge.get(SEGMENT)).status_code == 200
        await edge.origin.stop()

        async def stale() -> bool:
            answer = await edge.get(PLAYLIST)
            assert (answer.status_code, answer.text) == (200, before.text)
            return answer.headers["x-logcast-edge"] == "STALE"

        await eventually_async(stale, what="a stale playlist")
        assert (await edge.get(SEGMENT)).content == b"".join(data_of(SOURCE.part(1, part).name) for part in range(4))
        missing = await edge.get(f"/v1/{BELOW}/source/00000000.m4s")
        assert (missing.status_code, missing.json()["reason"]) == (503, "away")
        assert missing.headers["retry-after"] == "1"
        await edge.origin.start()
        edge.gateway.fold(SOURCE.part(2, 2))

        async def new() -> bool:
            return read((await edge.get(PLAYLIST)).text).edge == (2, 3)

        await eventually_async(new, what="the new playlist")


async def test_the_feed_passes_through_with_and_without_a_link(edge: EdgeRig) -> None:
    show(edge, Visibility.PRIVATE)
    feed = f"{edge.url.replace('http', 'ws')}{{}}/v1/{BELOW}/feed"
    async with connect(
        feed.format(f"/s/{edge.token(video_id=VIDEO)}"), subprotocols=[Subprotocol("logcast.v1")]
    ) as socket:
        await socket.send(orjson.dumps({"type": "join", "name": "Ann", "history": 0}).decode())
        joined = orjson.loads(await socket.recv())
        assert (joined["type"], joined["video"]["id"]) == ("joined", VIDEO)
    async with connect(feed.format(""), subprotocols=[Subprotocol("logcast.v1")]) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4403


async def test_what_was_answered_is_counted_for_prometheus_and_viewers_do_not_see_it(edge: EdgeRig) -> None:
    show(edge)
    for _ in range(3):
        assert (await edge.get(SEGMENT)).status_code == 200

    async def counted() -> str | None:
        text = (await edge.client.get(edge.metrics_url)).text
        counts = re.findall(r'^logcast_edge_requests_total{cache="[A-Z]+",status="200"} ([0-9]+)$', text, re.MULTILINE)
        return text if sum(map(int, counts)) == 3 else None

    text = await eventually_async(counted, what="three requests")
    assert text is not None
    assert 'cache="HIT"' in text
    assert int(re.findall(r"^logcast_edge_sent_bytes_total ([0-9]+)$", text, re.MULTILINE)[0]) > 0
    states = re.findall(r'^logcast_edge_connections{state="([a-z]+)"} [0-9]+$', text, re.MULTILINE)
    assert states == ["active", "reading", "writing", "waiting"]
    assert "logcast_edge" not in (await edge.get("/metrics")).text


async def test_a_lossless_push_passes_through_to_where_its_key_is_asked_for(edge: EdgeRig) -> None:
    push = f"{edge.url.replace('http', 'ws')}/v1/channels/one/ingest"
    async with connect(push, subprotocols=[Subprotocol("logcast.ingest.v1")]) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401


async def test_pages_and_the_api_pass_through(edge: EdgeRig) -> None:
    show(edge)
    assert (await edge.get("/")).headers["content-type"].startswith("text/html")
    assert (await edge.get("/v1/channels")).json()["channels"][0]["video_id"] == VIDEO
    assert (await edge.client.options(SEGMENT)).status_code == 204
    assert (await edge.client.head(SEGMENT)).headers["content-length"] == str(4 * 640)
    assert (await edge.get("/edge/health")).json() == {"status": "ok"}


async def test_an_open_segment_comes_whole_when_it_is_whole_and_is_one_request(edge: EdgeRig) -> None:
    show(edge)
    path = f"/v1/{BELOW}/source/00000002.m4s"
    viewers = [asyncio.create_task(edge.get(path)) for _ in range(20)]
    await eventually(lambda: asked(edge, path))
    edge.gateway.fold(SOURCE.part(2, 2), SOURCE.part(2, 3), SOURCE.closed(2))
    whole = b"".join(data_of(SOURCE.part(2, part).name) for part in range(4))
    assert {answer.content for answer in await asyncio.gather(*viewers)} == {whole}
    assert asked(edge, path) == 1
    assert (await edge.get(path)).headers["x-logcast-edge"] == "HIT"
