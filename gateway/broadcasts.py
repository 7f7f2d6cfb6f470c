"""Every video that has media in the log's window: the folds, who waits for them, and the bound of their memory."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

from gateway.rendition_fold import Limits, RenditionFold
from gateway.video_fold import VideoFold
from gateway.videos import VideoDirectory
from schemas.events import BreakPlanned, Event, PartReady, SegmentClosed, VideoChanged, VideoSettingsChanged, VideoState
from stores.log_reader import Place
from stores.settings import Settings

log = logging.getLogger(__name__)

MARGIN_S: Final = 60
ENTRY_BYTES: Final = 600
"""What a remembered segment or part takes at most: 225 on average, more where parts wait for an earlier one."""

QUIET_MS: Final = 30_000
"""An ended video whose playlists did not all reach their last segment so long after its end will not reach it."""

SHORTEST_SEGMENT_S: Final = 0.5
MAX_PARKED: Final = 50_000

VIDEOS = Gauge("logcast_gateway_folded_videos", "Videos with playlists in memory.")
ENTRIES = Gauge("logcast_gateway_fold_entries", "Segments and parts that are remembered.")
DROPPED = Counter("logcast_gateway_dropped_videos", "Videos forgotten to stay within gateway_memory_mb.")
PARKED = Gauge("logcast_gateway_parked_requests", "Requests that wait for media to come.")
DELAY = Gauge("logcast_gateway_newest_part_age_seconds", "From a source chunk's arrival to its newest part's fold.")

Wanted = tuple[int, int | None]
"""Segment number, and part number unless the whole segment is meant."""


class TooManyParkedError(RuntimeError):
    """More requests wait than a gateway holds."""


class Broadcasts:
    """The folds of all videos. Feed it the topics, call `folded` after each batch and `tick` every few seconds."""

    def __init__(self, settings: Settings, videos: VideoDirectory, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._videos = videos
        self._clock = clock
        self._folds: dict[str, VideoFold] = {}
        self._changed: set[str] = set()
        self._waiting: dict[tuple[str, str], dict[Wanted, asyncio.Future[None]]] = {}
        self._parked = 0
        self._stopping = False
        self._limits = Limits(settings.window_s * 1000, int(settings.window_s / SHORTEST_SEGMENT_S) + 100)
        self._max_entries = settings.gateway_memory_mb * 1024 * 1024 // 2 // ENTRY_BYTES
        # A publisher may be away for the grace time, and the window must be whole all the same.
        self.log_start_ms: Final = clock() - (settings.window_s + settings.grace_s + MARGIN_S) * 1000

    # What came

    def media(self, event: Event, place: Place | None = None) -> None:
        """Fold an event of `media.parts`."""
        record_ms = place.timestamp_ms if place is not None else None
        if isinstance(event, PartReady):
            self._fold(event.video_id).part(event, record_ms)
            DELAY.set((self._clock() - event.received_ms) / 1000)
        elif isinstance(event, SegmentClosed):
            self._fold(event.video_id).closed(event, record_ms)

    def video(self, event: Event, _place: Place | None = None) -> None:
        """Fold an event of `videos` or `videos.settings`, after the directory had it."""
        if isinstance(event, VideoChanged | VideoSettingsChanged) and event.video_id in self._folds:
            video = self._videos.get(event.video_id)
            if video is not None:
                self._fold(event.video_id).state(video)

    def ad_break(self, event: Event, _place: Place | None = None) -> None:
        """Fold an event of `ads.breaks`."""
        if isinstance(event, BreakPlanned):
            self._fold(event.video_id).planned(event)

    def folded(self) -> None:
        """After a batch: let those go who waited for what came."""
        for video_id in self._changed:
            fold = self._folds.get(video_id)
            if fold is not None:
                self._wake(fold)
        self._changed.clear()

    def tick(self) -> None:
        """End what will not go on by itself, forget what is over or too much."""
        now_ms = self._clock()
        for fold in list(self._folds.values()):
            video = fold.video
            ended_ms = video.ended_ms if video is not None and video.state is VideoState.ENDED else None
            if ended_ms is not None and now_ms - ended_ms > QUIET_MS and fold.waits:
                fold.end()
                self._wake(fold)
            if now_ms - max(fold.newest_ms, ended_ms or 0) > self._settings.hot_retention_s * 1000:
                self._drop(fold)
        self._bound_memory()

    # What is there

    def get(self, video_id: str) -> VideoFold | None:
        """The fold of a video; None when nothing of it is in the window."""
        return self._folds.get(video_id)

    async def wait(self, fold: VideoFold, rendition: str, wanted: Wanted, timeout_s: float) -> bool:
        """Wait until a rendition has reached what is wanted; False when it did not in time or the gateway stops.

        Raises:
            TooManyParkedError: `MAX_PARKED` requests wait already.
        """
        if self._stopping:
            return False
        if self._parked >= MAX_PARKED:
            raise TooManyParkedError(f"{self._parked} requests wait for media already; try again later or elsewhere")
        keys = self._waiting.setdefault((fold.video_id, rendition), {})
        future = keys.get(wanted)
        if future is None:
            future = keys[wanted] = asyncio.get_running_loop().create_future()
        self._parked += 1
        PARKED.inc()
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(future)
        except TimeoutError:
            return False
        finally:
            self._parked -= 1
            PARKED.dec()
        return not self._stopping

    async def changed(self, fold: VideoFold, timeout_s: float) -> bool:
        """Wait until anything of a video changes; False when nothing did in time."""
        return await self.wait(fold, "", (0, None), timeout_s)

    def forget(self, video_id: str) -> None:
        """A video that was removed; who waits for its media waits no longer."""
        fold = self._folds.get(video_id)
        if fold is not None:
            self._drop(fold)

    def stop(self) -> None:
        """Let everyone go who waits, and nobody wait any more."""
        self._stopping = True
        for keys in self._waiting.values():
            for future in keys.values():
                future.set_result(None)
        self._waiting.clear()

    def _fold(self, video_id: str) -> VideoFold:
        fold = self._folds.get(video_id)
        if fold is None:
            fold = self._folds[video_id] = VideoFold(video_id, self._limits, self.log_start_ms)
            fold.video = self._videos.get(video_id)
            VIDEOS.set(len(self._folds))
        self._changed.add(video_id)
        return fold

    def _wake(self, fold: VideoFold) -> None:
        for name in fold.changed:
            rendition = fold.renditions[name]
            keys = self._waiting.get((fold.video_id, name), {})
            for wanted in [w for w in keys if fold.has_ended(rendition) or _settled(rendition, w)]:
                keys.pop(wanted).set_result(None)
            if not keys:
                self._waiting.pop((fold.video_id, name), None)
        fold.changed.clear()
        for future in self._waiting.pop((fold.video_id, ""), {}).values():
            future.set_result(None)

    def _bound_memory(self) -> None:
        """Drop the oldest videos, ended ones first, until the rest fits."""
        total = sum(fold.entries for fold in self._folds.values())
        while total > self._max_entries and len(self._folds) > 1:
            oldest = min(self._folds.values(), key=lambda fold: (_is_live(fold), fold.newest_ms))
            log.warning("video %s is forgotten: %d entries pass LOGCAST_GATEWAY_MEMORY_MB", oldest.video_id, total)
            total -= oldest.entries
            DROPPED.inc()
            self._drop(oldest)
        ENTRIES.set(total)

    def _drop(self, fold: VideoFold) -> None:
        del self._folds[fold.video_id]
        VIDEOS.set(len(self._folds))
        for name in ("", *fold.renditions):
            for future in self._waiting.pop((fold.video_id, name), {}).values():
                future.set_result(None)


def _settled(rendition: RenditionFold, wanted: Wanted) -> bool:
    """Whether waiting is over: it is there, or it will never be because its segment ended before it."""
    number, part = wanted
    return rendition.reached(number, part) or (part is not None and number < rendition.following[0])


def _is_live(fold: VideoFold) -> bool:
    return fold.video is None or fold.video.state is not VideoState.ENDED
