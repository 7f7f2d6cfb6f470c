"""The fold of a rendition: any order, repeats and losses give a valid playlist that never goes back."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.rendition_fold import LEAST_WINDOW_S, Limits, Others, RenditionFold, part_target_ms
from gateway.video_fold import FoldError, VideoFold
from media.hls import Window, media_playlist
from schemas.events import PartReady, Track
from tests.gateway.playlist_reader import ReadPlaylist, check_update, read
from tests.gateway.tape import START_MS, VIDEO, Media, Tape, planned

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a seed says all; shrinking it says nothing

WIDE = Limits(window_ms=600_000, max_segments=2_000)


def apply(fold: VideoFold, event: Media) -> None:
    if isinstance(event, PartReady):
        fold.part(event)
    else:
        fold.closed(event)


def folded(events: Iterable[Media], limits: Limits = WIDE, log_start_ms: int = 0) -> VideoFold:
    fold = VideoFold(VIDEO, limits, log_start_ms)
    for event in events:
        apply(fold, event)
    return fold


def shown(rendition: RenditionFold) -> ReadPlaylist:
    return read(media_playlist(Window(tuple(rendition.segments), 2, 250, 750)))


def listed(fold: VideoFold, rendition: str = "source") -> list[tuple[int, int, bool, bool]]:
    """(number, parts, closed, gap) of what the playlist has."""
    return [(s.number, s.part_count, s.closed, s.gap) for s in fold.renditions[rendition].segments]


def test_parts_and_ends_in_order_give_the_segments_in_order() -> None:
    tape = Tape([3, 2, 4])
    fold = folded(tape.events())
    assert listed(fold) == [(0, 3, True, False), (1, 2, True, False), (2, 4, True, False)]
    assert [s.start_ms - START_MS for s in fold.renditions["source"].segments] == [0, 750, 1_250]
    assert [s.duration_s for s in fold.renditions["source"].segments] == [0.75, 0.5, 1.0]


def test_segments_and_parts_carry_their_exact_ticks() -> None:
    tape = Tape([3, 2], "audio")
    segments = folded(tape.events()).renditions["audio"].segments
    assert [(s.dts, s.duration, s.timescale) for s in segments] == [(0, 36_000, 48_000), (36_000, 24_000, 48_000)]
    assert [(p.dts, p.duration, p.timescale) for p in segments[1].parts] == [
        (36_000, 12_000, 48_000),
        (48_000, 12_000, 48_000),
    ]


def test_a_lost_segment_lies_exactly_between_its_neighbours() -> None:
    tape = Tape([3] * 30)
    fold = folded(event for event in tape.events() if event.segment != 7)
    before, lost, after = list(fold.renditions["source"].segments)[6:9]
    assert lost.gap
    assert (lost.dts, lost.dts + lost.duration) == (before.dts + before.duration, after.dts)


def test_a_lost_segment_is_no_longer_than_a_segment_may_be_whatever_time_went_by_without_a_publisher() -> None:
    tape = Tape([4] * 3 + [100] + [4] * 60)
    fold = folded(event for event in tape.events() if event.segment != 3)
    before, lost, after = list(fold.renditions["source"].segments)[2:5]
    assert (before.number, lost.gap, after.number, after.gap) == (2, True, 4, False)
    assert lost.duration_s > 9
    assert round(lost.duration_s) <= 10, "RFC 8216bis 4.4.3.1: EXTINF, rounded, is at most the target duration"
    assert lost.dts + lost.duration < after.dts


def test_what_a_rendition_was_is_known_for_each_init_segment_that_is_listed() -> None:
    tape = Tape([4] * 40, epochs=frozenset({3}))
    fold = folded(tape.events(end=5)).renditions["source"]
    assert sorted(fold.infos) == [f"init-{epoch:012x}.mp4" for epoch in (0, 1)]
    assert fold.infos[fold.segments[0].init_uri].codecs == "avc1.64001f"
    short = folded(tape.events(), Limits(window_ms=1_000, max_segments=2_000)).renditions["source"]
    assert sorted(short.infos) == [f"init-{1:012x}.mp4"]


def test_an_open_segment_shows_its_parts_and_what_follows() -> None:
    tape = Tape([3, 4])
    fold = folded([*tape.segment(0), tape.part(1, 0), tape.part(1, 1)])
    assert listed(fold) == [(0, 3, True, False), (1, 2, False, False)]
    assert fold.renditions["source"].following == (1, 2)


def test_a_part_that_comes_early_waits_for_the_one_before() -> None:
    tape = Tape([2, 2])
    fold = folded([tape.part(0, 0), tape.part(1, 0), tape.part(1, 1)])
    assert listed(fold) == [(0, 1, False, False)]
    assert fold.renditions["source"].has_part(1, 1)
    apply(fold, tape.part(0, 1))
    assert listed(fold) == [(0, 2, True, False), (1, 2, False, False)]


def test_the_first_of_two_results_wins() -> None:
    tape = Tape([2])
    other = Tape([2], part_ms=200)
    fold = folded([tape.part(0, 0), other.part(0, 0), other.part(0, 1), tape.part(0, 1), tape.closed(0)])
    assert [round(part.duration_s, 3) for part in fold.renditions["source"].segments[0].parts] == [0.25, 0.2]
    version = fold.renditions["source"].version
    for event in other.events():
        apply(fold, event)
    assert fold.renditions["source"].version == version


def test_a_segment_without_its_marker_is_closed_by_the_next_that_goes_on_exactly() -> None:
    tape = Tape([2, 2])
    fold = folded([tape.part(0, 0), tape.part(0, 1), tape.part(1, 0)])
    assert listed(fold) == [(0, 2, True, False), (1, 1, False, False)]


def test_a_part_that_does_not_come_within_12_s_of_media_makes_its_segment_a_gap() -> None:
    tape = Tape([4] * 20)
    events = [event for event in tape.events() if not (event.segment == 3 and getattr(event, "part", 0) >= 2)]
    fold = VideoFold(VIDEO, WIDE)
    for event in events:
        apply(fold, event)
        if isinstance(event, PartReady) and tape.start_ms(event.segment, event.part) < 3_500 + 12_000:
            assert fold.renditions["source"].following <= (3, 2)
    assert listed(fold)[2:5] == [(2, 4, True, False), (3, 2, True, True), (4, 4, True, False)]
    gap = shown(fold.renditions["source"]).segments[3]
    assert gap.duration == 1.0
    assert gap.gap


def at_times(events: Iterable[tuple[Media, int]]) -> VideoFold:
    """A fold of events with the times of their records, ms."""
    fold = VideoFold(VIDEO, WIDE)
    for event, record_ms in events:
        if isinstance(event, PartReady):
            fold.part(event, START_MS + record_ms)
        else:
            fold.closed(event, START_MS + record_ms)
    return fold


def test_what_comes_in_a_burst_after_a_standstill_is_waited_for_in_any_order() -> None:
    tape = Tape([4] * 32)
    before, burst = list(tape.events(0, 2)), list(tape.events(2))
    burst.sort(key=lambda event: (event.segment % 8, event.segment))  # partition by partition
    fold = at_times([*((event, 0) for event in before), *((event, 60_000 + n) for n, event in enumerate(burst))])
    assert listed(fold) == [(n, 4, True, False) for n in range(32)]


@pytest.mark.parametrize("jump_ms", [0, 3_600_000, -3_600_000])
def test_what_is_lost_is_given_up_when_the_rest_goes_on_for_long_whatever_a_clock_does(jump_ms: int) -> None:
    tape = Tape([4] * 30)
    events = [event for event in tape.events() if event.segment != 3]
    times = [tape.start_ms(e.segment) + (jump_ms if e.segment > 4 else 0) for e in events]
    for count in range(1, len(events)):
        fold = at_times(zip(events[:count], times, strict=False))
        if fold.renditions["source"].following > (3, 0):
            break
    assert 12 <= events[count - 1].segment - 3 <= 14


def test_segments_that_are_lost_together_share_the_time_between_their_neighbours() -> None:
    tape = Tape([4] * 20)
    fold = folded(event for event in tape.events() if event.segment not in (3, 4))
    assert listed(fold)[2:6] == [(2, 4, True, False), (3, 0, True, True), (4, 0, True, True), (5, 4, True, False)]
    assert [s.duration_s for s in fold.renditions["source"].segments][3:5] == [1.0, 1.0]
    assert [s.start_ms - START_MS for s in fold.renditions["source"].segments][3:6] == [3_000, 4_000, 5_000]


def test_a_segment_said_to_be_lost_is_a_gap_as_soon_as_another_rendition_has_its_length() -> None:
    tape, other = Tape([4, 3, 4]), Tape([4, 3, 4], "480p")
    fold = folded([*tape.segment(0), tape.closed(1, parts=0)])
    assert listed(fold) == [(0, 4, True, False)]
    for event in other.events(0, 2):
        apply(fold, event)
    assert listed(fold) == [(0, 4, True, False), (1, 0, True, True)]
    assert fold.renditions["source"].segments[1].duration_s == 0.75
    assert "source" in fold.changed


def test_a_new_epoch_changes_the_map_and_the_discontinuity_sequence() -> None:
    tape = Tape([4, 4, 4], epochs=frozenset({2}))
    playlist = shown(folded(tape.events()).renditions["source"])
    assert [(s.epoch, s.map) for s in playlist.segments] == [
        (0, "init-000000000000.mp4"),
        (0, "init-000000000000.mp4"),
        (1, "init-000000000001.mp4"),
    ]


def test_the_window_moves_and_the_sequence_numbers_with_it() -> None:
    tape = Tape([4] * 120, epochs=frozenset({30}))
    fold = folded(tape.events(), Limits(window_ms=60_000, max_segments=1_000))
    playlist = shown(fold.renditions["source"])
    assert playlist.sequence == 58
    assert playlist.segments[0].epoch == 1
    assert fold.renditions["source"].part_count(10) == 4, "it can still be fetched"


def test_the_window_is_never_shorter_than_three_target_durations() -> None:
    tape = Tape([4] * 120)
    fold = folded(tape.events(), Limits(window_ms=1_000, max_segments=1_000))
    lasts = sum(s.duration_s for s in fold.renditions["source"].segments)
    assert LEAST_WINDOW_S <= lasts <= LEAST_WINDOW_S + 1


def test_what_is_remembered_is_bounded_by_number_too() -> None:
    tape = Tape([1] * 500)
    fold = folded(tape.events(), Limits(window_ms=10**9, max_segments=100))
    assert len(fold.renditions["source"].segments) == 100
    assert fold.renditions["source"].entries < 400


def test_a_log_that_begins_within_a_segment_gives_a_playlist_from_the_next() -> None:
    tape = Tape([4] * 6)
    log_start_ms = START_MS + 1
    events = list(tape.events())[7:]
    assert isinstance(events[0], PartReady)
    assert events[0].part == 2
    assert listed(folded(events, log_start_ms=log_start_ms))[0] == (2, 4, True, False)


def test_a_log_that_has_the_start_waits_for_segment_0() -> None:
    tape = Tape([4] * 6)
    fold = folded([*tape.segment(1), *tape.segment(2)])
    assert fold.renditions["source"].following == (0, 0)
    for event in tape.segment(0):
        apply(fold, event)
    assert [number for number, *_ in listed(fold)] == [0, 1, 2]


def test_a_start_that_never_comes_is_left_out() -> None:
    tape = Tape([4] * 20)
    fold = folded(tape.events(2))
    assert listed(fold)[0] == (2, 4, True, False)


def test_two_gateways_that_began_at_different_times_have_the_same_window() -> None:
    tape, limits = Tape([4] * 200), Limits(window_ms=60_000, max_segments=1_000)
    long_ago = folded(tape.events(), limits)
    just_now = folded(list(tape.events())[437:], limits, log_start_ms=START_MS + 1)
    assert list(long_ago.renditions["source"].segments) == list(just_now.renditions["source"].segments)


def test_an_ended_video_ends_with_what_it_has() -> None:
    tape = Tape([4, 4, 4])
    fold = folded([*tape.segment(0), tape.part(1, 0), *tape.segment(2)])
    fold.end()
    assert listed(fold) == [(0, 4, True, False), (1, 1, True, True), (2, 4, True, False)]
    assert fold.has_ended(fold.renditions["source"])
    apply(fold, tape.part(1, 1))
    assert listed(fold)[1] == (1, 1, True, True)


def test_reached_is_what_a_blocking_reload_asks() -> None:
    tape = Tape([2, 3])
    rendition = folded([*tape.segment(0), tape.part(1, 0)]).renditions["source"]
    assert rendition.reached(0, None)
    assert rendition.reached(0, 1)
    assert rendition.reached(0, 9), "past the last part: part 0 of the next, which is there"
    assert rendition.reached(1, 0)
    assert not rendition.reached(1, 1)
    assert not rendition.reached(1, None)
    assert not rendition.reached(2, None)
    before = folded(tape.segment(0)).renditions["source"]
    assert before.reached(0, None)
    assert not before.reached(0, 2), "past the last part: part 0 of the next, which is not there"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x/source/00000000.0000.m4s"},
        {"part": 500, "name": f"{VIDEO}/source/00000000.0500.m4s"},
        {"duration": 0},
        {"init": "elsewhere/init-0.mp4"},
        {"rendition": "../up", "name": f"{VIDEO}/../up/00000000.0000.m4s", "init": f"{VIDEO}/../up/init-0.mp4"},
    ],
)
def test_what_no_correct_worker_writes_is_refused(wrong: dict[str, object]) -> None:
    fold = VideoFold(VIDEO, WIDE)
    with pytest.raises(FoldError):
        fold.part(replace(Tape([1]).part(0, 0), **wrong))  # type: ignore[arg-type]
    assert fold.entries == 0


def test_the_part_target_is_the_video_s_where_parts_fill_it() -> None:
    assert part_target_ms(0.0, 250) == 250
    assert part_target_ms(233.3, 250) == 250
    assert part_target_ms(250.0, 250) == 250
    assert part_target_ms(234.67, 210) == 240
    assert part_target_ms(170.7, 250) == 175


def test_the_part_target_is_what_the_parts_were_made_for_from_the_first_one_on() -> None:
    tape = Tape([4] * 60, part_ms=167)
    fold = VideoFold(VIDEO, WIDE)
    seen = set()
    for event in tape.events():
        apply(fold, replace(event, part_target_ms=185) if isinstance(event, PartReady) else event)
        seen.add(fold.renditions["source"].part_target_ms(200))
    assert seen == {185}


def test_a_part_that_passes_its_target_counts_as_long_as_it_is_listed() -> None:
    tape = Tape([4] * 60, part_ms=167)
    rendition = RenditionFold("source", Track.VIDEO, WIDE, from_start=True)
    alone = Others(lambda _: None, lambda _: 0)
    targets = []
    for event in tape.events():
        if isinstance(event, PartReady):
            long = {"duration": 500 * 90} if (event.segment, event.part) == (3, 1) else {}
            rendition.part(replace(event, part_target_ms=185, **long), alone)  # type: ignore[arg-type]
            targets.append(rendition.part_target_ms(200))
        else:
            rendition.closed(event, alone)
    assert [target for target, _ in itertools.groupby(targets)] == [185, 505, 185]


def of_size(event: Media, size: tuple[int, int]) -> Media:
    if not isinstance(event, PartReady) or event.info is None:
        return event
    return replace(event, info=replace(event.info, width=size[0], height=size[1]))


GROWING = Tape([4] * 20, epochs=frozenset({3}))
"""The source is as large as a 200p rendition is, and larger from segment 3 on."""


def grown(event: Media) -> Media:
    return of_size(event, (320, 180) if event.segment < 3 else (640, 360))


def test_a_rung_that_a_larger_source_brings_begins_at_once_and_in_its_epoch() -> None:
    rung = Tape([4] * 20, "200p", epochs=frozenset({3}))
    fold = folded([*map(grown, GROWING.events(end=4)), rung.part(3, 0)])
    assert listed(fold, "200p") == [(3, 1, False, False)]
    assert (fold.renditions["200p"].began_epoch, fold.renditions["source"].began_epoch) == (1, 0)
    assert shown(fold.renditions["200p"]).sequence == 3
    assert [s.epoch for s in fold.renditions["200p"].segments] == [1]


def test_a_rung_waits_for_its_first_segment_where_the_source_was_large_enough_for_it() -> None:
    rung = Tape([4] * 20, "200p", epochs=frozenset({3}))
    fold = folded([*map(grown, GROWING.events(end=6)), *rung.segment(4)])
    assert not fold.renditions["200p"].segments
    for event in rung.segment(3):
        apply(fold, event)
    assert listed(fold, "200p") == [(3, 4, True, False), (4, 4, True, False)]


def test_a_rung_that_comes_before_the_source_begins_with_it() -> None:
    rung = Tape([4] * 20, "200p", epochs=frozenset({3}))
    fold = folded([*map(grown, GROWING.events(end=3)), *rung.segment(3)])
    assert not fold.renditions["200p"].segments
    apply(fold, grown(GROWING.part(3, 0)))
    assert listed(fold, "200p") == [(3, 4, True, False)]


def test_breaks_are_remembered_once_and_up_to_a_bound() -> None:
    fold = VideoFold(VIDEO, WIDE)
    for number in range(300):
        fold.planned(planned(number, number * 1_000, break_id=f"{number:020d}"))
        fold.planned(planned(number, 5, break_id=f"{number:020d}"))
    assert len(fold.breaks) == 200
    assert min(b.segment for b in fold.breaks.values()) == 100


# Properties

counts = st.lists(st.integers(1, 5), min_size=1, max_size=12)


def interleaved(chance: random.Random, tapes: Sequence[Tape], reach: int) -> list[Media]:
    """Events of GOPs that several workers make: in order within a (rendition, segment), mixed within `reach` segments."""
    numbers = range(max(len(tape.counts) for tape in tapes))
    waiting = [tape.segment(number)[::-1] for number in numbers for tape in tapes]
    mixed = []
    while waiting:
        newest = waiting[0][-1].segment + reach
        chosen = chance.randrange(next((i for i, gop in enumerate(waiting) if gop[-1].segment > newest), len(waiting)))
        mixed.append(waiting[chosen].pop())
        if not waiting[chosen]:
            del waiting[chosen]
    return mixed


@settings(max_examples=25, deadline=None, phases=UNSHRUNK)
@given(counts=counts, seed=st.integers(0, 2**32), repeats=st.floats(0, 0.5))
def test_any_order_and_any_repeats_give_the_same_playlists_that_never_go_back(
    counts: list[int], seed: int, repeats: float
) -> None:
    chance = random.Random(seed)
    tapes = [Tape(counts), Tape(counts, "480p"), Tape(counts, "audio")]
    events = interleaved(chance, tapes, reach=3)
    for _ in range(int(repeats * len(events))):
        at = chance.randrange(len(events))
        events.insert(chance.randint(at, len(events)), events[at])
    fold = VideoFold(VIDEO, WIDE)
    before: dict[str, ReadPlaylist] = {}
    for event in events:
        apply(fold, event)
        for name in fold.changed:
            if fold.renditions[name].segments:
                playlist = shown(fold.renditions[name])
                check_update(before.get(name, playlist), playlist)
                before[name] = playlist
        fold.changed.clear()
    in_order = folded(event for tape in tapes for event in tape.events())
    for tape in tapes:
        assert list(fold.renditions[tape.rendition].segments) == list(in_order.renditions[tape.rendition].segments)
        assert listed(fold, tape.rendition) == [(n, count, True, False) for n, count in enumerate(counts)]


@settings(max_examples=25, deadline=None, phases=UNSHRUNK)
@given(seed=st.integers(0, 2**32), losses=st.integers(1, 25))
def test_losses_become_gaps_and_the_playlist_goes_on_and_never_back(seed: int, losses: int) -> None:
    chance = random.Random(seed)
    counts = [chance.randint(4, 6) for _ in range(34)]
    tapes = [Tape(counts), Tape(counts, "480p")]
    events = interleaved(chance, tapes, reach=2)
    last = len(counts) - 16
    for _ in range(losses):
        del events[chance.choice([i for i, event in enumerate(events) if 0 < event.segment < last])]
    fold, before = VideoFold(VIDEO, WIDE), dict[str, ReadPlaylist]()
    for event in events:
        apply(fold, event)
        for name in fold.changed:
            if fold.renditions[name].segments:
                playlist = shown(fold.renditions[name])
                check_update(before.get(name, playlist), playlist)
                before[name] = playlist
        fold.changed.clear()
    here = {(e.rendition, e.segment, e.part if isinstance(e, PartReady) else "end") for e in events}
    for tape in tapes:
        for segment in list(fold.renditions[tape.rendition].segments)[: last - 2]:
            n = segment.number
            whole = all((tape.rendition, n, part) in here for part in range(counts[n]))
            end_is_known = (tape.rendition, n, "end") in here or (tape.rendition, n + 1, 0) in here
            assert segment.gap is not (whole and end_is_known), segment
            if segment.parts:
                assert segment.start_ms - START_MS == tape.start_ms(n)


@settings(max_examples=20, deadline=None, phases=UNSHRUNK)
@given(seed=st.integers(0, 2**32), begin=st.integers(0, 300))
def test_wherever_reading_begins_the_window_becomes_the_same(seed: int, begin: int) -> None:
    chance = random.Random(seed)
    limits = Limits(window_ms=35_000, max_segments=500)
    counts = [chance.randint(2, 5) for _ in range(120)]
    events = interleaved(chance, [Tape(counts), Tape(counts, "480p")], reach=2)
    whole, late = folded(events, limits), folded(events[begin:], limits, log_start_ms=START_MS + 1)
    for name in ("source", "480p"):
        assert list(whole.renditions[name].segments) == list(late.renditions[name].segments)
