"""Removes recordings whose time is over, and says what it removed: log, metrics, and an event.

What is due follows from the log alone, by a pure function: an ended video is kept so many days after its end; one that is
not kept goes when its last part has left the hot tier; one whose owner chose "not kept" after its end goes at once.
First the objects go, then `VideoRemoved` is written: a crash in between repeats it. Objects of a removed video that a slow
archiver wrote after it are found by looking through the cold store now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from consumers.kept_videos import KeptVideos
from consumers.stopping import stops_within
from schemas.events import VideoChanged, VideoRemoved, VideoState
from schemas.topics import VIDEOS_SETTINGS
from schemas.video_settings import NOT_KEPT, expires_ms
from stores.kafka import EventProducer
from stores.recordings import Recordings, RecordingsError
from stores.segments import Removed, SegmentStore, SegmentStoreError

log = logging.getLogger(__name__)

LOOK_S: Final = 10.0
SWEEP_MS: Final = 3_600_000
EXPIRED: Final = "expired"
REQUESTED: Final = "requested"

VIDEOS_REMOVED = Counter("logcast_retention_videos_total", "Videos whose recording was removed", ["reason"])
FILES = Counter("logcast_retention_files_total", "Objects removed from the cold store")
BYTES = Counter("logcast_retention_bytes_total", "Bytes removed from the cold store")
FAILURES = Counter("logcast_retention_failures_total", "Removals that are tried again")


@dataclass(frozen=True, slots=True)
class Due:
    """A video that must go.

    Attributes:
        video: as it holds.
        reason: `EXPIRED` or `REQUESTED`.
        since_ms: wall clock since when.
    """

    video: VideoChanged
    reason: str
    since_ms: int


def due(videos: KeptVideos, now_ms: int, hot_retention_s: int) -> Iterator[Due]:
    """The videos that must go now; one that is live never."""
    for video in videos:
        if video.state is not VideoState.ENDED:
            continue
        expires = expires_ms(video)
        chosen = videos.chosen(video.video_id)
        if expires is None:
            continue
        if video.keep_days == NOT_KEPT and chosen is not None and chosen.changed_ms >= expires:
            yield Due(video, REQUESTED, chosen.changed_ms)
            continue
        if video.keep_days == NOT_KEPT:
            expires += hot_retention_s * 1000
        if expires <= now_ms:
            yield Due(video, EXPIRED, expires)


class Retention:
    """Removes what is due. `is_ours` shares the work among several processes."""

    def __init__(
        self,
        videos: KeptVideos,
        cold: Recordings,
        hot: SegmentStore,
        producer: EventProducer,
        hot_retention_s: int,
        now_ms: Callable[[], int],
        is_ours: Callable[[str], bool] = lambda _video_id: True,
    ) -> None:
        self._videos = videos
        self._cold = cold
        self._hot = hot
        self._producer = producer
        self._hot_retention_s = hot_retention_s
        self._now_ms = now_ms
        self._is_ours = is_ours
        self._swept_ms = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop` is set; a store that fails is tried again the next time."""
        while not stop.is_set():
            try:
                for found in self.due():
                    if stop.is_set():
                        return
                    await self.remove(found)
                await self._sweep()
            except (RecordingsError, SegmentStoreError) as error:
                FAILURES.inc()
                log.warning("recordings that are past their time stay for now: %s", error)
            await stops_within(stop, LOOK_S)

    def due(self) -> list[Due]:
        """What must go now, and is ours to remove."""
        found = due(self._videos, self._now_ms(), self._hot_retention_s)
        return [one for one in found if self._is_ours(one.video.video_id)]

    async def remove(self, found: Due, removed_by: str = "retention") -> VideoRemoved:
        """Remove a video from both tiers, and say so on the log.

        Raises:
            RecordingsError, SegmentStoreError: some may be gone; again removes the rest.
        """
        video = found.video
        removed = await self._cold.remove_video(video.video_id)
        await asyncio.to_thread(self._hot.remove_video, video.video_id)
        event = VideoRemoved(
            video_id=video.video_id,
            channel=video.channel,
            title=video.title,
            reason=found.reason,
            files=removed.files,
            size=removed.size_bytes,
            removed_ms=self._now_ms(),
            removed_by=removed_by,
        )
        await self._producer.deliver(VIDEOS_SETTINGS, video.video_id, event)
        self._videos.apply(event)
        VIDEOS_REMOVED.labels(found.reason).inc()
        self._count(removed)
        log.info(
            "removed the recording of %s (%s, %r, %s): %d objects, %.1f MB",
            video.video_id,
            video.channel,
            video.title,
            found.reason,
            removed.files,
            removed.size_bytes / 1e6,
        )
        return event

    async def _sweep(self) -> None:
        """Once an hour: objects that came after their video was removed."""
        if self._now_ms() - self._swept_ms < SWEEP_MS:
            return
        for video_id in self._late(await self._cold.videos()):
            removed = await self._cold.remove_video(video_id)
            self._count(removed)
            log.info("removed %d late objects of %s, which was removed before", removed.files, video_id)
        self._swept_ms = self._now_ms()

    def _late(self, video_ids: Iterable[str]) -> list[str]:
        return [v for v in video_ids if self._videos.is_removed(v) and self._is_ours(v)]

    @staticmethod
    def _count(removed: Removed) -> None:
        FILES.inc(removed.files)
        BYTES.inc(removed.size_bytes)
