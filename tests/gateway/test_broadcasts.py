"""All folds of a gateway: what ends, what is forgotten, who is woken."""

import asyncio
from collections.abc import Callable

import pytest

from gateway import broadcasts as module
from gateway.broadcasts import QUIET_MS, Broadcasts, TooManyParkedError
from gateway.videos import VideoDirectory
from schemas.events import VideoChanged, VideoState
from schemas.ids import new_video_id, started_ms
from stores.settings import Settings
from tests.gateway.conftest import Clock
from tests.gateway.tape import START_MS, VIDEO, Tape, planned, video


class Many:
    """Broadcasts with the directory that they read."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.videos = VideoDirectory()
        self.broadcasts = Broadcasts(settings, self.videos, self.clock)

    def state(self, event: VideoChanged) -> None:
        self.videos.apply(event)
        self.broadcasts.video(event)

    def play(self, tape: Tape, end: int | None = None) -> None:
        for event in tape.events(0, end):
            self.broadcasts.media(event)
        self.broadcasts.folded()


@pytest.fixture
def many(settings: Settings) -> Many:
    return Many(settings)


def test_a_video_id_tells_when_it_started() -> None:
    assert started_ms(VIDEO) == START_MS
    assert started_ms(new_video_id(123_456, bytes(7))) == 123_456


def test_the_log_is_read_from_before_the_window_and_the_publisher_s_absence(many: Many, settings: Settings) -> None:
    assert many.broadcasts.log_start_ms <= many.clock() - (settings.window_s + settings.grace_s) * 1_000


def test_an_ended_video_that_lacks_its_last_segment_ends_after_a_while(many: Many) -> None:
    many.state(video())
    many.play(Tape([4] * 5), end=4)
    many.state(video(VideoState.ENDED, last_segment=4, ended_ms=START_MS + 5_000))
    fold = many.broadcasts.get(VIDEO)
    assert fold is not None
    rendition = fold.renditions["source"]
    many.clock.now_ms = START_MS + 5_000 + QUIET_MS
    many.broadcasts.tick()
    assert not fold.has_ended(rendition)
    many.clock.now_ms += 1
    many.broadcasts.tick()
    assert fold.has_ended(rendition)


def test_what_is_no_longer_stored_is_forgotten(many: Many, settings: Settings) -> None:
    many.state(video())
    many.play(Tape([4] * 5))
    many.state(video(VideoState.ENDED, last_segment=4, ended_ms=START_MS + 5_000))
    many.clock.now_ms = START_MS + 5_000 + settings.hot_retention_s * 1_000
    many.broadcasts.tick()
    assert many.broadcasts.get(VIDEO) is not None
    many.clock.now_ms += 1
    many.broadcasts.tick()
    assert many.broadcasts.get(VIDEO) is None


def test_memory_is_bounded_and_live_videos_stay_longest(make_settings: Callable[..., Settings]) -> None:
    many = Many(make_settings(gateway_memory_mb=1))
    ids = [new_video_id(START_MS + n, bytes(7)) for n in range(4)]
    for video_id in ids:
        ended = video_id == ids[-1]
        state = VideoState.ENDED if ended else VideoState.LIVE
        many.state(video(state, video_id=video_id, last_segment=300, ended_ms=START_MS if ended else None))
        many.play(Tape([1] * 300, video_id=video_id))
    many.broadcasts.tick()
    assert [many.broadcasts.get(video_id) is not None for video_id in ids] == [False, True, True, False]


def test_a_break_of_a_video_without_media_is_kept_for_it(many: Many) -> None:
    many.broadcasts.ad_break(planned(2, 2_000))
    many.state(video())
    many.play(Tape([4]))
    fold = many.broadcasts.get(VIDEO)
    assert fold is not None
    assert len(fold.breaks) == 1
    assert fold.video == video()


async def test_only_those_wake_whose_part_has_come(many: Many) -> None:
    tape = Tape([4] * 3)
    many.state(video())
    many.play(tape, end=1)
    fold = many.broadcasts.get(VIDEO)
    assert fold is not None
    first = [asyncio.create_task(many.broadcasts.wait(fold, "source", (1, 0), 10)) for _ in range(3)]
    second = asyncio.create_task(many.broadcasts.wait(fold, "source", (1, None), 10))
    await asyncio.sleep(0)
    many.broadcasts.media(tape.part(1, 0))
    many.broadcasts.folded()
    assert await asyncio.gather(*first) == [True] * 3
    assert not second.done()
    many.broadcasts.stop()
    assert await second is False
    assert await many.broadcasts.wait(fold, "source", (9, 0), 10) is False, "a gateway that stops parks nobody"


async def test_waiting_ends_in_time_and_is_bounded(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    many.state(video())
    many.play(Tape([4]))
    fold = many.broadcasts.get(VIDEO)
    assert fold is not None
    assert await many.broadcasts.wait(fold, "source", (1, 0), 0.01) is False
    monkeypatch.setattr(module, "MAX_PARKED", 0)
    with pytest.raises(TooManyParkedError, match="try again later"):
        await many.broadcasts.wait(fold, "source", (1, 0), 10)
