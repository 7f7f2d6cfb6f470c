"""What a video offers: how renditions are described, and those that are not for clients or began late."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.playlists import Playlists, window_of
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.devices import Device, Wish
from media.hls import Segment, media_playlist
from media.hls_iframes import iframe_playlist
from media.hls_multivariant import multivariant_playlist
from schemas.events import PartReady, TrackInfo, VideoState
from stores.settings import Settings
from tests.gateway.playlist_reader import ReadPlaylist, read
from tests.gateway.tape import VIDEO, Media, Tape, video
from tests.gateway.test_rendition_fold import apply
from tests.media.test_hls_parser import faults


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


def grown(codecs: str = "avc1.64001f", *, long_gop: bool = False) -> list[Media]:
    """A source of five segments in three epochs: small up to segment 2, larger from there on."""
    return [
        replace(event, info=info(*((640, 360) if event.segment < 3 else (1280, 720)), codecs))
        if isinstance(event, PartReady) and event.info
        else event
        for event in Tape([4] * 5, epochs=CUTS, long_gop=long_gop).events()
    ]


def rung(name: str, width: int, height: int, first: int = 0) -> list[Media]:
    """A rendition that has these segments from `first` on."""
    return [
        replace(event, info=info(width, height, "avc1.640015"))
        if isinstance(event, PartReady) and event.info
        else event
        for event in Tape([4] * 5, name, epochs=CUTS).events(first)
    ]


CUTS = frozenset({1, 3})


def over(*events: Iterable[Media]) -> VideoFold:
    """A video that has ended."""
    fold = folded(*events)
    fold.state(video(VideoState.ENDED, last_segment=4))
    fold.end()
    return fold


def places(playlist: ReadPlaylist) -> list[tuple[str, str, bool]]:
    return [(segment.uri, segment.map, segment.gap) for segment in playlist.segments]


def test_on_demand_epochs_in_which_a_rendition_has_nothing_are_those_of_the_next_lower_one() -> None:
    fold = over(grown(), rung("240p", 426, 240), rung("480p", 854, 480, 3))
    late, source = (
        read(media_playlist(window_of(fold, fold.renditions[name], vod=True))) for name in ("480p", "source")
    )
    assert late.type == source.type == "VOD"
    assert places(late) == [
        ("../source/00000000.m4s", "../source/init-000000000000.mp4", False),
        ("../source/00000001.m4s", "../source/init-000000000001.mp4", False),
        ("../source/00000002.m4s", "../source/init-000000000001.mp4", False),
        ("00000003.m4s", "init-000000000002.mp4", False),
        ("00000004.m4s", "init-000000000002.mp4", False),
    ]
    assert [(s.date, s.duration, s.epoch) for s in late.segments] == [
        (s.date, s.duration, s.epoch) for s in source.segments
    ]


def test_on_demand_a_larger_rendition_stands_in_where_no_smaller_one_can() -> None:
    long_gops = over(
        grown(long_gop=True), rung("720p", 1280, 720), rung("1080p", 1920, 1080), rung("480p", 854, 480, 3)
    )
    found = read(media_playlist(window_of(long_gops, long_gops.renditions["480p"], vod=True)))
    assert [s.uri.rpartition("/")[0] for s in found.segments] == ["../720p"] * 3 + ["", ""]


def test_on_demand_what_is_lost_in_another_rendition_s_epoch_stays_a_gap_there() -> None:
    small = [e for e in rung("240p", 426, 240) if e.segment != 1]
    fold = over(grown(long_gop=True), small, rung("480p", 854, 480, 3))
    found = read(media_playlist(window_of(fold, fold.renditions["480p"], vod=True)))
    assert [s.gap for s in found.segments] == [False, True, False, False, False]
    assert [s.map for s in found.segments[:3]] == [f"../240p/init-00000000000{epoch}.mp4" for epoch in (0, 1, 1)]


def test_nothing_stands_in_that_not_every_player_of_the_rendition_plays() -> None:
    for codecs in ("hvc1.1.6.L93.B0", "avc1.6e001f"):
        fold = over(grown(codecs), rung("480p", 854, 480, 3))
        found = read(media_playlist(window_of(fold, fold.renditions["480p"], vod=True)))
        assert [(s.gap, s.uri) for s in found.segments] == [(n < 3, f"{n:08d}.m4s") for n in range(5)]
        assert next(v.codecs for v in variants_of(fold, {}).videos if v.name == "480p") == "avc1.640015"


def test_a_variant_names_the_codecs_of_what_stands_in_and_carries_its_rates() -> None:
    big = [replace(e, size=20 * e.size, keyframe_size=900) if isinstance(e, PartReady) else e for e in grown()]
    late = [replace(e, keyframe_size=100) if isinstance(e, PartReady) else e for e in rung("480p", 854, 480, 3)]
    for fold in (folded(big, late), over(big, late)):
        found = {video.name: video for video in variants_of(fold, {}).videos}
        assert found["480p"].codecs == "avc1.640015,avc1.64001f"
        assert (found["480p"].width, found["480p"].height) == (854, 480)
        assert found["480p"].rates.peak == found["source"].rates.peak
        assert found["480p"].keyframes is not None
        assert found["480p"].keyframes.peak == pytest.approx(900 * 8)


def test_the_key_pictures_of_what_stands_in_are_in_the_i_frame_playlist() -> None:
    big = [replace(e, keyframe_size=400) if isinstance(e, PartReady) else e for e in grown()]
    late = [replace(e, keyframe_size=100) if isinstance(e, PartReady) else e for e in rung("480p", 854, 480, 3)]
    fold = over(big, late)
    found = read(iframe_playlist(window_of(fold, fold.renditions["480p"], vod=True)))
    assert [(s.uri, s.span) for s in found.segments[2:4]] == [
        ("../source/00000002.m4s", (0, 400)),
        ("00000003.m4s", (0, 100)),
    ]
    assert found.segments[2].map == "../source/init-000000000001.mp4"


def test_live_a_rung_that_a_larger_source_brings_begins_with_the_source_s_segments() -> None:
    fold = folded(grown(), rung("240p", 426, 240), rung("480p", 854, 480, 3))
    kept: dict[int, Segment] = {}
    windows = [window_of(fold, fold.renditions["480p"], lead=kept) for _ in range(2)]
    assert all(before is after for before, after in zip(windows[0].segments, windows[1].segments, strict=True))
    late, whole = (read(media_playlist(window_of(fold, fold.renditions[name]))) for name in ("480p", "source"))
    assert [(s.number, s.gap, s.epoch, s.date, s.duration) for s in late.segments] == [
        (s.number, False, s.epoch, s.date, s.duration) for s in whole.segments
    ]
    assert places(late)[:3] == [(f"../source/{uri}", f"../source/{init}", False) for uri, init, _ in places(whole)[:3]]
    assert not any(uri.startswith("..") for uri, _, _ in places(late)[3:])


def test_live_what_of_the_source_cannot_be_begun_with_is_a_gap_there() -> None:
    source = [replace(e, independent=False) if isinstance(e, PartReady) and e.segment == 2 else e for e in grown()]
    fold = folded(source, rung("480p", 854, 480, 3))
    found = read(media_playlist(window_of(fold, fold.renditions["480p"])))
    assert [s.gap for s in found.segments] == [False, False, True, False, False]
    assert found.independent


def test_hls_parser_finds_nothing_in_playlists_with_segments_of_other_renditions() -> None:
    live, ended = (of(grown(), rung("240p", 426, 240), rung("480p", 854, 480, 3)) for of in (folded, over))
    windows = {
        "live": window_of(live, live.renditions["480p"]),
        "vod": window_of(ended, ended.renditions["480p"], vod=True),
    }
    variants = variants_of(ended, {})
    assert not faults(
        {name: media_playlist(window) for name, window in windows.items()}
        | {"iframes": iframe_playlist(windows["vod"])}
        | {"multivariant": multivariant_playlist(variants.videos, variants.audio)}
    )


def test_audio_alone_is_offered_to_who_wants_no_picture_and_the_smallest_picture_where_there_is_no_audio() -> None:
    silent = variants_of(folded(Tape([4] * 3).events(), Tape([1] * 3, "480p").events()), {})
    assert silent.suiting(Wish(Device.AUDIO_ONLY)).names in (("480p",), ("source",))
    sounding = variants_of(folded(Tape([4] * 3).events(), Tape([4] * 3, "audio").events()), {})
    alone = sounding.suiting(Wish(Device.AUDIO_ONLY))
    assert alone.names == ()
    assert alone.audio is not None
