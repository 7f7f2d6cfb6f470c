"""What is said of a video in which one thing is missing, wrong or extra."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consumers.soundness.facts import Facts, Part
from consumers.soundness.findings import Finding, Is, Thing
from consumers.soundness.rules import verdict
from schemas.events import Change, CommentChanged, SegmentArchived, VideoState
from stores.engagement import Counted
from stores.recordings import segment_name
from stores.segment_rows import IndexedPart
from stores.segments import part_name
from tests.consumers.soundness.small_video import (
    ENDED_MS,
    NOW_MS,
    RENDITIONS,
    VIDEO_ID,
    comment,
    init,
    poll,
    row_changed,
    video,
    whole,
    without_log,
)

KEY = ("480p", 2)
OBJECT = segment_name(VIDEO_ID, *KEY)
PART = part_name(VIDEO_ID, *KEY, 1)
Said = tuple[Is, Thing, str]


def said(facts: Facts) -> list[Said]:
    return [(one.what, one.thing, one.name) for one in verdict(facts).findings]


def test_of_a_whole_video_nothing_is_said() -> None:
    found = verdict(whole())
    assert found.findings == ()
    assert found.sound
    assert (found.segments, found.objects, found.comments, found.awaited) == (12, 15, 3, 0)


def test_a_video_whose_log_is_gone_is_held_against_its_index() -> None:
    facts = without_log(whole())
    assert said(facts) == []
    del facts.stored.cold[OBJECT]
    assert said(facts) == [(Is.MISSING, Thing.OBJECT, OBJECT)]


def no_object(facts: Facts) -> None:
    del facts.stored.cold[OBJECT]


def short_object(facts: Facts) -> None:
    facts.stored.cold[OBJECT] -= 1


def broken_object(facts: Facts) -> None:
    facts.stored.broken[OBJECT] = "part 1: it is no CMAF chunk"


def gap_in_object(facts: Facts) -> None:
    row_changed(facts, KEY, missing=(1,))


def extra_object(facts: Facts) -> None:
    facts.stored.cold[segment_name(VIDEO_ID, "480p", 99)] = 5


def extra_init(facts: Facts) -> None:
    facts.stored.cold[f"{VIDEO_ID}/480p/init-ffffffffffff.mp4"] = 5


def no_init(facts: Facts) -> None:
    del facts.stored.cold[init("480p")]


def no_part(facts: Facts) -> None:
    facts.stored.hot[PART] = None


def short_part(facts: Facts) -> None:
    facts.stored.hot[PART] = 1


def no_row(facts: Facts) -> None:
    del facts.indexed.segments[KEY]


def no_part_in_row(facts: Facts) -> None:
    rows = dict(facts.indexed.segments[KEY].parts)
    del rows[1]
    row_changed(facts, KEY, parts=rows)


def other_part_in_row(facts: Facts) -> None:
    rows = facts.indexed.segments[KEY].parts | {1: IndexedPart(0, 1, 2)}
    row_changed(facts, KEY, parts=rows)


def no_end_in_row(facts: Facts) -> None:
    row_changed(facts, KEY, part_count=None)


def lost_segment(facts: Facts) -> None:
    facts.logged.segments[KEY].parts, facts.logged.segments[KEY].part_count = {}, 0
    row_changed(facts, KEY, parts={}, part_count=0)
    del facts.stored.cold[OBJECT]


def forgotten_segment(facts: Facts) -> None:
    for known in (facts.logged.segments, facts.indexed.segments):
        del known[KEY]
    del facts.stored.cold[OBJECT]


def no_rendition(facts: Facts) -> None:
    facts.indexed.renditions.discard("480p")


def no_video(facts: Facts) -> None:
    facts.indexed.video = None


def other_video(facts: Facts) -> None:
    facts.indexed.video = video(last_segment=1)


def no_comment(facts: Facts) -> None:
    del facts.indexed.comments[2]


def other_comment(facts: Facts) -> None:
    facts.indexed.comments[2] = comment(2, "something else")


def extra_comment(facts: Facts) -> None:
    facts.indexed.comments[7] = comment(7)


def short_feed(facts: Facts) -> None:
    facts.indexed.head = 2


def no_totals(facts: Facts) -> None:
    facts.indexed.totals = None


def other_totals(facts: Facts) -> None:
    facts.indexed.totals = Counted(3, {"heart": 4}, ENDED_MS)


def no_poll(facts: Facts) -> None:
    facts.indexed.polls = {}


def other_poll(facts: Facts) -> None:
    facts.indexed.polls = {"poll-0001": poll(1, 3)}


def source_gap(facts: Facts) -> None:
    facts.logged.source_gaps.append("GOP 1: the log lacks video chunk 3")


@pytest.mark.parametrize(
    ("spoil", "must"),
    [
        (no_object, (Is.MISSING, Thing.OBJECT, OBJECT)),
        (short_object, (Is.WRONG, Thing.OBJECT, OBJECT)),
        (broken_object, (Is.WRONG, Thing.OBJECT, OBJECT)),
        (gap_in_object, (Is.MISSING, Thing.OBJECT, OBJECT)),
        (extra_object, (Is.EXTRA, Thing.OBJECT, segment_name(VIDEO_ID, "480p", 99))),
        (extra_init, (Is.EXTRA, Thing.OBJECT, f"{VIDEO_ID}/480p/init-ffffffffffff.mp4")),
        (no_init, (Is.MISSING, Thing.INIT, init("480p"))),
        (no_part, (Is.MISSING, Thing.PART, PART)),
        (short_part, (Is.WRONG, Thing.PART, PART)),
        (no_row, (Is.MISSING, Thing.SEGMENT_ROW, "480p 2")),
        (no_part_in_row, (Is.MISSING, Thing.SEGMENT_ROW, "480p 2")),
        (other_part_in_row, (Is.WRONG, Thing.SEGMENT_ROW, "480p 2")),
        (no_end_in_row, (Is.WRONG, Thing.SEGMENT_ROW, "480p 2")),
        (lost_segment, (Is.MISSING, Thing.SEGMENT, "480p 2")),
        (forgotten_segment, (Is.MISSING, Thing.SEGMENT, "480p 2")),
        (no_rendition, (Is.MISSING, Thing.RENDITION_ROW, "480p")),
        (no_video, (Is.MISSING, Thing.VIDEO_ROW, VIDEO_ID)),
        (other_video, (Is.WRONG, Thing.VIDEO_ROW, VIDEO_ID)),
        (no_comment, (Is.MISSING, Thing.COMMENT_ROW, "comment 2")),
        (other_comment, (Is.WRONG, Thing.COMMENT_ROW, "comment 2")),
        (extra_comment, (Is.EXTRA, Thing.COMMENT_ROW, "comment 7")),
        (short_feed, (Is.WRONG, Thing.HEAD_ROW, "comment 3")),
        (no_totals, (Is.MISSING, Thing.TOTALS_ROW, "likes, reactions")),
        (other_totals, (Is.WRONG, Thing.TOTALS_ROW, "likes, reactions")),
        (no_poll, (Is.MISSING, Thing.POLL_ROW, "poll-0001")),
        (other_poll, (Is.WRONG, Thing.POLL_ROW, "poll-0001")),
        (source_gap, (Is.MISSING, Thing.SOURCE_CHUNK, VIDEO_ID)),
    ],
)
def test_what_is_the_matter_is_named_and_nothing_else(spoil: Callable[[Facts], None], must: Said) -> None:
    facts = whole()
    spoil(facts)
    found = verdict(facts)
    (finding,) = found.findings
    assert (finding.what, finding.thing, finding.name) == must
    assert finding.said
    assert found.sound is (must[0] is Is.EXTRA)


def test_what_is_gone_from_the_log_and_the_index_but_recorded_is_told_by_its_object() -> None:
    facts = without_log(whole())
    no_row(facts)
    (finding,) = verdict(facts).findings
    assert (finding.thing, finding.key, finding.mends) == (
        Thing.SEGMENT_ROW,
        KEY,
        "what the recorded object itself tells",
    )


@pytest.mark.parametrize("rendition", RENDITIONS)
def test_the_last_segment_of_an_ended_video_is_missed_where_a_rendition_must_go_so_far(rendition: str) -> None:
    facts = without_log(whole())
    del facts.indexed.segments[rendition, 3]
    del facts.stored.cold[segment_name(VIDEO_ID, rendition, 3)]
    missed = [(Is.MISSING, Thing.SEGMENT, "source 3")] if rendition == "source" else []
    assert said(facts) == missed  # a rung may end before its video does, and so may sound


def test_what_is_on_the_log_for_a_moment_only_is_awaited() -> None:
    facts = replace(whole(), video=video(state=VideoState.LIVE, ended_ms=None, changed_ms=NOW_MS))
    facts.logged.segments[KEY].told_ms = NOW_MS - 5_000
    no_row(facts)
    no_object(facts)
    found = verdict(facts)
    assert found.findings == ()
    assert found.awaited == 1


def test_parts_that_have_left_the_hot_store_are_not_missed() -> None:
    facts = whole()
    facts.logged.segments[KEY].ready_ms = NOW_MS - 2 * 3_600_000
    no_part(facts)
    assert said(facts) == []


def test_of_a_video_that_is_not_kept_no_object_is_missed_and_a_gap_is_nothing() -> None:
    facts = replace(whole(), video=video(keep_days=0))
    facts.indexed.video = facts.video
    lost_segment(facts)
    facts.stored.cold.clear()
    assert said(facts) == []


def test_a_gap_that_was_filled_since_is_none() -> None:
    facts = whole()
    gap_in_object(facts)
    facts.logged.archived[KEY] = SegmentArchived(
        video_id=VIDEO_ID, channel="ann", rendition=KEY[0], segment=KEY[1], size=1, missing=(), archived_ms=NOW_MS
    )
    assert said(facts) == []


def test_of_a_removed_video_every_object_is_extra_and_nothing_is_missing() -> None:
    facts = replace(whole(), removed=True)
    facts.indexed.segments.clear()
    found = verdict(facts)
    assert {(one.what, one.name) for one in found.findings} == {(Is.EXTRA, name) for name in facts.stored.cold}
    assert found.sound


def test_a_segment_that_does_not_begin_where_the_one_before_it_ends_is_wrong_unless_an_epoch_begins() -> None:
    facts = without_log(whole())
    moved = {n: IndexedPart(part.dts + 7, part.duration, part.size) for n, part in enumerate(_parts(facts))}
    row_changed(facts, KEY, parts=moved)
    assert said(facts) == [(Is.WRONG, Thing.SEGMENT, "480p 2"), (Is.WRONG, Thing.SEGMENT, "480p 3")]
    row_changed(facts, KEY, epoch=1)
    row_changed(facts, ("480p", 3), epoch=2)
    assert said(facts) == []


def _parts(facts: Facts) -> list[IndexedPart]:
    return [facts.indexed.segments[KEY].parts[n] for n in range(3)]


def test_a_hidden_comment_that_the_index_shows_is_wrong_and_the_missing_change_is_named() -> None:
    facts = whole()
    change = CommentChanged(
        video_id=VIDEO_ID,
        channel="ann",
        seq=4,
        comment_id="comment-2",
        comment_seq=2,
        user_id="g_bob",
        change=Change.HIDDEN,
        by="ann",
        act_id="act",
        revision_id="",
        comments=2,
        changed_ms=ENDED_MS,
        source_offset=9,
    )
    facts.logged.changes[4] = change
    facts.logged.comments[2] = facts.logged.comments[2].after(change)
    assert said(facts) == [
        (Is.WRONG, Thing.COMMENT_ROW, "comment 2"),
        (Is.MISSING, Thing.CHANGE_ROW, "change 4"),
        (Is.WRONG, Thing.HEAD_ROW, "comment 4"),
    ]


def test_a_comment_from_before_the_log_begins_is_missed_by_its_number() -> None:
    facts = whole()
    del facts.logged.comments[1]
    del facts.indexed.comments[1]
    (finding,) = verdict(facts).findings
    assert finding == Finding(
        Is.MISSING,
        Thing.COMMENT_ROW,
        "comment 1",
        "the index lacks this number, and the log does not go back so far",
    )


def test_pictures_beside_the_segments_are_nobodys_concern() -> None:
    facts = whole()
    facts.stored.cold[f"{VIDEO_ID}/sprites/00000000-5.jpg"] = 5
    assert said(facts) == []


def test_a_part_that_the_log_does_not_tell_of_any_more_is_known_by_the_index() -> None:
    facts = whole()
    told = facts.logged.segments[KEY]
    told.parts = {number: part for number, part in told.parts.items() if number}
    assert said(facts) == []
    facts.logged.segments[KEY].parts[1] = Part(0, 90, 1)
    assert (Is.WRONG, Thing.SEGMENT_ROW, "480p 2") in said(facts)
