from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import cues as module
from processors.cues import LAPSE_MS, CuesFold
from processors.fold import FoldError, Row, Write
from schemas.codec import decode
from schemas.events import BreakPlanned, CueDecided, CueRequested, GopClosed, GopOpened
from schemas.topics import ADS_CUES, CUES_STATE, MEDIA_GOPS

NOW = 1_000_000


def gop(number: int, captured_ms: int, **options: Any) -> GopOpened:
    facts: dict[str, Any] = {"video_id": "video-a", "channel": "ann", "epoch": 0, "segment": number + 100}
    return GopOpened(gop=number, captured_ms=captured_ms, media_time_ms=number * 2_000, **(facts | options))


def cue(cue_id: str, requested_ms: int = NOW, duration_ms: int = 30_000, **options: Any) -> CueRequested:
    facts: dict[str, Any] = {"video_id": "video-a", "channel": "ann", "requested_by": "owner"}
    return CueRequested(cue_id=cue_id, requested_ms=requested_ms, duration_ms=duration_ms, **(facts | options))


def feed(fold: CuesFold, *events: GopOpened | CueRequested) -> list[CueDecided | BreakPlanned]:
    for offset, event in enumerate(events):
        fold.apply(MEDIA_GOPS.name if isinstance(event, GopOpened) else ADS_CUES.name, offset, event)
    return results(fold.take())


def results(writes: list[Write]) -> list[CueDecided | BreakPlanned]:
    decoded = [decode(w.value) for w in writes if w.topic != CUES_STATE.name and w.value is not None]
    return [event for event in decoded if isinstance(event, CueDecided | BreakPlanned)]


def decisions(events: list[CueDecided | BreakPlanned]) -> list[tuple[str, str]]:
    return [(e.cue_id, e.reason) for e in events if isinstance(e, CueDecided)]


def breaks(events: list[CueDecided | BreakPlanned]) -> list[tuple[str, int]]:
    return [(e.break_id, e.start_ms) for e in events if isinstance(e, BreakPlanned)]


def live() -> CuesFold:
    fold = CuesFold(segment_max_ms=10_000)
    feed(fold, gop(1, NOW - 1_000))
    return fold


def test_a_break_starts_with_the_first_gop_captured_at_or_after_the_request() -> None:
    fold = live()
    decided = feed(fold, cue("cue-1"))
    assert decided == [
        CueDecided(
            video_id="video-a",
            channel="ann",
            cue_id="cue-1",
            accepted=True,
            reason="",
            message="The break starts with the next segment.",
            source_offset=0,
        )
    ]
    assert feed(fold, gop(2, NOW - 1)) == []
    assert feed(fold, gop(3, NOW + 999)) == [
        BreakPlanned(
            video_id="video-a",
            channel="ann",
            break_id="cue-1",
            segment=103,
            start_ms=NOW + 999,
            media_time_ms=6_000,
            duration_ms=30_000,
            requested_ms=NOW,
        )
    ]
    assert feed(fold, gop(4, NOW + 2_999)) == []


def test_a_gop_that_was_read_before_its_cue_is_found() -> None:
    fold = live()
    feed(fold, gop(2, NOW), gop(3, NOW + 2_000))
    assert breaks(feed(fold, cue("cue-1"))) == [("cue-1", NOW)]


@pytest.mark.parametrize(
    ("duration_ms", "reason"),
    [(4_999, "duration"), (5_000, ""), (600_000, ""), (600_001, "duration"), (-1, "duration")],
)
def test_a_break_lasts_five_seconds_to_ten_minutes(duration_ms: int, reason: str) -> None:
    assert decisions(feed(live(), cue("cue-1", duration_ms=duration_ms))) == [("cue-1", reason)]


@pytest.mark.parametrize(
    ("requested_ms", "reason"), [(NOW + 19_000, ""), (NOW + 19_001, "not_live"), (NOW - 11_001, "not_live")]
)
def test_a_video_is_live_near_its_last_gop(requested_ms: int, reason: str) -> None:
    assert decisions(feed(live(), cue("cue-1", requested_ms))) == [("cue-1", reason)]


def test_a_video_without_gops_is_not_live() -> None:
    (decided,) = feed(live(), cue("cue-1", video_id="video-b"))
    assert isinstance(decided, CueDecided)
    assert (decided.accepted, decided.reason, decided.message) == (False, "not_live", "The video is not live.")


@pytest.mark.parametrize(("after_ms", "reason"), [(0, "overlap"), (29_999, "overlap"), (30_000, ""), (-30_000, "")])
def test_two_breaks_never_overlap(after_ms: int, reason: str) -> None:
    fold = CuesFold(segment_max_ms=10_000)
    feed(fold, *(gop(n, NOW + (n - 30) * 2_000) for n in range(60)))
    assert decisions(feed(fold, cue("cue-1"))) == [("cue-1", "")]
    assert decisions(feed(fold, cue("cue-2", NOW + after_ms))) == [("cue-2", reason)]


def test_a_break_waits_for_the_end_of_one_that_started_later_than_asked() -> None:
    fold = live()
    accepted = feed(fold, cue("cue-1", duration_ms=5_000), cue("cue-2", NOW + 5_000, 5_000))
    assert decisions(accepted) == [("cue-1", ""), ("cue-2", "")]
    planned = feed(fold, gop(2, NOW + 3_000), gop(3, NOW + 6_000), gop(4, NOW + 8_000))
    assert breaks(planned) == [("cue-1", NOW + 3_000), ("cue-2", NOW + 8_000)]


def test_a_break_whose_gop_does_not_come_lapses_and_is_in_nobodys_way() -> None:
    fold = live()
    feed(fold, cue("cue-1", duration_ms=300_000))
    back = NOW + LAPSE_MS + 1
    assert feed(fold, gop(2, back)) == []
    assert decisions(feed(fold, cue("cue-2", back))) == [("cue-2", "")]


def test_a_cue_that_comes_again_gets_the_same_answer_and_no_second_break() -> None:
    fold = live()
    first = feed(fold, cue("cue-1"), gop(2, NOW))
    again = feed(fold, gop(3, NOW + 2_000), cue("cue-1"), cue("cue-1", duration_ms=1))
    assert again == [first[0], first[0]]


def test_a_refused_cue_that_comes_again_stays_refused() -> None:
    fold = CuesFold(segment_max_ms=10_000)
    first = feed(fold, cue("cue-1"))
    assert feed(fold, gop(1, NOW), cue("cue-1")) == first


def test_gops_write_no_rows() -> None:
    fold = CuesFold(segment_max_ms=10_000)
    for number in range(100):
        fold.apply(MEDIA_GOPS.name, number, gop(number, NOW + number * 1_000))
    assert fold.take() == []


def test_only_so_many_videos_and_cues_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIDEOS", 1)
    fold = CuesFold(segment_max_ms=10_000, max_cues=1)
    feed(fold, gop(1, NOW), gop(1, NOW, video_id="video-b"))
    assert decisions(feed(fold, cue("cue-1"))) == [("cue-1", "not_live")]
    fold.apply(ADS_CUES.name, 9, cue("cue-2", video_id="video-b"))
    deleted = [w.key for w in fold.take() if w.topic == CUES_STATE.name and w.value is None]
    assert deleted == [b"c/video-a/cue-1"]


@pytest.mark.parametrize(
    "wrong",
    [
        cue(""),
        cue("c" * 65),
        GopClosed(video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=0, audio_chunks=0),
    ],
)
def test_what_does_not_belong_here_is_refused(wrong: CueRequested | GopClosed) -> None:
    fold = live()
    with pytest.raises(FoldError, match="expected"):
        fold.apply(ADS_CUES.name, 0, wrong)
    assert fold.take() == []


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_comes_first_a_cue_has_one_answer_and_a_break_one_place(data: st.DataObject) -> None:
    """Cues and GOPs interleave in any way, come again, and a restart reads the GOPs further than they were given."""
    gops = [gop(n, NOW + n * 1_000 + data.draw(st.integers(0, 900))) for n in range(20)]
    asked = [
        cue(f"cue-{n}", NOW + data.draw(st.integers(0, 25_000)), data.draw(st.sampled_from([5_000, 8_000])))
        for n in range(6)
    ]
    fold, told, rows, given_gops = CuesFold(10_000), [], list[Row](), 0
    waiting = asked + data.draw(st.lists(st.sampled_from(asked), max_size=4))
    while given_gops < len(gops) or waiting:
        if waiting and (given_gops == len(gops) or data.draw(st.booleans())):
            fold.apply(ADS_CUES.name, len(asked) - len(waiting), waiting.pop(0))
        else:
            fold.apply(MEDIA_GOPS.name, given_gops, gops[given_gops])
            given_gops += 1
        writes = fold.take()
        told += results(writes)
        rows += [(w.key, w.value) for w in writes if w.topic == CUES_STATE.name]
        if data.draw(st.integers(0, 9)) == 0:
            fold = CuesFold(10_000)
            fold.load(rows)
            for number in range(data.draw(st.integers(given_gops, len(gops)))):
                fold.apply(MEDIA_GOPS.name, number, gops[number])
    answers = {e.cue_id: e for e in told if isinstance(e, CueDecided)}
    assert all(answers[e.cue_id] == e for e in told if isinstance(e, CueDecided))
    assert answers.keys() == {c.cue_id for c in asked}
    planned = {e.break_id: e for e in told if isinstance(e, BreakPlanned)}
    assert len(planned) == sum(isinstance(e, BreakPlanned) for e in told)
    starts = {g.captured_ms: g.segment for g in gops}
    for placed in planned.values():
        assert answers[placed.break_id].accepted
        assert placed.start_ms >= placed.requested_ms
        assert starts[placed.start_ms] == placed.segment
    ordered = sorted(planned.values(), key=lambda e: e.start_ms)
    for before, after in pairwise(ordered):
        assert before.start_ms + before.duration_ms <= after.start_ms
