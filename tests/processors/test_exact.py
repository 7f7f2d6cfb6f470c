"""The exact agents in real worker processes on a real broker: killed, stopped, fenced, joined by another."""

import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.exact import EXIT_CODE
from schemas.codec import decode, encode
from schemas.events import (
    Act,
    BreakPlanned,
    ChannelRules,
    CommentAccepted,
    CommentHeld,
    CommentSubmitted,
    CueDecided,
    CueRequested,
    DeadLetter,
    Event,
    GopOpened,
    Like,
    PollChanged,
    PollOpened,
    PresenceRecorded,
    Queued,
    Reaction,
    ReactionsCounted,
    ReactionsRecorded,
    TotalsChanged,
    ViewersChanged,
    Vote,
)
from schemas.topics import (
    ADS_BREAKS,
    ADS_CUES,
    COMMENTS_FEED,
    COMMENTS_REJECTED,
    COMMENTS_REVIEW,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    DEAD_LETTERS,
    MEDIA_GOPS,
    PRESENCE,
    REACTIONS,
    TOTALS,
    VIEWERS,
    Topic,
    partition_of,
    share_partition,
)
from stores.kafka import consumer_config, producer_config, transactional_config
from stores.read_back import read_partition
from stores.settings import Settings
from tests.processors.comment_log import ordered, submitted
from tests.processors.worker_process import Worker
from tests.processors.worker_process import worker as a_worker
from tests.waiting import eventually

pytestmark = pytest.mark.integration

VIDEOS = tuple(f"0123456789abcdefghj{n}" for n in "0123")
DEADLINE_S = 180.0


def worker(
    settings: Settings, slot: str = "0", agents: str = "comments,reactions,cues"
) -> AbstractContextManager[Worker]:
    """A worker with exact agents."""
    return a_worker(settings, slot, worker_agents=agents, slow_mode_ms="0")


KILLS = 3
COMMENTS_A_ROUND = 250
BATCHES_A_ROUND = 1_250
PRESENCES_A_ROUND = 200
POLL = "poll-0001"
K = TypeVar("K")


@dataclass
class Wire:
    """What a gateway writes and what it reads, as far as these tests need it."""

    settings: Settings
    heard: list[Event] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    batches: int = 0
    presences: int = 0
    reactions: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.producer = Producer(producer_config(self.settings, "test"))
        self.consumer = Consumer(consumer_config(self.settings, "test"))
        read = (COMMENTS_FEED, COMMENTS_REJECTED, COMMENTS_REVIEW, TOTALS, VIEWERS, ADS_BREAKS, DEAD_LETTERS)
        self.consumer.assign(
            [
                TopicPartition(self.settings.topic(topic.name), partition, 0)
                for topic in read
                for partition in range(topic.partitions or self.settings.partitions)
            ]
        )

    def send(self, topic: Topic, video_id: str, value: bytes, partition: int | None = None) -> None:
        if partition is None:
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

    def open_polls(self) -> None:
        """One in each video."""
        for video_id in VIDEOS:
            asked = {"question": "Who wins?", "options": ("red", "blue", "nobody")}
            opened = PollOpened(video_id=video_id, channel="ann", poll_id=POLL, opened_ms=0, opened_by="owner", **asked)  # type: ignore[arg-type]
            self.send(REACTIONS, video_id, encode(opened))

    def react(self, count: int) -> None:
        """So many new batches of likes, unlikes, votes and reactions, each seventh sent twice; the reactions of each
        fifth are counted on another partition than the video's."""
        for number in range(self.batches, self.batches + count):
            video_id = VIDEOS[number % len(VIDEOS)]
            event = batch_of(number, video_id)
            partition = None
            if number % 5 == 0:
                home = partition_of(video_id, self.settings.partitions)
                partition = share_partition(video_id, 1, self.settings.partitions)
                event = replace(event, likes=(), votes=(), home=home, share=partition)
            self.reactions[video_id] += sum(reaction.count for reaction in event.reactions)
            for _ in range(2 if number % 7 == 0 else 1):
                self.send(REACTIONS, video_id, encode(event), partition)
        self.batches += count
        self.flush()

    def watch(self, count: int) -> None:
        """So many new words of two gateways about their viewers, each fifth sent twice."""
        for number in range(self.presences, self.presences + count):
            video_id = VIDEOS[number % len(VIDEOS)]
            event = PresenceRecorded(
                video_id=video_id,
                channel="ann",
                gateway_id=f"g{number % 8 // 4}",
                recorded_ms=1_000_000 + number * 10,
                viewers=number % 23,
                joined=b"".join(n.to_bytes(8, "big") for n in range(number, number + 3)),
            )
            for _ in range(2 if number % 5 == 0 else 1):
                self.send(PRESENCE, video_id, encode(event))
        self.presences += count
        self.flush()

    def all_counted(self) -> bool:
        """Whether the newest totals have every reaction that was sent."""
        told = {event.video_id: sum(event.reactions.values()) for event in self.heard_of(TotalsChanged)}
        return told == self.reactions

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


def batch_of(number: int, video_id: str) -> ReactionsRecorded:
    """Two likes, a vote and a reaction."""
    target = None if number % 3 else f"comment-{number % 20}"
    return ReactionsRecorded(
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
        votes=(Vote(user_id=f"g_{number % 89}", poll_id=POLL, option=(0, 1, 2, None)[number // 4 % 4], at_ms=number),),
    )


@dataclass
class Truth:
    """What is true of one video at an offset of its own partition, counted by hand."""

    likers: dict[str | None, set[str]] = field(default_factory=lambda: defaultdict(set))
    counts: Counter[str] = field(default_factory=Counter)
    shares: dict[int, tuple[int, Counter[str]]] = field(default_factory=dict)
    voters: dict[str, int] = field(default_factory=dict)

    def take(self, event: ReactionsRecorded) -> None:
        for like in event.likes:
            users = self.likers[like.comment_id]
            users.add(like.user_id) if like.liked else users.discard(like.user_id)
        self.counts.update({reaction.kind: reaction.count for reaction in event.reactions})
        for vote in event.votes:
            if vote.option is None:
                self.voters.pop(vote.user_id, None)
            else:
                self.voters[vote.user_id] = vote.option

    def told(self) -> tuple[int, Counter[str], dict[str, int], tuple[int, ...]]:
        """Likes, reactions, comment likes, votes."""
        reactions = sum((counts for _, counts in self.shares.values()), self.counts.copy())
        comments = {target: len(users) for target, users in self.likers.items() if target and users}
        votes = Counter(self.voters.values())
        return len(self.likers[None]), reactions, comments, tuple(votes[n] for n in range(3))


def true_totals(
    log: list[tuple[int, int, Event]],
) -> dict[tuple[str, int], tuple[int, Counter[str], dict[str, int], tuple[int, ...]]]:
    """By video and offset, over the whole topic; a share is what its own partition has up to the offset it tells."""
    seen: set[tuple[int, str, str, int]] = set()
    videos: dict[str, Truth] = defaultdict(Truth)
    shares: dict[tuple[int, str], dict[int, Counter[str]]] = defaultdict(dict)
    counted: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for partition, offset, event in log:
        if isinstance(event, ReactionsRecorded) and event.share >= 0:
            key = (partition, event.video_id, event.gateway_id, event.batch)
            if key not in seen:
                seen.add(key)
                counted[partition, event.video_id].update({r.kind: r.count for r in event.reactions})
            shares[partition, event.video_id][offset] = counted[partition, event.video_id].copy()
    truth = {}
    for partition, offset, event in log:
        if isinstance(event, ReactionsRecorded) and event.share < 0:
            key = (partition, event.video_id, event.gateway_id, event.batch)
            if key in seen:
                continue
            seen.add(key)
            videos[event.video_id].take(event)
        elif isinstance(event, ReactionsCounted):
            share = shares[event.share, event.video_id][event.as_of_offset]
            assert event.reactions == share
            assert event.as_of_offset > videos[event.video_id].shares.get(event.share, (-1, share))[0]
            videos[event.video_id].shares[event.share] = (event.as_of_offset, share)
        elif not isinstance(event, PollOpened):
            continue
        truth[event.video_id, offset] = videos[event.video_id].told()
    return truth


def check_totals(wire: Wire) -> None:
    """Every total and poll ever told was the truth at its offset, and the last ones are the whole truth."""
    truth = true_totals(wire.on_the_log(REACTIONS))
    told = [event for _, _, event in wire.on_the_log(TOTALS)]
    kept: dict[str, dict[str, int]] = defaultdict(dict)
    last: dict[str, int] = {}
    for event in told:
        assert isinstance(event, TotalsChanged | PollChanged)
        likes, reactions, comment_likes, votes = truth[event.video_id, event.as_of_offset]
        if isinstance(event, PollChanged):
            assert event.votes == votes
            continue
        assert event.as_of_offset > last.get(event.video_id, -1)
        last[event.video_id] = event.as_of_offset
        assert (event.likes, event.reactions) == (likes, reactions)
        kept[event.video_id] |= event.comment_likes
        assert {target: n for target, n in kept[event.video_id].items() if n} == comment_likes
    assert last == {video_id: max(at for video, at in truth if video == video_id) for video_id, _ in truth}
    polls = {event.video_id: event.votes for event in told if isinstance(event, PollChanged)}
    assert polls == {video_id: truth[video_id, at][3] for video_id, at in last.items()}


def check_viewers(wire: Wire) -> None:
    """The last figures are those of a count by hand."""
    said: dict[str, dict[str, int]] = defaultdict(dict)
    peaks: Counter[str] = Counter()
    seen: dict[str, set[bytes]] = defaultdict(set)
    for _, _, event in wire.on_the_log(PRESENCE):
        assert isinstance(event, PresenceRecorded)
        said[event.video_id][event.gateway_id] = event.viewers  # a repeat follows its original at once
        peaks[event.video_id] = max(peaks[event.video_id], sum(said[event.video_id].values()))
        seen[event.video_id] |= {event.joined[at : at + 8] for at in range(0, len(event.joined), 8)}
    told = {event.video_id: event for _, _, event in wire.on_the_log(VIEWERS) if isinstance(event, ViewersChanged)}
    assert {video_id: (e.viewers, e.peak, e.unique) for video_id, e in told.items()} == {
        video_id: (sum(words.values()), peaks[video_id], len(seen[video_id])) for video_id, words in said.items()
    }


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
    agents = "comments,reactions,viewers,cues"
    wire.open_polls()
    undone = []
    for _ in range(KILLS):
        comments, totals = len(wire.heard_of(CommentAccepted)), len(wire.heard_of(TotalsChanged))
        with worker(topics, agents=agents) as running:
            await eventually(running.ready, DEADLINE_S)
            wire.watch(PRESENCES_A_ROUND)
            wire.react(BATCHES_A_ROUND)
            wire.comment(COMMENTS_A_ROUND)
            await eventually(lambda n=comments: len(wire.heard_of(CommentAccepted)) > n, DEADLINE_S)  # type: ignore[misc]
            await eventually(lambda n=totals: len(wire.heard_of(TotalsChanged)) > n, DEADLINE_S)  # type: ignore[misc]
            running.end(signal.SIGKILL)
        told = [event for _, _, event in wire.on_the_log(TOTALS) if isinstance(event, TotalsChanged)]
        counted = {event.video_id: sum(event.reactions.values()) for event in told}
        unnumbered = len(wire.sent) - len(wire.on_the_log(COMMENTS_FEED))
        undone.append(sum(wire.reactions.values()) - sum(counted.values()) + unnumbered)
    assert any(undone), "no kill hit the middle of the work"
    with worker(topics, agents=agents) as running:
        wire.watch(PRESENCES_A_ROUND)
        wire.react(BATCHES_A_ROUND)
        wire.comment(COMMENTS_A_ROUND)
        await eventually(all_accepted(wire), DEADLINE_S)
        await eventually(wire.all_counted, DEADLINE_S)
        newest_ms = 1_000_000 + (wire.presences - len(VIDEOS)) * 10
        await eventually(
            lambda: len({e.video_id for e in wire.heard_of(ViewersChanged) if e.as_of_ms >= newest_ms}) == len(VIDEOS),
            DEADLINE_S,
        )
        assert running.end(signal.SIGTERM) == 0
    check_comments(wire)
    check_totals(wire)
    check_viewers(wire)


async def test_a_writer_who_was_let_pass_passes_on_every_partition_past_a_kill(topics: Settings, wire: Wire) -> None:
    def say(comment_id: str, video_id: str) -> None:
        event = submitted(comment_id, video_id=video_id, user_id="g_new", text=comment_id)
        wire.send(COMMENTS_SUBMITTED, video_id, encode(event))
        wire.flush()

    rules = encode(ordered("act-1", Act.RULES, rules=ChannelRules(first_review=True)))
    for partition in range(topics.partitions):
        wire.producer.produce(topics.topic(COMMENTS_SUBMITTED.name), rules, b"ann", partition=partition)
    with worker(topics) as running:
        say("comment-held", VIDEOS[0])
        await eventually(lambda: wire.heard_of(CommentHeld), DEADLINE_S)
        approval = ordered("act-2", Act.APPROVE, video_id=VIDEOS[0], comment_id="comment-held")
        wire.send(COMMENTS_SUBMITTED, VIDEOS[0], encode(approval))
        wire.flush()
        await eventually(lambda: wire.heard_of(CommentAccepted), DEADLINE_S)
        running.end(signal.SIGKILL)
    with worker(topics):
        for number, video_id in enumerate(VIDEOS):
            say(f"comment-{number}", video_id)
        await eventually(lambda: len(wire.heard_of(CommentAccepted)) > len(VIDEOS), DEADLINE_S)
    assert [event.state for event in wire.heard_of(CommentHeld)] == [Queued.WAITING, Queued.APPROVED]
    assert wire.on_the_log(DEAD_LETTERS) == []


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
