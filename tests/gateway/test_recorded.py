"""Recorded videos on a real Cassandra: written as the consumers do, read as viewers do."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from consumers.projections.table import writes_of_event
from gateway.app import create_app
from gateway.recorded_segments import AUDIO_PATIENCE_MS
from gateway.state import GatewayState
from schemas.events import Event, PartReady, VideoState
from stores.cassandra import Cassandra, Write, apply_schema
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.conftest import Clock, Gateway
from tests.gateway.playlist_reader import read
from tests.gateway.tape import START_MS, VIDEO, Media, Tape, data_of, planned, video
from tests.waiting import eventually

pytestmark = pytest.mark.integration

COUNTS = [4] * 120
LATE_MS = START_MS + 3_000_000
ENDED = replace(
    video(VideoState.ENDED, last_segment=119, ended_ms=START_MS + 120_000),
    changed_ms=START_MS + 180_000,
    keep_days=-1,
)
PLAYLIST = f"/v1/videos/{VIDEO}/source/media.m3u8"


@pytest.fixture(scope="session")
def keyspace(cassandra: tuple[str, int], drop_keyspace: Callable[[str], None]) -> Iterator[str]:
    """The name of a keyspace with the tables."""
    from stores.settings import load_settings

    host, port = cassandra
    name = f"t{secrets.token_hex(8)}"
    apply_schema(load_settings(cassandra_hosts=host, cassandra_port=port, cassandra_keyspace=name))
    yield name
    drop_keyspace(name)


class Recorder:
    """Writes events as the consumers do, into one video that is this test's own."""

    def __init__(self, session: Cassandra, gateway: Gateway) -> None:
        self._session = session
        self._gateway = gateway

    async def write(self, events: Iterable[Event], *, hot: bool = True) -> None:
        """Into the index, and with `hot` the bytes into the hot store."""
        writes: list[Write] = []
        for event in events:
            writes += writes_of_event(event)
            if hot and isinstance(event, PartReady):
                self._gateway.store.put(event.name, data_of(event.name))
                self._gateway.store.put(event.init, b"init " + event.init.encode())
        await self._session.write(writes)


@pytest.fixture
async def restarted(make_settings: Callable[..., Settings], keyspace: str) -> AsyncIterator[tuple[Gateway, Recorder]]:
    """A gateway that has read nothing of the log, long after the video's start, with the index at hand."""
    settings, clock = make_settings(window_s=60, cassandra_keyspace=keyspace), Clock(LATE_MS)
    state = GatewayState(settings, clock)
    app: Starlette = create_app(settings, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        Cassandra.open(settings) as session,
        state.cassandra,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=20) as client,
    ):
        await eventually(lambda: state.cassandra.session is not None, what="a session")
        gateway = Gateway(app, state, client, LocalSegmentStore(settings.segments_path), clock)
        yield gateway, Recorder(session, gateway)
        await session.write([])
        for table in ("segments", "renditions", "videos", "videos_by_channel", "breaks"):
            await _truncate(session, keyspace, table)


async def _truncate(session: Cassandra, keyspace: str, table: str) -> None:
    await session.rows(f"TRUNCATE {keyspace}.{table}")


def tapes() -> list[Media]:
    return [event for name in ("480p", "audio", "source") for event in Tape(COUNTS, name).events()]


async def test_a_video_is_whole_after_a_restart_of_the_gateway(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write([*tapes(), planned(3, 3_000)])
    gateway.fold(ENDED)
    master = await gateway.get("/live/ann/master.m3u8")
    assert master.status_code == 200, master.text
    assert f"../../v1/videos/{VIDEO}/480p/media.m3u8" in master.text
    text = (await gateway.get(PLAYLIST)).text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PART" not in text
    assert 'ID="' + "b" * 20 in text
    playlist = read(text)
    assert playlist.sequence == 0
    assert [s.uri for s in playlist.segments] == [f"{n:08d}.m4s" for n in range(120)]
    for number in (0, 119):
        segment = await gateway.get(f"/v1/videos/{VIDEO}/source/{number:08d}.m4s")
        names = [f"{VIDEO}/source/{number:08d}.{part:04d}.m4s" for part in range(4)]
        assert segment.content == b"".join(map(data_of, names))
    part = await gateway.get(f"/v1/videos/{VIDEO}/audio/00000119.0003.m4s")
    assert part.content == data_of(f"{VIDEO}/audio/00000119.0003.m4s")
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000120.m4s")).status_code == 404
    assert (await gateway.get(f"/v1/videos/{VIDEO}/source/00000119.0004.m4s")).status_code == 404


async def test_it_is_no_vod_before_the_index_has_its_last_segment(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    events = tapes()
    last = [e for e in events if e.rendition == "480p" and e.segment == 119]
    await recorder.write(event for event in events if event not in last)
    gateway.clock.now_ms = ENDED.changed_ms + 1_000
    gateway.fold(ENDED)
    assert (await gateway.get(PLAYLIST)).status_code == 404
    await recorder.write(last)
    gateway.clock.now_ms += 5_000
    assert len(read((await gateway.get(PLAYLIST)).text).segments) == 120


async def test_the_window_is_served_until_the_index_is_whole_and_goes_on_for_who_followed_it(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    gateway.clock.now_ms = ENDED.changed_ms + 1_000
    gateway.fold(replace(ENDED, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*Tape(COUNTS).events(40))
    gateway.fold(ENDED)
    await recorder.write(event for event in Tape(COUNTS).events() if event.segment < 119)
    window = read((await gateway.get(PLAYLIST + "?vod=1")).text)
    assert (window.segments[0].uri, window.segments[-1].uri) > ("00000040.m4s", "00000118.m4s")
    await recorder.write(Tape(COUNTS).events(119))
    gateway.clock.now_ms += 5_000
    master = (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    assert "source/media.m3u8?vod=1" in master
    assert len(read((await gateway.get(PLAYLIST + "?vod=1")).text).segments) == 120
    followed = await gateway.get(PLAYLIST)
    assert read(followed.text).sequence >= window.sequence
    assert "#EXT-X-ENDLIST" in followed.text
    assert "#EXT-X-PLAYLIST-TYPE" not in followed.text
    gateway.clock.now_ms += 300_000
    assert len(read((await gateway.get(PLAYLIST)).text).segments) == 120
    assert "?vod" not in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text


async def test_audio_that_ended_earlier_delays_it_but_a_moment(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write([*Tape(COUNTS).events(), *Tape(COUNTS, "audio").events(0, 60)])
    gateway.clock.now_ms = ENDED.changed_ms + 1_000
    gateway.fold(ENDED)
    assert (await gateway.get(PLAYLIST)).status_code == 404
    gateway.clock.now_ms = ENDED.changed_ms + AUDIO_PATIENCE_MS + 10_000
    assert len(read((await gateway.get(PLAYLIST)).text).segments) == 120


async def test_a_channel_that_is_not_live_plays_its_last_video_that_is_kept(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    await recorder.write(Tape(COUNTS).events())
    later = replace(ENDED, video_id="z" * 20, keep_days=0, last_segment=-1)
    gateway.fold(ENDED, later)
    assert VIDEO in (await gateway.get("/live/ann/master.m3u8")).text


async def test_of_a_video_that_is_not_kept_only_what_is_still_hot_is_listed(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    await recorder.write(Tape(COUNTS).events())
    gateway.clock.now_ms = START_MS + (3_600 - 60) * 1000 + 60_500
    gateway.fold(replace(ENDED, keep_days=0))
    text = (await gateway.get(PLAYLIST)).text
    assert read(text).sequence == 61
    assert "#EXT-X-PLAYLIST-TYPE" not in text  # it loses its first segments
    gateway.clock.now_ms += 60_000
    assert (await gateway.get(PLAYLIST)).status_code == 404


async def test_a_rendition_that_is_made_later_appears(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write(Tape(COUNTS).events())
    gateway.fold(ENDED)
    assert "360p" not in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    late = [*Tape(COUNTS, "360p").events()]
    gateway.fold(*late)
    await recorder.write(late)
    gateway.clock.now_ms += 20_000
    assert "360p/media.m3u8" in (await gateway.get(f"/v1/videos/{VIDEO}/master.m3u8")).text
    assert len(read((await gateway.get(f"/v1/videos/{VIDEO}/360p/media.m3u8")).text).segments) == 120
