"""The index gives the same playlists as the log, and says when it is not whole yet."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recorded import info_of
from gateway.recorded_segments import (
    AUDIO_PATIENCE_MS,
    HOLE_PATIENCE_MS,
    LOST_PATIENCE_MS,
    VIDEO_PATIENCE_MS,
    is_whole,
    reaching_the_end,
    recorded_segments,
)
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.cmaf import parse_init
from media.hls import Segment
from schemas.events import PartReady, SegmentClosed, TrackInfo, VideoState
from tests.gateway.indexed import indexed
from tests.gateway.tape import START_MS, VIDEO, Media, Tape, video

ENDED = video(VideoState.ENDED, last_segment=9, ended_ms=START_MS + 10_000)
COUNTS = [4, 4, 3, 4, 5, 4, 4, 1, 4, 4]


def folded(events: list[Media]) -> dict[str, list[Segment]]:
    """What a gateway that followed the broadcast lists once it is over, without parts."""
    fold = VideoFold(VIDEO, Limits(86_400_000, 10_000))
    fold.state(ENDED)
    for event in events:
        if isinstance(event, PartReady):
            fold.part(event)
        else:
            fold.closed(event)
    fold.end()
    return {r.name: [replace(s, parts=()) for s in r.segments] for r in fold.listed}


def test_a_recorded_video_has_the_segments_that_its_viewers_saw() -> None:
    tapes = [Tape(COUNTS, name, epochs=frozenset({3, 7})) for name in ("source", "480p", "audio")]
    events = [event for tape in tapes for event in tape.events()]
    assert recorded_segments(indexed(events)[1]) == folded(events)


@given(st.sets(st.tuples(st.sampled_from(["source", "480p"]), st.integers(0, 9), st.integers(0, 4))))
def test_a_segment_is_whole_or_a_gap_as_long_as_it_should_be(lost: set[tuple[str, int, int]]) -> None:
    lost -= {(name, 0, part) for name in ("source", "480p") for part in range(5)}  # so that both begin
    everything = [event for name in ("source", "480p") for event in Tape(COUNTS, name).events()]
    events = [e for e in everything if isinstance(e, SegmentClosed) or (e.rendition, e.segment, e.part) not in lost]
    sent, recorded = folded(everything), recorded_segments(indexed(events)[1])
    for name, segments in recorded.items():
        assert [s.number for s in segments] == list(range(len(segments)))
        missing = {number for rendition, number, part in lost if rendition == name and part < COUNTS[number]}
        assert {s.number for s in segments if s.gap} == missing & set(range(len(segments)))
        assert set(range(len(segments), 10)) <= missing
        for was, now in zip(sent[name], segments, strict=False):
            assert was == now or now.gap


def test_a_gap_is_as_long_as_the_segment_is_in_another_rendition() -> None:
    lost = {("source", 2), ("source", 3), ("480p", 6)}
    events = [
        e
        for name in ("source", "480p")
        for e in Tape(COUNTS, name).events()
        if isinstance(e, SegmentClosed) or (e.rendition, e.segment) not in lost
    ]
    recorded = recorded_segments(indexed(events)[1])
    for name, number in lost:
        assert recorded[name][number].gap
        assert recorded[name][number].duration_s == COUNTS[number] * 0.25


def test_a_segment_that_was_never_closed_is_complete_when_the_next_begins_where_it_ends() -> None:
    tape = Tape(COUNTS)
    events = [e for e in tape.events() if not (isinstance(e, SegmentClosed) and e.segment == 4)]
    assert [s.gap for s in recorded_segments(indexed(events)[1])["source"]] == [False] * 10


def test_the_index_is_whole_when_every_rendition_has_the_last_segment() -> None:
    tapes = [Tape(COUNTS, name) for name in ("source", "480p", "audio")]
    events = [event for tape in tapes for event in tape.events()]
    now_ms = ENDED.changed_ms + 1_000
    assert is_whole(ENDED, *indexed(events), now_ms)
    behind = [e for e in events if not (e.rendition == "480p" and e.segment == 9)]
    assert not is_whole(ENDED, *indexed(behind), now_ms)
    assert is_whole(ENDED, *indexed(behind), ENDED.changed_ms + VIDEO_PATIENCE_MS + 1)


def test_the_last_segment_is_not_whole_while_one_of_its_parts_is_missing() -> None:
    events = [e for e in Tape(COUNTS).events() if not (isinstance(e, PartReady) and (e.segment, e.part) == (9, 3))]
    assert not is_whole(ENDED, *indexed(events), ENDED.changed_ms + VIDEO_PATIENCE_MS + 1)


@pytest.mark.parametrize("number", [0, 4, 8])
@pytest.mark.parametrize("without", ["a part", "a row", "a part and the marker"])
def test_the_index_is_not_whole_while_something_before_the_last_segment_is_missing(number: int, without: str) -> None:
    events = [event for name in ("source", "480p") for event in Tape(COUNTS, name).events()]

    def is_missing(event: Media) -> bool:
        here = (event.rendition, event.segment) == ("480p", number)
        return here and (
            without == "a row"
            or (event.part == 1 if isinstance(event, PartReady) else without == "a part and the marker")
        )

    index = indexed(event for event in events if not is_missing(event))
    assert is_whole(ENDED, *indexed(events), ENDED.changed_ms + 1)
    assert not is_whole(ENDED, *index, ENDED.changed_ms + 1_000)
    assert is_whole(ENDED, *index, ENDED.changed_ms + HOLE_PATIENCE_MS + 1)


def test_what_is_known_to_be_lost_is_not_waited_for_nor_what_a_later_epoch_brought() -> None:
    cut = frozenset({4})
    late = Tape(COUNTS, "480p", epochs=cut)
    events = [e for e in late.events(4) if e.segment != 6]
    index = indexed([*Tape(COUNTS, epochs=cut).events(), *events, late.closed(6, parts=0)])
    assert is_whole(ENDED, *index, ENDED.changed_ms + 1)


def test_audio_that_stopped_earlier_is_not_waited_for_long() -> None:
    events = [*Tape(COUNTS).events(), *Tape(COUNTS, "audio").events(0, 5)]
    assert not is_whole(ENDED, *indexed(events), ENDED.changed_ms + 1_000)
    assert is_whole(ENDED, *indexed(events), ENDED.changed_ms + AUDIO_PATIENCE_MS + 1)


def test_a_last_segment_that_no_chunk_came_of_is_not_waited_for_for_ever() -> None:
    renditions, rows = indexed(list(Tape(COUNTS).events(0, 9)))
    assert not is_whole(ENDED, renditions, rows, ENDED.changed_ms + VIDEO_PATIENCE_MS + 1)
    assert is_whole(ENDED, renditions, rows, ENDED.changed_ms + LOST_PATIENCE_MS + 1)
    assert not is_whole(ENDED, [], {}, ENDED.changed_ms + LOST_PATIENCE_MS + 1)


def test_pictures_that_end_long_before_the_others_are_left_out() -> None:
    events = [*Tape(COUNTS).events(), *Tape(COUNTS, "480p").events(0, 5), *Tape(COUNTS, "360p").events(0, 9)]
    renditions, rows = indexed([*events, *Tape(COUNTS, "audio").events(0, 5)])
    assert set(reaching_the_end(renditions, recorded_segments(rows))) == {"source", "360p", "audio"}


def test_an_init_segment_says_what_its_segments_are() -> None:
    newest = TrackInfo(codecs="avc1.64001f", width=1280, height=720, frame_rate=30.0, sample_rate=0, channels=0)
    assert info_of(None, newest) == newest
    assert info_of(b"no init", newest) == newest
    init = (Path(__file__).parents[1] / "media" / "golden" / "video-init.mp4").read_bytes()
    told, found = parse_init(init), info_of(init, newest)
    assert (found.codecs, found.width, found.height) == (told.codecs, told.display_width, told.height)
    assert found.frame_rate == 30.0
