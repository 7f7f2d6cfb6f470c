"""Multivariant playlists: golden texts, rates, order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.hls import Start
from media.hls_multivariant import (
    Audio,
    Rates,
    Subtitles,
    Video,
    measured_rates,
    multivariant_playlist,
    video_range,
)
from tests.gateway.playlist_reader import attributes
from tests.media.test_hls import GOLDEN

AUDIO = Audio("audio", "mp4a.40.2", 2, Rates(130_000, 128_000))


def video(height: int, kilobits: int, name: str = "") -> Video:
    rates = Rates(kilobits * 1_100, kilobits * 1_000)
    return Video(name or f"{height}p", "avc1.64001f", height * 16 // 9, height, 30.0, rates)


LADDER = [video(360, 700), video(1080, 6_000, "source"), video(720, 2_800)]


def golden_multivariants() -> dict[str, str]:
    """Every golden text by file name."""
    return {
        "multivariant.m3u8": multivariant_playlist(LADDER, AUDIO),
        "multivariant-of-channel.m3u8": multivariant_playlist(LADDER[:1], AUDIO, prefix="../../v1/videos/V/"),
        "multivariant-full.m3u8": multivariant_playlist(
            [replace(one, keyframes=Rates(90_000, 60_000)) for one in LADDER],
            AUDIO,
            subtitles=[Subtitles("captions/media.m3u8", "English", "en", default=True)],
            start=Start(-30),
        ),
        "multivariant-video-only.m3u8": multivariant_playlist(LADDER[:2], None),
        "multivariant-audio-only.m3u8": multivariant_playlist([], AUDIO),
    }


@pytest.mark.parametrize("name", sorted(golden_multivariants()))
def test_playlists_are_the_golden_ones(name: str) -> None:
    assert golden_multivariants()[name] == (GOLDEN / name).read_text()


def uris(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def attributes_of(text: str, tag: str) -> list[dict[str, str]]:
    return [attributes(line.partition(":")[2]) for line in text.splitlines() if line.startswith(tag)]


def test_variants_stand_in_the_order_given_and_audio_alone_is_the_last() -> None:
    assert uris(multivariant_playlist(LADDER, AUDIO, query="?a=1")) == [
        f"{name}/media.m3u8?a=1" for name in ("360p", "source", "720p", "audio")
    ]
    alone = attributes_of(multivariant_playlist(LADDER, AUDIO), "#EXT-X-STREAM-INF")[-1]
    assert (alone["CODECS"], "RESOLUTION" in alone, "AUDIO" in alone) == ("mp4a.40.2", False, False)


def test_scores_rise_with_the_picture_and_the_best_that_has_a_ladder_has_the_highest() -> None:
    hevc = replace(video(1440, 4_000, "hevc"), codecs="hvc1.1.6.L120.90")
    text = multivariant_playlist([*LADDER, hevc], AUDIO)
    scores = {a["STABLE-VARIANT-ID"]: int(a["SCORE"]) for a in attributes_of(text, "#EXT-X-STREAM-INF")}
    assert sorted(scores, key=scores.__getitem__) == ["audio", "360p", "720p", "hevc", "source"]


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        ("avc1.64001f", "SDR"), ("avc1.6e0028", None), ("hvc1.1.6.L120.90", "SDR"), ("hvc1.2.4.L120.90", None),
        ("av01.0.08M.08", "SDR"), ("av01.0.08M.10", None), ("vp09.00.10.08", None),
        ("avc1.64001f,avc1.64000d", "SDR"), ("avc1.64001f,hvc1.2.4.L120.90", None),
    ],
)  # fmt: skip
def test_the_range_of_a_picture_is_told_where_its_codec_tells_it(codecs: str, expected: str | None) -> None:
    assert video_range(codecs) == expected
    (variant,) = attributes_of(
        multivariant_playlist([replace(video(720, 1), codecs=codecs)], None), "#EXT-X-STREAM-INF"
    )
    assert variant.get("VIDEO-RANGE") == expected


def test_a_picture_that_was_not_always_h264_counts_as_one_without_a_ladder() -> None:
    was = replace(video(1440, 4_000, "source"), codecs="hvc1.1.6.L120.90,avc1.64001f")
    text = multivariant_playlist([video(1080, 3_000), video(720, 2_000), was], None)
    scores = {a["STABLE-VARIANT-ID"]: int(a["SCORE"]) for a in attributes_of(text, "#EXT-X-STREAM-INF")}
    assert sorted(scores, key=scores.__getitem__) == ["720p", "source", "1080p"]


def test_i_frame_playlists_are_named_with_their_own_rates() -> None:
    text = multivariant_playlist([replace(LADDER[0], keyframes=Rates(90_000, 60_000)), LADDER[1]], None)
    (iframes,) = attributes_of(text, "#EXT-X-I-FRAME-STREAM-INF")
    assert (iframes["URI"], iframes["BANDWIDTH"], iframes["AVERAGE-BANDWIDTH"]) == (
        "360p/iframes.m3u8",
        "110000",
        "60000",
    )
    assert (iframes["CODECS"], iframes["RESOLUTION"]) == ("avc1.64001f", "640x360")


def test_subtitles_are_a_group_that_every_variant_names() -> None:
    shown = [
        Subtitles("sub-en/media.m3u8", 'English "CC"', "en", default=True),
        Subtitles("sub-de/media.m3u8", "Deutsch"),
    ]
    text = multivariant_playlist(LADDER, AUDIO, subtitles=shown, prefix="p/")
    media = [a for a in attributes_of(text, "#EXT-X-MEDIA") if a["TYPE"] == "SUBTITLES"]
    assert [(a["NAME"], a.get("LANGUAGE"), a["DEFAULT"], a["URI"]) for a in media] == [
        ("English 'CC'", "en", "YES", "p/sub-en/media.m3u8"),
        ("Deutsch", None, "NO", "p/sub-de/media.m3u8"),
    ]
    variants = attributes_of(text, "#EXT-X-STREAM-INF")
    assert {a["SUBTITLES"] for a in variants} == {a["GROUP-ID"] for a in media}
    assert {a["CLOSED-CAPTIONS"] for a in variants} == {"NONE"}


def test_a_start_is_told_once_for_all_renditions() -> None:
    assert "#EXT-X-START:TIME-OFFSET=-30" in multivariant_playlist(LADDER, AUDIO, start=Start(-30)).splitlines()


def test_the_peak_is_that_of_runs_of_about_a_target_duration() -> None:
    steady = [(1.0, 100_000)] * 10
    burst = [*steady, (0.5, 200_000), *steady]
    assert measured_rates(steady, 2).peak == 800_000
    assert measured_rates(burst, 2).peak == pytest.approx(8 * 300_000 / 1.5)
    assert measured_rates(burst, 10).peak < measured_rates(burst, 2).peak


def test_a_young_window_is_not_below_the_encoder_s_setting() -> None:
    assert measured_rates([(1.0, 100)], 2, nominal=1_000_000) == Rates(1_000_000, 1_000_000)
    grown = measured_rates([(1.0, 100_000)] * 40, 2, nominal=1_000_000)
    assert grown == Rates(1_000_000, 800_000)
    assert measured_rates([], 2) == Rates(0, 0)


@given(st.lists(st.tuples(st.floats(0.2, 2.4), st.integers(1, 10**6)), min_size=1, max_size=30))
def test_the_peak_is_between_the_mean_and_the_fullest_segment(segments: list[tuple[float, int]]) -> None:
    rates = measured_rates(segments, 2)
    assert rates.mean <= rates.peak * 1.000001
    assert rates.peak <= max(size * 8 / seconds for seconds, size in segments) * 1.000001
