"""The health of a stream: the fold of what the ingest measured, the advice made of it, and who may ask."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.comment_minutes import MINUTE_MS, CommentMinutes
from gateway.ingest_health import Arrival, IngestHealth
from gateway.part_delays import PartDelays
from gateway.state import GatewayState
from gateway.stream_advice import Delivery, Level, advice, worst
from gateway.stream_health import health_row
from schemas.events import CommentAccepted, Event, IngestMeasured, PartReady, VideoState
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
    assert source["bitrate_bps"] > 0
    assert (source["behind_ms"], source["gaps"]) == (0, 0)
    assert [point["frame_rate"] for point in row["series"]] == [30.0]


async def test_comments_by_minute_are_told_to_everybody(gateway: httpx.AsyncClient, state: GatewayState) -> None:
    fold(state, video(), accepted(1, START_MS))
    answer = await gateway.get(f"/v1/videos/{VIDEO}/comments/minutes")
    assert answer.json() == {"minutes": [{"minute_ms": START_MS // MINUTE_MS * MINUTE_MS, "n": 1}]}
    assert (await gateway.get(f"/v1/videos/{'z' * 20}/comments/minutes")).status_code == 404
