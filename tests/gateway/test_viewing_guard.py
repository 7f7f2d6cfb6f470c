"""Public, unlisted and private videos: what is answered to whom, on every route."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.link_keys import LinkKeys
from gateway.signed_links import Link
from schemas.events import Visibility
from stores.accounts import Accounts
from stores.link_keys import link_keys_path, rotate_link_keys
from tests.gateway.conftest import Gateway
from tests.gateway.tape import VIDEO, Tape, video
from tests.gateway.test_dash_routes import served

SOURCE = Tape([4] * 4)
OTHER = "z" * 20

PATHS = [
    f"/v1/videos/{VIDEO}",
    f"/v1/videos/{VIDEO}/master.m3u8",
    f"/v1/videos/{VIDEO}/source/media.m3u8",
    f"/v1/videos/{VIDEO}/source/00000001.m4s",
    f"/v1/videos/{VIDEO}/source/00000001.0002.m4s",
    f"/v1/videos/{SOURCE.part(0, 0).init}",
    f"/v1/videos/{VIDEO}/comments",
    "/live/ann/master.m3u8",
    "/v1/channels/ann/cues",
]
LATER = [
    f"/v1/videos/{VIDEO}/manifest.mpd",
    f"/v1/videos/{VIDEO}/frame",
    f"/v1/videos/{VIDEO}/download",
    f"/v1/videos/{VIDEO}/no-route-yet/at/all",
    f"/v1/videos/{VIDEO}/",
    "/live/ann/manifest.mpd",
    "/live/ann/anything",
]


@pytest.fixture
async def keyed(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway with a key, and accounts with two channels."""
    rotate_link_keys(link_keys_path(gateway.state.settings))
    async with Accounts.open(gateway.state.settings) as accounts:
        gateway.state.accounts = accounts
        yield gateway


def show(gateway: Gateway, visibility: Visibility) -> None:
    gateway.fold(replace(video(), visibility=visibility), *SOURCE.events())


def token(gateway: Gateway, *, lasts_s: int = 60, video_id: str = "", channel: str = "") -> str:
    return gateway.state.link_keys.token(Link(gateway.clock() // 1000 + lasts_s, video_id, channel))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.UNLISTED])
async def test_what_is_not_private_is_for_everybody_who_has_the_address(
    keyed: Gateway, path: str, visibility: Visibility
) -> None:
    show(keyed, visibility)
    answer = await keyed.get(path)
    assert answer.status_code == (503 if path.endswith("comments") else 200)  # there is no Cassandra here
    assert "x-logcast-visibility" not in answer.headers


@pytest.mark.parametrize("path", PATHS + LATER)
async def test_nothing_of_a_private_video_is_answered_without_the_right(keyed: Gateway, path: str) -> None:
    show(keyed, Visibility.PRIVATE)
    stranger = (await keyed.state.accounts.create_channel("ben")).stream_key  # type: ignore[union-attr]
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": f"Bearer {stranger}"}):
        answer = await keyed.get(path, **headers)
        assert (answer.status_code, answer.json()["reason"]) == (403, "private")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-logcast-visibility"] == "private"


@pytest.mark.parametrize("path", PATHS + LATER)
async def test_neither_writing_nor_other_methods_reach_a_private_video(keyed: Gateway, path: str) -> None:
    show(keyed, Visibility.PRIVATE)
    for method in ("POST", "PUT", "DELETE", "HEAD", "PATCH"):
        assert (await keyed.client.request(method, path)).status_code == 403


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("/v1/videos")])
async def test_a_signed_link_opens_its_video(keyed: Gateway, path: str) -> None:
    show(keyed, Visibility.PRIVATE)
    for signed in (token(keyed, video_id=VIDEO), token(keyed, channel="ann")):
        answer = await keyed.client.get(f"/s/{signed}{path}", follow_redirects=True)
        assert answer.status_code == (503 if path.endswith("comments") else 200)
    for signed in (token(keyed, video_id=OTHER), token(keyed, channel="ben")):
        assert (await keyed.get(f"/s/{signed}{path}")).json()["reason"] == "private"


@pytest.mark.parametrize("path", PATHS)
async def test_the_owner_and_the_operator_see_their_own(keyed: Gateway, path: str) -> None:
    show(keyed, Visibility.PRIVATE)
    key = (await keyed.state.accounts.create_channel("ann")).stream_key  # type: ignore[union-attr]
    for bearer in (key, keyed.state.settings.admin_token.get_secret_value()):
        answer = await keyed.get(path, authorization=f"Bearer {bearer}")
        assert answer.status_code == (503 if path.endswith("comments") else 200)


async def test_a_link_that_is_over_or_forged_opens_nothing_not_even_what_is_public(keyed: Gateway) -> None:
    show(keyed, Visibility.PUBLIC)
    over, good = token(keyed, lasts_s=-60, video_id=VIDEO), token(keyed, video_id=VIDEO)
    for bad, reason in ((over, "link_expired"), (good[:-4] + "AAAA", "bad_link"), ("", "bad_link"), ("x", "bad_link")):
        answer = await keyed.get(f"/s/{bad}/v1/videos/{VIDEO}/master.m3u8")
        assert (answer.status_code, answer.json()["reason"]) == (403, reason)


async def test_a_link_cannot_be_put_into_a_link(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    signed = token(keyed, video_id=VIDEO)
    assert (await keyed.get(f"/s/{signed}/s/{signed}/v1/videos/{VIDEO}/master.m3u8")).status_code == 404


@pytest.mark.parametrize("asked", ["/live/ann/master.m3u8", f"/v1/videos/{VIDEO}/master.m3u8"])
async def test_a_channel_s_link_leads_to_a_link_of_just_the_video(keyed: Gateway, asked: str) -> None:
    show(keyed, Visibility.PRIVATE)
    answer = await keyed.get(f"/s/{token(keyed, channel='ann')}{asked}?deviceType=tv")
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    followed = await keyed.client.get(answer.url.join(answer.headers["location"]))
    assert followed.url.path.startswith("/s/")
    assert followed.url.path.endswith(f"/v1/videos/{VIDEO}/master.m3u8")
    assert followed.url.params["deviceType"] == "tv"
    assert "source/media.m3u8" in followed.text
    assert (await keyed.client.get(followed.url.join("source/media.m3u8"))).status_code == 200


async def test_a_rotated_key_goes_on_until_it_is_taken_out(keyed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.link_keys.LOOK_EVERY_S", 0)
    show(keyed, Visibility.PRIVATE)
    path, file = f"/v1/videos/{VIDEO}/master.m3u8", link_keys_path(keyed.state.settings)
    old = token(keyed, video_id=VIDEO)
    rotate_link_keys(file)
    new = token(keyed, video_id=VIDEO)
    assert new.split(".")[0] != old.split(".")[0]
    assert [(await keyed.get(f"/s/{t}{path}")).status_code for t in (old, new)] == [200, 200]
    file.write_text("nonsense")
    assert (await keyed.get(f"/s/{new}{path}")).status_code == 200, "a broken file leaves the keys as they were"
    file.unlink()
    rotate_link_keys(file)
    assert [(await keyed.get(f"/s/{t}{path}")).status_code for t in (old, new)] == [403, 403]


async def test_only_public_videos_are_listed(keyed: Gateway) -> None:
    for visibility, listed in ((Visibility.PUBLIC, ["ann"]), (Visibility.UNLISTED, []), (Visibility.PRIVATE, [])):
        show(keyed, visibility)
        rows = (await keyed.get("/v1/channels")).json()["channels"]
        assert [row["name"] for row in rows] == listed


async def test_a_channel_with_a_private_video_looks_as_if_nothing_were_on(keyed: Gateway) -> None:
    await keyed.state.accounts.create_channel("ann", "Ann's")  # type: ignore[union-attr]
    show(keyed, Visibility.PRIVATE)
    row = (await keyed.get("/v1/channels/ann")).json()
    assert (row["state"], row["video_id"], row["title"]) == ("offline", None, "Ann's")
    seen = (await keyed.get(f"/s/{token(keyed, channel='ann')}/v1/channels/ann")).json()
    assert (seen["state"], seen["video_id"]) == ("live", VIDEO)


async def test_what_is_private_is_kept_by_no_cache_but_the_edge_and_the_viewer_s_own(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    answer = await keyed.get(f"/s/{token(keyed, video_id=VIDEO)}/v1/videos/{VIDEO}/source/00000001.m4s")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-logcast-visibility"] == "private"
    assert answer.headers["x-accel-expires"] == "60"


async def test_the_edge_keeps_what_may_be_kept_a_minute_at_most(keyed: Gateway) -> None:
    show(keyed, Visibility.PUBLIC)
    kept = {path: (await keyed.get(path)).headers.get("x-accel-expires") for path in PATHS}
    assert kept[f"/v1/videos/{VIDEO}/source/00000001.m4s"] == "60"
    assert kept[f"/v1/videos/{VIDEO}/source/media.m3u8"] == "1"
    assert kept[f"/v1/videos/{VIDEO}"] is None
    assert (await keyed.get(f"/v1/videos/{VIDEO}/source/00000009.m4s")).headers.get("x-accel-expires") is None


async def test_the_feed_of_a_private_video_is_closed_to_strangers(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    for path in (f"/v1/videos/{VIDEO}/feed", "/v1/channels/ann/feed"):
        accepted, closed = await knock(keyed, path)
        assert accepted["type"] == "websocket.accept"
        assert (closed["type"], closed["code"]) == ("websocket.close", 4403)
        assert "signed link" in closed["reason"]


async def test_a_signed_link_opens_the_feed(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    async with served(keyed) as server:
        path = f"/s/{token(keyed, video_id=VIDEO)}/v1/videos/{VIDEO}/feed"
        address = f"ws{server.removeprefix('http')}{path}"
        async with connect(address, subprotocols=[Subprotocol("logcast.v1")], open_timeout=60) as socket:
            await socket.send("nonsense")
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400, "in, and out again for it said no `join`"


async def knock(gateway: Gateway, path: str) -> list[MutableMapping[str, Any]]:
    """What a feed answers to somebody who connects and says nonsense."""
    said: list[MutableMapping[str, Any]] = []
    heard = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "nonsense"}])

    async def receive() -> MutableMapping[str, Any]:
        return next(heard)

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    await gateway.app(
        {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "subprotocols": ["logcast.v1"],
        },
        receive,
        send,
    )
    return said


async def test_a_preflight_is_answered_for_private_videos_too(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    assert (await keyed.client.options(f"/v1/videos/{VIDEO}/source/media.m3u8")).status_code == 204


async def test_the_page_opens_below_a_signed_link(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    answer = await keyed.get(f"/s/{token(keyed, video_id=VIDEO)}/watch/{VIDEO}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


class TestMakingLinks:
    """POST …/links."""

    async def test_the_owner_gets_links_that_open_the_video(self, keyed: Gateway) -> None:
        key = (await keyed.state.accounts.create_channel("ann")).stream_key  # type: ignore[union-attr]
        show(keyed, Visibility.PRIVATE)
        headers = {"authorization": f"Bearer {key}"}
        for kind, name in (("videos", VIDEO), ("channels", "ann")):
            made = await keyed.client.post(
                f"/v1/{kind}/{name}/links", json={"expires_s": 600, "tag": "guest-7"}, headers=headers
            )
            assert made.status_code == 201, made.text
            links = made.json()
            assert links["expires_ms"] == keyed.clock() // 1000 * 1000 + 600_000
            assert "guest-7" in links["hls"]
            played = await keyed.client.get(links["hls"], follow_redirects=True)
            assert "source/media.m3u8" in played.text
            assert (await keyed.get(links["page"])).status_code == 200

    @pytest.mark.parametrize(
        "values",
        [{"expires_s": 5}, {"expires_s": 10**9}, {"expires_s": "1h"}, {"expires_s": True}, {"tag": "a b"}, {"tag": 7}],
    )
    async def test_wishes_that_no_link_can_fulfil_are_refused(self, keyed: Gateway, values: dict[str, object]) -> None:
        show(keyed, Visibility.PUBLIC)
        headers = {"authorization": f"Bearer {keyed.state.settings.admin_token.get_secret_value()}"}
        made = await keyed.client.post(f"/v1/videos/{VIDEO}/links", json=values, headers=headers)
        assert made.status_code == 422

    async def test_others_get_none(self, keyed: Gateway) -> None:
        show(keyed, Visibility.PUBLIC)
        key = (await keyed.state.accounts.create_channel("ben")).stream_key  # type: ignore[union-attr]
        for path in (f"/v1/videos/{VIDEO}/links", "/v1/channels/ann/links"):
            for headers in ({}, {"authorization": f"Bearer {key}"}):
                made = await keyed.client.post(path, json={}, headers=headers)
                assert (made.status_code, made.json()["reason"]) == (401, "not_owner")

    async def test_without_a_key_it_is_said_how_to_make_one(self, gateway: Gateway) -> None:
        show(gateway, Visibility.PUBLIC)
        headers = {"authorization": f"Bearer {gateway.state.settings.admin_token.get_secret_value()}"}
        made = await gateway.client.post(f"/v1/videos/{VIDEO}/links", json={}, headers=headers)
        assert (made.status_code, made.json()["reason"]) == (503, "no_link_keys")


def test_a_file_that_is_absent_has_no_keys(gateway: Gateway) -> None:
    assert LinkKeys(link_keys_path(gateway.state.settings))._current() == {}


async def test_who_may_watch_is_not_guessed_while_the_index_of_older_videos_is_away(keyed: Gateway) -> None:
    show(keyed, Visibility.PRIVATE)
    keyed.state.videos._by_id.pop(VIDEO)
    keyed.state.videos.complete = False
    for path in (f"/v1/videos/{VIDEO}/source/00000001.m4s", f"/v1/videos/{VIDEO}"):
        answer = await keyed.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (503, "index_away")
