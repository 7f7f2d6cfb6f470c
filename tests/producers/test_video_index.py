"""The index concludes from the log what has become of each video."""

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from media.packaged import StartPosition
from producers.broadcast import position_after
from producers.video_index import IMPORT_MS, SILENCE_MARGIN_MS, VideoIndex
from schemas.events import Event, GopOpened, Origin, VideoChanged, VideoState

NOBODY: frozenset[str] = frozenset()


def video(
    video_id: str = "v1", state: VideoState = VideoState.LIVE, changed_ms: int = 1_000, **more: Any
) -> VideoChanged:
    values: dict[str, Any] = {
        "channel": "demo",
        "title": "Demo",
        "started_ms": 1_000,
        "last_segment": -1,
        "part_target_ms": 250,
        "segment_max_ms": 10_000,
        "audio": True,
        "video": True,
    }
    return VideoChanged(video_id=video_id, state=state, changed_ms=changed_ms, **(values | more))


def gop(number: int, segment: int, captured_ms: int = 2_000, video_id: str = "v1") -> GopOpened:
    return GopOpened(
        video_id=video_id,
        channel="demo",
        gop=number,
        segment=segment,
        epoch=0,
        media_time_ms=captured_ms - 1_000,
        captured_ms=captured_ms,
    )


def index_of(*events: Event) -> VideoIndex:
    index = VideoIndex()
    for event in events:
        index.apply(event)
    return index


def test_a_channel_goes_on_from_the_highest_numbers_of_its_newest_open_video() -> None:
    index = index_of(
        video("v1", VideoState.ENDED),
        gop(9, 9, video_id="v1"),
        video("v2"),
        gop(4, 6, video_id="v2"),
        video("v3"),
        gop(1, 2, video_id="v3"),
    )
    standing = index.open_video("demo")
    assert standing is not None
    assert (standing.video.video_id, standing.gop, standing.segment) == ("v3", 1, 2)


def test_a_gop_that_is_read_before_its_video_counts() -> None:
    standing = index_of(gop(4, 6), video()).standing("v1")
    assert standing is not None
    assert (standing.gop, standing.segment) == (4, 6)


@given(order=st.permutations([gop(0, 0), gop(1, 1), gop(1, 2), gop(2, 3), video()]))
def test_the_order_of_two_topics_does_not_matter(order: list[Event]) -> None:
    standing = index_of(*order).standing("v1")
    assert standing is not None
    assert (standing.gop, standing.segment) == (2, 3)


def test_gops_of_unknown_videos_are_forgotten_on_request() -> None:
    index = index_of(gop(4, 6))
    index.forget_unknown()
    index.apply(video())
    standing = index.standing("v1")
    assert standing is not None
    assert standing.gop == -1


def test_a_live_video_without_a_sign_of_life_is_interrupted_once() -> None:
    index = index_of(video(), gop(0, 0, captured_ms=5_000))
    silence_ms = 10_000 + SILENCE_MARGIN_MS
    assert index.due(5_000 + silence_ms, 60_000, NOBODY) == []
    (change,) = index.due(5_001 + silence_ms, 60_000, NOBODY)
    assert (change.state, change.changed_ms) == (VideoState.INTERRUPTED, 5_001 + silence_ms)
    index.apply(change)
    assert index.due(5_002 + silence_ms, 60_000, NOBODY) == []


def test_a_video_with_its_publisher_here_is_never_due() -> None:
    index = index_of(video())
    assert index.due(10**9, 60_000, frozenset({"v1"})) == []


def test_an_interrupted_video_ends_after_the_grace_time_with_its_last_segment() -> None:
    index = index_of(video(), gop(3, 7), video(state=VideoState.INTERRUPTED, changed_ms=8_000))
    assert index.due(68_000, 60_000, NOBODY) == []
    (change,) = index.due(68_001, 60_000, NOBODY)
    assert (change.state, change.last_segment, change.ended_ms) == (VideoState.ENDED, 7, 8_000)
    index.apply(change)
    assert index.open_video("demo") is None


def test_a_video_that_returns_keeps_its_numbers() -> None:
    back = dataclasses.replace(video(), changed_ms=9_000)
    standing = index_of(video(), gop(3, 7), video(state=VideoState.INTERRUPTED), back).standing("v1")
    assert standing is not None
    assert (standing.segment, standing.video.changed_ms) == (7, 9_000)


def test_the_ladder_never_shrinks() -> None:
    index = index_of(video(), dataclasses.replace(gop(0, 0), ladder_below=720), gop(1, 1))
    standing = index.open_video("demo")
    assert standing is not None
    assert position_after(standing, 3_000).ladder_below == 720


def test_a_publisher_of_ours_that_returns_goes_on_where_it_left_and_not_a_segment_later() -> None:
    index = index_of(video(), gop(3, 3, captured_ms=9_000))
    index.left("v1", StartPosition(gop=4, segment=4, epoch=1, media_time_ms=9_300))
    standing = index.open_video("demo")
    assert standing is not None
    assert position_after(standing, 10_000, index.end_of(standing)).media_time_ms == 9_300
    assert position_after(standing, 12_000, index.end_of(standing)).media_time_ms == 11_000
    assert position_after(standing, 10_000).media_time_ms == 8_000 + 10_000


def test_where_a_publisher_left_is_forgotten_when_the_video_went_on_elsewhere() -> None:
    index = index_of(video(), gop(3, 3))
    index.left("v1", StartPosition(gop=4, segment=4, epoch=1, media_time_ms=9_300))
    index.apply(gop(4, 4))
    standing = index.open_video("demo")
    assert standing is not None
    assert index.end_of(standing) is None


def test_a_publisher_never_goes_on_with_a_video_that_is_imported() -> None:
    index = index_of(video("v1"), video("v2", origin=Origin.IMPORT))
    found = index.open_video("demo")
    assert found is not None
    assert found.video.video_id == "v1"


def test_an_import_says_by_itself_when_it_is_over_unless_it_was_killed() -> None:
    index = index_of(video(origin=Origin.IMPORT), gop(0, 0))
    assert not index.due(1_000 + IMPORT_MS - 1, 5_000, NOBODY)
    (change,) = index.due(1_000 + IMPORT_MS, 5_000, NOBODY)
    assert change.state is VideoState.INTERRUPTED
