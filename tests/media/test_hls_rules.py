"""The rules of HLS and low-latency HLS, one test each, against made-up playlists and those of a folded broadcast.

Clauses are of HTTP Live Streaming 2nd Edition (draft-pantos-hls-rfc8216bis); what a test reads, it reads by a parser of its own
(`tests/gateway/playlist_reader.py`). The rules of delivery directives and of HTTP are in `tests/gateway/test_media_routes.py`.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache

import pytest

from media.hls import Skip, Start, Window, media_playlist
from tests.gateway.playlist_reader import ReadPlaylist, ReadSegment, attributes, check_update, read
from tests.gateway.story import EPOCHS, LOST, LOST_WHOLE, RENDITIONS, SEGMENTS, Story, told
from tests.media.test_hls import golden_playlists, segment, window
from tests.media.test_hls_multivariant import golden_multivariants

story = cache(told)


@cache
def media_texts() -> dict[str, str]:
    """Full media playlists by name: the golden ones, and every fifth of the broadcast, live and ended."""
    texts = {name: text for name, text in golden_playlists().items() if not name.startswith(("delta", "iframes"))}
    for name in RENDITIONS:
        texts |= {f"{name}-{at}": text for at, text in enumerate(story().full[name][::5])}
        texts |= {f"{name}-ended": story().ended[name], f"{name}-vod": story().vod[name]}
    return texts


@cache
def media_playlists() -> dict[str, ReadPlaylist]:
    """The same, read."""
    return {name: read(text) for name, text in media_texts().items()}


def every(kind: Callable[[ReadPlaylist], bool] = lambda _: True) -> Iterator[tuple[str, ReadPlaylist]]:
    """The media playlists of a kind, read; there must be both made-up and folded ones."""
    found = [(name, playlist) for name, playlist in media_playlists().items() if kind(playlist)]
    assert any(name.endswith(".m3u8") for name, _ in found)
    assert any(not name.endswith(".m3u8") for name, _ in found)
    yield from found


def is_live(playlist: ReadPlaylist) -> bool:
    return not playlist.ended


def is_low_latency(playlist: ReadPlaylist) -> bool:
    return playlist.part_target > 0


def seconds(date: str) -> float:
    return datetime.fromisoformat(date).timestamp()


@cache
def histories() -> list[tuple[str, list[ReadPlaylist]]]:
    """What each rendition served, in order, up to its end."""
    return [(name, [read(text) for text in [*story().full[name], story().ended[name]]]) for name in RENDITIONS]


# 4.1, 4.2, 8: the text


def test_4_1_a_playlist_begins_with_its_tag_has_no_mark_and_no_control_characters() -> None:
    for text in [*media_texts().values(), *golden_multivariants().values()]:
        assert text.startswith("#EXTM3U\n#EXT-X-VERSION:")
        assert all(character == "\n" or (character.isprintable() or character == "\t") for character in text)


def test_8_the_version_is_what_the_tags_need_and_no_more() -> None:
    needs = {"#EXT-X-MAP": 6, "#EXT-X-GAP": 8, "#EXT-X-SKIP": 9, "CAN-SKIP-UNTIL": 9, "CAN-SKIP-DATERANGES": 10}
    deltas = [text for name in RENDITIONS for text in story().delta[name][::20]]
    for text in [*media_texts().values(), *deltas, *story().iframes[::20]]:
        said = int(text.partition("#EXT-X-VERSION:")[2].partition("\n")[0])
        assert said == max((version for tag, version in needs.items() if tag in text), default=6)
        assert text.count("#EXT-X-VERSION") == 1


# 4.4.2: tags of both kinds of playlists


def test_4_4_2_1_independent_segments_is_said_only_where_every_segment_is() -> None:
    for name, playlist in every():
        assert playlist.independent == (bool(playlist.segments) and "long-gop" not in name)


def test_4_4_2_2_a_start_is_told_where_the_window_has_one() -> None:
    text = media_playlist(window(segment(1), start=Start(-6.25)))
    assert "#EXT-X-START:TIME-OFFSET=-6.25" in text.splitlines()
    assert "#EXT-X-START:TIME-OFFSET=3,PRECISE=YES" in media_playlist(window(segment(1), start=Start(3, precise=True)))


# 4.4.3: tags of media playlists


def test_4_4_3_1_no_extinf_rounds_above_the_target_duration_which_never_changes() -> None:
    for _, playlist in every():
        assert all(int(one.duration + 0.5) <= playlist.target for one in playlist.whole)
    for _, history in histories():
        assert len({playlist.target for playlist in history}) == 1


def test_4_4_3_2_the_media_sequence_counts_the_segments_that_left() -> None:
    for _, history in histories():
        assert history[0].sequence == 0
        assert history[-1].sequence > 0, "the window has moved"
        for before, after in itertools.pairwise(history):
            gone = [one.uri for one in before.segments if one.number < after.sequence]
            assert after.sequence - before.sequence == len(gone)


def test_4_4_3_3_the_discontinuity_sequence_counts_the_discontinuities_that_left() -> None:
    for _, history in histories():
        first = [playlist.segments[0] for playlist in history]
        assert [one.epoch for one in first] == [sum(start <= one.number for start in EPOCHS) for one in first]
        assert (first[0].epoch, first[-1].epoch) == (0, 1), "one discontinuity has left the window"


def test_4_4_3_4_after_the_end_nothing_is_hinted_or_reported() -> None:
    for _, playlist in every(lambda one: one.ended):
        assert not playlist.hints
        assert not playlist.map_hints
        assert not playlist.reports
        assert all(one.uri for one in playlist.segments)


def test_4_4_3_5_the_type_is_told_where_the_playlist_will_never_lose_a_segment() -> None:
    for name, playlist in every():
        expected = "VOD" if "vod" in name else "EVENT" if "event" in name else ""
        assert playlist.type == expected


def test_4_4_3_6_an_i_frame_playlist_lists_the_keyframe_of_each_segment_under_the_same_number() -> None:
    for full, iframes in zip(story().full["source"], story().iframes, strict=True):
        media, keys = read(full), read(iframes)
        assert "#EXT-X-I-FRAMES-ONLY" in iframes
        assert [(one.number, one.epoch, one.uri, one.map, one.date) for one in keys.segments] == [
            (one.number, one.epoch, one.uri, one.map, one.date) for one in media.whole
        ]
        assert [one.span for one in keys.segments] == [(0, 300 + one.number) for one in keys.segments]


def test_4_4_3_7_parts_need_a_part_target() -> None:
    for _, playlist in every():
        assert playlist.part_target > 0 or not any(one.parts for one in playlist.segments)


def test_4_4_3_7_the_part_target_holds_for_the_life_of_a_playlist() -> None:
    for _, history in histories():
        assert {playlist.part_target for playlist in history} == {0.2}


def test_4_4_3_8_part_hold_back_is_three_part_targets_at_least() -> None:
    for _, playlist in every(is_low_latency):
        assert float(playlist.control["PART-HOLD-BACK"]) >= 3 * playlist.part_target - 1e-9


def test_4_4_3_8_hold_back_is_three_target_durations_at_least() -> None:
    for _, playlist in every(is_low_latency):
        assert float(playlist.control["HOLD-BACK"]) >= 3 * playlist.target


def test_4_4_3_8_the_skip_boundary_is_six_target_durations_at_least() -> None:
    for _, playlist in every(is_low_latency):
        assert float(playlist.control["CAN-SKIP-UNTIL"]) >= 6 * playlist.target
        assert playlist.control["CAN-SKIP-DATERANGES"] == "YES"


def test_4_4_3_8_a_live_playlist_can_be_waited_for() -> None:
    for _, playlist in every(is_live):
        assert playlist.control["CAN-BLOCK-RELOAD"] == "YES"


def test_4_4_3_8_the_server_control_is_the_same_in_all_renditions() -> None:
    last = [playlists[-2].control for _, playlists in histories()]
    assert all(control == last[0] for control in last)


# 4.4.4: tags of segments and parts


def test_4_4_4_1_a_segment_lasts_as_long_as_its_parts() -> None:
    for _, playlist in every():
        for one in playlist.whole:
            if one.parts:
                assert one.duration == pytest.approx(sum(part[1] for part in one.parts), abs=0.001)


def test_4_4_4_3_a_new_epoch_is_a_discontinuity_and_nothing_else_is() -> None:
    for _, history in histories():
        for playlist in history[::7]:
            for one in playlist.segments:
                assert one.epoch == sum(start <= one.number for start in EPOCHS)


def test_4_4_4_5_every_segment_has_a_map_and_a_new_one_where_the_format_changes() -> None:
    for _, playlist in every():
        assert all(one.map for one in playlist.segments)
    for _, history in histories():
        for before, after in itertools.pairwise(history[-1].segments):
            assert (before.map != after.map) == (before.epoch != after.epoch)


def test_4_4_4_6_every_segment_has_the_date_of_its_media_the_open_one_too() -> None:
    for _, playlist in every():
        assert all(one.date for one in playlist.segments)
    for name, history in histories():
        for playlist in history[::7]:
            for before, after in itertools.pairwise(playlist.segments):
                step = seconds(after.date) - seconds(before.date)
                assert step == pytest.approx(before.duration, abs=0.002), (name, before.number)


def test_4_4_4_7_what_is_lost_is_a_gap_and_so_are_its_missing_parts() -> None:
    rendition, number, _ = LOST
    gaps = {
        name: {one.number for playlist in seen for one in playlist.segments if one.gap} for name, seen in histories()
    }
    assert gaps == {name: {number, LOST_WHOLE[1]} if name == rendition else set() for name in RENDITIONS}
    lost = [one for _, seen in histories() for shown in seen for one in shown.segments if one.gap and one.parts]
    assert {one.number for one in lost} == {LOST_WHOLE[1]}
    for one in lost:
        assert all(gap for *_, gap in one.parts)
        assert one.duration == pytest.approx(0.76)
    partly_lost = replace(segment(9, 2), duration=1_000, gap=True)
    partly = read(media_playlist(window(segment(8), partly_lost, segment(10)))).segments[1]
    assert ([gap for *_, gap in partly.parts], partly.gap) == ([False, False, True, True], True)


def test_4_4_4_9_no_part_lasts_longer_than_the_part_target() -> None:
    for _, playlist in every():
        assert all(lasts <= playlist.part_target + 1e-6 for one in playlist.segments for _, lasts, _, _ in one.parts)


def test_4_4_4_9_a_part_fills_85_percent_of_its_target_but_a_segment_s_last_and_gaps() -> None:
    for _, playlist in every():
        for one in playlist.segments:
            for _, lasts, _, gap in one.parts[:-1]:
                assert gap or lasts >= 0.85 * playlist.part_target - 1e-6


def test_4_4_4_9_a_part_that_begins_with_a_keyframe_says_so() -> None:
    for name, playlist in every():
        for one in playlist.segments:
            said = [independent for _, _, independent, gap in one.parts if not gap]
            audio = name.startswith("audio")
            expected = [audio or (at == 0 and (name[:8], one.number) != ("long-gop", 8)) for at in range(len(said))]
            assert said == expected


# 4.4.5: metadata


def test_4_4_5_1_a_date_range_keeps_its_start_and_its_id() -> None:
    starts: dict[str, set[str]] = {}
    for _, history in histories():
        for playlist in history:
            for one in playlist.date_ranges:
                starts.setdefault(one["ID"], set()).add(one["START-DATE"])
    assert {name: len(dates) for name, dates in starts.items()} == {"a" * 20: 1, "b" * 20: 1}


def test_4_4_5_2_a_delta_update_that_skips_date_ranges_names_those_that_were_removed() -> None:
    for name in RENDITIONS:
        deltas = [playlist for text in story().delta_of_dates[name] if (playlist := read(text)).skipped]
        assert deltas
        assert all(playlist.removed_dates is not None for playlist in deltas)
        assert ["a" * 20] in [playlist.removed_dates for playlist in deltas]
        assert all(read(text).removed_dates is None for text in story().delta[name])


def test_4_4_5_3_the_part_that_is_hinted_is_the_part_that_comes() -> None:
    for name, history in histories():
        if name == LOST[0]:
            continue
        for before, after in itertools.pairwise(history[:-1]):
            seen = {uri for one in before.segments for uri, *_ in one.parts}
            came = [uri for one in after.segments for uri, *_ in one.parts if uri not in seen]
            discontinuity = after.segments[-1].epoch != before.segments[-1].epoch
            assert not came or discontinuity or came == before.hints
            assert len(before.hints) == 1


def test_4_4_5_3_a_new_map_is_hinted_before_its_first_part() -> None:
    text = media_playlist(window(segment(7), next_init_uri="init-b.mp4")).splitlines()
    at = text.index('#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="init-b.mp4"')
    assert text[at + 1] == '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="00000008.0000.m4s"'
    same = media_playlist(window(segment(7), next_init_uri=segment(7).init_uri))
    assert "TYPE=MAP" not in same


def test_4_4_5_4_every_other_rendition_is_reported_by_a_relative_uri() -> None:
    for name, history in histories():
        reported = {one["URI"] for one in history[-2].reports}
        assert reported == {f"../{other}/media.m3u8" for other in RENDITIONS if other != name}
        assert all({"LAST-MSN", "LAST-PART"} <= one.keys() for shown in history for one in shown.reports)


# 4.4.6: multivariant playlists


def variants(text: str) -> list[dict[str, str]]:
    found = [attributes(line.partition(":")[2]) for line in text.splitlines() if line.startswith("#EXT-X-STREAM-INF:")]
    assert found
    return found


def multivariants() -> list[str]:
    return [*golden_multivariants().values(), story().multivariant]


def test_4_4_6_1_groups_that_variants_name_are_there_with_one_default_and_names_of_their_own() -> None:
    for text in multivariants():
        lines = [line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA:")]
        media = [attributes(line.partition(":")[2]) for line in lines]
        groups = {(one["TYPE"], one["GROUP-ID"]) for one in media}
        for variant in variants(text):
            assert {(kind, variant[kind]) for kind in ("AUDIO", "SUBTITLES") if kind in variant} <= groups
        assert len({(one["TYPE"], one["GROUP-ID"], one["NAME"]) for one in media}) == len(media)
        assert all(one["AUTOSELECT"] == "YES" for one in media if one["DEFAULT"] == "YES")


def test_4_4_6_2_every_variant_tells_its_rates_formats_and_size() -> None:
    for text in multivariants():
        for variant in variants(text):
            assert int(variant["AVERAGE-BANDWIDTH"]) <= int(variant["BANDWIDTH"])
            assert variant["CODECS"]
            assert ("RESOLUTION" in variant) == ("FRAME-RATE" in variant) == variant["CODECS"].startswith("avc1")
            assert variant["CLOSED-CAPTIONS"] == "NONE"


def test_4_4_6_2_scores_and_stable_ids_are_on_all_variants_or_none() -> None:
    for text in multivariants():
        ids = [variant["STABLE-VARIANT-ID"] for variant in variants(text)]
        assert len(set(ids)) == len(ids)
        assert all(float(variant["SCORE"]) > 0 for variant in variants(text))


def test_4_4_6_2_bandwidth_is_no_less_than_what_the_segments_of_the_broadcast_need() -> None:
    kilobits = 2 * 4 * 640 * 8 / 0.76  # four parts of 640 bytes in 0.76 s, picture and sound
    assert all(int(variant["BANDWIDTH"]) >= kilobits / 2 for variant in variants(story().multivariant))
    assert all(int(v["BANDWIDTH"]) >= kilobits for v in variants(story().multivariant) if "AUDIO" in v)


def test_4_4_6_3_i_frame_playlists_are_named_with_rates_and_a_uri() -> None:
    lines = [line for line in story().multivariant.splitlines() if line.startswith("#EXT-X-I-FRAME-STREAM-INF:")]
    named = [attributes(line.partition(":")[2]) for line in lines]
    assert {one["URI"] for one in named} == {"480p/iframes.m3u8", "source/iframes.m3u8"}
    for one in named:
        assert int(one["BANDWIDTH"]) >= 300 * 8 / 0.76
        assert {"CODECS", "RESOLUTION"} <= one.keys()
        assert not {"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"} & one.keys()


# 6.2: what a server does over time


def test_6_2_1_what_was_published_stays_as_it_was() -> None:
    for _, history in histories():
        for before, after in itertools.pairwise(history):
            check_update(before, after)


def test_6_2_2_a_live_playlist_that_drops_segments_is_three_target_durations_long_at_least() -> None:
    for _, history in histories():
        for playlist in history:
            if playlist.sequence:
                assert sum(one.duration for one in playlist.whole) >= 3 * playlist.target


def test_6_2_1_parts_that_have_left_do_not_come_back_at_the_end() -> None:
    segments = [*map(segment, range(7, 12))]
    live, ended = (read(media_playlist(window(*segments, ended=over))) for over in (False, True))
    assert [bool(one.parts) for one in live.segments] == [bool(one.parts) for one in ended.segments]


def test_6_2_2_parts_are_gone_three_target_durations_from_the_end() -> None:
    for _, playlist in every():
        left = 0.0
        for one in reversed(playlist.segments):
            assert not one.parts or left <= 3 * playlist.target
            left += one.duration or sum(part[1] for part in one.parts)


def test_6_2_5_1_a_delta_update_skips_nothing_within_the_boundary_and_all_that_is_older() -> None:
    for name in RENDITIONS:
        for full, delta in zip(map(read, story().full[name]), map(read, story().delta[name]), strict=True):
            boundary = float(delta.control["CAN-SKIP-UNTIL"])
            kept = sum(one.duration or sum(part[1] for part in one.parts) for one in delta.segments)
            assert not delta.skipped or kept >= boundary
            assert kept - (delta.segments[0].duration if delta.segments else 0) <= boundary
            assert same(full.segments[delta.skipped :], delta.segments)
            assert (full.sequence, full.hints, full.date_ranges) == (delta.sequence, delta.hints, delta.date_ranges)


def test_6_2_5_1_date_ranges_are_skipped_only_where_they_are_older_than_the_boundary() -> None:
    for name in RENDITIONS:
        for full, delta in zip(map(read, story().full[name]), map(read, story().delta_of_dates[name]), strict=True):
            assert same(full.segments[delta.skipped :], delta.segments)
            skipped = [one for one in full.date_ranges if one not in delta.date_ranges]
            assert not skipped or delta.skipped
            for one in skipped:
                ends = seconds(one["START-DATE"]) + float(one.get("DURATION") or one["PLANNED-DURATION"])
                assert ends <= seconds(delta.segments[0].date)


def test_6_2_5_1_an_ended_playlist_is_never_a_delta_update() -> None:
    ended: Window = window(*map(segment, range(30)), ended=True)
    assert media_playlist(ended, skip=Skip.SEGMENTS) == media_playlist(ended)


def same(full: list[ReadSegment], delta: list[ReadSegment]) -> bool:
    """Whether segments of a delta update are those of the full playlist, parts and all."""

    def told(one: ReadSegment) -> tuple[object, ...]:
        return one.number, one.uri, one.duration, one.date, one.map, one.gap, one.parts

    def steps(segments: list[ReadSegment]) -> list[int]:
        return [after.epoch - before.epoch for before, after in itertools.pairwise(segments)]

    return [told(one) for one in full] == [told(one) for one in delta] and steps(full) == steps(delta)


def test_the_story_has_what_the_rules_are_about() -> None:
    told_story: Story = story()
    assert all(len(told_story.full[name]) > SEGMENTS * 3 for name in RENDITIONS)
