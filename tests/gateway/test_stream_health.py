"""The health of a stream: the fold of what the ingest measured, the advice made of it, and who may ask."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.comment_minutes import MINUTE_MS, CommentMinutes
from gateway.ingest_health import Arrival, IngestHealth
from gateway.left_out import RECENT_MS, LeftOut, Shed, shed_lately
from gateway.part_delays import PartDelays
from gateway.rendition_fold import Limits
from gateway.state import GatewayState
from gateway.stream_advice import Delivery, Level, advice, worst
from gateway.stream_health import health_row
from gateway.video_fold import VideoFold
from schemas.events import CommentAccepted, Event, IngestMeasured, PartReady, SegmentClosed, VideoState
from stores.log_reader import Place
from stores.settings import Settings
from stores.sql import open_engine
from tests.gateway.conftest import Clock
from tests.gateway.tape import START_MS, VIDEO, Tape, video

GOOD = IngestMeasured(
    video_id=VIDEO,
    channel="ann",
    connected_ms=START_MS,
    measured_ms=START_MS + 2_000,
    span_ms=2_000,
    left=False,
    problem="",
    encoder="obs-output module",
    video_bytes=750_000,
    audio_bytes=32_000,
    video_frames=60,
    audio_frames=94,
    media_ms=2_000,
    keyframe_ms=2_000,
    since_keyframe_ms=900,
    silence_ms=33,
    width=1280,
    height=720,
    frame_rate=30.0,
    video_codecs="avc1.64001f",
    audio_codecs="mp4a.40.2",
    sample_rate=48_000,
    channels=2,
    reordered=False,
    left_out=0,
    silence_inserted=0,
    leaps=0,
    held_back=0,
)
DELIVERED = Delivery(rungs=("480p",), behind_ms=300, source_age_ms=900)


def arriving(seconds: int = 60, last: int = 5, **last_ones: Any) -> Arrival:
    """A minute of measurements; the last ones are as said."""
    health = IngestHealth()
    ends = [START_MS + second * 1_000 for second in range(2, seconds + 1, 2)]
    for index, end_ms in enumerate(ends):
        values = last_ones if index >= len(ends) - last else {}
        health.apply(dataclasses.replace(GOOD, measured_ms=end_ms, **values))
    arrival = health.of("ann")
    assert arrival is not None
    return arrival


def codes(arrival: Arrival, delivery: Delivery = DELIVERED, late_ms: int = 500) -> list[str]:
    return [one.code for one in advice(arrival, delivery, arrival.newest.measured_ms + late_ms)]


def test_a_stream_that_is_well_needs_no_advice() -> None:
    assert codes(arriving()) == []
    assert worst([]) is Level.GOOD


@pytest.mark.parametrize(
    ("values", "code", "level", "words"),
    [
        ({"keyframe_ms": 10_000}, "keyframe_interval", Level.BAD, "is 10 s"),
        ({"since_keyframe_ms": 4_000}, "keyframe_interval", Level.WARNING, "is 4 s"),
        ({"media_ms": 1_600}, "too_slow", Level.BAD, "80%"),
        ({"video_frames": 44}, "frames_dropped", Level.WARNING, "22 of 30"),
        ({"silence_ms": 1_400}, "bursts", Level.WARNING, "1.4 s of nothing"),
        ({"silence_ms": 5_000}, "silent", Level.BAD, "for 5 s"),
        ({"left": True}, "left", Level.BAD, "gone"),
        ({"audio_codecs": ""}, "no_audio", Level.WARNING, "no sound"),
        ({"audio_frames": 0}, "audio_stopped", Level.WARNING, "sound has stopped"),
        ({"video_codecs": ""}, "no_video", Level.WARNING, "no picture"),
        ({"leaps": 3}, "timestamps", Level.WARNING, "jumped 3 times"),
        ({"left_out": 1}, "left_out", Level.WARNING, "1 frame could"),
        ({"held_back": 1}, "held_back", Level.WARNING, "holds the encoder back"),
        ({"video_bytes": 40_000}, "bitrate_low", Level.HINT, "1280x720 at 30"),
        ({"reordered": True}, "b_frames", Level.HINT, "B-frames"),
    ],
)
def test_what_is_wrong_is_said_with_its_figure_and_what_to_do(
    values: dict[str, Any], code: str, level: Level, words: str
) -> None:
    arrival = arriving(**values)
    (found,) = advice(arrival, DELIVERED, arrival.newest.measured_ms + 500)
    assert (found.code, found.level) == (code, level)
    assert words in found.title
    assert len(found.text) > 20


def test_a_new_connection_is_given_time_before_anything_is_said_that_time_mends() -> None:
    assert codes(arriving(4, last=2, audio_codecs="", media_ms=1_000, silence_ms=1_500), Delivery()) == []


def test_what_viewers_do_not_get_is_said() -> None:
    assert codes(arriving(), Delivery()) == ["not_delivered"]
    assert codes(arriving(), dataclasses.replace(DELIVERED, source_age_ms=26_000)) == ["not_delivered"]
    assert codes(arriving(), dataclasses.replace(DELIVERED, behind_ms=6_000, gaps=2)) == ["worker_lag", "gaps"]


@pytest.mark.parametrize(
    ("shed", "title"),
    [
        ([Shed("720p", 40_000, now=True)], "720p is left out for 40 s of the last two minutes"),
        ([Shed("720p", 4_000, now=False)], "720p was left out for 4 s of the last two minutes"),
        (
            [Shed("720p", 9_600, now=True), Shed("480p", 2_000, now=False)],
            "720p and 480p are left out for up to 10 s of the last two minutes",
        ),
        (
            [Shed("720p", 100, now=False), Shed("480p", 0, now=False), Shed("360p", 0, now=False)],
            "720p, 480p and 360p were left out for up to 1 s of the last two minutes",
        ),
    ],
)
def test_what_the_workers_leave_out_is_said_in_plain_words_with_what_to_do(shed: list[Shed], title: str) -> None:
    arrival = arriving()
    delivery = dataclasses.replace(DELIVERED, shed=tuple(shed))
    (found,) = advice(arrival, delivery, arrival.newest.measured_ms + 500)
    assert (found.code, found.level, found.title) == ("left_out_rungs", Level.WARNING, title)
    assert "Add a worker" in found.text


def test_left_out_is_what_no_worker_made_for_as_long_as_the_source_tells() -> None:
    tape, larger = Tape([4] * 5), Tape([4] * 5, "720p")
    fold, left_out = VideoFold(VIDEO, Limits(600_000, 1_000)), LeftOut()
    events: list[PartReady | SegmentClosed] = [*tape.events(), *larger.events(0, 2)]
    events += [dataclasses.replace(larger.closed(number, 0), left_out=True) for number in (1, 2, 3)]
    for event in events:
        left_out.apply(event)
        if isinstance(event, PartReady):
            fold.part(event)
        else:
            fold.closed(event)
    now_ms = START_MS + 5_000
    assert shed_lately(fold, left_out.of(VIDEO), now_ms) == (Shed("720p", 2_000, now=True),)
    left_out.apply(larger.closed(4))
    assert shed_lately(fold, left_out.of(VIDEO), now_ms) == (Shed("720p", 2_000, now=False),)
    assert shed_lately(fold, left_out.of(VIDEO), now_ms + RECENT_MS) == ()
    assert shed_lately(None, left_out.of(VIDEO), now_ms) == ()
    assert shed_lately(fold, left_out.of("z" * 20), now_ms) == ()


def test_an_encoder_that_comes_and_goes_is_counted_and_its_counts_begin_anew() -> None:
    health = IngestHealth()
    for number in range(4):
        at_ms = START_MS + number * 10_000
        for end_ms in (at_ms + 2_000, at_ms + 4_000):
            health.apply(dataclasses.replace(GOOD, connected_ms=at_ms, measured_ms=end_ms, leaps=5))
    arrival = health.of("ann")
    assert arrival is not None
    assert arrival.connections(0) == 4
    assert arrival.grew("leaps", 0) == 15, "of each connection but the first, whose beginning is not known"
    assert "reconnects" in codes(arrival)


def test_the_fold_takes_repeats_once_keeps_what_went_wrong_and_begins_anew_with_a_video() -> None:
    health = IngestHealth()
    gone = dataclasses.replace(GOOD, measured_ms=START_MS + 4_000, left=True, problem="the connection was cut")
    for event in (GOOD, gone, gone, GOOD):
        health.apply(event)
    arrival = health.of("ann")
    assert arrival is not None
    assert [one.measured_ms for one in arrival.measured] == [START_MS + 2_000, START_MS + 4_000]
    health.apply(dataclasses.replace(GOOD, video_id="z" * 20, measured_ms=START_MS + 9_000))
    assert [one.video_id for one in arrival.measured] == ["z" * 20]
    assert [(one.text, one.left) for one in arrival.troubles] == [("the connection was cut", True)]
    assert health.of("ben") is None


def test_a_stream_that_is_over_has_no_advice_and_still_its_last_error() -> None:
    arrival = arriving(problem="nothing came for 30 s", last=1)
    row = health_row("ann", video(VideoState.ENDED), None, {}, arrival, START_MS + 61_000)
    assert (row["status"], row["advice"], row["ingest"]) == ("offline", [], None)
    assert row["last_error"]["text"] == "nothing came for 30 s"
    assert health_row("ann", None, None, {}, None, START_MS)["last_error"] is None


def test_comments_are_counted_by_the_minute_they_were_written_in_each_once() -> None:
    minutes = CommentMinutes()
    for seq, at_ms in ((1, START_MS), (2, START_MS + 1), (2, START_MS + 1), (3, START_MS + MINUTE_MS)):
        minutes.apply(accepted(seq, at_ms))
    first = START_MS // MINUTE_MS * MINUTE_MS
    assert minutes.of(VIDEO) == [(first, 2), (first + MINUTE_MS, 1)]
    assert minutes.of("z" * 20) == []


def accepted(seq: int, at_ms: int) -> CommentAccepted:
    return CommentAccepted(
        video_id=VIDEO,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{seq:04d}",
        user_id="g_1",
        name="Bea",
        text="hi",
        submitted_ms=at_ms,
        source_offset=seq,
    )


def test_the_delay_of_parts_is_from_the_ingest_to_the_log() -> None:
    delays = PartDelays()
    for part in (event for event in Tape([4] * 3).events() if isinstance(event, PartReady)):
        delays.apply(part, Place("media.parts", 0, 0, part.received_ms + 80))
    assert delays.of(VIDEO) == {"source": 80}


@pytest.fixture
def state(settings: Settings) -> GatewayState:
    return GatewayState(settings, Clock(START_MS + 3_000))


@pytest.fixture
async def gateway(state: GatewayState, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, state)
    transport = httpx.ASGITransport(app)
    async with (
        open_engine(settings.sql_url) as engine,
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):
        state.use_sql(engine)
        yield client


def fold(state: GatewayState, *events: Event) -> None:
    for event in events:
        for subscription in state.subscriptions:
            if type(event).__name__ in subscription.topic.events:
                subscription.handler(event, Place(subscription.topic.name, 0, 0, state.clock()))
    state.batch_folded()


async def test_the_owner_reads_how_the_stream_arrives_and_is_delivered_and_nobody_else(
    gateway: httpx.AsyncClient, state: GatewayState
) -> None:
    assert state.accounts is not None
    key = (await state.accounts.create_channel("ann")).stream_key
    other = (await state.accounts.create_channel("ben")).stream_key
    fold(state, video(), *Tape([4] * 3).events(), GOOD)
    path = "/v1/channels/ann/health"
    for token, status in (("", 401), (other, 401), ("lc_wrong", 401)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert (await gateway.get(path, headers=headers)).status_code == status
    assert (await gateway.get("/v1/channels/nobody/health")).status_code == 404
    answer = await gateway.get(path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    row = answer.json()
    assert (row["state"], row["status"], row["video_id"]) == ("live", "good", VIDEO)
    ingest = row["ingest"]
    assert (ingest["video_bps"], ingest["frame_rate"], ingest["keyframe_ms"]) == (3_000_000, 30.0, 2_000)
    assert (ingest["width"], ingest["height"], ingest["encoder"]) == (1280, 720, "obs-output module")
    (source,) = row["renditions"]
    assert source["name"] == "source"
    assert (source["left_out_ms"], source["left_out_now"]) == (0, False)
    assert source["bitrate_bps"] > 0
    assert (source["behind_ms"], source["gaps"]) == (0, 0)
    assert [point["frame_rate"] for point in row["series"]] == [30.0]


async def test_a_rendition_that_is_left_out_is_told_in_its_row_and_as_advice(
    gateway: httpx.AsyncClient, state: GatewayState
) -> None:
    assert state.accounts is not None
    key = (await state.accounts.create_channel("ann")).stream_key
    larger = Tape([4] * 3, "720p")
    gone = [dataclasses.replace(larger.closed(number, 0), left_out=True) for number in (1, 2)]
    minute = [dataclasses.replace(GOOD, measured_ms=START_MS + at_ms) for at_ms in (1_000, 2_900)]
    long_ago = dataclasses.replace(GOOD, connected_ms=START_MS - 60_000, measured_ms=START_MS)
    settled = [dataclasses.replace(one, connected_ms=START_MS - 60_000) for one in minute]
    fold(state, video(), *Tape([4] * 3).events(), *larger.segment(0), *gone, long_ago, *settled)
    answer = await gateway.get("/v1/channels/ann/health", headers={"Authorization": f"Bearer {key}"})
    row = answer.json()
    source, made = row["renditions"]
    assert (made["name"], made["left_out_ms"], made["left_out_now"]) == ("720p", 2_000, True)
    assert source["left_out_ms"] == 0
    assert [one["title"] for one in row["advice"]] == ["720p is left out for 2 s of the last two minutes"]
    assert row["status"] == "warning"


async def test_comments_by_minute_are_told_to_everybody(gateway: httpx.AsyncClient, state: GatewayState) -> None:
    fold(state, video(), accepted(1, START_MS))
    answer = await gateway.get(f"/v1/videos/{VIDEO}/comments/minutes")
    assert answer.json() == {"minutes": [{"minute_ms": START_MS // MINUTE_MS * MINUTE_MS, "n": 1}]}
    assert (await gateway.get(f"/v1/videos/{'z' * 20}/comments/minutes")).status_code == 404
