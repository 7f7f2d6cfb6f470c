"""Where people react: gathered by moment, sent once a second a video, and only positions that a video can have."""

import asyncio
import dataclasses

import pytest

from gateway import placing
from gateway.feed_messages import React
from gateway.placing import AHEAD_MS, LONGEST_IMPORT_MS, Placing, place_of
from schemas.events import Origin, PlacedMoment, ReactionsPlaced, VideoState
from tests.gateway.tape import START_MS, video
from tests.waiting import eventually

NOW_MS = START_MS + 100_000
LIVE = video()
ENDED = video(VideoState.ENDED, last_segment=9, ended_ms=START_MS + 50_000)
IMPORTED = dataclasses.replace(LIVE, origin=Origin.IMPORT)


@pytest.mark.parametrize(
    ("what", "media_ms", "expected"),
    [
        (LIVE, NOW_MS - 3_000, NOW_MS - 3_000),
        (LIVE, None, NOW_MS),
        (LIVE, NOW_MS + AHEAD_MS + 1, NOW_MS),
        (LIVE, START_MS - AHEAD_MS - 1, NOW_MS),
        (ENDED, START_MS + 7_000, START_MS + 7_000),
        (ENDED, None, None),
        (ENDED, 0, None),
        (IMPORTED, NOW_MS + 3_600_000, NOW_MS + 3_600_000),
        (IMPORTED, START_MS + LONGEST_IMPORT_MS + 1, None),
        (IMPORTED, None, None),
    ],
)
def test_a_position_is_one_that_the_video_can_have(what: object, media_ms: int | None, expected: int | None) -> None:
    assert what in {LIVE, ENDED, IMPORTED}
    assert isinstance(what, type(LIVE))
    assert place_of(what, media_ms, NOW_MS) == expected


def heart(media_ms: int | None, count: int = 1, kind: str = "heart") -> React:
    return React(kind=kind, count=count, media_ms=media_ms)


async def test_what_comes_within_a_second_is_one_event_by_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "GATHER_S", 0.05)
    sent: list[ReactionsPlaced] = []
    places = Placing(sent.append, "run-1", lambda: NOW_MS)
    for reaction in (
        heart(START_MS + 11_000, 2),
        heart(START_MS + 14_999),
        heart(START_MS + 12_000, 5, "fire"),
        heart(START_MS + 4_000),
    ):
        places.add(LIVE, reaction)
    places.add(ENDED, heart(None))
    await eventually(lambda: bool(sent), 60, "an event")
    assert sent == [
        ReactionsPlaced(
            video_id=LIVE.video_id,
            channel=LIVE.channel,
            gateway_id="run-1",
            number=1,
            recorded_ms=NOW_MS,
            moments=(
                PlacedMoment(at_ms=START_MS, reactions={"heart": 1}),
                PlacedMoment(at_ms=START_MS + 10_000, reactions={"heart": 3, "fire": 5}),
            ),
        )
    ]
    places.add(LIVE, heart(START_MS))
    places.flush()
    assert [event.number for event in sent] == [1, 2]
    await asyncio.sleep(0)
    places.flush()
    assert len(sent) == 2


async def test_very_many_positions_go_at_once() -> None:
    sent: list[ReactionsPlaced] = []
    places = Placing(sent.append, "run-1", lambda: NOW_MS + 1_000_000_000)
    for number in range(placing.MAX_MOMENTS + 1):
        places.add(LIVE, heart(START_MS + number * 5_000))
    assert [len(event.moments) for event in sent] == [placing.MAX_MOMENTS]
    places.flush()
    assert [len(event.moments) for event in sent] == [placing.MAX_MOMENTS, 1]
