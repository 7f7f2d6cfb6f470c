"""Media playlists: golden texts, and the rules between full playlists and delta updates."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.hls import (
    AdBreak,
    Part,
    RenditionReport,
    Segment,
    SegmentTexts,
    Skip,
    Start,
    Window,
    edge,
    following,
    media_playlist,
    next_part_uri,
    part_uri,
    segment_uri,
    target_duration_s,
)
from media.hls_iframes import iframe_playlist
from tests.gateway.playlist_reader import read

GOLDEN = Path(__file__).parent / "golden" / "hls"
START_MS = 1_700_000_000_000


def segment(number: int, count: int = 4, *, part_ms: int = 250, epoch: int = 0, start_ms: int | None = None) -> Segment:
    start_ms = number * 1_000 if start_ms is None else start_ms
    parts = tuple(
        Part(part_uri(number, i), start_ms + i * part_ms, part_ms, 1_000, i == 0, 1_000) for i in range(count)
    )
    return Segment(
        number=number,
        epoch=epoch,
        start_ms=START_MS + start_ms,
        dts=start_ms,
        duration=count * part_ms,
        timescale=1_000,
        init_uri=f"init-{epoch:012x}.mp4",
        independent=True,
        parts=parts,
        part_count=count,
        size=count * 1_000,
        closed=True,
    )


def window(*segments: Segment, **options: object) -> Window:
    return Window(segments, 2, 250, 750, **options)  # type: ignore[arg-type]


def golden_playlists() -> dict[str, str]:
    """Every golden text by file name."""
    live = [*map(segment, range(7, 12)), replace(segment(12, 2), closed=False)]
    lost = replace(segment(9, 2), duration=1_000, closed=True, gap=True)
    gone = replace(segment(10, 0), duration=1_000, gap=True)
    again = [segment(12, epoch=2, start_ms=42_000), replace(segment(13, 1, epoch=2, start_ms=43_000), closed=False)]
    breaks = (AdBreak("b0", START_MS + 9_000, 9_000, 2_000), AdBreak("b1", START_MS + 60_000, 60_000, 30_000))
    long_gop = replace(
        segment(8), independent=False, parts=tuple(replace(p, independent=False) for p in segment(8).parts)
    )
    return {
        "empty.m3u8": media_playlist(window()),
        "live.m3u8": media_playlist(
            window(
                *live,
                reports=(RenditionReport("../480p/media.m3u8", 12, 1), RenditionReport("../a/media.m3u8", 9, None)),
            )
        ),
        "between-segments.m3u8": media_playlist(window(*live[:-1])),
        "ended.m3u8": media_playlist(window(*live[:-1], ended=True)),
        "gaps.m3u8": media_playlist(window(segment(7), segment(8), lost, gone, segment(11))),
        "discontinuity.m3u8": media_playlist(window(segment(11), *again)),
        "breaks.m3u8": media_playlist(window(*live, breaks=breaks)),
        "long-gop.m3u8": media_playlist(window(segment(7), long_gop)),
        "delta.m3u8": media_playlist(window(*map(segment, range(20))), skip=Skip.SEGMENTS),
        "delta-of-dates.m3u8": media_playlist(
            window(*map(segment, range(20)), breaks=breaks, removed_breaks=("b8", "b9")),
            skip=Skip.SEGMENTS_AND_DATE_RANGES,
        ),
        "vod.m3u8": media_playlist(window(*live[:-1], ended=True, vod=True)),
        "vod-with-gap.m3u8": media_playlist(window(segment(7), lost, segment(10), ended=True, vod=True)),
        "event.m3u8": media_playlist(window(*map(segment, range(3)), event=True, start=Start(-12.5, precise=True))),
        "next-map.m3u8": media_playlist(window(segment(7), next_init_uri="init-000000000009.mp4")),
        "iframes.m3u8": iframe_playlist(window(*(replace(s, keyframe_size=400 + s.number) for s in live))),
        "iframes-gaps.m3u8": iframe_playlist(
            window(
                replace(segment(7), keyframe_size=407), long_gop, lost, replace(again[0], keyframe_size=412), ended=True
            )
        ),
        "old-parts.m3u8": media_playlist(window(*map(segment, range(12)))),
    }


@pytest.mark.parametrize("name", sorted(golden_playlists()))
def test_playlists_are_the_golden_ones(name: str) -> None:
    text = golden_playlists()[name]
    assert text == (GOLDEN / name).read_text()
    read(text)


def test_no_golden_file_is_forgotten() -> None:
    assert {path.name for path in GOLDEN.glob("*.m3u8")} >= set(golden_playlists())


def test_what_comes_next_is_hinted() -> None:
    assert following([]) == (0, 0)
    assert following([segment(4)]) == (5, 0)
    assert following([replace(segment(4), closed=False)]) == (4, 4)
    assert edge([segment(4)], 250) == (4, 3)
    assert edge([replace(segment(4, 0), closed=False)], 250) == (4, None)
    assert edge([replace(segment(4, 0), duration=900, gap=True)], 250) == (4, 3)
    assert edge([replace(segment(4, 2), duration=1_000, gap=True)], 250) == (4, 3)


def test_the_next_part_has_the_same_name_whether_the_segment_ends_or_not() -> None:
    grown = replace(segment(4, 2), closed=False)
    assert next_part_uri([grown]) == next_part_uri([replace(grown, closed=True)]) == part_uri(4, 2)


def test_what_does_not_go_on_from_the_segment_before_has_a_name_of_its_own() -> None:
    assert next_part_uri([]) == part_uri(0, 0)
    assert next_part_uri([segment(4)], goes_on=False) == part_uri(5, 0)
    assert next_part_uri([replace(segment(4, 2), gap=True)]) == part_uri(5, 0)
    assert next_part_uri([replace(segment(4, 2), closed=False)], goes_on=False) == part_uri(4, 2)


@pytest.mark.parametrize(("longest_ms", "target"), [(300, 1), (2_000, 2), (2_499, 2), (2_500, 3), (10_000, 10)])
def test_no_extinf_rounds_above_the_target_duration(longest_ms: int, target: int) -> None:
    assert target_duration_s(longest_ms) == target


def test_files_have_the_names_of_the_store() -> None:
    from stores.segments import part_name

    assert part_name("v", "r", 7, 2) == f"v/r/{part_uri(7, 2)}"
    assert segment_uri(7) == "00000007.m4s"


def test_the_tag_of_independent_segments_says_the_truth() -> None:
    assert read(media_playlist(window(segment(1)))).independent
    assert not read(media_playlist(window(segment(1), replace(segment(2), independent=False)))).independent


@given(st.integers(1, 60), st.booleans())
def test_a_delta_update_and_what_was_known_give_the_full_playlist(count: int, open_: bool) -> None:
    segments = [segment(n, epoch=n // 7) for n in range(count)]
    if open_:
        segments[-1] = replace(segments[-1], closed=False)
    full = read(media_playlist(window(*segments)))
    delta = read(media_playlist(window(*segments), skip=Skip.SEGMENTS))
    assert delta.skipped == max(0, count - 13)
    assert (delta.sequence, delta.hints) == (full.sequence, full.hints)
    assert [s.number for s in delta.segments] == [s.number for s in full.segments[delta.skipped :]]
    kept = full.segments[delta.skipped :]
    assert [(s.uri, s.duration, s.map, s.date, s.parts) for s in delta.segments] == [
        (s.uri, s.duration, s.map, s.date, s.parts) for s in kept
    ]
    if delta.skipped:
        assert sum(s.duration or 1.0 for s in delta.segments) > 12


@given(st.lists(st.integers(1, 8), min_size=1, max_size=40), st.integers(1, 39))
def test_a_gap_s_parts_fill_it(counts: list[int], lost_ms: int) -> None:
    last = segment(len(counts), 1)
    lost = replace(segment(0, counts[0]), duration=counts[0] * 250 + lost_ms * 100, gap=True)
    playlist = read(media_playlist(Window([lost, last], 6, 250, 750)))
    parts = playlist.segments[0].parts
    assert [gap for *_, gap in parts] == [False] * counts[0] + [True] * (len(parts) - counts[0])
    assert abs(sum(seconds for _, seconds, _, _ in parts) - lost.duration_s) < 0.001


def test_remembered_texts_change_nothing_and_are_let_go() -> None:
    texts = SegmentTexts()
    for first in range(0, 12_000, 400):
        segments = [segment(n, epoch=n // 500) for n in range(first, first + 450)]
        again = [replace(old, parts=()) if old.number % 2 else old for old in segments]
        for shown in (segments, again):
            assert media_playlist(window(*shown), texts=texts) == media_playlist(window(*shown))
    assert len(texts._texts) < 5_000
