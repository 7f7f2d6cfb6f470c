"""Recorded videos on a real Cassandra: written as the consumers do, read as viewers do."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from consumers.projections.table import writes_of_event
from gateway import catalogue, recorded
from gateway.app import create_app
from gateway.recorded import BUILT
from gateway.recorded_segments import AUDIO_PATIENCE_MS
from gateway.state import GatewayState
from schemas.events import Event, PartReady, VideoState
from schemas.ids import new_video_id
from stores.cassandra import Cassandra, Write
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.conftest import Clock, Gateway
from tests.gateway.manifest_reader import read_manifest
from tests.gateway.playlist_reader import check_update, read
from tests.gateway.tape import START_MS, Media, Tape, data_of, planned, video
from tests.waiting import eventually

pytestmark = pytest.mark.integration

COUNTS = [4] * 80
LATE_MS = START_MS + 3_000_000
ENDED = replace(
    video(VideoState.ENDED, last_segment=79, ended_ms=START_MS + 80_000),
    changed_ms=START_MS + 180_000,
    keep_days=-1,
)


class Recorder:
    """Writes events as the consumers do, into one video that is this test's own."""

    def __init__(self, session: Cassandra, gateway: Gateway) -> None:
        self.video_id = new_video_id(START_MS, secrets.token_bytes(7))
        self.playlist = f"/v1/videos/{self.video_id}/source/media.m3u8"
        self.ended = replace(ENDED, video_id=self.video_id)
        self._session = session
        self._gateway = gateway

    def tape(self, counts: Sequence[int], rendition: str = "source") -> Tape:
        """A rendition of this video."""
        return Tape(counts, rendition, self.video_id)

    def tapes(self) -> list[Media]:
        """A whole video."""
        return [event for name in ("480p", "audio", "source") for event in self.tape(COUNTS, name).events()]

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
async def restarted(
    make_settings: Callable[..., Settings], keyspace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Gateway, Recorder]]:
    """A gateway that has read nothing of the log, long after the video's start, with the index at hand."""
    monkeypatch.setattr(catalogue, "SETTLE_S", 0.1)
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


async def test_a_video_is_whole_after_a_restart_of_the_gateway(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write([*recorder.tapes(), replace(planned(3, 3_000), video_id=recorder.video_id)])
    gateway.fold(recorder.ended)
    master = await gateway.get("/live/ann/master.m3u8")
    assert master.status_code == 200, master.text
    assert f"../../v1/videos/{recorder.video_id}/480p/media.m3u8" in master.text
    text = (await gateway.get(recorder.playlist)).text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PART" not in text
    assert 'ID="' + "b" * 20 in text
    playlist = read(text)
    assert playlist.sequence == 0
    assert [s.uri for s in playlist.segments] == [f"{n:08d}.m4s" for n in range(80)]
    for number in (0, 79):
        segment = await gateway.get(f"/v1/videos/{recorder.video_id}/source/{number:08d}.m4s")
        names = [f"{recorder.video_id}/source/{number:08d}.{part:04d}.m4s" for part in range(4)]
        assert segment.content == b"".join(map(data_of, names))
    part = await gateway.get(f"/v1/videos/{recorder.video_id}/audio/00000079.0003.m4s")
    assert part.content == data_of(f"{recorder.video_id}/audio/00000079.0003.m4s")
    assert (await gateway.get(f"/v1/videos/{recorder.video_id}/source/00000080.m4s")).status_code == 404
    assert (await gateway.get(f"/v1/videos/{recorder.video_id}/source/00000079.0004.m4s")).status_code == 404


async def test_it_is_no_vod_before_the_index_has_its_last_segment(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    events = recorder.tapes()
    last = [e for e in events if e.rendition == "480p" and e.segment == 79]
    await recorder.write(event for event in events if event not in last)
    gateway.clock.now_ms = recorder.ended.changed_ms + 1_000
    gateway.fold(recorder.ended)
    assert (await gateway.get(recorder.playlist)).status_code == 404
    await recorder.write(last)
    gateway.clock.now_ms += 5_000
    assert len(read((await gateway.get(recorder.playlist)).text).segments) == 80


async def test_the_window_is_served_until_the_index_is_whole_and_goes_on_for_who_followed_it(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    gateway.clock.now_ms = recorder.ended.changed_ms + 1_000
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*recorder.tape(COUNTS).events(10))
    gateway.fold(recorder.ended)
    await recorder.write(event for event in recorder.tape(COUNTS).events() if event.segment < 79)
    window = read((await gateway.get(recorder.playlist + "?vod=1")).text)
    assert (window.segments[0].uri, window.segments[-1].uri) > ("00000010.m4s", "00000078.m4s")
    await recorder.write(recorder.tape(COUNTS).events(79))
    gateway.clock.now_ms += 5_000
    master = (await gateway.get(f"/v1/videos/{recorder.video_id}/master.m3u8")).text
    assert "source/media.m3u8?vod=1" in master
    assert len(read((await gateway.get(recorder.playlist + "?vod=1")).text).segments) == 80
    followed = await gateway.get(recorder.playlist)
    assert read(followed.text).sequence >= window.sequence
    assert "#EXT-X-ENDLIST" in followed.text
    assert "#EXT-X-PLAYLIST-TYPE" not in followed.text
    gateway.clock.now_ms += 300_000
    assert len(read((await gateway.get(recorder.playlist)).text).segments) == 80
    assert "?vod" not in (await gateway.get(f"/v1/videos/{recorder.video_id}/master.m3u8")).text


async def test_audio_that_ended_earlier_delays_it_but_a_moment(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write([*recorder.tape(COUNTS).events(), *recorder.tape(COUNTS, "audio").events(0, 40)])
    gateway.clock.now_ms = recorder.ended.changed_ms + 1_000
    gateway.fold(recorder.ended)
    assert (await gateway.get(recorder.playlist)).status_code == 404
    gateway.clock.now_ms = recorder.ended.changed_ms + AUDIO_PATIENCE_MS + 10_000
    assert len(read((await gateway.get(recorder.playlist)).text).segments) == 80


async def test_a_channel_that_is_not_live_plays_its_last_video_that_is_kept(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    await recorder.write(recorder.tape(COUNTS).events())
    later = replace(recorder.ended, video_id="z" * 20, keep_days=0, last_segment=-1)
    gateway.fold(recorder.ended, later)
    assert recorder.video_id in (await gateway.get("/live/ann/master.m3u8")).text


async def test_of_a_video_that_is_not_kept_only_what_is_still_hot_is_listed(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    await recorder.write(recorder.tape(COUNTS).events())
    gateway.clock.now_ms = START_MS + (3_600 - 60) * 1000 + 60_500
    gateway.fold(replace(recorder.ended, keep_days=0))
    text = (await gateway.get(recorder.playlist)).text
    assert read(text).sequence == 61
    assert "#EXT-X-PLAYLIST-TYPE" not in text  # it loses its first segments
    gateway.clock.now_ms += 60_000
    assert (await gateway.get(recorder.playlist)).status_code == 404


async def test_a_rendition_that_is_made_later_appears(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write(recorder.tape(COUNTS).events())
    gateway.fold(recorder.ended)
    assert "360p" not in (await gateway.get(f"/v1/videos/{recorder.video_id}/master.m3u8")).text
    late = [*recorder.tape(COUNTS, "360p").events()]
    gateway.fold(*late)
    await recorder.write(late)
    gateway.clock.now_ms += 20_000
    assert "360p/media.m3u8" in (await gateway.get(f"/v1/videos/{recorder.video_id}/master.m3u8")).text
    assert len(read((await gateway.get(f"/v1/videos/{recorder.video_id}/360p/media.m3u8")).text).segments) == 80


async def test_a_live_playlist_reaches_back_as_far_as_it_is_asked_to(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    counts = [4] * 200
    tapes = [recorder.tape(counts), recorder.tape(counts, "audio")]
    gateway.clock.now_ms = START_MS + 201_000
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    for tape in tapes:
        gateway.fold(*tape.events(0, 199), tape.part(199, 0))
        await recorder.write(tape.events(0, 199), hot=False)
    plain = read((await gateway.get(recorder.playlist)).text)
    assert plain.sequence > 120
    master = (await gateway.get("/live/ann/master.m3u8?dvr=600&start=30")).text
    assert f"/v1/videos/{recorder.video_id}/source/media.m3u8?dvr=900" in master
    assert "#EXT-X-START:TIME-OFFSET=30" in master
    back = read((await gateway.get(recorder.playlist + "?dvr=900")).text)
    assert back.sequence == 0
    assert [s.number for s in back.segments] == list(range(200))
    assert [s.uri for s in back.segments[:-1]] == [f"{n:08d}.m4s" for n in range(199)]
    assert back.edge == plain.edge
    assert back.segments[-len(plain.segments) :] == plain.segments
    assert back.reports[0]["URI"] == "../audio/media.m3u8?dvr=900"
    assert (await gateway.get(f"/v1/videos/{recorder.video_id}/source/00000003.m4s")).status_code == 200

    gateway.fold(*(tapes[0].part(199, part) for part in (1, 2)))
    delta = (await gateway.get(recorder.playlist + "?dvr=900&_HLS_msn=199&_HLS_part=2&_HLS_skip=YES")).text
    assert read(delta).edge == (199, 3)
    assert read(delta).skipped > 180
    assert len(delta) < 6_000


async def test_a_manifest_reaches_back_as_far_and_its_period_starts_where_its_epoch_began(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    tape = replace(recorder.tape([4] * 350), epochs=frozenset({50}), part_ms=1_000)
    events = [replace(e, epoch_ms=200_000 * e.epoch) if isinstance(e, PartReady) else e for e in tape.events()]
    gateway.clock.now_ms = START_MS + 1_401_000
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*events)
    await recorder.write(events, hot=False)
    url = f"/v1/videos/{recorder.video_id}/manifest.mpd"
    plain, back = [read_manifest((await gateway.get(url + query)).text) for query in ("", "?dvr=900")]
    assert plain.root.attrib["timeShiftBufferDepth"] == "PT60S"
    assert back.root.attrib["timeShiftBufferDepth"] == "PT900S"
    for found in (plain, back):
        assert [(p.id, float(p.start)) for p in found.periods] == [("1", 200.0)]
    near, far = plain.representation("source").segments, back.representation("source").segments
    assert far[-len(near) :] == near
    assert 50 < far[0].number <= 350 - 900 // 4 < near[0].number


async def test_what_leaves_the_live_window_is_carried_over_without_the_index(
    restarted: tuple[Gateway, Recorder],
) -> None:
    gateway, recorder = restarted
    counts = [4] * 200
    tape = recorder.tape(counts)
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*tape.events(0, 100))
    await recorder.write(tape.events(0, 100), hot=False)
    before = read((await gateway.get(recorder.playlist + "?dvr=900")).text)
    for number in range(100, 200):
        gateway.fold(*tape.segment(number))
        after = read((await gateway.get(recorder.playlist + "?dvr=900")).text)
        check_update(before, after)
        before = after
    assert [s.number for s in before.segments] == list(range(200))


async def test_a_view_never_has_a_hole(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    tape = recorder.tape([4] * 300)
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*tape.events(0, 200))
    await recorder.write(tape.events(0, 150), hot=False)
    assert read((await gateway.get(recorder.playlist + "?dvr=900")).text).sequence == 0
    gateway.fold(*tape.events(200, 300))  # nobody looked meanwhile, and the index ends before the window begins
    numbers = [s.number for s in read((await gateway.get(recorder.playlist + "?dvr=900")).text).segments]
    assert numbers == list(range(numbers[0], 300))
    await recorder.write(tape.events(150, 300), hot=False)
    gateway.clock.now_ms += 6_000
    assert [s.number for s in read((await gateway.get(recorder.playlist + "?dvr=900")).text).segments] == list(
        range(300)
    )


async def test_what_the_window_gave_up_is_found_when_it_came_late(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    tape = recorder.tape([4] * 80)
    late = tape.part(50, 2)
    gateway.clock.now_ms = recorder.ended.changed_ms + 1_000 - 80 * 1_000
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    for number in range(80):
        gateway.clock.now_ms += 1_000
        gateway.fold(*(event for event in tape.segment(number) if event != late))
    gateway.fold(late, recorder.ended)
    assert "#EXT-X-GAP" in (await gateway.get(recorder.playlist)).text
    await recorder.write(event for event in tape.events() if event.segment != 50)
    behind = (await gateway.get(recorder.playlist + "?vod=1")).text
    assert "#EXT-X-PLAYLIST-TYPE" not in behind, "what is missing may still come"
    await recorder.write(tape.events())
    gateway.clock.now_ms += 5_000
    playlist = read((await gateway.get(recorder.playlist + "?vod=1")).text)
    assert playlist.type == "VOD"
    assert not any(segment.gap for segment in playlist.segments)
    whole = await gateway.get(f"/v1/videos/{recorder.video_id}/source/00000050.m4s")
    assert whole.content == b"".join(data_of(tape.part(50, part).name) for part in range(4))


async def test_who_asks_for_a_video_that_ended_just_now_waits_until_the_index_has_all_of_it(
    restarted: tuple[Gateway, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, recorder = restarted
    monkeypatch.setattr(recorded, "AGAIN_MS", 0)
    monkeypatch.setattr(catalogue, "SETTLE_S", 60.0)
    tape = recorder.tape([4] * 80)
    gateway.clock.now_ms = recorder.ended.changed_ms + 1_000
    gateway.fold(replace(recorder.ended, state=VideoState.LIVE, ended_ms=None, last_segment=-1))
    gateway.fold(*(event for event in tape.events() if event.segment != 40), recorder.ended)
    await recorder.write(event for event in tape.events() if event.segment != 40)
    waiting = asyncio.create_task(gateway.get(recorder.playlist + "?vod=1"))
    before = BUILT.labels("false")._value.get()
    await eventually(lambda: BUILT.labels("false")._value.get() > before + 1, what="a second look")
    assert not waiting.done()
    await recorder.write(tape.segment(40))
    playlist = read((await waiting).text)
    assert playlist.type == "VOD"
    assert not any(segment.gap for segment in playlist.segments)


async def test_a_video_is_built_once_for_all_who_ask_at_the_same_time(restarted: tuple[Gateway, Recorder]) -> None:
    gateway, recorder = restarted
    await recorder.write(recorder.tapes())
    gateway.fold(recorder.ended)
    built = BUILT.labels("true")
    before = built._value.get()
    answers = await asyncio.gather(*(gateway.get(recorder.playlist) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert built._value.get() == before + 1
