"""What a gateway writes of a hot video: likes and votes at home, reactions in turn on every share, each batch numbered."""

import asyncio
from collections import Counter
from typing import Any

from gateway.feed_messages import LikeWanted, React
from gateway.guests import Guest
from gateway.heat import Heat
from gateway.speaking import Speaker
from schemas.events import Event, ReactionsRecorded, TotalsChanged
from schemas.ids import UserId
from schemas.topics import Topic, partition_of
from stores.kafka import LogBusyError, LogError
from tests.gateway.tape import VIDEO, video

PARTITIONS = 8
ANN = Guest(UserId("g_ann"), "Ann")


class Written:
    """A producer that keeps what is sent, with its partition."""

    def __init__(self) -> None:
        self.sent: list[tuple[int | None, ReactionsRecorded]] = []
        self.reports: list[asyncio.Future[None]] = []

    def send(self, _topic: Topic, _key: str, event: Event, *, partition: int | None = None) -> "asyncio.Future[None]":
        assert isinstance(event, ReactionsRecorded)
        self.sent.append((partition, event))
        self.reports.append(asyncio.get_running_loop().create_future())
        return self.reports[-1]


class Busy:
    """A producer whose queue is full."""

    def send(self, *_: object, **__: object) -> "asyncio.Future[None]":
        raise LogBusyError("full")


def totals(hearts: int, at_ms: int) -> TotalsChanged:
    facts: dict[str, Any] = {"channel": "demo", "likes": 0, "comment_likes": {}}
    return TotalsChanged(video_id=VIDEO, as_of_offset=at_ms, as_of_ms=at_ms, reactions={"heart": hearts}, **facts)


def say(speaker: Speaker) -> None:
    """A like, a vote and a reaction in one tick."""
    speaker.like(video(), ANN, LikeWanted(liked=True, comment=None))
    speaker.vote(video(), ANN.id, "poll-0001", 1)
    speaker.react(video(), ANN, React(kind="heart", count=3))
    speaker.flush()


async def test_what_was_said_is_taken_once_the_log_has_the_event_that_it_went_into() -> None:
    written: Any = Written()
    heat = Heat(1_000, 4, PARTITIONS)
    for hearts, at_ms in ((0, 0), (5_000, 1_000)):
        heat.apply(totals(hearts, at_ms))
    speaker = Speaker(written, "run-1", lambda: 7, heat)
    while not any(event.share >= 0 for _, event in written.sent):
        written.sent.clear()
        written.reports.clear()
        like = speaker.like(video(), ANN, LikeWanted(liked=True, comment=None))
        vote = speaker.vote(video(), ANN.id, "poll-0001", 1)
        tap = speaker.react(video(), ANN, React(kind="heart", count=3))
        speaker.flush()
    away, home = written.reports
    away.set_result(None)
    assert await tap is True
    assert not like.done()
    home.set_exception(LogError("refused"))
    assert (await like, await vote) == (False, False)


async def test_what_the_log_has_no_room_for_is_not_taken() -> None:
    busy: Any = Busy()
    speaker = Speaker(busy, "run-1", lambda: 7, Heat(0, 4, PARTITIONS))
    taken = speaker.like(video(), ANN, LikeWanted(liked=True, comment=None))
    speaker.flush()
    assert await taken is False


async def test_a_quiet_video_has_one_event_at_home() -> None:
    written: Any = Written()
    say(Speaker(written, "run-1", lambda: 7, Heat(1_000, 4, PARTITIONS)))
    ((partition, event),) = written.sent
    assert (partition, event.home, event.share) == (None, -1, -1)
    assert (len(event.likes), len(event.reactions), len(event.votes)) == (1, 1, 1)


async def test_a_hot_video_keeps_likes_and_votes_at_home_and_spreads_reactions_evenly() -> None:
    written: Any = Written()
    heat = Heat(1_000, 4, PARTITIONS)
    for hearts, at_ms in ((0, 0), (5_000, 1_000)):
        heat.apply(totals(hearts, at_ms))
    speaker, home = Speaker(written, "run-1", lambda: 7, heat), partition_of(VIDEO, PARTITIONS)
    for _ in range(40):
        say(speaker)
    away = [(partition, event) for partition, event in written.sent if event.share >= 0]
    kept = [event for partition, event in written.sent if event.share < 0]
    assert all((p, e.home, e.likes, e.votes) == (e.share, home, (), ()) for p, e in away)
    assert sum(reaction.count for _, e in written.sent for reaction in e.reactions) == 40 * 3
    assert (sum(len(e.likes) for e in kept), sum(len(e.votes) for e in kept)) == (40, 40)
    batches = [event.batch for _, event in written.sent]
    assert batches == sorted(set(batches)), "a number twice would be passed over as a repeat"
    assert sorted(Counter(partition for partition, _ in away).values()) == [10, 10, 10], "and the rest at home"
