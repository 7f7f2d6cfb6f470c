"""Viewers over all gateways: now, most at a time, different ones; and what a silent gateway said lapses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.fold import FoldError
from processors.viewers import LAPSE_MS, TOLD_AGAIN_MS, ViewersFold
from schemas.events import GopClosed, PresenceRecorded, ViewersChanged
from schemas.topics import PRESENCE, VIEWERS_STATE
from tests.processors.small_log import Partition


def said(gateway_id: str, viewers: int, at_ms: int, *joined: int, video_id: str = "video-a") -> PresenceRecorded:
    return PresenceRecorded(
        video_id=video_id,
        channel="ann",
        gateway_id=gateway_id,
        recorded_ms=at_ms,
        viewers=viewers,
        joined=b"".join(n.to_bytes(8, "big") for n in joined),
    )


def partition_of(*events: PresenceRecorded) -> Partition:
    partition = Partition(ViewersFold, PRESENCE, VIEWERS_STATE)
    partition.records += events
    return partition


def told(*events: PresenceRecorded, video_id: str = "video-a") -> list[tuple[int, int, int]]:
    """Now, peak, different ones: after each event."""
    partition = partition_of(*events)
    for _ in events:
        partition.step(1)
    return figures(partition, video_id)


def figures(partition: Partition, video_id: str = "video-a") -> list[tuple[int, int, int]]:
    changes = [e for e in partition.results if isinstance(e, ViewersChanged) and e.video_id == video_id]
    return [(event.viewers, event.peak, event.unique) for event in changes]


def test_gateways_add_up_and_a_viewer_of_two_is_one_different_viewer() -> None:
    assert told(said("g1", 2, 1, 7, 8), said("g2", 2, 2, 8, 9), said("g1", 0, 3)) == [(2, 2, 2), (4, 4, 3), (2, 4, 3)]


def test_the_peak_is_told_with_its_time() -> None:
    partition = partition_of(said("g1", 5, 10), said("g1", 9, 20), said("g1", 3, 30))
    for _ in range(3):
        partition.step(1)
    last = partition.results[-1]
    assert isinstance(last, ViewersChanged)
    assert (last.viewers, last.peak, last.peak_ms, last.as_of_ms, last.as_of_offset) == (3, 9, 20, 30, 2)


def test_what_a_silent_gateway_said_lapses_with_the_words_of_others() -> None:
    late = LAPSE_MS + 1
    assert told(said("g1", 5, 1), said("g2", 1, late - 1), said("g2", 1, late)) == [(5, 5, 0), (6, 6, 0), (1, 6, 0)]


def test_also_those_of_another_video_on_the_partition() -> None:
    events = said("g1", 5, 1), said("g2", 1, LAPSE_MS + 1, video_id="video-b")
    assert told(*events) == [(5, 5, 0), (0, 5, 0)]


def test_a_gateway_that_goes_on_speaking_does_not_lapse() -> None:
    steps = [said("g1", 5, n * 5_000) for n in range(1, 10)]
    assert {now for now, _, _ in told(*steps)} == {5}


def test_figures_that_stay_are_told_again_now_and_then() -> None:
    steps = [said("g1", 5, 1_000 + n * 1_000) for n in range(2 * TOLD_AGAIN_MS // 1_000 + 1)]
    assert told(*steps) == [(5, 5, 0)] * 3


def test_an_older_word_that_comes_again_changes_nothing() -> None:
    first = said("g1", 5, 1, 7)
    assert told(first, said("g1", 3, 2), first) == [(5, 5, 1), (3, 5, 1)]
    lapsed = told(first, said("g2", 1, LAPSE_MS + 5), first)
    assert lapsed[-1] == (1, 5, 1)


def test_an_event_of_another_kind_is_refused() -> None:
    closed = GopClosed(
        video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=0, audio_chunks=0
    )
    with pytest.raises(FoldError, match="expected PresenceRecorded, found GopClosed"):
        ViewersFold().apply(PRESENCE.name, 0, closed)
    with pytest.raises(FoldError, match="from 0, found -1"):
        ViewersFold().apply(PRESENCE.name, 0, said("g1", -1, 1))


words = st.builds(
    lambda gateway_id, viewers, at_ms, joined, video_id: said(gateway_id, viewers, at_ms, *joined, video_id=video_id),
    st.sampled_from(["g1", "g2", "g3"]),
    st.integers(0, 50),
    st.integers(0, 4 * LAPSE_MS),
    st.lists(st.integers(0, 20), max_size=3),
    st.sampled_from(["video-a", "video-b"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, max_size=30), st.data())
def test_restarts_at_any_point_and_repeats_change_no_figure(sent: list[PresenceRecorded], data: st.DataObject) -> None:
    plain, troubled = partition_of(*sent), partition_of()
    for event in sent:
        plain.step(1)
        troubled.records += [event] * data.draw(st.integers(1, 2))
        if data.draw(st.booleans()):
            troubled.step(data.draw(st.integers(0, 3)), crashes=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            troubled.restart()
    while troubled.committed < len(troubled.records):
        troubled.step(2)
    for video_id in ("video-a", "video-b"):
        assert figures(troubled, video_id)[-1:] == figures(plain, video_id)[-1:]
        assert figures(troubled, video_id)[-1:] == true_figures(sent, video_id)[-1:]


def true_figures(sent: list[PresenceRecorded], video_id: str) -> list[tuple[int, int, int]]:
    """By hand: after each event, the newest words that have not lapsed."""
    said_last: dict[tuple[str, str], tuple[int, int]] = {}
    seen: set[int] = set()
    clock, peak, found = 0, 0, list[tuple[int, int, int]]()
    for event in sent:
        clock = max(clock, event.recorded_ms)
        key = event.video_id, event.gateway_id
        if event.recorded_ms > said_last.get(key, (0, -1))[1]:
            said_last[key] = (event.viewers, event.recorded_ms)
        now = sum(n for (video, _), (n, at) in said_last.items() if video == video_id and at + LAPSE_MS > clock)
        peak = max(peak, now)
        if event.video_id == video_id:
            seen |= {int.from_bytes(event.joined[at : at + 8], "big") for at in range(0, len(event.joined), 8)}
        if any(video == video_id for video, _ in said_last):
            found.append((now, peak, len(seen)))
    return found
