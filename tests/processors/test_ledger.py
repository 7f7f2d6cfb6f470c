"""A ledger on a real broker, without Faust: what one transaction after another leaves on the log."""

import time
from collections.abc import Iterable

import pytest
from confluent_kafka import KafkaException, Producer

from processors.comments import CommentsFold
from processors.cues import CuesFold
from processors.fold import ExactAgent
from processors.ledger import Ledger
from schemas.codec import decode, encode
from schemas.events import (
    BreakPlanned,
    ChannelRules,
    CommentAccepted,
    CommentSubmitted,
    CueDecided,
    CueRequested,
    DeadLetter,
    Event,
    GopOpened,
    VideoForgotten,
)
from schemas.topics import (
    ADS_BREAKS,
    ADS_CUES,
    COMMENTS_FEED,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    CUES_STATE,
    DEAD_LETTERS,
    MEDIA_GOPS,
    Topic,
)
from stores.kafka import producer_config, transactional_config
from stores.read_back import SourceRecord, read_partition
from stores.settings import Settings

pytestmark = pytest.mark.integration

PARTITION = 2
RULES = ChannelRules(slow_mode_ms=0)


class FragileFold(CommentsFold):
    """Breaks half-way through a certain text, after it has changed its state."""

    def apply(self, topic: str, offset: int, event: Event) -> None:
        super().apply(topic, offset, event)
        if isinstance(event, CommentSubmitted) and event.text == "poison":
            raise ZeroDivisionError("a mistake of ours")


COMMENTS = ExactAgent("comments", (COMMENTS_SUBMITTED,), COMMENTS_STATE, lambda: FragileFold(RULES))
CUES = ExactAgent("cues", (ADS_CUES, MEDIA_GOPS), CUES_STATE, lambda: CuesFold(10_000), replayed=(MEDIA_GOPS,))


def comment(offset: int, text: str = "") -> SourceRecord:
    event = CommentSubmitted(
        video_id="video-a",
        channel="ann",
        comment_id=f"comment-{offset}",
        user_id=f"g_{offset}",
        name="Bob",
        text=text or f"text {offset}",
        submitted_ms=offset,
        gateway_id="g1",
    )
    return SourceRecord(COMMENTS_SUBMITTED.name, offset, b"video-a", encode(event))


def broken(offset: int) -> SourceRecord:
    return SourceRecord(COMMENTS_SUBMITTED.name, offset, b"a key", b"\x00\x00\x00\x00\x01no")


def gop(number: int, captured_ms: int) -> GopOpened:
    return GopOpened(
        video_id="video-a",
        channel="ann",
        gop=number,
        segment=number,
        epoch=0,
        media_time_ms=0,
        captured_ms=captured_ms,
    )


def cue(offset: int, requested_ms: int) -> SourceRecord:
    event = CueRequested(
        video_id="video-a",
        channel="ann",
        cue_id=f"cue-{offset}",
        duration_ms=5_000,
        requested_ms=requested_ms,
        requested_by="owner",
    )
    return SourceRecord(ADS_CUES.name, offset, b"video-a", encode(event))


def produce(settings: Settings, topic: Topic, values: Iterable[bytes]) -> None:
    producer = Producer(producer_config(settings, "test"))
    for value in values:
        producer.produce(settings.topic(topic.name), value, b"video-a", partition=PARTITION)
    assert producer.flush(10) == 0


def on_the_log(settings: Settings, topic: Topic) -> list[Event]:
    partition = 0 if topic.partitions == 1 else PARTITION
    return [decode(record.value or b"") for record in read_partition(settings, topic, partition, "test")]


def numbers(settings: Settings) -> list[tuple[int, str]]:
    events = on_the_log(settings, COMMENTS_FEED)
    return [(event.seq, event.comment_id) for event in events if isinstance(event, CommentAccepted)]


def letters(settings: Settings) -> list[DeadLetter]:
    return [event for event in on_the_log(settings, DEAD_LETTERS) if isinstance(event, DeadLetter)]


def test_a_new_owner_goes_on_where_the_last_transaction_stopped(topics: Settings) -> None:
    first = Ledger(topics, COMMENTS, PARTITION)
    first.step([comment(0), comment(1)])
    first.step([comment(2)])
    second = Ledger(topics, COMMENTS, PARTITION)
    second.step([comment(1), comment(2), comment(3)])
    assert numbers(topics) == [(n + 1, f"comment-{n}") for n in range(4)]


def test_results_go_to_the_partition_of_their_source(topics: Settings) -> None:
    Ledger(topics, COMMENTS, PARTITION).step([comment(0)])
    found = {p: len(list(read_partition(topics, COMMENTS_FEED, p, "test"))) for p in range(topics.partitions)}
    assert found == {p: int(p == PARTITION) for p in range(topics.partitions)}


def test_a_former_owner_is_fenced_and_leaves_no_trace(topics: Settings) -> None:
    first = Ledger(topics, COMMENTS, PARTITION)
    first.step([comment(0)])
    second = Ledger(topics, COMMENTS, PARTITION)
    second.step([comment(1)])
    with pytest.raises(KafkaException):
        first.step([comment(1), comment(2)])
    second.step([comment(2)])
    assert numbers(topics) == [(1, "comment-0"), (2, "comment-1"), (3, "comment-2")]


def test_what_a_dead_owner_left_open_is_ended_and_never_seen(topics: Settings) -> None:
    Ledger(topics, COMMENTS, PARTITION).step([comment(0)])
    state = topics.topic(COMMENTS_STATE.name)
    dead = Producer(transactional_config(topics, "test", f"{state}-{PARTITION}"))
    dead.init_transactions(20)
    dead.begin_transaction()
    dead.produce(state, b"[1,99]", b"v/video-a", partition=PARTITION)
    dead.produce(state, b"[1,99]", b"@comments.submitted", partition=PARTITION)
    assert dead.flush(20) == 0
    for offset in (1, 2):  # the second time the topic ends with markers of ended transactions
        Ledger(topics, COMMENTS, PARTITION).step([comment(offset)])
    assert numbers(topics) == [(1, "comment-0"), (2, "comment-1"), (3, "comment-2")]


def test_an_undecodable_record_becomes_one_dead_letter_and_the_next_go_on(topics: Settings) -> None:
    ledger = Ledger(topics, COMMENTS, PARTITION)
    ledger.step([comment(0), broken(1), comment(2)])
    Ledger(topics, COMMENTS, PARTITION).step([broken(1), comment(2), comment(3)])
    (letter,) = letters(topics)
    assert (letter.topic, letter.partition, letter.offset) == (
        topics.topic(COMMENTS_SUBMITTED.name),
        PARTITION,
        1,
    )
    assert (letter.app, letter.key, letter.value) == ("logcast/comments", b"a key", b"\x00\x00\x00\x00\x01no")
    assert letter.cause.startswith("CodecError: ")
    assert [name for _, name in numbers(topics)] == ["comment-0", "comment-2", "comment-3"]


def test_a_record_that_breaks_the_fold_becomes_a_dead_letter_and_the_state_is_read_back(topics: Settings) -> None:
    ledger = Ledger(topics, COMMENTS, PARTITION)
    ledger.step([comment(0)])
    ledger.step([comment(1), comment(2, "poison"), comment(3), comment(4, "poison"), comment(5)])
    ledger.step([comment(6)])
    assert numbers(topics) == [(1, "comment-0"), (2, "comment-1"), (3, "comment-3"), (4, "comment-5"), (5, "comment-6")]
    assert [(letter.offset, "a mistake of ours" in letter.cause) for letter in letters(topics)] == [
        (2, True),
        (4, True),
    ]


def test_a_deleted_key_and_a_step_without_effect_write_nothing(topics: Settings) -> None:
    ledger = Ledger(topics, COMMENTS, PARTITION)
    ledger.step([SourceRecord(COMMENTS_SUBMITTED.name, 0, b"video-a", None)])
    ledger.step([])
    assert list(read_partition(topics, COMMENTS_STATE, PARTITION, "test")) == []


def test_a_closed_ledger_opens_again_with_its_state(topics: Settings) -> None:
    ledger = Ledger(topics, COMMENTS, PARTITION)
    ledger.step([comment(0)])
    ledger.close()
    ledger.step([comment(1)])
    assert numbers(topics) == [(1, "comment-0"), (2, "comment-1")]


def forgotten(offset: int, video_id: str = "video-a", forgotten_ms: int = 1_000) -> SourceRecord:
    event = VideoForgotten(
        video_id=video_id, channel="ann", removed_ms=1, forgotten_ms=forgotten_ms, until_ms=forgotten_ms + 500
    )
    return SourceRecord(COMMENTS_SUBMITTED.name, offset, video_id.encode(), encode(event))


def living(settings: Settings) -> set[bytes]:
    rows = {r.key or b"": r.value for r in read_partition(settings, COMMENTS_STATE, PARTITION, "test")}
    return {key for key, value in rows.items() if value is not None}


def test_what_comes_late_about_a_forgotten_video_brings_nothing_back_whoever_owns_it(topics: Settings) -> None:
    ledger = Ledger(topics, COMMENTS, PARTITION)
    ledger.step([comment(0), forgotten(1), comment(2)])
    ledger.step([comment(3)])
    Ledger(topics, COMMENTS, PARTITION).step([comment(2), comment(3), comment(4)])
    assert numbers(topics) == [(1, "comment-0")]
    assert living(topics) == {b"@comments.submitted", b"@forgotten/video-a"}
    assert letters(topics) == [], "being late is no fault"


def test_that_a_video_was_forgotten_is_forgotten_when_its_time_is_over(topics: Settings) -> None:
    Ledger(topics, COMMENTS, PARTITION).step([comment(0), forgotten(1)])
    second = Ledger(topics, COMMENTS, PARTITION)
    second.step([forgotten(2, "video-b", 1_499)])
    assert living(topics) == {b"@comments.submitted", b"@forgotten/video-a", b"@forgotten/video-b"}
    second.step([forgotten(3, "video-c", 1_500)])
    assert living(topics) == {b"@comments.submitted", b"@forgotten/video-b", b"@forgotten/video-c"}


def test_a_replayed_topic_is_known_before_the_first_record(topics: Settings) -> None:
    produce(topics, MEDIA_GOPS, [encode(gop(1, 1_000)), encode(gop(2, 3_000))])
    Ledger(topics, CUES, PARTITION).step([cue(0, 2_000)])
    decided, planned = on_the_log(topics, ADS_BREAKS)
    assert isinstance(decided, CueDecided)
    assert decided.accepted
    assert isinstance(planned, BreakPlanned)
    assert planned.segment == 2


def test_a_break_that_waited_is_planned_by_the_next_owner_from_the_replay(topics: Settings) -> None:
    produce(topics, MEDIA_GOPS, [encode(gop(1, 1_000))])
    Ledger(topics, CUES, PARTITION).step([cue(0, 2_000)])
    produce(topics, MEDIA_GOPS, [encode(gop(2, 3_000)), encode(gop(3, 5_000))])
    for _ in range(2):
        again = SourceRecord(MEDIA_GOPS.name, 1, b"video-a", encode(gop(2, 3_000)))
        Ledger(topics, CUES, PARTITION).step([again])
    planned = [event.segment for event in on_the_log(topics, ADS_BREAKS) if isinstance(event, BreakPlanned)]
    assert planned == [2]


def test_an_undecodable_record_of_a_replay_becomes_one_dead_letter(topics: Settings) -> None:
    produce(topics, MEDIA_GOPS, [b"nothing", encode(gop(1, 1_000))])
    for offset in range(2):
        Ledger(topics, CUES, PARTITION).step([cue(offset, 1_500)])
    assert [(letter.topic, letter.offset) for letter in letters(topics)] == [(topics.topic(MEDIA_GOPS.name), 0)]


def test_reading_back_starts_where_it_is_told(topics: Settings) -> None:
    produce(topics, MEDIA_GOPS, [b"old"])
    assert [r.value for r in read_partition(topics, MEDIA_GOPS, PARTITION, "test")] == [b"old"]
    later = int(time.time() * 1000) + 60_000
    assert list(read_partition(topics, MEDIA_GOPS, PARTITION, "test", since_ms=later)) == []
    assert [r.value for r in read_partition(topics, MEDIA_GOPS, PARTITION, "test", since_ms=1)] == [b"old"]
    assert list(read_partition(topics, MEDIA_GOPS, PARTITION + 1, "test")) == []
