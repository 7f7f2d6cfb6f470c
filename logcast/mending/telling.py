"""The effects of a repair: objects into the stores first, then the word of them on the log and in the index.

The consumers write the same rows from the same words; both may, in any order. In a dry run nothing is done.
"""

import asyncio
from collections.abc import Iterable, Sequence

from consumers.projections.table import writes_of_event
from consumers.soundness.facts import AUDIO, SOURCE, Facts, Key
from consumers.soundness.findings import Thing
from consumers.soundness.gathering import Places
from consumers.soundness.rewriting import later
from processors.again import Again
from processors.remake import Remade
from schemas.events import (
    Event,
    MadePart,
    MadeSegment,
    PartReady,
    SegmentArchived,
    SegmentClosed,
    TaskFinished,
    TrackInfo,
)
from schemas.topics import MEDIA_JOBS, MEDIA_PARTS, RECORDINGS, Topic
from stores.cassandra import Write
from stores.kafka import EventProducer
from stores.log_reader import now_ms
from stores.recordings import segment_name
from stores.segments import part_name


class Teller:
    """What is done about one video."""

    def __init__(self, places: Places, facts: Facts, producer: EventProducer, *, dry: bool) -> None:
        self._places = places
        self._facts = facts
        self._producer = producer
        self._dry = dry
        self._video_id, self._channel = facts.video.video_id, facts.video.channel

    async def init(self, name: str, data: bytes) -> None:
        """An init segment, into both stores: a name tells its bytes."""
        await self.hot(name, data)
        await self._cold(name, data)

    async def hot(self, name: str, data: bytes) -> None:
        """A part into the hot store, which forgets it when its time is over."""
        if not self._dry:
            await asyncio.to_thread(self._places.hot.put, name, data)

    async def _cold(self, name: str, data: bytes) -> None:
        if not self._dry:
            await self._places.cold.put(name, data)

    async def stored(self, key: Key, data: bytes) -> None:
        """A whole object of a segment that is known; that it has no gaps is said where somebody said otherwise."""
        await self._cold(segment_name(self._video_id, *key), data)
        told, row = self._facts.logged.archived.get(key), self._facts.indexed.segments.get(key)
        if told is not None and not told.missing and told.size == len(data):
            return
        if told is None and row is not None and row.archived_size == len(data) and not row.missing:
            return
        await self._tell(RECORDINGS, self._archived(key, len(data)))

    async def anew(self, key: Key, parts: Sequence[Again]) -> None:
        """A segment that was lost, or whose bytes nobody has and nobody can make any more."""
        ready = [again[0] for again in parts]
        data = b"".join(again[1] for again in parts)
        await self.init(ready[0].init, parts[0][2])
        await self._cold(segment_name(self._video_id, *key), data)
        if key[0] in {SOURCE, AUDIO}:
            for part, piece, _ in parts:
                await self.hot(part_name(self._video_id, *key, part.part), piece)
            await self._tell(MEDIA_PARTS, *ready, self._closed(key, ready))
        else:
            finished = self._finished(key[0], ready[0].gop, (_made_segment(key, ready),), ready[0].info)
            await self._tell_later(MEDIA_JOBS, finished, key)
            if not self._dry and ready[0].info is not None:  # a rung that never had a part has no row of its own yet
                rows = [write for write in writes_of_event(ready[0]) if write.partition[0] == "renditions"]
                await self._places.cassandra.write(rows)
        await self._tell(RECORDINGS, self._archived(key, len(data)))

    async def remade_anew(self, key: Key, made: Remade) -> None:
        """The same from the recorded source."""
        segment = next(one for one in made.segments if one.segment == key[1])
        data = made.objects[f"{key[1]:08d}.m4s"]
        await self._cold(segment.init, made.objects[segment.init.rpartition("/")[2]])
        await self._cold(segment_name(self._video_id, *key), data)
        await self._tell_later(MEDIA_JOBS, self._finished(key[0], key[1], (segment,), made.info), key)
        await self._tell(RECORDINGS, self._archived(key, len(data)))

    async def rows(self, writes: Iterable[Write]) -> None:
        """Rows of the index."""
        if not self._dry:
            await self._places.cassandra.write(list(writes))

    async def removed(self, names: Iterable[str]) -> None:
        """Objects that nothing names go."""
        for name in () if self._dry else names:
            await self._places.cold.remove(name)

    async def _tell(self, topic: Topic, *events: Event) -> None:
        if self._dry:
            return
        for event in events:
            await self._producer.deliver(topic, self._video_id, event)
        await self._places.cassandra.write([write for event in events for write in writes_of_event(event)])

    async def _tell_later(self, topic: Topic, event: Event, key: Key) -> None:
        """The same where the row may have parts of other bytes with the same write times: the new ones must stay."""
        await self._tell(topic, event)
        await self.rows(later((Thing.SEGMENT_ROW, key), writes_of_event(event), now_ms() * 1000))

    def _archived(self, key: Key, size: int) -> SegmentArchived:
        return SegmentArchived(
            video_id=self._video_id,
            channel=self._channel,
            rendition=key[0],
            segment=key[1],
            size=size,
            missing=(),
            archived_ms=now_ms(),
        )

    def _closed(self, key: Key, ready: Sequence[PartReady]) -> SegmentClosed:
        return SegmentClosed(
            video_id=self._video_id,
            channel=self._channel,
            rendition=key[0],
            gop=ready[0].gop,
            segment=key[1],
            parts=len(ready),
        )

    def _finished(
        self, rendition: str, task: int, segments: tuple[MadeSegment, ...], info: TrackInfo | None
    ) -> TaskFinished:
        return TaskFinished(
            video_id=self._video_id,
            channel=self._channel,
            rendition=rendition,
            task=task,
            segments=segments,
            info=info,
            problem="",
            finished_ms=now_ms(),
        )


def _made_segment(key: Key, ready: Sequence[PartReady]) -> MadeSegment:
    first = ready[0]
    return MadeSegment(
        segment=key[1],
        epoch=first.epoch,
        epoch_ms=first.epoch_ms,
        timescale=first.timescale,
        init=first.init,
        parts=tuple(_made_part(part) for part in ready),
    )


def _made_part(part: PartReady) -> MadePart:
    return MadePart(
        dts=part.dts,
        duration=part.duration,
        size=part.size,
        frames=part.frames,
        independent=part.independent,
        captured_ms=part.captured_ms,
        keyframe_size=part.keyframe_size,
    )
