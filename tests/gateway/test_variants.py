"""What a video offers: how renditions are described, and those that are not for clients or began late."""

from collections.abc import Iterable
from dataclasses import replace

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.devices import Device, Wish
from media.hls import media_playlist
from schemas.events import PartReady, TrackInfo, VideoState
from tests.gateway.playlist_reader import read
from tests.gateway.tape import VIDEO, Media, Tape, video
from tests.gateway.test_rendition_fold import apply


def folded(*events: Iterable[Media]) -> VideoFold:
    fold = VideoFold(VIDEO, Limits(window_ms=600_000, max_segments=1_000))
    fold.state(video())
    for several in events:
        for event in several:
            apply(fold, event)
    return fold


def info(width: int, height: int, codecs: str) -> TrackInfo:
    return TrackInfo(codecs=codecs, width=width, height=height, frame_rate=30.0, sample_rate=0, channels=0)


def test_a_rendition_is_described_by_the_largest_picture_that_it_has_in_the_window() -> None:
    tape = Tape([4] * 4, epochs=frozenset({1, 2, 3}))
    sizes = [
        (640, 360, "avc1.64001e"),
        (1280, 720, "avc1.64001f"),
        (640, 360, "avc1.64001e"),
        (320, 180, "avc1.64000d"),
    ]
    changing = (
        replace(event, info=info(*sizes[event.segment])) if isinstance(event, PartReady) and event.part == 0 else event
        for event in tape.events()
    )
    (shown,) = variants_of(folded(changing), {}).videos
    assert (shown.width, shown.height, shown.codecs) == (1280, 720, "avc1.64001f")


def test_a_source_that_clients_may_not_play_is_not_reported_either() -> None:
    small = Tape([4] * 3, "480p")
    fold = folded(Tape([4] * 3, long_gop=True).events(), small.events())
    assert variants_of(fold, {}).names == ("480p",)
    assert not window_of(fold, fold.renditions["480p"]).reports
    good = folded(Tape([4] * 3).events(), small.events())
    assert [report.uri for report in window_of(good, good.renditions["480p"]).reports] == ["../source/media.m3u8"]


def test_on_demand_a_rendition_that_began_late_has_gaps_before_its_first_segment() -> None:
    fold = folded(Tape([4] * 5, epochs=frozenset({3})).events(), Tape([4] * 5, "480p", epochs=frozenset({3})).events(3))
    fold.state(video(VideoState.ENDED, last_segment=4))
    fold.end()
    late, source = (
        read(media_playlist(window_of(fold, fold.renditions[name], vod=True))) for name in ("480p", "source")
    )
    assert late.type == source.type == "VOD"
    assert [(s.number, s.gap) for s in late.segments] == [(n, n < 3) for n in range(5)]
    assert [(s.date, s.duration, s.epoch) for s in late.segments] == [
        (s.date, s.duration, s.epoch) for s in source.segments
    ]
    assert not any(s.gap for s in source.segments)


def test_audio_alone_is_offered_to_who_wants_no_picture_and_the_smallest_picture_where_there_is_no_audio() -> None:
    silent = variants_of(folded(Tape([4] * 3).events(), Tape([1] * 3, "480p").events()), {})
    assert silent.suiting(Wish(Device.AUDIO_ONLY)).names in (("480p",), ("source",))
    sounding = variants_of(folded(Tape([4] * 3).events(), Tape([4] * 3, "audio").events()), {})
    alone = sounding.suiting(Wish(Device.AUDIO_ONLY))
    assert alone.names == ()
    assert alone.audio is not None
