"""Forgets videos that were removed: after a grace time everything that is kept only for them goes.

What is to be done follows from `videos.settings` alone, where each video that was removed has one key:

- `VideoRemoved`: its recording is gone. When it has been so for the grace time, the rows in Cassandra are deleted
  (`stores.clearing`), the folds are told to forget it (`VideoForgotten` on their sources), its keys on the other compacted
  topics are deleted, and at last `VideoForgotten` takes the place of `VideoRemoved`.
- `VideoForgotten`: until its `until_ms` what comes late is passed over. Then what came late all the same goes, and the key.

A kill at any moment repeats a step, which then finds less to do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from prometheus_client import Counter

from consumers.removed_videos import RemovedVideos
from consumers.stopping import stops_within
from schemas.events import VideoForgotten, VideoRemoved
from schemas.ids import VIDEO_ID, started_ms
from schemas.topics import (
    ADS_CUES,
    COMMENTS_SUBMITTED,
    MEDIA_GOPS,
    MEDIA_JOBS,
    MEDIA_RENDITIONS,
    PRESENCE,
    REACTIONS,
    VIDEOS,
    VIDEOS_CAPTIONS,
    VIDEOS_SETTINGS,
)
from stores.cassandra import Cassandra, CassandraError
from stores.clearing import Cleared, Gone, clear_video
from stores.kafka import EventProducer, LogError
from stores.recordings import Recordings, RecordingsError

log = logging.getLogger(__name__)

LOOK_S: Final = 10.0

FORGOTTEN = Counter("logcast_forgotten_videos_total", "Videos of which nothing is kept any more")
FAILURES = Counter("logcast_forgetting_failures_total", "Videos that are to be forgotten and are tried again")


def due(
    videos: Iterable[VideoRemoved | VideoForgotten], now_ms: int, grace_ms: int
) -> Iterator[VideoRemoved | VideoForgotten]:
    """The videos whose time has come, for the first step or the second."""
    for event in videos:
        due_ms = event.removed_ms + grace_ms if isinstance(event, VideoRemoved) else event.until_ms
        if due_ms <= now_ms:
            yield event


class Forgetting:
    """Runs beside retention. `is_ours` shares the work among several processes; `cassandra` is None while it is away."""

    def __init__(
        self,
        removed: RemovedVideos,
        cold: Recordings,
        cassandra: Callable[[], Cassandra | None],
        producer: EventProducer,
        partitions: int,
        grace_s: int,
        now_ms: Callable[[], int],
        is_ours: Callable[[str], bool] = lambda _video_id: True,
    ) -> None:
        self._removed = removed
        self._cold = cold
        self._cassandra = cassandra
        self._producer = producer
        self._partitions = partitions
        self._grace_ms = grace_s * 1_000
        self._now_ms = now_ms
        self._is_ours = is_ours

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop` is set; a store that fails is tried again the next time."""
        while not stop.is_set():
            await self.look(stop)
            await stops_within(stop, LOOK_S)

    async def look(self, stop: asyncio.Event) -> None:
        """Do what is due now."""
        for event in self.due():
            cassandra = self._cassandra()
            if stop.is_set() or cassandra is None:
                return
            try:
                if isinstance(event, VideoRemoved):
                    await self.forget(cassandra, event)
                else:
                    await self.finish(cassandra, event)
            except (CassandraError, RecordingsError, LogError) as error:
                FAILURES.inc()
                log.warning("what is kept of %s stays for now: %s", event.video_id, error)
                return

    def due(self) -> list[VideoRemoved | VideoForgotten]:
        """The videos for which something is to be done now, and that are ours."""
        found = due(self._removed, self._now_ms(), self._grace_ms)
        return [event for event in found if self._is_ours(event.video_id)]

    async def forget(self, cassandra: Cassandra, event: VideoRemoved) -> VideoForgotten:
        """Delete what is kept of a video that was removed, and say so to all who keep something.

        Raises:
            CassandraError, RecordingsError, LogError: some of it is gone; again deletes the rest.
        """
        cleared = await self._clear(cassandra, event)
        now_ms = self._now_ms()
        forgotten = VideoForgotten(
            video_id=event.video_id,
            channel=event.channel,
            removed_ms=event.removed_ms,
            forgotten_ms=now_ms,
            until_ms=now_ms + self._grace_ms,
        )
        await self._tell_folds(forgotten)
        await self._delete_keys(event.video_id, cleared)
        await self._producer.deliver(VIDEOS_SETTINGS, event.video_id, forgotten)
        self._removed.apply(forgotten)
        log.info("forgot %s (%s), which was removed %d s ago", *_said(event, now_ms))
        return forgotten

    async def finish(self, cassandra: Cassandra, event: VideoForgotten) -> None:
        """Delete what came late, and the last key. Errors as `forget`."""
        await self._delete_keys(event.video_id, await self._clear(cassandra, event))
        await self._producer.delete(VIDEOS_SETTINGS, event.video_id)
        self._removed.gone(event.video_id)
        FORGOTTEN.inc()

    async def _clear(self, cassandra: Cassandra, event: VideoRemoved | VideoForgotten) -> Cleared:
        await self._cold.remove_video(event.video_id)
        requested = self._removed.renditions(event.video_id)
        start_ms = started_ms(event.video_id) if VIDEO_ID.fullmatch(event.video_id) else 0
        gone = Gone(event.video_id, event.channel, start_ms, self._now_ms(), requested)
        return await clear_video(cassandra, gone)

    async def _tell_folds(self, event: VideoForgotten) -> None:
        """Each fold in the partition of the video; that of reactions in all of them, for shares may be anywhere."""
        deliver = self._producer.deliver
        of_video = [
            deliver(COMMENTS_SUBMITTED, event.video_id, event),
            deliver(PRESENCE, event.video_id, event),
            deliver(ADS_CUES, event.video_id, event),
            deliver(MEDIA_JOBS, event.video_id, event),
        ]
        of_shares = (deliver(REACTIONS, event.video_id, event, partition=n) for n in range(self._partitions))
        await _all([*of_video, *of_shares])

    async def _delete_keys(self, video_id: str, cleared: Cleared) -> None:
        delete = self._producer.delete
        renditions = (delete(MEDIA_RENDITIONS, f"{video_id}/{name}", video_id) for name in sorted(cleared.renditions))
        captions = (delete(VIDEOS_CAPTIONS, f"{video_id}/{language}") for language in sorted(cleared.languages))
        await _all([delete(VIDEOS, video_id), delete(MEDIA_GOPS, video_id), *renditions, *captions])


async def _all(deliveries: list[Awaitable[object]]) -> None:
    results = await asyncio.gather(*deliveries, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _said(event: VideoRemoved, now_ms: int) -> tuple[str, str, int]:
    return event.video_id, event.channel, (now_ms - event.removed_ms) // 1_000
