"""Views further back: one for many viewers, without holes, no larger than they need to be."""

from collections import deque
from dataclasses import replace

from gateway.cassandra_link import CassandraLink
from gateway.dvr import DvrView, DvrViews, joined
from gateway.playlists import Playlists
from gateway.recorded import Past, RecordedVideos
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.hls import Segment, Skip
from schemas.events import PartReady, TrackInfo
from stores.settings import Settings
from tests.gateway.tape import START_MS, VIDEO, Tape, video


def segment(number: int, *, closed: bool = True) -> Segment:
    whole = Segment(number, 0, START_MS + number * 1_000, number, 1, 1, "init", True, (), 1, 1)
    return replace(whole, closed=closed)


def numbers(segments: deque[Segment]) -> list[int]:
    return [s.number for s in segments]


def test_what_is_older_than_the_live_window_goes_before_it() -> None:
    past = deque(map(segment, range(10)))
    assert numbers(joined(past, deque(map(segment, range(7, 12))), 60_000)) == list(range(12))


def test_what_does_not_reach_the_live_window_is_not_shown() -> None:
    past = deque(map(segment, range(10)))
    assert numbers(joined(past, deque(map(segment, range(11, 14))), 60_000)) == [11, 12, 13]
    open_last = deque([*map(segment, range(9)), segment(9, closed=False)])
    assert numbers(joined(open_last, deque(map(segment, range(10, 14))), 60_000)) == [10, 11, 12, 13]


def test_what_is_too_old_goes() -> None:
    past = deque(map(segment, range(10)))
    assert numbers(joined(past, deque(map(segment, range(10, 14))), 6_000)) == list(range(7, 14))


async def test_viewers_share_a_view_and_it_stays_as_large_as_it_has_to_be(settings: Settings) -> None:
    now_ms = START_MS

    async def no_init(_name: str) -> None:
        return None

    recorded = RecordedVideos(CassandraLink(settings), lambda: now_ms, 100, settings.hot_retention_s, no_init)
    views, playlists = DvrViews(settings, recorded, lambda: now_ms), Playlists(settings)
    fold, tape = VideoFold(VIDEO, Limits(60_000, 1_000)), Tape([4] * 2_000)
    fold.state(video())
    entries = []
    for number in range(2_000):
        now_ms = START_MS + number * 1_000
        for event in tape.segment(number):
            fold.part(event) if isinstance(event, PartReady) else fold.closed(event)
        view = await views.view(fold, 600)
        assert view is await views.view(fold, 900)
        source = view.renditions["source"]
        playlists.media(view, source, skip=Skip.SEGMENTS)
        entries.append(len(source.segments))
    assert entries[-1] == entries[1_000]
    assert 900 <= entries[-1] <= 902
    assert not any(s.parts for s in list(source.segments)[:800])
    views.tick(lambda _: fold)
    assert views.held(VIDEO) == [view]
    now_ms += 61_000  # nobody looks any more
    views.tick(lambda _: fold)
    assert views.held(VIDEO) == []


async def test_a_view_says_what_the_renditions_were_before_the_live_window(settings: Settings) -> None:
    async def no_init(_name: str) -> None:
        return None

    recorded = RecordedVideos(CassandraLink(settings), lambda: START_MS, 100, settings.hot_retention_s, no_init)
    fold, tape = VideoFold(VIDEO, Limits(600_000, 1_000)), Tape([4] * 10)
    fold.state(video())
    for event in tape.events(4):
        fold.part(event) if isinstance(event, PartReady) else fold.closed(event)
    fold.end()
    view = await DvrViews(settings, recorded, lambda: START_MS).view(fold, 600)
    assert isinstance(view, DvrView)
    was = TrackInfo(codecs="avc1.640028", width=1920, height=1080, frame_rate=30.0, sample_rate=0, channels=0)
    view.fill(
        {
            "source": Past(
                [replace(segment(n), init_uri="init-before.mp4") for n in range(4)], {}, {"init-before.mp4": was}
            )
        }
    )
    (shown,) = variants_of(view, {}).videos
    assert (shown.codecs, shown.width) == ("avc1.640028,avc1.64001f", 1920)
    view.follow(fold)
    (followed,) = variants_of(view, {}).videos
    assert followed.codecs == shown.codecs, "it stays known"
