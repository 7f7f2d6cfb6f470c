"""The one place that answers "the fold of this video": live while it is live, recorded once it has ended."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.broadcasts import Broadcasts
from gateway.dvr import DvrViews
from gateway.problems import Problem
from gateway.recorded import IndexAwayError, RecordedVideos
from gateway.video_fold import RENDITION_NAME, VideoFold
from gateway.videos import VideoDirectory
from schemas.events import Event, PartReady, SegmentClosed, VideoChanged, VideoState
from schemas.ids import VIDEO_ID
from stores.log_reader import Place
from stores.settings import Settings

log = logging.getLogger(__name__)

LINGER_MS: Final = 120_000
"""Who followed a video to its end reloads the playlist that they know for so long after it."""

UNSETTLED_MS: Final = 60_000
SETTLE_S: Final = 3.0
LOOK_S: Final = 0.25
"""For so long after the end of a video its index may be behind; who asks then waits so long, and looks so often."""

LAST_VIDEOS: Final = 20
MAX_REMADE: Final = 20_000
HOT_MARGIN_MS: Final = 60_000


class Catalogue:
    """Finds videos, live or recorded, as folds of one shape."""

    def __init__(
        self,
        settings: Settings,
        videos: VideoDirectory,
        broadcasts: Broadcasts,
        recorded: RecordedVideos,
        views: DvrViews,
        clock: Callable[[], int],
    ) -> None:
        self._videos = videos
        self._broadcasts = broadcasts
        self._recorded = recorded
        self._views = views
        self._clock = clock
        self._hot_ms = settings.hot_retention_s * 1000 - HOT_MARGIN_MS
        self._remade: OrderedDict[str, None] = OrderedDict()

    def made(self, video_id: str) -> None:
        """A rendition that somebody asked for is there: the index has it, memory has not."""
        self._remade[video_id] = None
        self._remade.move_to_end(video_id)
        while len(self._remade) > MAX_REMADE:
            self._remade.popitem(last=False)
        self._recorded.touched(video_id)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._remade.pop(video_id, None)
        self._recorded.forget(video_id)

    def media(self, event: Event, _place: Place | None = None) -> None:
        """Hear of media: of a video that has ended it changes what is recorded."""
        if isinstance(event, PartReady | SegmentClosed):
            self._recorded.touched(event.video_id)

    async def state(self, video_id: str) -> VideoChanged | None:
        """The last state of a video, from the log or, of one that the directory has let go, from the index.

        Raises:
            Problem: 503, the index does not answer.
        """
        known = self._videos.get(video_id)
        if known is not None:
            return known
        if self._videos.complete or self._videos.is_removed(video_id) or not VIDEO_ID.fullmatch(video_id):
            return None
        try:
            return await self._recorded.video(video_id)
        except IndexAwayError as error:
            raise Problem(503, "index_away", str(error), headers={"Retry-After": "2"}) from error

    async def fold(self, video_id: str) -> VideoFold | None:
        """A video as it should be shown now; None where there is nothing of it, or nothing any more.

        A live one is what the window holds. One that has ended is whole, from its first segment to its last, as soon as
        memory or the index has all of it; until then it is what the window held. What the window gave up may have come
        later: the index knows.

        Raises:
            Problem: 503, the index does not answer and the window holds nothing.
        """
        if self._videos.is_removed(video_id):
            return None
        live = self._broadcasts.get(video_id)
        video = live.video if live is not None and live.video is not None else await self.state(video_id)
        if video is None or video.state is not VideoState.ENDED:
            return live
        if live is not None and self._holds_all(live, video):
            return live
        try:
            return await self._recorded.fold(video) or live
        except IndexAwayError as error:
            if live is None:
                raise Problem(503, "index_away", str(error), headers={"Retry-After": "2"}) from error
            return live

    async def on_demand(self, video_id: str) -> VideoFold | None:
        """As `fold`; of a video that ended just now, waits a moment for what may still come of it.

        Raises:
            Problem: as `fold`.
        """
        deadline = asyncio.get_running_loop().time() + SETTLE_S
        while True:
            fold = await self.fold(video_id)
            video = fold.video if fold is not None else None
            if (
                fold is None
                or video is None
                or video.state is not VideoState.ENDED
                or fold.recorded
                or fold.is_on_demand
            ):
                return fold
            young = self._clock() - video.changed_ms < UNSETTLED_MS
            if not young or asyncio.get_running_loop().time() > deadline:
                return fold
            await asyncio.sleep(LOOK_S)

    def lingering(self, video_id: str) -> VideoFold | None:
        """The window of a video that ended a moment ago, for those who followed it: its playlist may only grow."""
        live = None if self._videos.is_removed(video_id) else self._broadcasts.get(video_id)
        if live is None or live.video is None or live.video.state is not VideoState.ENDED:
            return None
        return live if self._clock() - live.video.changed_ms < LINGER_MS else None

    async def further_back(self, fold: VideoFold, dvr_s: int | None) -> tuple[VideoFold, str]:
        """A fold that reaches back at least `dvr_s` seconds, and the query that leads to it.

        A recorded video has all of it already, and no query.
        """
        if dvr_s is None or fold.video is None or fold is not self._broadcasts.get(fold.video_id):
            return fold, ""
        return await self._views.view(fold, dvr_s), f"?dvr={self._views.span_s(dvr_s, kept=fold.video.keep_days != 0)}"

    async def parts_of(self, video_id: str, rendition: str, segment: int) -> int:
        """How many parts a complete segment has; 0 where it is not complete, is a gap, or never was.

        Raises:
            Problem: 503, the index does not answer and memory does not know.
        """
        if self._videos.is_removed(video_id):
            return 0
        held = self._broadcasts.get(video_id), self._recorded.held(video_id), *self._views.held(video_id)
        known = (_parts_known(fold, rendition, segment) for fold in held if fold is not None)
        count = next((count for count in known if count is not None), None)
        if count is not None:
            return count
        if not RENDITION_NAME.fullmatch(rendition) or await self.state(video_id) is None:
            return 0
        try:
            return await self._recorded.parts_of(video_id, rendition, segment)
        except IndexAwayError as error:
            if any(fold is not None and rendition in fold.renditions for fold in held):
                return 0
            raise Problem(503, "index_away", str(error), headers={"Retry-After": "2"}) from error

    async def of_channel(self, channel: str) -> VideoChanged | None:
        """What a channel plays: its current video, or its last one that is kept; None when it never had one."""
        newest = self._videos.of_channel(channel)
        if newest is None or newest.state is not VideoState.ENDED or await self.fold(newest.video_id) is not None:
            return newest
        kept = (video for video in self._videos.all_of(channel) if video.keep_days != 0)
        for _, video in zip(range(LAST_VIDEOS), kept, strict=False):
            if await self.fold(video.video_id) is not None:
                return video
        return newest

    def _holds_all(self, live: VideoFold, video: VideoChanged) -> bool:
        """Whether memory has all of an ended video that there is: what it gave up the index may have got later."""
        remade = video.video_id in self._remade
        return live.whole and not live.has_gaps and not remade and self._is_stored(live, video)

    def _is_stored(self, live: VideoFold, video: VideoChanged) -> bool:
        """Whether the oldest parts of a whole video are still there: of one that is not kept, only the hot ones."""
        oldest_ms = min(rendition.segments[0].start_ms for rendition in live.listed)
        return video.keep_days != 0 or oldest_ms > self._clock() - self._hot_ms


def _parts_known(fold: VideoFold, name: str, number: int) -> int | None:
    """How many parts a complete segment has; None where the fold does not know: it let it go, or gave it up as a gap."""
    rendition = fold.renditions.get(name)
    if rendition is None:
        return None
    segment = rendition.segment(number)
    if segment is not None and segment.gap:
        return None
    if segment is not None:
        return segment.part_count if segment.closed else 0
    ahead = fold.whole or number >= rendition.following[0]
    return rendition.part_count(number) or (0 if ahead else None)
