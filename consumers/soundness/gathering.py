"""Gathers the facts of videos: reads their partitions of the log, their rows of the index, their objects.

Of the log each partition is read once, for all videos that are asked for. Records that cannot be decoded are passed over:
whoever reads the topic in order has told of them.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from consumers.soundness.content import init_problem, object_problem
from consumers.soundness.facts import Expected, Facts, Indexed, Logged, Patience, Stored, expected
from consumers.soundness.logged import fold
from schemas import codec
from schemas.comment_state import CommentNow
from schemas.events import Event, VideoChanged
from schemas.topics import COMMENTS_FEED, MEDIA_JOBS, MEDIA_PARTS, RECORDINGS, TOTALS, Topic, partition_of
from schemas.video_settings import NOT_KEPT
from stores.cassandra import Cassandra
from stores.comments import MAX_LIMIT, CommentStore
from stores.engagement import EngagementStore
from stores.read_back import read_partition
from stores.recordings import Recordings, segment_name
from stores.segment_index import SegmentIndex
from stores.segment_rows import segment_rows
from stores.segments import SegmentStore, part_name
from stores.settings import Settings

ROLE: Final = "verify"
MARGIN_MS: Final = 60_000
"""Records are stamped when they are written; clocks of several machines differ."""
LOG_TOPICS: Final = (MEDIA_PARTS, MEDIA_JOBS, RECORDINGS, COMMENTS_FEED, TOTALS)
"""In this order: what tasks made stands for what was live."""

Report = Callable[[str, int, int], None]
"""Told what is being looked at, how many steps of it are done, and how many there are."""


def told(settings: Settings, videos: Collection[VideoChanged], report: Report) -> dict[str, Logged]:
    """What the log has of some videos. Blocking.

    Raises:
        LogError: the log cannot be read.
    """
    found = {video.video_id: Logged() for video in videos}
    wanted = [(topic, partition) for topic in LOG_TOPICS for partition in partitions_of(settings, videos)]
    for step, (topic, partition) in enumerate(wanted):
        report("log", step, len(wanted))
        for video_id, event, told_ms in events_of(settings, topic, partition, videos):
            fold(found[video_id], event, told_ms)
    report("log", len(wanted), len(wanted))
    return found


def partitions_of(settings: Settings, videos: Iterable[VideoChanged]) -> list[int]:
    """The partitions in which topics that are keyed by video have some videos."""
    return sorted({partition_of(video.video_id, settings.partitions) for video in videos})


def events_of(
    settings: Settings, topic: Topic, partition: int, videos: Collection[VideoChanged]
) -> Iterator[tuple[str, Event, int]]:
    """Video, event and Kafka's time of each record that one partition has of some videos, in order. Blocking.

    Raises:
        LogError: the log cannot be read.
    """
    wanted = {video.video_id for video in videos}
    since_ms = min((video.started_ms for video in videos), default=0) - MARGIN_MS
    for record in read_partition(settings, topic, partition, ROLE, since_ms=since_ms):
        video_id = (record.key or b"").decode("utf-8", "replace").partition("/")[0]
        if record.value is None or video_id not in wanted:
            continue
        try:
            event = codec.decode(record.value)
        except codec.CodecError:
            continue
        yield video_id, event, record.timestamp_ms


@dataclass(frozen=True, slots=True)
class Places:
    """Where the index and the media of videos are."""

    cassandra: Cassandra
    cold: Recordings
    hot: SegmentStore

    async def facts(
        self,
        video: VideoChanged,
        logged: Logged,
        patience: Patience,
        report: Report,
        *,
        removed: bool = False,
        deep: bool = False,
    ) -> Facts:
        """All facts of a video whose log was read; `deep` reads every object.

        Raises:
            CassandraError, RecordingsError, SegmentStoreError.
        """
        stored = Stored({one.name: one.size_bytes async for one in self.cold.of_video(video.video_id)})
        indexed = await self._indexed(video, logged, stored, report)
        if not removed:
            await self._look_hot(video, logged, patience, stored, report)
        if deep and video.keep_days != NOT_KEPT and not removed:
            await self._look_deep(video, logged, indexed, stored, report)
        return Facts(video, removed, logged, indexed, stored, patience)

    async def _indexed(self, video: VideoChanged, logged: Logged, stored: Stored, report: Report) -> Indexed:
        index, video_id = SegmentIndex(self.cassandra), video.video_id
        found = Indexed(await index.video(video_id), {one.name for one in await index.renditions(video_id)})
        folders = {name.split("/", 2)[1] for name in stored.cold if name.endswith(".m4s")}
        renditions = sorted(found.renditions | folders | {rendition for rendition, _ in logged.segments})
        last = max([video.last_segment, *(number for _, number in logged.segments)])
        for step, rendition in enumerate(renditions):
            report("index", step, len(renditions) + 1)
            async for row in segment_rows(self.cassandra, video_id, rendition, last):
                found.segments[rendition, row.number] = row
        report("index", len(renditions), len(renditions) + 1)
        await self._audience(video_id, found)
        report("index", len(renditions) + 1, len(renditions) + 1)
        return found

    async def _audience(self, video_id: str, found: Indexed) -> None:
        comments, engagement = CommentStore(self.cassandra), EngagementStore(self.cassandra)
        found.head = await comments.head(video_id)
        seq = 0
        while page := await comments.entries(video_id, seq, MAX_LIMIT):
            for entry in page:
                if isinstance(entry, CommentNow):
                    found.comments[entry.seq] = entry
                else:
                    found.changes[entry.seq] = entry
            seq = page[-1].seq
        found.totals = await engagement.totals(video_id)
        found.polls = {poll.poll_id: poll for poll in await engagement.polls(video_id)}

    async def _look_hot(
        self, video: VideoChanged, logged: Logged, patience: Patience, stored: Stored, report: Report
    ) -> None:
        young = [
            (key, told) for key, told in logged.segments.items() if not told.made and patience.is_hot(told.ready_ms)
        ]
        for step, (key, told) in enumerate(young):
            report("hot store", step, len(young))
            names = [part_name(video.video_id, *key, number) for number in told.parts]
            stored.hot |= await asyncio.to_thread(self._hot_sizes, names)
        report("hot store", len(young), len(young))

    def _hot_sizes(self, names: list[str]) -> dict[str, int | None]:
        return {name: self.hot.size(name) for name in names}

    async def _look_deep(
        self, video: VideoChanged, logged: Logged, indexed: Indexed, stored: Stored, report: Report
    ) -> None:
        keys = sorted(logged.segments.keys() | indexed.segments.keys())
        for step, key in enumerate(keys):
            report("objects", step, len(keys))
            must = expected(key, logged.segments.get(key), indexed.segments.get(key))
            name = segment_name(video.video_id, *key)
            if must is not None and stored.cold.get(name) == must.size:
                await self._read(name, must, _gaps_of(key, logged, indexed), stored)
        report("objects", len(keys), len(keys))

    async def _read(self, name: str, must: Expected, gaps: tuple[int, ...], stored: Stored) -> None:
        data = await self.cold.get(name)
        if data is not None and (problem := await asyncio.to_thread(object_problem, data, must, gaps)):
            stored.broken[name] = problem
        if must.init in stored.cold and must.init not in stored.broken:
            init = await self.cold.get(must.init)
            if init is not None and (problem := init_problem(must.init, init)):
                stored.broken[must.init] = problem


def _gaps_of(key: tuple[str, int], logged: Logged, indexed: Indexed) -> tuple[int, ...]:
    archived, row = logged.archived.get(key), indexed.segments.get(key)
    if archived is not None:
        return archived.missing
    return row.missing if row is not None else ()
