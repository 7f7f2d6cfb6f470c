"""One publisher's way into the log: FLV tags in, CMAF chunks on `media.source` out.

Theory. What the publisher sends is packaged at once (a pure step) into a queue of outputs; one task puts them into an
`Outlet` in order: the spool, or Kafka itself. Where a segment starts, `GopOpened` is on the log before its first chunk, so
that the numbers of whatever is on the log can always be read back. Bytes that are not safe yet are counted; above the
limit the server stops reading from the publisher's socket (TCP holds it back) until half of them are. Nothing that was
taken is dropped.
"""

import asyncio
import dataclasses
import logging
import pickle
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter

from media import flv, packager
from producers.meter import Meter
from producers.outlet import Outlet
from producers.video_index import Standing, VideoIndex, ended, interrupted, last_gop_closed
from schemas import events
from schemas.events import Origin, VideoChanged, VideoState
from schemas.ids import new_video_id
from schemas.topics import MEDIA_GOPS, MEDIA_SOURCE, VIDEOS, source_partition
from stores.accounts import Channel
from stores.kafka import LogError
from stores.settings import Settings

log = logging.getLogger(__name__)

VIDEO_CODECS: Final[dict[flv.VideoCodec, packager.VideoCodec]] = {
    flv.VideoCodec.H264: "avc1",
    flv.VideoCodec.HEVC: "hvc1",
    flv.VideoCodec.AV1: "av01",
}

CHUNKS = Counter("logcast_ingest_chunks_total", "CMAF chunks written to the log", ["track"])
CHUNK_BYTES = Counter("logcast_ingest_bytes_total", "Bytes of CMAF chunks written to the log", ["track"])


class UnsupportedMediaError(ValueError):
    """The publisher sends a codec that is not taken; the message says which and what to send instead."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time and randomness come from."""

    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]


Mark = Callable[[], Coroutine[None, None, None]]
"""What is awaited when everything that came out before is safe."""


class Broadcast:
    """One connection's share of a video. Open it, feed it tags, finish it; `failure` says why it ended early."""

    def __init__(
        self,
        settings: Settings,
        channel: Channel,
        index: VideoIndex,
        outlet: Outlet,
        clock: Clock,
        origin: Origin = Origin.LIVE,
        media_ms: Callable[[], int] | None = None,
    ) -> None:
        """Make it; `media_ms` is the wall clock of the frame that is fed, where that is not the clock's now."""
        self.channel = channel.name
        self.on_room: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        self.backlog_bytes = 0
        self.meter = Meter(clock.now_ms())
        self._settings = settings
        self._of = channel
        self._origin = origin
        self._index = index
        self._outlet = outlet
        self._clock = clock
        self._media_ms = media_ms or clock.now_ms
        self._limit_bytes = settings.ingest_buffer_mb * 1024 * 1024
        self._held = False
        self._packager: packager.Packager | None = None
        self._video: VideoChanged | None = None
        self._outputs: asyncio.Queue[tuple[packager.Output, int] | Mark | None] = asyncio.Queue()
        self._has_audio = False
        self._has_video = False
        self._task: asyncio.Task[None] | None = None
        self._segment = -1

    @property
    def video(self) -> VideoChanged:
        """The state of the video as it was said last; once it is open."""
        assert self._video is not None
        return self._video

    @property
    def segment(self) -> int:
        """The last segment that was begun on the log; -1 before the first."""
        return self._segment

    @property
    def video_id(self) -> str:
        """The video that this broadcast is part of."""
        assert self._video is not None
        return self._video.video_id

    def measured(self, *, left: bool = False) -> events.IngestMeasured:
        """How the publisher's stream arrived since the last time, once the broadcast is open."""
        assert self._packager is not None
        return self.meter.measured(self.video_id, self.channel, self._clock.now_ms(), self._packager.counts, left=left)

    @property
    def overfull(self) -> bool:
        """Whether the publisher must be held back now; `on_room` is called when it no longer must."""
        self._held = self._held or self.backlog_bytes > self._limit_bytes
        return self._held

    async def open(self) -> None:
        """Choose the video: the one that was interrupted a moment ago, or a new one.

        Raises:
            LogError: the log does not answer.
        """
        now_ms = self._clock.now_ms()
        standing = self._index.open_video(self.channel)
        if standing is not None and now_ms - standing.last_sign_ms > self._settings.grace_s * 1000:
            await self._outlet.put(VIDEOS, standing.video.video_id, ended(standing, now_ms))
            standing = None
        if standing is None:
            self._video = self._new_video(now_ms)
            start = packager.StartPosition(gop=0, segment=0, epoch=0, media_time_ms=0)
        else:
            self._video = standing.video
            start = position_after(standing, now_ms, self._index.end_of(standing))
            await self._close_gop_of_before(standing)
        self._packager = packager.Packager(
            packager.PackagerSettings(
                part_target_ms=self._settings.part_target_ms,
                segment_min_ms=self._settings.segment_min_ms,
                segment_max_ms=self._video.segment_max_ms,
            ),
            start,
        )
        self._task = asyncio.create_task(self._deliver(), name=f"broadcast-{self.channel}")

    def _new_video(self, now_ms: int) -> VideoChanged:
        return VideoChanged(
            video_id=new_video_id(now_ms, self._clock.random_bytes(8)),
            channel=self.channel,
            title=self._of.title,
            state=VideoState.INTERRUPTED,  # until its first GOP
            started_ms=now_ms,
            changed_ms=now_ms,
            last_segment=-1,
            part_target_ms=self._settings.part_target_ms,
            segment_max_ms=self._settings.segment_max_ms,
            audio=False,
            video=False,
            keep_days=self._settings.keep_days_default if self._of.keep_days is None else self._of.keep_days,
            visibility=self._of.visibility,
            origin=self._origin,
            tags=self._of.tags,
            description=self._of.description,
        )

    async def _close_gop_of_before(self, standing: Standing) -> None:
        """An ingest that was killed left its GOP open; a second marker for a closed one changes nothing."""
        if standing.gop >= 0:
            await self._send_source(standing.gop, last_gop_closed(standing))

    # -- what the publisher sends

    def feed_metadata(self, values: Mapping[str, object]) -> None:
        """Take what `onMetaData` says: whether there will be a picture."""
        said = flv.read_metadata(values)
        self.meter.encoder = said.encoder or self.meter.encoder
        assert self._packager is not None
        if said.width or said.height or said.frame_rate:
            self._packager.expect_video()

    def feed_video(self, timestamp_ms: int, payload: bytes) -> None:
        """Take the body of an FLV video tag.

        Raises:
            UnsupportedMediaError: none of H.264, H.265 and AV1.
            ValueError: broken bytes (FlvError, CodecError of the codec modules).
        """
        tag = flv.parse_video(payload)
        if tag.kind is flv.TagKind.METADATA:
            return
        if tag.codec not in VIDEO_CODECS:
            raise UnsupportedMediaError(
                f"video codec {tag.codec_name} is not taken; send H.264 (AVC), H.265 (HEVC) or AV1"
            )
        if tag.track_id:
            return  # further tracks of Enhanced RTMP: the first one is what viewers get
        assert self._packager is not None
        if tag.kind is flv.TagKind.CONFIG:
            self._has_video = True
            self._put(self._packager.video_config(tag.data, VIDEO_CODECS[tag.codec]))
        elif tag.kind is flv.TagKind.FRAME:
            now_ms = self._media_ms()
            size = len(tag.data)
            self.meter.video(timestamp_ms, tag.composition_ms, size, now_ms, keyframe=tag.keyframe)
            self._put(self._packager.video(timestamp_ms, tag.composition_ms, tag.keyframe, tag.data, now_ms))

    def feed_audio(self, timestamp_ms: int, payload: bytes) -> None:
        """Take the body of an FLV audio tag; errors as for video, with AAC for H.264."""
        if not payload:
            return  # some encoders send an empty tag before the first
        tag = flv.parse_audio(payload)
        if tag.codec is not flv.AudioCodec.AAC:
            raise UnsupportedMediaError(f"audio codec {tag.codec_name} is not taken; send AAC")
        if tag.track_id:
            return
        assert self._packager is not None
        if tag.kind is flv.TagKind.CONFIG:
            self._has_audio = True
            self._put(self._packager.audio_config(tag.data))
        elif tag.kind is flv.TagKind.FRAME:
            now_ms = self._media_ms()
            self.meter.audio(len(tag.data), now_ms)
            self._put(self._packager.audio(timestamp_ms, tag.data, now_ms))

    async def finish(self) -> None:
        """Write what is left, then say that the publisher left; the video goes on if it returns in time."""
        if self._task is None:
            return
        assert self._packager is not None
        if self.failure is None:
            self._put(self._packager.finish())
            self._index.left(self.video_id, self._packager.position)
        self._outputs.put_nowait(None)
        await self._task
        if self._video is not None and self._video.state is VideoState.LIVE:
            self._video = interrupted(self._video, self._clock.now_ms())
            await self._outlet.put(VIDEOS, self.video_id, self._video)

    # -- leaving it, and going on exactly there

    def mark(self, mark: Mark) -> None:
        """Have something done when all that came out until now is safe, before anything later is put."""
        self._outputs.put_nowait(mark)

    def snapshot(self) -> tuple[bytes, bool, bool]:
        """What `go_on` needs besides the video and the segment: the packager, pickled; whether sound and picture came."""
        return pickle.dumps(self._packager), self._has_audio, self._has_video

    async def go_on(
        self, video: VideoChanged, again: packager.Packager, segment: int, *, has_audio: bool, has_video: bool
    ) -> None:
        """Instead of `open`: be as another broadcast was at a mark."""
        self._video, self._packager, self._segment = video, again, segment
        self._has_audio, self._has_video = has_audio, has_video
        if segment >= 0 and video.state is VideoState.INTERRUPTED:
            self._video = dataclasses.replace(video, state=VideoState.LIVE, changed_ms=self._clock.now_ms())
            await self._outlet.put(VIDEOS, self.video_id, self._video)
        self._task = asyncio.create_task(self._deliver(), name=f"broadcast-{self.channel}")

    async def suspend(self) -> None:
        """Instead of `finish`: write what came out, and say that the publisher left. Another broadcast goes on at a mark."""
        if self._task is None or self._task.done():
            return
        self._outputs.put_nowait(None)
        await self._task
        if self.video.state is VideoState.LIVE and self.failure is None:
            self._video = interrupted(self.video, self._clock.now_ms())
            await self._outlet.put(VIDEOS, self.video_id, self._video)

    # -- towards the log

    def _put(self, outputs: list[packager.Output]) -> None:
        now_ms = self._media_ms()
        for output in outputs:
            if isinstance(output, packager.Chunk):
                self.backlog_bytes += len(output.data)
                self.meter.chunk(output)
            self._outputs.put_nowait((output, now_ms))

    async def _deliver(self) -> None:
        try:
            while (entry := await self._outputs.get()) is not None:
                if callable(entry):
                    await entry()
                    continue
                output, received_ms = entry
                if isinstance(output, packager.GopOpened):
                    await self._announce(output)
                elif isinstance(output, packager.Chunk):
                    await self._write_chunk(output, received_ms)
                elif isinstance(output, packager.GopClosed):
                    await self._write_closed(output)
        except LogError as error:
            log.exception("the broadcast on %s cannot go on", self.channel)
            self.failure = error
            self.on_room()

    async def _announce(self, opened: packager.GopOpened) -> None:
        """Say that a GOP begins, and of the video what has changed, before the GOP's first chunk."""
        assert self._video is not None
        video = dataclasses.replace(
            self._video,
            state=VideoState.LIVE,
            audio=self._video.audio or self._has_audio,
            video=self._video.video or self._has_video,
        )
        if video != self._video:
            self._video = dataclasses.replace(video, changed_ms=self._clock.now_ms())
            await self._outlet.put(VIDEOS, self.video_id, self._video)
        await self._open_segment(opened)

    async def _open_segment(self, opened: packager.GopOpened) -> None:
        self._segment = opened.segment
        event = events.GopOpened(
            video_id=self.video_id,
            channel=self.channel,
            gop=opened.gop,
            segment=opened.segment,
            epoch=opened.epoch,
            media_time_ms=opened.media_time_ms,
            captured_ms=opened.captured_ms,
            ladder_below=opened.ladder_below,
        )
        await self._outlet.put(MEDIA_GOPS, event.video_id, event)

    async def _write_chunk(self, chunk: packager.Chunk, received_ms: int) -> None:
        if chunk.segment > self._segment:  # an overlong GOP goes on in a further segment
            await self._open_segment(
                packager.GopOpened(
                    gop=chunk.gop,
                    segment=chunk.segment,
                    epoch=chunk.epoch,
                    media_time_ms=chunk.dts * 1000 // chunk.timescale,
                    captured_ms=chunk.captured_ms,
                    ladder_below=chunk.ladder_below,
                )
            )
        event = media_chunk(self.video_id, self.channel, chunk, received_ms)
        written = await self._send_source(chunk.gop, event)
        CHUNKS.labels(chunk.track).inc()
        CHUNK_BYTES.labels(chunk.track).inc(len(chunk.data))
        written.add_done_callback(lambda future: self._written(future, len(chunk.data)))

    def _written(self, future: asyncio.Future[Any], size: int) -> None:
        self.backlog_bytes -= size
        if not future.cancelled() and future.exception() is not None:
            self.failure = self.failure or LogError(str(future.exception()))
        if self._held and self.backlog_bytes <= self._limit_bytes // 2:
            self._held = False
            self.on_room()

    async def _write_closed(self, closed: packager.GopClosed) -> None:
        event = events.GopClosed(
            video_id=self.video_id,
            channel=self.channel,
            gop=closed.gop,
            first_segment=closed.first_segment,
            last_segment=closed.last_segment,
            video_chunks=closed.video_chunks,
            audio_chunks=closed.audio_chunks,
        )
        await self._send_source(closed.gop, event)

    async def _send_source(self, gop: int, event: events.MediaChunk | events.GopClosed) -> asyncio.Future[Any]:
        """To the partition of the GOP."""
        partition = source_partition(self.video_id, gop, self._settings.partitions)
        return await self._outlet.put(MEDIA_SOURCE, f"{self.video_id}/{gop}", event, partition=partition)


def position_after(
    standing: Standing, now_ms: int, end: packager.StartPosition | None = None
) -> packager.StartPosition:
    """Where a video goes on: the next numbers, and the media time that the wall clock has reached by now.

    So media time stays wall clock minus the start over any number of reconnects. It is never before `end`, where the
    publisher left it; where that is not known, what an ingest that died has written of its last segment is not
    overlapped, for it is no longer than the longest segment.
    """
    video = standing.video
    ends_ms = end.media_time_ms if end else standing.media_time_ms + video.segment_max_ms
    media_time_ms = max(now_ms - video.started_ms, ends_ms)
    return packager.StartPosition(
        gop=standing.gop + 1,
        segment=standing.segment + 1,
        epoch=standing.epoch + 1,
        media_time_ms=media_time_ms,
        captured_ms=video.started_ms + media_time_ms,
        ladder_below=standing.ladder_below,
    )


def media_chunk(video_id: str, channel: str, chunk: packager.Chunk, received_ms: int) -> events.MediaChunk:
    """A packaged chunk as the event of the log."""
    return events.MediaChunk(
        video_id=video_id,
        channel=channel,
        track=events.Track(chunk.track),
        gop=chunk.gop,
        segment=chunk.segment,
        part=chunk.part,
        index=chunk.index,
        epoch=chunk.epoch,
        dts=chunk.dts,
        duration=chunk.duration,
        timescale=chunk.timescale,
        independent=chunk.independent,
        frames=chunk.frames,
        captured_ms=chunk.captured_ms,
        received_ms=received_ms,
        codecs=chunk.codecs,
        width=chunk.width,
        height=chunk.height,
        frame_rate=chunk.frame_rate,
        sample_rate=chunk.sample_rate,
        channels=chunk.channels,
        init=chunk.init,
        data=chunk.data,
        part_target_ms=chunk.part_target_ms,
        ladder_below=chunk.ladder_below,
        epoch_ms=chunk.epoch_ms,
    )
