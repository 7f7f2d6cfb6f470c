"""Clips: a range of a video as a new video that is kept on its own.

Its segments are copied, all renditions of them, from the one that holds the start to the one that holds the end; nothing is
encoded. Only their numbers and times change. They go to the hot store and on `media.parts`, as if a worker had made them:
the index, the recordings and the players need no second case, and the original may be removed.
"""

import asyncio
import dataclasses
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from hashlib import sha256
from typing import Final

from gateway.downloads import Cut, wanted
from gateway.media_access import MediaAccess
from gateway.rendition_fold import RenditionFold
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from media.boxes import CmafError
from media.captions.sei import chunk_captions
from media.cmaf import parse_chunk, split_chunks
from media.errors import MediaError
from media.hls import Segment
from media.rebase import rebased
from schemas.events import (
    CaptionsFound,
    Origin,
    PartReady,
    PictureCaptions,
    SegmentClosed,
    Track,
    VideoChanged,
    VideoState,
)
from schemas.ids import new_video_id
from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.kafka import EventProducer, LogError
from stores.recordings import RecordingsError
from stores.segments import SegmentStoreError, part_name

log = logging.getLogger(__name__)

MAX_CLIP_S: Final = 3_600
MAX_WAITING: Final = 8


class TooManyClipsError(RuntimeError):
    """As many clips as a gateway takes wait to be made."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a clip is made of.

    Attributes:
        video: as it will be while it is made.
        first, last: numbers of the original's segments.
        epoch: of the first.
        base_s: media time of the original that becomes 0.
        length_ms: from the start of the first to the end of the last.
    """

    video: VideoChanged
    first: int
    last: int
    epoch: int
    base_s: Fraction
    length_ms: int


def planned(original: VideoChanged, fold: VideoFold, cut: Cut, title: str, keep_days: int, now_ms: int) -> Plan | None:
    """A clip of a range; None where nothing is there."""
    pictures = [r for r in fold.listed if r.track is Track.VIDEO] or fold.listed
    chosen = wanted(list(pictures[0].segments), cut)
    if not chosen:
        return None
    first, last = chosen[0], chosen[-1]
    starts = [Fraction(s.dts, s.timescale) for r in fold.listed if (s := r.segment(first.number)) is not None]
    video = dataclasses.replace(
        original,
        video_id=new_video_id(now_ms, secrets.token_bytes(8)),
        title=title,
        state=VideoState.LIVE,
        started_ms=first.start_ms,
        changed_ms=now_ms,
        ended_ms=None,
        last_segment=-1,
        keep_days=keep_days,
        origin=Origin.IMPORT,
    )
    length_ms = last.start_ms + round(last.duration_s * 1000) - first.start_ms
    return Plan(video, first.number, last.number, first.epoch, min(starts), length_ms)


class Clips:
    """Makes clips one after the other, beside what the gateway does."""

    def __init__(self, state: GatewayState, media: MediaAccess) -> None:
        self._state = state
        self._media = media
        self._producer: EventProducer | None = None
        self._one = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take clips; those that are not done at the end are given up."""
        async with EventProducer(self._state.settings, "clips") as self._producer:
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                if self._tasks:
                    await asyncio.wait(self._tasks)

    def begin(self, fold: VideoFold, plan: Plan) -> None:
        """Make a clip soon.

        Raises:
            TooManyClipsError: ask again later.
        """
        if len(self._tasks) >= MAX_WAITING:
            raise TooManyClipsError(f"{MAX_WAITING} clips wait to be made already; try again later")
        task = asyncio.create_task(self._make(fold, plan), name=f"clip-{plan.video.video_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, fold: VideoFold, plan: Plan) -> None:
        try:
            async with self._one:
                await self._say(plan.video)
                for number in range(plan.first, plan.last + 1):
                    for rendition in fold.listed:
                        segment = rendition.segment(number)
                        if segment is not None:
                            await self._segment(fold.video_id, rendition, segment, plan)
            await self._end(plan, plan.video.keep_days)
        except (LogError, SegmentStoreError, RecordingsError, CmafError):
            log.exception("clip %s of %s cannot be made", plan.video.video_id, fold.video_id)
            await self._end(plan, 0)
        except asyncio.CancelledError:
            await self._end(plan, 0)
            raise

    async def _segment(self, original: str, rendition: RenditionFold, segment: Segment, plan: Plan) -> None:
        """Copy a segment and announce it; one that is not there is announced as lost."""
        pieces = (
            None
            if segment.gap
            else await self._media.reader.segment(original, rendition.name, segment.number, segment.part_count)
        )
        init = await self._media.reader.init(f"{original}/{rendition.name}/{segment.init_uri}")
        parts = split_chunks(b"".join(pieces)) if pieces is not None and init is not None else []
        video_id, number = plan.video.video_id, segment.number - plan.first
        init_name = f"{video_id}/{rendition.name}/{segment.init_uri}"
        ticks = int(plan.base_s * segment.timescale)
        for part, data in enumerate(parts):
            if part == 0 and init is not None:
                await self._store(init_name, init)
            moved = rebased(data, ticks)
            ready = self._ready(rendition, segment, plan, part, moved, init_name)
            await self._store(ready.name, moved)
            for found in captions_in(rendition, segment, ready, moved):
                await self._announce(found)
            await self._announce(ready)
        closed = SegmentClosed(
            video_id=video_id,
            channel=plan.video.channel,
            rendition=rendition.name,
            gop=number,
            segment=number,
            parts=len(parts),
        )
        await self._announce(closed)

    def _ready(
        self, rendition: RenditionFold, segment: Segment, plan: Plan, part: int, data: bytes, init: str
    ) -> PartReady:
        chunk, video, number = parse_chunk(data), plan.video, segment.number - plan.first
        since_ticks = chunk.base_decode_time + int(plan.base_s * segment.timescale) - segment.dts
        origin_ms = rendition.origins.get(segment.epoch)
        return PartReady(
            video_id=video.video_id,
            channel=video.channel,
            rendition=rendition.name,
            track=rendition.track,
            gop=number,
            segment=number,
            part=part,
            epoch=segment.epoch - plan.epoch,
            dts=chunk.base_decode_time,
            duration=chunk.duration,
            timescale=segment.timescale,
            independent=rendition.track is Track.AUDIO or chunk.samples[0].keyframe,
            frames=len(chunk.samples),
            captured_ms=segment.start_ms + since_ticks * 1000 // segment.timescale,
            received_ms=self._state.clock(),
            name=part_name(video.video_id, rendition.name, number, part),
            size=len(data),
            sha256=sha256(data).digest(),
            init=init,
            info=(rendition.infos.get(segment.init_uri) or rendition.info) if part == 0 else None,
            part_target_ms=segment.part_target_ms,
            keyframe_size=segment.keyframe_size if part == 0 else 0,
            epoch_ms=-1 if origin_ms is None else max(0, origin_ms - int(plan.base_s * 1000)),
        )

    async def _end(self, plan: Plan, keep_days: int) -> None:
        """Say that the clip is over; one that is not whole is not kept."""
        now_ms = self._state.clock()
        video = dataclasses.replace(
            plan.video,
            state=VideoState.ENDED,
            changed_ms=max(now_ms, plan.video.changed_ms + 1),
            ended_ms=plan.video.started_ms + plan.length_ms,
            last_segment=plan.last - plan.first,
            keep_days=keep_days,
        )
        await self._say(video)

    async def _say(self, video: VideoChanged) -> None:
        assert self._producer is not None
        await self._producer.deliver(VIDEOS, video.video_id, video)

    async def _announce(self, event: PartReady | SegmentClosed | CaptionsFound) -> None:
        assert self._producer is not None
        await self._producer.deliver(MEDIA_PARTS, event.video_id, event)

    async def _store(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._state.segments.put, name, data)


def captions_in(rendition: RenditionFold, segment: Segment, ready: PartReady, data: bytes) -> tuple[CaptionsFound, ...]:
    """The captions that a part of the source carries, with the times that its pictures have now."""
    info = rendition.infos.get(segment.init_uri) or rendition.info
    if rendition.name != "source" or info is None:
        return ()
    try:
        pictures = chunk_captions(data, info.codecs)
    except MediaError:
        return ()  # a picture that cannot be read has none
    if not pictures:
        return ()
    found = CaptionsFound(
        video_id=ready.video_id,
        channel=ready.channel,
        gop=ready.gop,
        segment=ready.segment,
        part=ready.part,
        epoch=ready.epoch,
        timescale=ready.timescale,
        pictures=tuple(PictureCaptions(pts=picture.pts, data=picture.data) for picture in pictures),
    )
    return (found,)
