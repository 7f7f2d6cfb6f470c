"""From records to writes, without a server: what is taken, what is refused, and that later events win."""

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.cassandra_writer import plan
from consumers.projections.likes import like_writes
from consumers.projections.segments import segment_writes
from consumers.projections.table import TOPICS, ProjectionError, writes_of_event, writes_of_record
from consumers.projections.totals import totals_writes
from consumers.projections.videos import choice_writes, video_writes
from schemas import codec
from schemas.events import (
    GopClosed,
    Like,
    PollClosed,
    PollOpened,
    ReactionsCounted,
    RenditionRequested,
    SegmentClosed,
    Track,
    VideoForgotten,
    VideoState,
)
from schemas.topics import COMMENTS_FEED, VIDEOS, Topic
from stores.cassandra import Write
from stores.comments import SHARDS
from stores.log_group import RawRecord
from tests.consumers.broadcast import Broadcast

BROADCAST = Broadcast("0123456789abcdefghjk", comments=11)
EVENTS = BROADCAST.events()
WITHOUT_ROWS = (RenditionRequested, PollOpened, PollClosed, ReactionsCounted, VideoForgotten)


def record(topic: Topic, value: bytes | None, offset: int = 7) -> RawRecord:
    return RawRecord(topic.name, 0, offset, 0, b"key", value)


def named(insert: Write) -> dict[str, Any]:
    """The values of an INSERT by column, and its TIMESTAMP."""
    into = re.search(r"\((.*?)\) VALUES", insert.cql)
    assert into is not None
    return dict(zip([*into.group(1).split(", "), "TIMESTAMP"], insert.values, strict=True))


def test_every_event_has_writes_whose_values_fit_their_statement() -> None:
    for topic, event in EVENTS:
        writes = writes_of_record(record(topic, codec.encode(event)))
        assert writes or isinstance(event, WITHOUT_ROWS)
        assert writes == writes_of_event(event)
        for write in writes:
            assert write.cql.count("?") == len(write.values)
            assert "USING TIMESTAMP ?" in write.cql
            assert f"$keyspace.{write.partition[0]}" in write.cql
            assert all(part in write.values for part in write.partition[1:]), "the partition key is among the values"


def test_all_events_of_all_topics_were_tried() -> None:
    assert {type(event).__name__ for _, event in EVENTS} == {name for topic in TOPICS for name in topic.events}


def test_a_tombstone_writes_nothing() -> None:
    assert writes_of_record(record(VIDEOS, None)) == ()


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"", "expected a record in the Confluent wire format"),
        (b"\0\0\0\0\x63", "schema id 99 is not in the registry"),
        (
            codec.encode(BROADCAST.video(VideoState.LIVE)),
            "expected CommentAccepted or CommentChanged on comments.feed, found VideoChanged",
        ),
    ],
)
def test_a_record_that_does_not_belong_is_refused_with_the_cause(value: bytes, cause: str) -> None:
    with pytest.raises(ProjectionError, match=re.escape(cause)):
        writes_of_record(record(COMMENTS_FEED, value))


@given(st.binary(max_size=60))
def test_any_bytes_are_either_writes_or_refused(value: bytes) -> None:
    planned, unfit = plan([record(COMMENTS_FEED, value), record(COMMENTS_FEED, b"\0\0\0\0\7" + value)])
    assert len(planned) + len(unfit) == 2


def test_an_event_that_is_not_kept_is_refused() -> None:
    closed = GopClosed(
        video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=1, audio_chunks=0
    )
    with pytest.raises(ProjectionError, match="GopClosed is not kept"):
        writes_of_event(closed)


def test_a_plan_keeps_the_order_and_tells_which_records_do_not_fit() -> None:
    good = [record(COMMENTS_FEED, codec.encode(BROADCAST.comment(seq)), seq) for seq in (1, 2)]
    bad = record(COMMENTS_FEED, b"?", 3)
    planned, unfit = plan([good[0], bad, good[1]])
    assert [planned_record for planned_record, _ in planned] == good
    assert [(unfit_record, "wire format" in cause) for unfit_record, cause in unfit] == [(bad, True)]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=50))
def test_the_last_wish_of_a_user_in_a_batch_is_the_one_that_is_written(wishes: list[tuple[int, bool]]) -> None:
    likes = tuple(Like(user_id=f"u{user}", liked=liked, at_ms=5) for user, liked in wishes)
    writes = like_writes(dataclasses.replace(BROADCAST.reactions(0), likes=likes))
    assert {named(w)["user_id"]: named(w)["liked"] for w in writes} == {f"u{user}": liked for user, liked in wishes}


def test_likes_without_their_form_are_passed_over_as_the_counter_does() -> None:
    odd = (
        Like(user_id="", liked=True, at_ms=1),
        Like(user_id="u" * 65, liked=True, at_ms=1),
        Like(user_id="u", comment_id="short", liked=True, at_ms=1),
        Like(user_id="u", comment_id="x" * 100_000, liked=True, at_ms=1),
    )
    assert like_writes(dataclasses.replace(BROADCAST.reactions(0), likes=odd)) == ()


def test_a_batch_that_comes_again_after_later_ones_is_older_than_they() -> None:
    first, second = (
        dataclasses.replace(BROADCAST.reactions(batch), likes=(Like(user_id="u", liked=batch == 8, at_ms=20),))
        for batch in (8, 9)
    )
    (again,), (later,) = like_writes(first), like_writes(second)
    assert named(again)["TIMESTAMP"] < named(later)["TIMESTAMP"]


def test_the_likes_of_one_user_are_in_one_partition_and_those_of_many_in_few() -> None:
    users = [Like(user_id=f"g_{n}", liked=True, at_ms=1) for n in range(2_000)]
    same = [Like(user_id="g_1", comment_id=f"comment-{n}", liked=True, at_ms=1) for n in range(50)]
    many = like_writes(dataclasses.replace(BROADCAST.reactions(0), likes=tuple(users)))
    one = like_writes(dataclasses.replace(BROADCAST.reactions(0), likes=tuple(same)))
    assert len({w.partition for w in many}) == SHARDS
    assert len({w.partition for w in one}) == 1


@given(st.permutations(range(0, 300, 10)))
def test_totals_end_the_same_in_any_order(offsets: list[int]) -> None:
    kept: dict[tuple[object, ...], dict[str, Any]] = {}
    for offset in offsets:
        for write in totals_writes(BROADCAST.totals(offset)):
            values = named(write)
            row = (write.partition[0], values.get("minute"), values.get("comment_id"))
            if kept.get(row, {"TIMESTAMP": -1})["TIMESTAMP"] < values["TIMESTAMP"]:
                kept[row] = values
    assert kept["totals", None, None]["likes"] == 29
    assert sorted(row["as_of_offset"] for key, row in kept.items() if key[0] == "comment_totals") == [270, 280, 290]


def test_the_end_of_a_video_wins_over_a_change_in_the_same_millisecond() -> None:
    ended = BROADCAST.video(VideoState.ENDED)
    live = dataclasses.replace(BROADCAST.video(VideoState.LIVE), changed_ms=ended.changed_ms)
    for live_write, ended_write in zip(video_writes(live), video_writes(ended), strict=True):
        assert named(live_write)["TIMESTAMP"] < named(ended_write)["TIMESTAMP"]


def test_what_an_owner_chose_wins_over_all_that_the_ingest_says_later() -> None:
    later = dataclasses.replace(BROADCAST.video(VideoState.ENDED), changed_ms=BROADCAST.choice().changed_ms + 10**12)
    newer = dataclasses.replace(BROADCAST.choice(), changed_ms=BROADCAST.choice().changed_ms + 1)
    for said, chose, chose_again in zip(
        video_writes(later), choice_writes(BROADCAST.choice()), choice_writes(newer), strict=True
    ):
        assert named(said)["TIMESTAMP"] < named(chose)["TIMESTAMP"] < named(chose_again)["TIMESTAMP"]


def test_a_segment_that_was_found_after_it_was_given_up_stays_found() -> None:
    def closed(parts: int) -> Write:
        (write,) = segment_writes(
            SegmentClosed(video_id="v", channel="c", rendition="source", gop=0, segment=1_234, parts=parts)
        )
        return write

    assert closed(0).values[0] < closed(4).values[0]
    assert closed(4).partition == ("segments", "v", "source", 1)


def test_parts_of_a_segment_join_one_row_and_only_the_first_describes_the_rendition() -> None:
    parts = [segment_writes(BROADCAST.part("source", Track.VIDEO, 3, part)) for part in range(3)]
    assert [len(writes) for writes in parts] == [2, 1, 1]
    assert len({writes[0].values[-4:] for writes in parts}) == 1
