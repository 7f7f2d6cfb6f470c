"""A real small broadcast on a real log: pushed, transcoded, commented, liked; indexed and recorded as the consumers do."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from consumers.hot_segments import closed_segments
from consumers.projections.table import TOPICS, writes_of_event
from consumers.segment_archive import SegmentArchive
from processors.comment_rules import operators_rules
from processors.comments import CommentsFold
from processors.fold import Fold
from processors.part_writer import Record
from processors.reactions import ReactionsFold
from processors.transcoder import Transcoder
from schemas import codec
from schemas.events import (
    Act,
    CommentSubmitted,
    Event,
    GopClosed,
    Like,
    MediaChunk,
    ModerationActed,
    ModerationOrdered,
    PollClosed,
    PollOpened,
    Reaction,
    ReactionsRecorded,
    VideoChanged,
    VideoState,
    Vote,
)
from schemas.ids import new_video_id
from schemas.topics import (
    ALL_TOPICS,
    COMMENTS_SUBMITTED,
    MEDIA_SOURCE,
    REACTIONS,
    RECORDINGS,
    VIDEOS,
    Topic,
    partition_of,
    source_partition,
)
from stores.cassandra import Cassandra
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer
from stores.log_reader import now_ms
from stores.read_back import SourceRecord, read_partition
from stores.recordings import open_recordings
from stores.settings import Settings
from tests.processors.gops import Clip, make_gops
from tests.waiting import eventually

BY_NAME = {topic.name: topic for topic in ALL_TOPICS}
GOPS = 3
CHANNEL = "ann"


@dataclass(frozen=True)
class SmallBroadcast:
    """Three GOPs of a segment each with sound, a rung of the ladder, four comments of which one is hidden, likes and a poll."""

    settings: Settings
    video_id: str

    async def happen(self) -> None:
        """All of it, up to the recording."""
        async with EventProducer(self.settings, "test") as producer, Cassandra.open(self.settings) as cassandra:
            await producer.deliver(VIDEOS, self.video_id, self.video())
            await self._push(producer)
            await self._talk(producer)
            await self._archive(producer)
            await self.index(cassandra)

    def video(self) -> VideoChanged:
        at_ms = now_ms()
        return VideoChanged(
            video_id=self.video_id,
            channel=CHANNEL,
            title="Ann paints",
            state=VideoState.ENDED,
            started_ms=at_ms,
            changed_ms=at_ms,
            ended_ms=at_ms,
            last_segment=GOPS - 1,
            part_target_ms=200,
            segment_max_ms=2_000,
            audio=True,
            video=True,
            keep_days=30,
        )

    async def _push(self, producer: EventProducer) -> None:
        failures: list[BaseException] = []
        acked: list[int] = []
        transcoder = Transcoder(
            self.settings,
            open_segment_store(self.settings),
            producer,
            failures.append,
            now_ms,
            asyncio.get_running_loop().time,
        )
        offsets = count()
        async with transcoder:
            transcoder.assigned([0])
            gops = make_gops(Clip(gops=GOPS, audio=True))
            for gop in gops:
                for event in gop.events:
                    mine = self._mine(event)
                    partition = source_partition(self.video_id, gop.closed.gop, self.settings.partitions)
                    key = f"{self.video_id}/{gop.closed.gop}"
                    await producer.deliver(MEDIA_SOURCE, key, mine, partition=partition)
                    offset = next(offsets)
                    record = Record(MEDIA_SOURCE.name, 0, offset, key.encode(), codec.encode(mine))
                    await transcoder.receive(record, partial(acked.append, offset))
            records = sum(len(gop.events) for gop in gops)
            await eventually(lambda: failures or len(acked) == records, what="everything transcoded")
        assert not failures

    def _mine(self, event: MediaChunk | GopClosed) -> MediaChunk | GopClosed:
        """As if it came now, so that it is hot."""
        if isinstance(event, GopClosed):
            return dataclasses.replace(event, video_id=self.video_id)
        return dataclasses.replace(event, video_id=self.video_id, received_ms=now_ms())

    async def _talk(self, producer: EventProducer) -> None:
        fold = CommentsFold(operators_rules(self.settings), partitions=self.settings.partitions)
        await self._decide(producer, fold, COMMENTS_SUBMITTED, [*map(self._comment, range(4)), self._hiding()])
        poll: dict[str, Any] = {"video_id": self.video_id, "channel": CHANNEL, "poll_id": "poll-0001"}
        opened = PollOpened(
            **poll, question="Who wins?", options=("red", "blue"), opened_ms=now_ms(), opened_by=CHANNEL
        )
        closed = PollClosed(**poll, closed_ms=now_ms(), closed_by=CHANNEL)
        await self._decide(producer, ReactionsFold(), REACTIONS, [opened, *map(self._reactions, range(3)), closed])

    async def _decide(self, producer: EventProducer, fold: Fold, topic: Topic, events: Sequence[Event]) -> None:
        """Put events on a topic, and what a fold makes of them where it goes."""
        for event in events:
            written = await producer.deliver(topic, self.video_id, event)
            fold.apply(topic.name, written.offset, event)
            for write in fold.take():
                if write.value is not None and BY_NAME[write.topic].events:
                    key, to = write.key.decode(), BY_NAME[write.topic]
                    await producer.deliver(to, key, codec.decode(write.value), partition=self.partition)

    @property
    def partition(self) -> int:
        return partition_of(self.video_id, self.settings.partitions)

    def _comment(self, number: int) -> CommentSubmitted:
        return CommentSubmitted(
            video_id=self.video_id,
            channel=CHANNEL,
            comment_id=f"comment-{number}",
            user_id=f"g_{number}",
            name="Bob",
            text=f"comment number {number}",
            submitted_ms=now_ms(),
            gateway_id="g",
        )

    def _hiding(self) -> ModerationOrdered:
        act = ModerationActed(
            act_id=new_video_id(now_ms(), bytes(7)),
            channel=CHANNEL,
            kind=Act.HIDE,
            video_id=self.video_id,
            comment_id="comment-2",
            user_id="",
            address="",
            until_ms=0,
            reason="",
            by="u_mod",
            by_name="Mod",
            undoes="",
            at_ms=now_ms(),
        )
        return ModerationOrdered(video_id=self.video_id, channel=CHANNEL, act=act)

    def _reactions(self, batch: int) -> ReactionsRecorded:
        at_ms = now_ms()
        return ReactionsRecorded(
            video_id=self.video_id,
            channel=CHANNEL,
            gateway_id="g",
            batch=batch,
            recorded_ms=at_ms,
            likes=(Like(user_id=f"g_{batch}", liked=True, at_ms=at_ms),),
            reactions=(Reaction(user_id="g_1", kind="heart", count=2),),
            votes=(Vote(user_id=f"g_{batch}", poll_id="poll-0001", option=batch % 2, at_ms=at_ms),),
        )

    async def _archive(self, producer: EventProducer) -> None:
        hot = open_segment_store(self.settings)
        async with open_recordings(self.settings) as cold:
            archive = SegmentArchive(hot, cold, now_ms)
            for segment in await asyncio.to_thread(closed_segments, self.settings, self.video_id, 0):
                told = await archive.archive(segment)
                assert told is not None
                await producer.deliver(RECORDINGS, self.video_id, told)

    async def index(self, cassandra: Cassandra) -> None:
        """Write the rows of everything that is on the log."""
        for topic in TOPICS:
            for record in await asyncio.to_thread(self._records, topic):
                if record.value is not None and (record.key or b"").startswith(self.video_id.encode()):
                    await cassandra.write(writes_of_event(codec.decode(record.value)))

    def _records(self, topic: Topic) -> list[SourceRecord]:
        return list(read_partition(self.settings, topic, 0 if topic.partitions == 1 else self.partition, "test"))


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Cassandra]:
    """A session to spoil rows with."""
    async with Cassandra.open(settings) as opened:
        yield opened
