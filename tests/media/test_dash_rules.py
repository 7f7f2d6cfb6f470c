"""The rules that an MPD keeps, each by its clause of ISO/IEC 23009-1:2022 (or of DASH-IF's guidelines)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from urllib.parse import urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.manifests import Asked, presentation_of
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.dash import frame_rate, manifest, seconds
from schemas.events import PartReady, SegmentClosed, VideoState
from tests.gateway.broadcast_tape import STARTED_MS, BroadcastTape, Stretch, apply
from tests.gateway.manifest_reader import NS, ReadManifest, ReadRepresentation, read_manifest

WINDOW_MS = 60_000
RECONNECT = BroadcastTape([Stretch(5), Stretch(4, away_ms=7_000, late_ms=30)])


def text_of(fold: VideoFold) -> str:
    presentation = presentation_of(fold, Asked(WINDOW_MS), {"480p": 1_200_000}, {})
    return manifest(presentation) if presentation else ""


def read(fold: VideoFold) -> ReadManifest:
    return read_manifest(text_of(fold))


def live() -> ReadManifest:
    return read(BroadcastTape([Stretch(6)]).folded())


def recorded() -> ReadManifest:
    return read(RECONNECT.folded(ended=True))


def ms(wall_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall_ms)


# The MPD element (5.3.1)


def test_5_3_1_2_a_live_mpd_is_dynamic_and_counts_from_the_start_of_the_video() -> None:
    found = live()
    assert found.live
    assert found.time("availabilityStartTime") == ms(STARTED_MS)


def test_5_3_1_2_what_is_over_is_static_with_a_duration() -> None:
    found = recorded()
    assert not found.live
    assert found.duration == 18


def test_5_3_1_2_profiles_name_live_addressing_and_cmaf() -> None:
    profiles = live().root.attrib["profiles"].split(",")
    assert "urn:mpeg:dash:profile:isoff-live:2011" in profiles
    assert "urn:mpeg:dash:profile:cmaf:2019" in profiles
    assert "http://www.dashif.org/guidelines/low-latency-live-v5" in profiles
    assert "http://www.dashif.org/guidelines/low-latency-live-v5" not in recorded().root.attrib["profiles"]


def test_5_3_1_2_no_segment_lasts_longer_than_max_segment_duration() -> None:
    assert "maxSegmentDuration" not in live().root.attrib, "it would have to hold for what is to come"
    found = read(BroadcastTape([Stretch(3, parts=10), Stretch(3, parts=3)]).folded(ended=True))
    longest = Fraction(found.root.attrib["maxSegmentDuration"][2:-1])
    lasts = [Fraction(s.duration, r.timescale) for p in found.periods for r in p.representations for s in r.segments]
    assert max(lasts) <= longest


def test_5_3_1_2_the_time_shift_buffer_and_the_update_period_are_told() -> None:
    root = live().root.attrib
    assert (root["timeShiftBufferDepth"], root["minimumUpdatePeriod"]) == ("PT60S", "PT1S")


def test_5_3_1_2_the_suggested_delay_is_more_than_a_segment_and_an_update() -> None:
    found = live()
    early = max(Fraction(one.template["availabilityTimeOffset"]) for one in found.periods[0].representations)
    delay = Fraction(found.root.attrib["suggestedPresentationDelay"][2:-1])
    assert delay - early >= 2 + 1, "players may count it from when a segment can be asked for, as Shaka does"


def test_5_4_1_publish_time_is_in_the_past_and_later_for_every_change() -> None:
    tape = RECONNECT
    fold, before, text = tape.fold(), ms(0), ""
    for event in tape.events():
        apply(fold, event)
        now = text_of(fold)
        if now != text:
            published = read_manifest(now).time("publishTime")
            assert published > before, "5.4.1: another MPD has another publishTime"
            assert published <= ms(max(r.segments[-1].start_ms + 1 for r in fold.listed))
            before, text = published, now


def test_5_4_1_publish_time_does_not_go_back_when_an_epoch_leaves_the_window() -> None:
    tape = BroadcastTape([Stretch(1), Stretch(12)])
    fold, before, text = tape.fold(Limits(20_000, 12)), ms(0), ""
    behind = [e for number in range(tape.last_segment + 1) for e in tape.of("480p", number)]
    ahead = [
        e for number in range(tape.last_segment + 1) for name in ("audio", "source") for e in tape.of(name, number)
    ]
    for event in [*ahead, *behind]:
        apply(fold, event)
        now = text_of(fold)
        assert now or not text
        if now != text:
            published = read_manifest(now).time("publishTime")
            assert published > before
            before, text = published, now


# Periods (5.3.2)


def test_5_3_2_each_epoch_is_a_period_whose_id_and_start_come_from_the_log() -> None:
    first, second = read(RECONNECT.folded()).periods
    assert (first.id, second.id) == ("0", "1")
    assert first.start == Fraction(400, 1000), "the wall clock of media time 0, from availabilityStartTime"
    assert second.start == Fraction(400 + 10_000 + 7_000 + 30, 1000)


def test_5_3_2_1_periods_follow_one_another_though_nobody_published_meanwhile() -> None:
    first, second = read(RECONNECT.folded()).periods
    assert first.duration is not None
    assert first.start + first.duration == second.start
    source = first.representations[-1]
    end = source.segments[-1].time + Fraction(source.segments[-1].duration, source.timescale)
    assert end == second.start - Fraction(7_030, 1000), "the hole is in the timeline, and no segment is in it"


def test_5_3_2_1_on_demand_there_is_no_hole() -> None:
    first, second = recorded().periods
    assert [period.start for period in (first, second)] == [0, 10]
    for period in (first, second):
        for one in period.representations:
            assert one.segments[0].time == period.start
    assert second.start + (second.duration or 0) == 18


def test_5_3_2_periods_are_the_same_from_any_part_of_the_log() -> None:
    tape = BroadcastTape([Stretch(2), Stretch(30, away_ms=7_000), Stretch(2, away_ms=3_000)])
    whole = read(tape.folded(Limits(600_000, 1_000)))
    late = tape.fold(Limits(10_000, 1_000))
    for number in range(20, tape.last_segment + 1):
        for event in tape.segment(number):
            apply(late, event)
    later = read(late)
    assert [p.id for p in later.periods] == ["1", "2"]
    assert [(p.id, p.start) for p in later.periods] == [(p.id, p.start) for p in whole.periods][1:]
    for name in ("source", "audio", "480p"):
        there, here = whole.representation(name, 1), later.representation(name, 0)
        assert here.offset == there.offset
        assert here.segments == there.segments[-len(here.segments) :]


def test_5_3_2_a_period_is_shown_once_all_its_renditions_are_there() -> None:
    tape = BroadcastTape([Stretch(2), Stretch(3, away_ms=5_000)])
    fold = tape.fold()
    for number in (0, 1):
        for event in tape.segment(number):
            apply(fold, event)
    for name in ("source", "audio"):
        for event in tape.of(name, 2):
            apply(fold, event)
    assert len(read(fold).periods) == 1, "480p was there before and has no segment yet"
    for event in tape.of("480p", 2):
        apply(fold, event)
    assert len(read(fold).periods[1].representations) == 3


def test_5_3_2_a_rendition_that_does_not_come_is_not_waited_for_for_ever() -> None:
    tape = BroadcastTape([Stretch(2), Stretch(3, away_ms=5_000, renditions=("audio", "source"))])
    fold = tape.folded()
    assert [r.id for r in read(fold).periods[1].representations] == ["source", "audio"]


def test_5_3_2_a_smaller_source_has_fewer_renditions_and_nobody_waits_for_them() -> None:
    tape = BroadcastTape([Stretch(2), Stretch(1, height=360, renditions=("audio", "source"))])
    second = read(tape.folded()).periods[1]
    assert [r.id for r in second.representations] == ["source", "audio"]
    assert second.representations[0].attributes["height"] == "360"


# Adaptation Sets and Representations (5.3.3, 5.3.5, 5.3.7)


def test_5_3_3_pictures_and_sound_are_a_set_each_with_a_role() -> None:
    (period,) = live().periods
    assert sorted(period.sets) == ["audio", "video"]
    for kind, one in period.sets.items():
        assert one.attrib["mimeType"] == f"{kind}/mp4"
        role = one.find(NS + "Role")
        assert role is not None
        assert role.attrib == {"schemeIdUri": "urn:mpeg:dash:role:2011", "value": "main"}
    assert period.sets["audio"].attrib["lang"] == "und"


def test_5_3_3_other_codecs_have_a_set_of_their_own_behind_h264() -> None:
    tape = BroadcastTape([Stretch(3)])
    fold = tape.fold()
    for event in tape.events():
        if isinstance(event, PartReady) and event.rendition == "source" and event.info is not None:
            event = replace(event, info=replace(event.info, codecs="hvc1.1.6.L93.B0"))  # noqa: PLW2901
        apply(fold, event)
    period = read_manifest(text_of(fold)).root.find(NS + "Period")
    assert period is not None
    ids = [[r.attrib["id"] for r in one.iter(NS + "Representation")] for one in period]
    assert ids == [["480p"], ["audio"], ["source"]]


def test_5_3_3_2_segments_of_a_set_are_aligned_and_say_so() -> None:
    (period,) = live().periods
    assert all(one.attrib["segmentAlignment"] == "true" for one in period.sets.values())
    source, small = live().representation("source"), live().representation("480p")
    assert [s.time for s in source.segments] == [s.time for s in small.segments]


def test_5_3_3_2_segments_start_with_an_access_point_of_type_1() -> None:
    assert all(one.attrib["startWithSAP"] == "1" for one in live().periods[0].sets.values())


def test_5_3_3_2_nothing_is_promised_of_a_source_that_cannot_be_entered_everywhere() -> None:
    tape = BroadcastTape([Stretch(4, renditions=("source",))], audio=False)
    fold = tape.fold()
    for event in tape.events():
        apply(fold, replace(event, independent=False) if isinstance(event, PartReady) and event.segment % 2 else event)
    assert "startWithSAP" not in read(fold).periods[0].sets["video"].attrib


def test_5_3_3_a_source_that_cannot_be_entered_everywhere_gives_way_to_a_rendition_that_can() -> None:
    tape = BroadcastTape([Stretch(4)])
    fold = tape.fold()
    for event in tape.events():
        broken = isinstance(event, PartReady) and event.rendition == "source" and event.segment == 2
        apply(fold, replace(event, independent=False) if isinstance(event, PartReady) and broken else event)
    assert [r.id for r in read(fold).periods[0].representations] == ["480p", "audio"]


def test_5_3_5_2_representations_say_what_their_period_s_header_says() -> None:
    tape = BroadcastTape([Stretch(2, height=720), Stretch(2, height=1080)])
    found = read(tape.folded())
    heights = [found.representation("source", n).attributes["height"] for n in (0, 1)]
    assert heights == ["720", "1080"]
    source, audio = found.representation("source"), found.representation("audio")
    assert (source.attributes["codecs"], source.attributes["frameRate"]) == ("avc1.64001f", "30")
    assert (audio.attributes["codecs"], audio.attributes["audioSamplingRate"]) == ("mp4a.40.2", "48000")
    assert audio.channels == "2"


def test_5_3_5_2_bandwidth_carries_every_run_of_segments() -> None:
    tape = BroadcastTape([Stretch(6)])
    fold = tape.folded()
    for one in live().periods[0].representations:
        sizes = {s.number: 8 * s.size for s in fold.renditions[one.id].segments}
        seconds_of = {s.number: Fraction(s.duration, one.timescale) for s in one.segments}
        for first in sizes:
            for end in range(first + 1, len(sizes) + 1):
                run = range(first, end)
                assert sum(sizes[n] for n in run) <= int(one.attributes["bandwidth"]) * sum(seconds_of[n] for n in run)
    assert int(live().representation("480p").attributes["bandwidth"]) >= 1_200_000, "what its encoder was told"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(30.0, "30"), (25.0, "25"), (29.97, "30000/1001"), (23.976, "24000/1001"), (59.94, "60000/1001"), (12.5, "25/2")],
)
def test_5_3_7_2_frame_rates_are_whole_or_fractions(rate: float, text: str) -> None:
    assert frame_rate(rate) == text


def test_seconds_are_durations_of_xml_schema() -> None:
    assert [seconds(ms) for ms in (0, 400, 2_000, 2_050, 3_600_001)] == [
        "PT0S",
        "PT0.4S",
        "PT2S",
        "PT2.05S",
        "PT3600.001S",
    ]


# Segments (5.3.9)


def test_5_3_9_4_the_segments_are_those_of_hls() -> None:
    base = "http://server/v1/videos/v/manifest.mpd"
    one = read(RECONNECT.folded()).representation("480p")
    assert urljoin(base, one.segments[0].url) == "http://server/v1/videos/v/480p/00000005.m4s"
    assert urljoin(base, one.init) == "http://server/v1/videos/v/480p/init-000000000001.mp4"


def test_5_3_9_5_3_numbers_go_on_from_period_to_period() -> None:
    first, second = read(RECONNECT.folded()).periods
    assert [int(p.representations[0].template["startNumber"]) for p in (first, second)] == [0, 5]
    assert [s.number for p in (first, second) for s in p.representations[0].segments] == list(range(9))


def test_5_3_9_6_times_are_those_in_the_media() -> None:
    tape = RECONNECT
    fold = tape.folded()
    for period in read(fold).periods:
        for one in period.representations:
            segments = {s.number: s for s in fold.renditions[one.id].segments}
            for listed in one.segments:
                told = segments[listed.number]
                assert (listed.ticks, listed.duration) == (told.dts, told.duration)


def test_5_3_9_6_presentation_times_are_the_wall_clock_since_availability_start() -> None:
    fold = RECONNECT.folded()
    for period in read(fold).periods:
        for one in period.representations:
            for listed in one.segments:
                segment = fold.renditions[one.id].segment(listed.number)
                assert segment is not None
                assert round(listed.time * 1000) == segment.start_ms - STARTED_MS


def test_5_3_9_6_equal_lengths_are_one_row() -> None:
    text = text_of(BroadcastTape([Stretch(25)]).folded())
    assert text.count("<S ") == 3, "one for each of the three renditions"


def shifted(event: PartReady, by_ms: int) -> PartReady:
    return replace(event, dts=event.dts + by_ms * event.timescale // 1000, captured_ms=event.captured_ms + by_ms)


def test_5_3_9_6_media_that_is_missing_leaves_a_hole_in_the_timeline() -> None:
    tape = BroadcastTape([Stretch(4, renditions=("source",))], audio=False)
    fold = tape.fold()
    for event in tape.events():
        later = isinstance(event, PartReady) and event.segment >= 2
        apply(fold, shifted(event, 500) if isinstance(event, PartReady) and later else event)
    source = read(fold).representation("source")
    assert [s.ticks for s in source.segments] == [0, 180_000, 405_000, 585_000]
    assert [s.number for s in source.segments] == [0, 1, 2, 3]


def test_5_3_9_7_a_lost_segment_keeps_its_place_and_is_named_as_failover_content() -> None:
    tape = BroadcastTape([Stretch(5)])
    fold = tape.fold()
    for event in tape.events():
        lost = event.rendition == "480p" and event.segment == 2
        if lost and isinstance(event, SegmentClosed):
            apply(fold, replace(event, parts=0))
        elif not lost:
            apply(fold, event)
    small = read(fold).representation("480p")
    assert [s.number for s in small.segments] == [0, 1, 2, 3, 4]
    assert [s.lost for s in small.segments] == [False, False, True, False, False]
    assert [s.ticks for s in small.segments] == [n * 180_000 for n in range(5)]
    assert not any(s.lost for s in read(fold).representation("source").segments)


def test_5_3_9_5_3_only_complete_segments_are_listed() -> None:
    tape = BroadcastTape([Stretch(3)])
    fold = tape.fold()
    for number in (0, 1):
        for event in tape.segment(number):
            apply(fold, event)
    for name in ("source", "480p", "audio"):
        for event in tape.of(name, 2)[:4]:
            apply(fold, event)
    assert all([s.number for s in one.segments] == [0, 1] for one in read(fold).periods[0].representations)


# Low latency (5.3.9.2.2, 5.12, annex K; DASH-IF low-latency modes)


def test_5_3_9_2_2_a_segment_may_be_asked_for_before_its_end_and_says_that_it_is_not_complete() -> None:
    one = live().representation("source")
    assert one.template["availabilityTimeComplete"] == "false"
    assert Fraction(one.template["availabilityTimeOffset"]) == Fraction("1.7"), "2 s without the first part"
    assert "availabilityTimeOffset" not in recorded().representation("source").template


def test_5_3_9_2_2_a_period_that_has_ended_has_no_segment_that_may_be_asked_for_early() -> None:
    first, second = read(RECONNECT.folded()).periods
    assert all("availabilityTimeOffset" not in one.template for one in first.representations)
    assert all("availabilityTimeOffset" in one.template for one in second.representations)


def test_k_3_the_service_description_tells_latency_and_rates() -> None:
    node = live().root.find(NS + "ServiceDescription")
    assert node is not None
    latency, rate = node.find(NS + "Latency"), node.find(NS + "PlaybackRate")
    assert latency is not None
    assert rate is not None
    target, least = (int(latency.attrib[name]) for name in ("target", "min"))
    assert 2_000 + 1_000 < target <= 6_000
    assert least < target
    assert "max" not in latency.attrib, "who goes back is not late"
    assert float(rate.attrib["min"]) == 1, "Shaka stays behind by the suggested delay already"
    assert float(rate.attrib["max"]) > 1


def test_5_12_producer_reference_times_tie_media_time_to_the_wall_clock() -> None:
    for period in read(RECONNECT.folded()).periods:
        for kind, one in period.sets.items():
            node = one.find(NS + "ProducerReferenceTime")
            assert node is not None
            assert (node.attrib["type"], node.attrib["inband"]) == ("captured", "true")
            representation = next(r for r in period.representations if r.attributes["contentType"] == kind)
            at = Fraction(int(node.attrib["presentationTime"]) - representation.offset, representation.timescale)
            wall = datetime.fromisoformat(node.attrib["wallClockTime"])
            assert wall == ms(STARTED_MS) + timedelta(seconds=float(period.start + at))


def test_k_3_the_latency_refers_to_a_producer_reference_time() -> None:
    found = live()
    latency = found.root.find(f"{NS}ServiceDescription/{NS}Latency")
    ids = {node.attrib["id"] for node in found.root.iter(NS + "ProducerReferenceTime")}
    assert latency is not None
    assert latency.attrib["referenceId"] in ids
    assert len(ids) == 2


def test_5_8_5_7_players_are_told_a_clock() -> None:
    (node,) = live().root.findall(NS + "UTCTiming")
    assert node.attrib == {"schemeIdUri": "urn:mpeg:dash:utc:http-xsdate:2014", "value": "/v1/time"}
    assert not recorded().root.findall(NS + "UTCTiming")


# Over time (5.4.1), whatever the log holds


@st.composite
def tapes(draw: st.DrawFn) -> BroadcastTape:
    names = draw(st.sampled_from([("480p", "audio", "source"), ("audio", "source"), ("source",), ("audio",)]))
    stretch = st.builds(
        Stretch,
        segments=st.integers(1, 6),
        parts=st.integers(1, 10),
        away_ms=st.sampled_from([0, 250, 7_000]),
        late_ms=st.sampled_from([0, 40]),
        height=st.sampled_from([720, 360]),
        renditions=st.just(names),
    )
    return BroadcastTape(draw(st.lists(stretch, min_size=1, max_size=3)), audio="audio" in names)


@st.composite
def histories(draw: st.DrawFn) -> tuple[BroadcastTape, list[int]]:
    """A broadcast and the order in which its events come: some lost, some twice, neighbours in any order."""
    tape = draw(tapes())
    count = sum(1 for _ in tape.events())
    lost = draw(st.sets(st.integers(0, count - 1), max_size=4))
    kept = [at for at in range(count) if at not in lost]
    for at in draw(st.lists(st.sampled_from(kept), max_size=4)) if kept else []:
        kept.insert(draw(st.integers(0, len(kept))), at)
    reach = draw(st.integers(0, 30))
    late = draw(st.randoms(use_true_random=False))
    return tape, [at for _, at in sorted((index + late.randint(0, reach), at) for index, at in enumerate(kept))]


def assert_goes_on(before: ReadManifest, after: ReadManifest) -> None:
    """What a later MPD of the same live video must keep of an earlier one (5.4.1)."""
    assert after.root.attrib["availabilityStartTime"] == before.root.attrib["availabilityStartTime"]
    assert after.time("publishTime") > before.time("publishTime")
    known = {period.id: period for period in before.periods}
    for period in after.periods:
        if period.id in known:
            assert period.start == known[period.id].start
            for one in period.representations:
                for old in known[period.id].representations:
                    if old.id == one.id:
                        assert_same_segments(old, one)
    assert int(after.periods[0].id) >= int(before.periods[0].id)
    assert int(after.periods[-1].id) >= int(before.periods[-1].id)


def assert_same_segments(before: ReadRepresentation, after: ReadRepresentation) -> None:
    assert (before.offset, before.init, before.timescale) == (after.offset, after.init, after.timescale)
    assert after.segments[0].number >= before.segments[0].number, "startNumber never goes back"
    assert after.segments[-1].number >= before.segments[-1].number
    again = {segment.number: segment for segment in after.segments}
    for segment in before.segments:
        assert again.get(segment.number, segment) == segment


@pytest.mark.parametrize("lengths", [(3, 1, 2), (3, 3, 1), (4, 2, 3)])
def test_5_4_1_a_period_that_was_shown_stays_when_a_rendition_begins_late_in_an_earlier_one(
    lengths: tuple[int, ...],
) -> None:
    tape = BroadcastTape([Stretch(count, parts=4, away_ms=7_000 * bool(n)) for n, count in enumerate(lengths)])
    lost = {(0, 1), (3, 0)}
    fold, before = tape.fold(), None
    for event in tape.events():
        if isinstance(event, PartReady) and event.rendition == "480p" and (event.segment, event.part) in lost:
            continue
        apply(fold, event)
        now = read_manifest(text) if (text := text_of(fold)) else None
        if before is not None and now is not None and now.time("publishTime") != before.time("publishTime"):
            assert_goes_on(before, now)
        before = now or before


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([Limits(60_000, 1_000), Limits(8_000, 12)]))
def test_5_4_1_whatever_order_the_log_has_every_mpd_is_valid_and_goes_on_from_the_one_before(
    history: tuple[BroadcastTape, list[int]], limits: Limits
) -> None:
    tape, order = history
    events = list(tape.events())
    fold, text, before = tape.fold(limits), "", None
    for at in order:
        apply(fold, events[at])
        now = text_of(fold)
        if now and now != text:
            found = read_manifest(now)
            if before is not None:
                assert_goes_on(before, found)
            text, before = now, found
    fold.state(tape.video(VideoState.ENDED))
    fold.end()
    if text:
        assert not read(fold).live
