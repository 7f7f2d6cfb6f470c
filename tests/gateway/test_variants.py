"""What a video offers: how renditions are described, and those that are not for clients or began late."""

from collections.abc import Iterable
from dataclasses import replace

from gateway.playlists import Playlists, window_of
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.devices import Device, Wish
from media.hls import Segment, media_playlist
from schemas.events import PartReady, TrackInfo, VideoState
from stores.settings import Settings
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


SIZES = [
    (640, 360, "avc1.64001e"),
    (1280, 720, "avc1.64001f"),
    (640, 360, "avc1.64001e"),
    (320, 180, "avc1.64000d"),
]


def changing(tape: Tape) -> Iterable[Media]:
    """A source that has another size in each segment."""
    for event in tape.events():
        yield replace(event, info=info(*SIZES[event.segment])) if isinstance(event, PartReady) and event.info else event


def test_a_rendition_is_described_by_all_codecs_and_the_largest_picture_that_it_has_in_the_window() -> None:
    (shown,) = variants_of(folded(changing(Tape([4] * 4, epochs=frozenset({1, 2, 3})))), {}).videos
    assert (shown.width, shown.height) == (1280, 720)
    assert shown.codecs == "avc1.64001f,avc1.64001e,avc1.64000d"


def test_a_rendition_has_the_highest_frame_rate_and_the_most_channels_that_it_ever_had() -> None:
    rates = [25.0, 50.0, 30.0]
    tape = Tape([4] * 3, epochs=frozenset({1, 2}))
    events = [
        replace(event, info=replace(event.info, frame_rate=rates[event.segment], width=1_280 >> event.segment))
        if isinstance(event, PartReady) and event.info
        else event
        for event in tape.events()
    ]
    (shown,) = variants_of(folded(events), {}).videos
    assert (shown.frame_rate, shown.width) == (50.0, 1_280)


def test_what_a_larger_source_adds_is_reported_to_clients_whose_multivariant_playlist_names_it(
    settings: Settings,
) -> None:
    cut = frozenset({3})
    sizes = [(320, 180)] * 3 + [(640, 360)] * 3
    source = [
        replace(event, info=info(*sizes[event.segment], "avc1.64001e"))
        if isinstance(event, PartReady) and event.info
        else event
        for event in Tape([4] * 6, epochs=cut).events()
    ]
    fold, playlists = folded(source[:15], Tape([4] * 6, "144p", epochs=cut).events(end=3)), Playlists(settings)
    before = playlists.multivariant(fold, "").plain.decode()
    assert "144p/media.m3u8\n" in before
    for event in [
        *source[15:],
        *Tape([4] * 6, "144p", epochs=cut).events(3),
        *Tape([4] * 6, "200p", epochs=cut).events(3),
    ]:
        apply(fold, event)
    after = playlists.multivariant(fold, "", query="?dvr=900").plain.decode()
    assert "200p/media.m3u8?dvr=900&epoch=1\n" in after

    def reported(epoch: int | None) -> list[str]:
        body = playlists.media(fold, fold.renditions["source"], epoch=epoch)
        return [report["URI"] for report in read(body.plain.decode()).reports]

    assert reported(None) == reported(0) == ["../144p/media.m3u8"]
    assert reported(1) == reported(7) == ["../144p/media.m3u8?epoch=1", "../200p/media.m3u8?epoch=1"]
    fold.state(video(VideoState.ENDED, last_segment=5))
    assert "epoch=" not in playlists.multivariant(fold, "").plain.decode()


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


def test_live_a_rung_that_a_larger_source_brings_has_gaps_where_the_source_has_segments() -> None:
    cut = frozenset({3})
    source = [
        replace(event, info=info(*((640, 360) if event.segment < 3 else (1280, 720)), "avc1.64001f"))
        if isinstance(event, PartReady) and event.info
        else event
        for event in Tape([4] * 5, epochs=cut).events()
    ]
    fold = folded(source, Tape([4] * 5, "480p", epochs=cut).events(3))
    kept: dict[int, Segment] = {}
    windows = [window_of(fold, fold.renditions["480p"], lead=kept) for _ in range(2)]
    assert all(before is after for before, after in zip(windows[0].segments, windows[1].segments, strict=True))
    rung, whole = (read(media_playlist(window_of(fold, fold.renditions[name]))) for name in ("480p", "source"))
    assert [(s.number, s.gap, s.epoch, s.date, s.duration) for s in rung.segments] == [
        (s.number, s.number < 3, s.epoch, s.date, s.duration) for s in whole.segments
    ]


def test_audio_alone_is_offered_to_who_wants_no_picture_and_the_smallest_picture_where_there_is_no_audio() -> None:
    silent = variants_of(folded(Tape([4] * 3).events(), Tape([1] * 3, "480p").events()), {})
    assert silent.suiting(Wish(Device.AUDIO_ONLY)).names in (("480p",), ("source",))
    sounding = variants_of(folded(Tape([4] * 3).events(), Tape([4] * 3, "audio").events()), {})
    alone = sounding.suiting(Wish(Device.AUDIO_ONLY))
    assert alone.names == ()
    assert alone.audio is not None
