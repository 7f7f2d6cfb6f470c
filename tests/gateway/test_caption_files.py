"""Caption files and recorded captions on a real Kafka and a real Cassandra."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import cast

import httpx
import pytest

from consumers.projections.table import writes_of_event
from gateway.app import create_app
from gateway.caption_routes import canonical_language
from gateway.state import GatewayState
from media.captions.uploads import MAX_BYTES
from schemas.codec import decode
from schemas.events import CaptionKind, CaptionsUploaded, Event, VideoState
from schemas.ids import new_video_id
from schemas.topics import VIDEOS_CAPTIONS
from stores.cassandra import Cassandra, apply_schema
from stores.kafka import read_to_end
from stores.log_reader import Place
from stores.settings import Settings, load_settings
from tests.gateway.captioned import captioned
from tests.gateway.tape import START_MS, VIDEO, Tape, video
from tests.waiting import eventually

pytestmark = pytest.mark.integration

TAPE = Tape([8] * 6)
SRT = "1\n00:00:01,000 --> 00:00:05,000\n<i>Good</i> <font>evening</font>\n"
FILES = f"/v1/videos/{VIDEO}/captions"


class Served:
    """A gateway that runs on real servers, a client of it, and what consumers would write."""

    def __init__(self, state: GatewayState, client: httpx.AsyncClient, session: Cassandra) -> None:
        self.state, self.client, self.session = state, client, session
        self.token = {"Authorization": f"Bearer {state.settings.admin_token.get_secret_value()}"}

    def fold(self, *events: Event) -> None:
        for event in events:
            for subscription in self.state.subscriptions:
                if type(event).__name__ in subscription.topic.events:
                    subscription.handler(event, Place(subscription.topic.name, 0, 0, 0))
        self.state.batch_folded()

    async def write(self, *events: Event) -> None:
        await self.session.write([write for event in events for write in writes_of_event(event)])

    def on_the_log(self) -> list[CaptionsUploaded]:
        found = [
            decode(message.value() or b"") for message in read_to_end(self.state.settings, VIDEOS_CAPTIONS, "test")
        ]
        return cast("list[CaptionsUploaded]", found)

    async def put(self, language: str, body: str | bytes = SRT, **params: str) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return await self.client.put(f"{FILES}/{language}", content=content, params=params, headers=self.token)


@pytest.fixture(scope="session")
def tables(cassandra: tuple[str, int], drop_keyspace: Callable[[str], None]) -> Iterator[str]:
    """The name of a keyspace with the tables; tests keep apart by their videos."""
    host, port = cassandra
    name = f"t{secrets.token_hex(8)}"
    apply_schema(load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=name))
    yield name
    drop_keyspace(name)


@pytest.fixture
def settings(make_settings: Callable[..., Settings], tables: str) -> Settings:
    """Settings of this test alone but for the keyspace."""
    return make_settings(cassandra_keyspace=tables, window_s=60)


@pytest.fixture
async def served(topics: Settings) -> AsyncIterator[Served]:
    """A gateway of its own on the shared servers; its accounts are empty."""
    state = GatewayState(topics)
    app = create_app(topics, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        Cassandra.open(topics) as session,
        state,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=30) as client,
    ):
        await eventually(lambda: state.cassandra.session is not None and state.readiness()["log"], 60, "the gateway")
        yield Served(state, client, session)


async def test_a_file_becomes_a_rendition_is_listed_and_taken_away(served: Served) -> None:
    served.fold(video(), *TAPE.events())
    made = await served.put("PT-br", label="Português", kind="subtitles")
    assert (made.status_code, made.json()["language"]) == (201, "pt-BR")
    again = await served.put("pt-BR", label="Português", kind="subtitles")
    assert again.status_code == 200
    (row,) = (await served.client.get(FILES)).json()["captions"]
    assert (row["language"], row["label"], row["kind"]) == ("pt-BR", "Português", "subtitles")
    whole = await served.client.get(row["url"])
    assert whole.text == "WEBVTT\n\n00:00:01.000 --> 00:00:05.000\n<i>Good</i> evening\n"

    master = (await served.client.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    assert 'NAME="Português",LANGUAGE="pt-BR",DEFAULT=NO,AUTOSELECT=YES,URI="text/pt-br/media.m3u8"' in master
    playlist = (await served.client.get(f"/v1/videos/{VIDEO}/text/pt-br/media.m3u8")).text
    assert [line for line in playlist.splitlines() if not line.startswith("#")] == [f"{n:08d}.vtt" for n in range(6)]
    shown = [(await served.client.get(f"/v1/videos/{VIDEO}/text/pt-br/{n:08d}.vtt")).text for n in range(6)]
    assert ["Good" in text for text in shown] == [True, True, True, False, False, False]
    assert all("00:00:01.000 --> 00:00:05.000" in text for text in shown[:3]), "each has the whole time"

    assert (await served.client.delete(f"{FILES}/pt-BR", headers=served.token)).status_code == 204
    assert (await served.client.get(FILES)).json()["captions"] == []
    assert "SUBTITLES" not in (await served.client.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    assert [(event.language, bool(event.text)) for event in served.on_the_log()][-1] == ("pt-BR", False)


async def test_what_is_wrong_is_refused_with_the_reason_and_only_the_owner_may(served: Served) -> None:
    served.fold(video())
    bad = await served.put("en", "WEBVTT\n\n00:02.000 --> 00:01.000\nx\n")
    assert (bad.status_code, bad.json()["detail"][:7]) == (422, "line 3:")
    assert (await served.put("en", "WEBVTT\n")).json()["reason"] == "bad_captions"
    assert (await served.put("en", b"x" * (MAX_BYTES + 1))).status_code == 413
    assert (await served.put("english!")).json()["reason"] == "bad_language"
    assert (await served.put("en", kind="karaoke")).json()["reason"] == "bad_kind"
    assert (await served.put("en", label='a"b')).json()["reason"] == "bad_label"
    for headers in ({}, {"Authorization": "Bearer lc_nobody"}):
        refused = await served.client.put(f"{FILES}/en", content=SRT, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (401, "not_owner")
    assert (await served.client.put("/v1/videos/nothing/captions/en", headers=served.token)).status_code == 404
    assert served.on_the_log() == []

    accounts = served.state.accounts
    assert accounts is not None
    for channel, status in (("bob", 401), ("ann", 201)):
        headers = {"Authorization": f"Bearer {(await accounts.create_channel(channel)).stream_key}"}
        assert (await served.client.put(f"{FILES}/en", content=SRT, headers=headers)).status_code == status


async def test_files_and_captions_of_a_recorded_video_come_from_cassandra(served: Served) -> None:
    recorded = new_video_id(START_MS, b"recorded")
    tape, path = replace(TAPE, video_id=recorded), f"/v1/videos/{recorded}"
    ended = replace(
        video(VideoState.ENDED, video_id=recorded, last_segment=5, ended_ms=START_MS + 12_000),
        changed_ms=START_MS + 12_000,
        keep_days=-1,
    )
    german = CaptionsUploaded(
        video_id=recorded,
        channel="ann",
        language="de",
        label="Deutsch",
        kind=CaptionKind.SUBTITLES,
        text="WEBVTT\n\n00:00:03.000 --> 00:00:05.000\nGuten Abend\n",
        uploaded_ms=START_MS,
        uploaded_by="owner",
    )
    await served.write(*tape.events(), *captioned(tape, {1: "Once", 4: "Again"}), german, ended)
    served.fold(ended)
    rows = (await served.client.get(f"{path}/captions")).json()["captions"]
    assert [row["language"] for row in rows] == ["de"]
    assert (await served.client.get(f"{path}/captions/de.vtt")).text == german.text

    master = (await served.client.get(f"{path}/master.m3u8")).text
    assert all(f'URI="text/{track}/media.m3u8"' in master for track in ("cc1", "de"))
    playlist = (await served.client.get(f"{path}/text/cc1/media.m3u8")).text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in playlist
    assert playlist.endswith("00000005.vtt\n#EXT-X-ENDLIST\n")
    texts = [(await served.client.get(f"{path}/text/cc1/{n:08d}.vtt")).text for n in range(6)]
    assert ["Once" in text for text in texts] == [False, True, False, False, False, False]
    assert "00:00:08.500 --> 00:00:09.750" in texts[4]
    assert "Guten Abend" in (await served.client.get(f"{path}/text/de/00000002.vtt")).text


async def test_who_goes_back_in_a_running_broadcast_has_its_captions_too(served: Served) -> None:
    running = new_video_id(START_MS, b"running")
    tape, path = Tape([4] * 150, video_id=running), f"/v1/videos/{running}"
    found = captioned(tape, {5: "Early", 148: "Late"})
    live = replace(video(video_id=running), keep_days=-1)
    await served.write(*tape.events(), *found, live)
    served.fold(live, *found, *tape.events())
    assert "00000005.vtt" not in (await served.client.get(f"{path}/text/cc1/media.m3u8")).text
    playlist = (await served.client.get(f"{path}/text/cc1/media.m3u8?dvr=900")).text
    (uri,) = [line for line in playlist.splitlines() if line.startswith("00000005.vtt")]
    assert "Early" in (await served.client.get(f"{path}/text/cc1/{uri}")).text
    assert "Late" in (await served.client.get(f"{path}/text/cc1/00000148.vtt")).text


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("en", "en"),
        ("PT-br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("e", None),
        ("en_US", None),
    ],
)
def test_a_language_has_one_form(given: str, found: str | None) -> None:
    assert canonical_language(given) == found
