"""The exact agents in real worker processes on a real broker: killed, stopped, fenced, joined by another."""

import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.exact import EXIT_CODE
from processors.read_back import read_partition
from schemas.codec import decode, encode
from schemas.events import (
    BreakPlanned,
    CommentAccepted,
    CommentSubmitted,
    CueDecided,
    CueRequested,
    DeadLetter,
    Event,
    GopOpened,
    Like,
    Reaction,
    ReactionsRecorded,
    TotalsChanged,
)
from schemas.topics import (
    ADS_BREAKS,
    ADS_CUES,
    COMMENTS_FEED,
    COMMENTS_REJECTED,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    DEAD_LETTERS,
    MEDIA_GOPS,
    REACTIONS,
    TOTALS,
    Topic,
    partition_of,
)
from stores.kafka import consumer_config, producer_config, transactional_config
from stores.settings import Settings
from tests.processors.worker_process import Worker
from tests.processors.worker_process import worker as a_worker
from tests.waiting import eventually

pytestmark = pytest.mark.integration

VIDEOS = tuple(f"0123456789abcdefghj{n}" for n in "0123")
DEADLINE_S = 180.0


def worker(settings: Settings, slot: str = "0") -> AbstractContextManager[Worker]:
    """A worker with the exact agents."""
    return a_worker(settings, slot, worker_agents="comments,reactions,cues", slow_mode_ms="0")


KILLS = 3
COMMENTS_A_ROUND = 250
BATCHES_A_ROUND = 1_250
K = TypeVar("K")


@dataclass
class Wire:
    """What a gateway writes and what it reads, as far as these tests need it."""

    settings: Settings
    heard: list[Event] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    batches: int = 0

    def __post_init__(self) -> None:
        self.producer = Producer(producer_config(self.settings, "test"))
        self.consumer = Consumer(consumer_config(self.settings, "test"))
        read = (COMMENTS_FEED, COMMENTS_REJECTED, TOTALS, ADS_BREAKS, DEAD_LETTERS)
        self.consumer.assign(
            [
                TopicPartition(self.settings.topic(topic.name), partition, 0)
                for topic in read
                for partition in range(topic.partitions or self.settings.partitions)
            ]
        )

    def send(self, topic: Topic, video_id: str, value: bytes) -> None:
        partition = partition_of(video_id, self.settings.partitions)
        self.producer.produce(self.settings.topic(topic.name), value, video_id.encode(), partition=partition)
        self.producer.poll(0)

    def flush(self) -> None:
        assert self.producer.flush(30) == 0

    def comment(self, count: int) -> None:
        """So many new comments, replies among them, each tenth sent twice."""
        for number in range(len(self.sent), len(self.sent) + count):
            video_id = VIDEOS[number % len(VIDEOS)]
            earlier = number - len(VIDEOS)
            event = CommentSubmitted(
                video_id=video_id,
                channel="ann",
                comment_id=f"comment-{number}",
                user_id=f"g_{number % 50}",
                name="Bob",
                text=f"text {number}",
                parent_id=f"comment-{earlier}" if earlier >= 0 and number % 3 == 0 else None,
                submitted_ms=1_000_000 + number,
                gateway_id="g1",
            )
            for _ in range(2 if number % 10 == 0 else 1):
                self.send(COMMENTS_SUBMITTED, video_id, encode(event))
            self.sent.append(event.comment_id)
        self.flush()

    def react(self, count: int) -> None:
        """So many new batches of likes, unlikes and reactions, each seventh sent twice."""
        for number in range(self.batches, self.batches + count):
            video_id = VIDEOS[number % len(VIDEOS)]
            target = None if number % 3 else f"comment-{number % 20}"
            event = ReactionsRecorded(
                video_id=video_id,
                channel="ann",
                gateway_id=f"g{number % 8 // 4}",
                batch=number,
                recorded_ms=number,
                likes=tuple(
                    Like(user_id=f"g_{(number * k) % 97}", comment_id=target, liked=(number + k) % 3 > 0, at_ms=number)
                    for k in (1, 5)
                ),
                reactions=(Reaction(user_id="g_1", kind=("heart", "fire")[number % 2], count=number % 7 + 1),),
            )
            for _ in range(2 if number % 7 == 0 else 1):
                self.send(REACTIONS, video_id, encode(event))
        self.batches += count
        self.flush()

    def heard_of(self, kind: type[K]) -> list[K]:
        """The events of a kind that readers have seen so far."""
        self.heard += [decode(message.value() or b"") for message in self.consumer.consume(1_000, 0.02)]
        return [event for event in self.heard if isinstance(event, kind)]

    def on_the_log(self, topic: Topic) -> list[tuple[int, int, Event]]:
        """Partition, offset and event of all that a topic has."""
        return [
            (partition, record.offset, decode(record.value or b""))
            for partition in range(topic.partitions or self.settings.partitions)
            for record in read_partition(self.settings, topic, partition, "test")
        ]


@pytest.fixture
def wire(topics: Settings) -> Iterator[Wire]:
    opened = Wire(topics)
    yield opened
    opened.consumer.close()


def true_totals(log: list[tuple[int, int, Event]]) -> dict[tuple[str, int], tuple[int, Counter[str], dict[str, int]]]:
    """By video and offset: likes, reactions and comment likes, counted by hand over the whole topic."""
    seen: set[tuple[str, str, int]] = set()
    likers: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    truth = {}
    for _, offset, event in log:
        assert isinstance(event, ReactionsRecorded)
        if (event.video_id, event.gateway_id, event.batch) in seen:
            continue
        seen.add((event.video_id, event.gateway_id, event.batch))
        for like in event.likes:
            users = likers[event.video_id, like.comment_id]
            users.add(like.user_id) if like.liked else users.discard(like.user_id)
        counts[event.video_id].update({reaction.kind: reaction.count for reaction in event.reactions})
        truth[event.video_id, offset] = (
            len(likers[event.video_id, None]),
            counts[event.video_id].copy(),
            {
                target: len(users)
                for (video, target), users in likers.items()
                if target and users and video == event.video_id
            },
        )
    return truth


def check_totals(wire: Wire) -> None:
    """Every total ever told was the truth at its offset, and the last ones are the whole truth."""
    truth = true_totals(wire.on_the_log(REACTIONS))
    told = [event for _, _, event in wire.on_the_log(TOTALS)]
    kept: dict[str, dict[str, int]] = defaultdict(dict)
    last: dict[str, int] = {}
    for event in told:
        assert isinstance(event, TotalsChanged)
        assert event.as_of_offset > last.get(event.video_id, -1)
        last[event.video_id] = event.as_of_offset
        likes, reactions, comment_likes = truth[event.video_id, event.as_of_offset]
        assert (event.likes, event.reactions) == (likes, reactions)
        kept[event.video_id] |= event.comment_likes
        assert {target: n for target, n in kept[event.video_id].items() if n} == comment_likes
    assert last == {video_id: max(at for video, at in truth if video == video_id) for video_id, _ in truth}


def check_comments(wire: Wire) -> None:
    """Every comment is in the feed once, numbered without gaps in the order of its first sending."""
    feed: dict[str, list[CommentAccepted]] = defaultdict(list)
    for _, _, event in wire.on_the_log(COMMENTS_FEED):
        assert isinstance(event, CommentAccepted)
        feed[event.video_id].append(event)
    for place, video_id in enumerate(VIDEOS):
        assert [event.comment_id for event in feed[video_id]] == wire.sent[place :: len(VIDEOS)]
        assert [event.seq for event in feed[video_id]] == list(range(1, len(feed[video_id]) + 1))
    assert wire.on_the_log(COMMENTS_REJECTED) == []
    assert wire.on_the_log(DEAD_LETTERS) == []


def all_accepted(wire: Wire) -> Callable[[], bool]:
    return lambda: {event.comment_id for event in wire.heard_of(CommentAccepted)} >= set(wire.sent)


async def test_numbers_and_totals_are_exact_through_kills_without_warning(topics: Settings, wire: Wire) -> None:
    undone = []
    for _ in range(KILLS):
        comments, totals = len(wire.heard_of(CommentAccepted)), len(wire.heard_of(TotalsChanged))
        with worker(topics) as running:
            await eventually(running.ready, DEADLINE_S)
            wire.react(BATCHES_A_ROUND)
            wire.comment(COMMENTS_A_ROUND)
            await eventually(lambda n=comments: len(wire.heard_of(CommentAccepted)) > n, DEADLINE_S)  # type: ignore[misc]
            await eventually(lambda n=totals: len(wire.heard_of(TotalsChanged)) > n, DEADLINE_S)  # type: ignore[misc]
            running.end(signal.SIGKILL)
        counted = {event.as_of_ms for _, _, event in wire.on_the_log(TOTALS) if isinstance(event, TotalsChanged)}
        undone.append(wire.batches - 1 - max(counted) + len(wire.sent) - len(wire.on_the_log(COMMENTS_FEED)))
    assert any(undone), "no kill hit the middle of the work"
    with worker(topics) as running:
        wire.react(BATCHES_A_ROUND)
        wire.comment(COMMENTS_A_ROUND)
        await eventually(all_accepted(wire), DEADLINE_S)
        await eventually(
            lambda: {e.as_of_ms for e in wire.heard_of(TotalsChanged)} >= set(range(wire.batches - 4, wire.batches)),
            DEADLINE_S,
        )
    check_comments(wire)
    check_totals(wire)


async def test_a_second_worker_takes_over_without_gap_or_repeat(topics: Settings, wire: Wire) -> None:
    with worker(topics, "0") as first:
        await eventually(first.ready, DEADLINE_S)
        wire.comment(COMMENTS_A_ROUND)
        with worker(topics, "1") as second:

            def joined() -> bool:
                wire.comment(4)
                return second.ready() and first.ready()

            await eventually(joined, DEADLINE_S)
            await eventually(all_accepted(wire), DEADLINE_S)
            wire.comment(COMMENTS_A_ROUND)
            assert first.end(signal.SIGTERM) == 0
            wire.comment(COMMENTS_A_ROUND)
            await eventually(all_accepted(wire), DEADLINE_S)
    check_comments(wire)


async def test_a_worker_that_is_asked_to_stop_finishes_what_it_has(topics: Settings, wire: Wire) -> None:
    with worker(topics) as running:
        await eventually(running.ready, DEADLINE_S)
        wire.comment(COMMENTS_A_ROUND)
        await eventually(lambda: wire.heard_of(CommentAccepted), DEADLINE_S)
        assert running.end(signal.SIGTERM) == 0, running.log.read_text()[-6_000:]
    with worker(topics):
        await eventually(all_accepted(wire), DEADLINE_S)
    check_comments(wire)


async def test_a_fenced_worker_ends_itself_and_a_clean_one_goes_on(topics: Settings, wire: Wire) -> None:
    with worker(topics) as running:
        await eventually(running.ready, DEADLINE_S)
        wire.comment(len(VIDEOS))
        await eventually(all_accepted(wire), DEADLINE_S)
        partition = partition_of(VIDEOS[0], topics.partitions)
        role = f"{topics.topic(COMMENTS_STATE.name)}-{partition}"
        Producer(transactional_config(topics, "test", role)).init_transactions(30)
        wire.comment(len(VIDEOS))
        await eventually(lambda: running.process.poll() is not None, DEADLINE_S)
        assert running.process.returncode == EXIT_CODE
    with worker(topics):
        await eventually(all_accepted(wire), DEADLINE_S)
    check_comments(wire)


async def test_what_cannot_be_decoded_is_set_aside_and_the_next_goes_on(topics: Settings, wire: Wire) -> None:
    with worker(topics):
        wire.send(COMMENTS_SUBMITTED, VIDEOS[0], b"no record")
        wire.send(REACTIONS, VIDEOS[0], b"\x00\x00\x00\x00\x07")
        wire.comment(len(VIDEOS))
        await eventually(all_accepted(wire), DEADLINE_S)
        letters = await eventually(lambda: wire.heard_of(DeadLetter)[1:] and wire.heard_of(DeadLetter), DEADLINE_S)
    assert {(letter.topic, letter.value) for letter in letters} == {
        (topics.topic(COMMENTS_SUBMITTED.name), b"no record"),
        (topics.topic(REACTIONS.name), b"\x00\x00\x00\x00\x07"),
    }


async def test_a_cue_becomes_a_break_at_the_next_gop_even_past_a_restart(topics: Settings, wire: Wire) -> None:
    def gop(number: int) -> bytes:
        return encode(
            GopOpened(
                video_id=VIDEOS[0],
                channel="ann",
                gop=number,
                segment=number,
                epoch=0,
                media_time_ms=number * 1_000,
                captured_ms=1_000_000 + number * 1_000,
            )
        )

    cue = CueRequested(
        video_id=VIDEOS[0],
        channel="ann",
        cue_id="cue-1",
        duration_ms=30_000,
        requested_ms=1_000_500,
        requested_by="owner",
    )
    with worker(topics) as running:
        wire.send(MEDIA_GOPS, VIDEOS[0], gop(0))
        wire.flush()
        await eventually(running.ready, DEADLINE_S)
        wire.send(ADS_CUES, VIDEOS[0], encode(cue))
        wire.flush()
        (decided,) = await eventually(lambda: wire.heard_of(CueDecided), DEADLINE_S)
        running.end(signal.SIGKILL)
    with worker(topics):
        for number in (1, 2):
            wire.send(MEDIA_GOPS, VIDEOS[0], gop(number))
        wire.send(ADS_CUES, VIDEOS[0], encode(cue))
        wire.flush()
        await eventually(lambda: wire.heard_of(BreakPlanned) and len(wire.heard_of(CueDecided)) > 1, DEADLINE_S)
    assert decided.accepted
    assert wire.heard_of(CueDecided) == [decided, decided]
    assert [(planned.break_id, planned.segment) for planned in wire.heard_of(BreakPlanned)] == [("cue-1", 1)]
