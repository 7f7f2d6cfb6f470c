"""Going back in a running broadcast: the live window with older segments of the index before it.

Theory. A view is a fold like any other: its renditions are those of the live fold, but for `segments`, which reach back
further. All viewers who go back about as far share one. It is brought up to date before it is shown, and every few
seconds, so that what leaves the live window is carried over from there: the index is read once, when a view is made, and
again only where it has a hole. Where the index does not reach the live window yet, a view is the live window.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.recorded import IndexAwayError, Past, RecordedVideos
from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.hls import Segment
from stores.settings import Settings

log = logging.getLogger(__name__)

LEAST_S: Final = 900
"""Views reach back so far, or twice as far, and so on: viewers who ask for a little more or less share one."""

UNUSED_MS: Final = 60_000
FILL_AGAIN_MS: Final = 5_000
HOT_MARGIN_S: Final = 60
FILLED: Final = 1 << 32
"""What is added to the versions of a view when its past was read: playlists are rendered anew."""

MAX_VIEWS: Final = 64


class DvrRendition(RenditionFold):
    """A rendition whose playlist reaches back further. Made by `follow`; everything but its segments is the live one's."""

    def follow(self, live: RenditionFold, span_ms: int, generation: int) -> None:
        """Become what the live rendition is now, with its own past before it."""
        past: deque[Segment] = self.__dict__.get("segments", deque())
        origins = {**self.__dict__.get("origins", {}), **live.origins}
        infos = {**self.__dict__.get("infos", {}), **live.infos}
        self.__dict__.update(live.__dict__)
        self.segments = joined(past, live.segments, span_ms)
        epochs = {segment.epoch for segment in self.segments}
        self.origins = {epoch: ms for epoch, ms in origins.items() if epoch in epochs}
        inits = {segment.init_uri for segment in self.segments}
        self.infos = {name: info for name, info in infos.items() if name in inits}
        self.version = live.version + generation * FILLED
        self._live = live

    @property
    def longest_part_ms(self) -> float:
        """As in the live playlist: only its parts are listed."""
        return self._live.longest_part_ms

    def part_target_ms(self, wanted_ms: int) -> int:
        """As in the live playlist."""
        return self._live.part_target_ms(wanted_ms)


def joined(past: deque[Segment], live: deque[Segment], span_ms: int) -> deque[Segment]:
    """`past`, changed to what is before `live` without a hole, and `live`; none that began `span_ms` before the newest.

    Segments that left the live window are without parts, for they are never listed again.
    """
    if not live:
        return deque()
    first = live[0].number
    carried: list[Segment] = []
    while past and past[-1].number >= first:
        past.pop()
    while past and past[-1].parts:
        carried.append(past.pop())
    past.extend(replace(segment, parts=()) for segment in reversed(carried))
    if past and (past[-1].number != first - 1 or not past[-1].closed):
        past.clear()
    since_ms = live[-1].start_ms - span_ms
    while past and past[0].start_ms < since_ms:
        past.popleft()
    past.extend(live)
    return past


class DvrView(VideoFold):
    """A live video further back. Made by `viewed`."""

    span_ms: int
    used_ms: int
    filled_ms: int
    generation: int

    def follow(self, live: VideoFold) -> None:
        """Become what the live video is now."""
        mine = self.__dict__.get("renditions", {})
        self.__dict__.update(live.__dict__)
        self.renditions = {}
        for name, rendition in live.renditions.items():
            view = mine.get(name) or DvrRendition.__new__(DvrRendition)
            view.follow(rendition, self.span_ms, self.generation)
            self.renditions[name] = view
        self.version = live.version + self.generation * FILLED

    def missing(self) -> dict[str, int]:
        """The first segment of each rendition that does not reach back far enough, unless it is the video's first."""
        since_ms = self.newest_ms - self.span_ms + self._slack_ms()
        return {
            r.name: r.segments[0].number
            for r in self.listed
            if r.segments[0].start_ms > since_ms and r.segments[0].number > 0
        }

    def fill(self, past: dict[str, Past]) -> None:
        """Put what was read of the index before the segments that are there."""
        self.generation += any(found.segments for found in past.values())
        for name, (segments, origins, infos) in past.items():
            rendition = self.renditions.get(name)
            if rendition is not None and segments and rendition.segments[0].number == segments[-1].number + 1:
                rendition.segments.extendleft(reversed(segments))
                rendition.origins = {**origins, **rendition.origins}
                rendition.infos = {**infos, **rendition.infos}

    def _slack_ms(self) -> int:
        assert self.video is not None
        return 2 * self.video.segment_max_ms


class DvrViews:
    """The views of all live videos that somebody looks back in."""

    def __init__(self, settings: Settings, recorded: RecordedVideos, clock: Callable[[], int]) -> None:
        self._recorded = recorded
        self._clock = clock
        self._max_s = settings.dvr_max_s
        self._hot_s = settings.hot_retention_s - HOT_MARGIN_S
        self._views: dict[tuple[str, int], DvrView] = {}
        self._filling: dict[tuple[str, int], asyncio.Task[None]] = {}

    def span_s(self, asked_s: int, *, kept: bool) -> int:
        """How far back a view for so many seconds reaches: at least so far, within what is stored and allowed."""
        span_s = LEAST_S
        while span_s < asked_s:
            span_s *= 2
        return min(span_s, self._max_s) if kept else min(span_s, self._max_s, self._hot_s)

    async def view(self, live: VideoFold, asked_s: int) -> VideoFold:
        """A live video (its state is known) at least so many seconds back, as it is now."""
        assert live.video is not None
        span_s = self.span_s(asked_s, kept=live.video.keep_days != 0)
        key = live.video_id, span_s
        view = self._views.get(key) or self._new(key, live)
        view.used_ms = self._clock()
        view.follow(live)
        if view.missing() and self._clock() - view.filled_ms >= FILL_AGAIN_MS:
            task = self._filling.get(key)
            if task is None:
                task = self._filling[key] = asyncio.create_task(self._fill(view, live))
                task.add_done_callback(lambda _: self._filling.pop(key, None))
            await asyncio.shield(task)
            view.follow(live)
        return view

    def tick(self, find: Callable[[str], VideoFold | None]) -> None:
        """Carry over what leaves the live windows; forget the views that nobody looks at."""
        for key, view in list(self._views.items()):
            live = find(view.video_id)
            if live is None or self._clock() - view.used_ms > UNUSED_MS:
                del self._views[key]
            else:
                view.follow(live)

    def held(self, video_id: str) -> list[VideoFold]:
        """The views of a video that are in memory."""
        return [view for (of, _), view in self._views.items() if of == video_id]

    @property
    def entries(self) -> int:
        """How many segments are remembered besides those of the live windows."""
        return sum(len(r.segments) for view in self._views.values() for r in view.renditions.values())

    def _new(self, key: tuple[str, int], live: VideoFold) -> DvrView:
        if len(self._views) >= MAX_VIEWS:
            del self._views[min(self._views, key=lambda key: self._views[key].used_ms)]
        view = DvrView.__new__(DvrView)
        view.span_ms, view.filled_ms, view.generation = key[1] * 1000, -FILL_AGAIN_MS, 0
        view.follow(live)
        self._views[key] = view
        return view

    async def _fill(self, view: DvrView, live: VideoFold) -> None:
        try:
            past = await self._recorded.before(live, view.missing(), view.newest_ms - view.span_ms)
        except IndexAwayError as error:
            log.warning("nobody can go back in %s: %s", live.video_id, error)
            past = {}
        view.follow(live)
        view.fill(past)
        view.filled_ms = self._clock()
