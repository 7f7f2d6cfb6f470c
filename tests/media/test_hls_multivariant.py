"""Multivariant playlists: golden texts, rates, order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.hls_multivariant import Audio, Rates, Video, measured_rates, multivariant_playlist
from tests.media.test_hls import GOLDEN

AUDIO = Audio("audio/media.m3u8", "mp4a.40.2", 2, Rates(130_000, 128_000))


def video(height: int, kilobits: int, name: str = "") -> Video:
    rates = Rates(kilobits * 1_100, kilobits * 1_000)
    return Video(f"{name or f'{height}p'}/media.m3u8", "avc1.64001f", height * 16 // 9, height, 30.0, rates)


LADDER = [video(360, 700), video(1080, 6_000, "source"), video(720, 2_800)]


def golden_multivariants() -> dict[str, str]:
    """Every golden text by file name."""
    return {
        "multivariant.m3u8": multivariant_playlist(LADDER, AUDIO),
        "multivariant-of-channel.m3u8": multivariant_playlist(LADDER[:1], AUDIO, prefix="../../v1/videos/V/"),
        "multivariant-video-only.m3u8": multivariant_playlist(LADDER[:2], None),
        "multivariant-audio-only.m3u8": multivariant_playlist([], AUDIO),
    }


@pytest.mark.parametrize("name", sorted(golden_multivariants()))
def test_playlists_are_the_golden_ones(name: str) -> None:
    assert golden_multivariants()[name] == (GOLDEN / name).read_text()


def uris(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_best_that_most_lines_carry_is_first() -> None:
    assert uris(multivariant_playlist(LADDER, None)) == ["720p/media.m3u8", "source/media.m3u8", "360p/media.m3u8"]


def test_where_all_are_heavy_the_lightest_is_first() -> None:
    heavy = [video(1080, 8_000), video(720, 5_000)]
    assert uris(multivariant_playlist(heavy, None)) == ["720p/media.m3u8", "1080p/media.m3u8"]


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
