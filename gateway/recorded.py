"""Recorded videos: folds that are built from the segment index, kept while they are asked for, within a bound of memory.

A fold is built once however many ask for it at the same time. One that may still change (the index is behind, media of
the video came after its end, a video that is not kept loses its oldest parts) is built again after a while.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from prometheus_client import Counter, Gauge

from gateway.cassandra_link import CassandraLink
from gateway.recorded_segments import epoch_origins, is_whole, reaching_the_end, recorded_segments
from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.cmaf import parse_init
from media.errors import MediaError
from media.hls import Segment
from schemas.events import TrackInfo, VideoChanged
from stores.cassandra import CassandraError
from stores.recordings import RecordingsError
from stores.segment_index import IndexedRendition, IndexedSegment, SegmentIndex
from stores.segments import SegmentStoreError

log = logging.getLogger(__name__)

AGAIN_MS: Final = 2_000
"""An index that is behind is read again after so long."""

UNSETTLED_MS: Final = 15_000
"""For so long after the last media event of an ended video its index may change."""

HOT_MARGIN_MS: Final = 60_000
UNKEPT_MS: Final = 30_000
GAPS_MS: Final = 30_000
MENDING_MS: Final = 3 * 3_600_000
"""For so long after the end gaps may be filled: what a busy worker left out is made when there is time."""

FOREVER_MS: Final = 1 << 62

HELD = Gauge("logcast_gateway_recorded_entries", "Segments of recorded videos that are remembered.")
BUILT = Counter("logcast_gateway_recorded_built", "Folds built from the segment index.", ["whole"])


ReadInit = Callable[[str], Awaitable[bytes | None]]
"""Reads an init segment by its whole name."""


class IndexAwayError(RuntimeError):
    """Cassandra does not answer; live videos go on."""


@dataclass(slots=True)
class _Held:
    """A fold, None where the index does not hold the video to its end; good until then."""

    fold: VideoFold | None
    good_until_ms: int

    @property
    def entries(self) -> int:
        return self.fold.entries if self.fold is not None else 1


class Past(NamedTuple):
    """What the index has of a rendition.

    Attributes:
        segments: in order.
        origins: media time in ms at which each of their epochs began.
        infos: what their init segments say, by the name of each.
    """

    segments: list[Segment]
    origins: dict[int, int]
    infos: dict[str, TrackInfo]


class RecordedVideos:
    """The folds of ended videos; `max_entries` bounds the segments that are remembered."""

    def __init__(
        self, link: CassandraLink, clock: Callable[[], int], max_entries: int, hot_retention_s: int, read_init: ReadInit
    ) -> None:
        self._link = link
        self._read_init = read_init
        self._clock = clock
        self._max_entries = max_entries
        self._hot_ms = hot_retention_s * 1000 - HOT_MARGIN_MS
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._building: dict[str, asyncio.Task[VideoFold | None]] = {}
        self._touched_ms: OrderedDict[str, int] = OrderedDict()

    async def fold(self, video: VideoChanged) -> VideoFold | None:
        """A video that has ended, from its first segment that is stored to its last.

        None: the index does not hold it to its end (yet), or nothing of it is stored any more.

        Raises:
            IndexAwayError: the index cannot be read.
        """
        held = self._held.get(video.video_id)
        if held is not None and self._clock() < held.good_until_ms and _says(held.fold, video):
            self._held.move_to_end(video.video_id)
            return held.fold
        task = self._building.get(video.video_id)
        if task is None:
            task = self._building[video.video_id] = asyncio.create_task(self._build(video))
            task.add_done_callback(lambda _: self._building.pop(video.video_id, None))
        return await asyncio.shield(task)  # one who leaves must not take it from the others

    def touched(self, video_id: str) -> None:
        """Media of a video came: what is held of it is not good any more, and its index changes for a moment."""
        self._touched_ms[video_id] = self._clock()
        self._touched_ms.move_to_end(video_id)
        while len(self._touched_ms) > 1_000:
            self._touched_ms.popitem(last=False)
        held = self._held.get(video_id)
        if held is not None:
            held.good_until_ms = min(held.good_until_ms, self._clock() + AGAIN_MS)

    def held(self, video_id: str) -> VideoFold | None:
        """The fold of a video if it is in memory."""
        held = self._held.get(video_id)
        return held.fold if held is not None else None

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._held.pop(video_id, None)
        self._touched_ms.pop(video_id, None)

    async def video(self, video_id: str) -> VideoChanged | None:
        """The last state of a video that is in the index. Errors as `fold`."""
        with _away():
            return await self._index.video(video_id)

    async def parts_of(self, video_id: str, rendition: str, segment: int) -> int:
        """How many parts a segment in the index has; 0 where it is not complete. Errors as `fold`."""
        with _away():
            async for row in self._index.segments(video_id, rendition, segment, segment):
                return row.parts if row.complete else 0
        return 0

    async def before(self, fold: VideoFold, firsts: Mapping[str, int], since_ms: int) -> dict[str, Past]:
        """Of a live video the segments before the `firsts` of its renditions that began after `since_ms`, by rendition.

        Errors as `fold`.
        """
        rows: dict[str, list[IndexedSegment]] = {}
        with _away():
            for name, first in firsts.items():
                rows[name] = []
                async for row in self._index.segments_before(fold.video_id, name, first):
                    if row.parts and row.start_ms < since_ms:
                        break
                    rows[name].append(row)
                rows[name].reverse()
        past = {}
        for name, found in recorded_segments(rows).items():
            infos = await self._infos_before(fold.video_id, fold.renditions[name], found)
            past[name] = Past(found, epoch_origins(rows[name]), infos)
        return past

    async def _infos_before(
        self, video_id: str, live: RenditionFold, segments: Sequence[Segment]
    ) -> dict[str, TrackInfo]:
        """What the init segments of segments say that have left the window of a rendition."""
        if live.info is None:
            return {}
        names = [name for name in dict.fromkeys(s.init_uri for s in segments) if name not in live.infos]
        try:
            inits = await asyncio.gather(*(self._read_init(f"{video_id}/{live.name}/{name}") for name in names))
        except (SegmentStoreError, RecordingsError) as error:
            raise IndexAwayError(f"what {live.name} was cannot be read now: {error}") from error
        return {name: info_of(data, live.info) for name, data in zip(names, inits, strict=True)}

    @property
    def _index(self) -> SegmentIndex:
        """The index.

        Raises:
            IndexAwayError: there is no session yet.
        """
        if self._link.session is None:
            raise IndexAwayError("recorded videos cannot be read now: Cassandra does not answer; try again in a moment")
        return SegmentIndex(self._link.session)

    async def _build(self, video: VideoChanged) -> VideoFold | None:
        with _away():
            return await self._read(video, self._index)

    async def _read(self, video: VideoChanged, index: SegmentIndex) -> VideoFold | None:
        renditions = await index.renditions(video.video_id)

        async def of(name: str) -> list[IndexedSegment]:
            return [row async for row in index.segments(video.video_id, name, 0, max(0, video.last_segment))]

        read = await asyncio.gather(*(of(rendition.name) for rendition in renditions))
        rows = {rendition.name: found for rendition, found in zip(renditions, read, strict=True)}
        now_ms = self._clock()
        whole = is_whole(video, renditions, rows, now_ms)
        BUILT.labels(str(whole).lower()).inc()
        fold = None
        if whole:
            segments = self._stored(video, reaching_the_end(renditions, recorded_segments(rows)), now_ms)
            infos = {r.name: await self._infos(video.video_id, r, segments.get(r.name, ())) for r in renditions}
            fold = _restored(video, renditions, segments, infos)
            if fold is not None:
                for name, of_rendition in fold.renditions.items():
                    of_rendition.origins = epoch_origins(rows[name])
                fold.breaks = {planned.break_id: planned for planned in await index.breaks(video.video_id)}
        self._keep(
            video, fold, self._good_until_ms(video, now_ms, whole=whole, gaps=fold is not None and fold.has_gaps)
        )
        return fold

    async def _infos(
        self, video_id: str, rendition: IndexedRendition, segments: Sequence[Segment]
    ) -> dict[str, TrackInfo]:
        """What each init segment of a rendition says; the index tells only what the rendition was in the end."""
        names = dict.fromkeys(segment.init_uri for segment in segments)
        if len(names) < 2:
            return dict.fromkeys(names, rendition.info)
        inits = [await self._read_init(f"{video_id}/{rendition.name}/{name}") for name in names]
        return {name: info_of(data, rendition.info) for name, data in zip(names, inits, strict=True)}

    def _stored(self, video: VideoChanged, segments: dict[str, list[Segment]], now_ms: int) -> dict[str, list[Segment]]:
        """Without the segments of a video that is not kept whose parts are gone, or are about to go."""
        if video.keep_days != 0:
            return segments
        return {name: [s for s in of if s.start_ms > now_ms - self._hot_ms] for name, of in segments.items()}

    def _good_until_ms(self, video: VideoChanged, now_ms: int, *, whole: bool, gaps: bool) -> int:
        if not whole or now_ms - self._touched_ms.get(video.video_id, -FOREVER_MS) < UNSETTLED_MS:
            return now_ms + AGAIN_MS
        if gaps and now_ms - video.changed_ms < MENDING_MS:
            return now_ms + GAPS_MS
        return now_ms + UNKEPT_MS if video.keep_days == 0 else FOREVER_MS

    def _keep(self, video: VideoChanged, fold: VideoFold | None, good_until_ms: int) -> None:
        """Hold a fold; the ones asked for longest ago make room."""
        self._held[video.video_id] = _Held(fold, good_until_ms)
        self._held.move_to_end(video.video_id)
        total = sum(held.entries for held in self._held.values())
        while total > self._max_entries and len(self._held) > 1:
            _, gone = self._held.popitem(last=False)
            total -= gone.entries
        HELD.set(total)


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except CassandraError as error:
        raise IndexAwayError(f"recorded videos cannot be read now: {error}") from error


def _says(fold: VideoFold | None, video: VideoChanged) -> bool:
    return fold is None or fold.video == video


def info_of(init: bytes | None, newest: TrackInfo) -> TrackInfo:
    """What an init segment describes; what it does not say, or all when it is gone, is as in the newest one."""
    if init is None:
        return newest
    try:
        info = parse_init(init)
    except MediaError:
        return newest
    return replace(
        newest,
        codecs=info.codecs,
        width=info.display_width or info.width,
        height=info.height,
        sample_rate=info.sample_rate,
        channels=info.channels,
    )


def _restored(
    video: VideoChanged,
    renditions: Sequence[IndexedRendition],
    segments: dict[str, list[Segment]],
    infos: dict[str, dict[str, TrackInfo]],
) -> VideoFold | None:
    folds = [
        RenditionFold.restored(r.name, r.track, segments[r.name], infos[r.name])
        for r in renditions
        if segments.get(r.name)
    ]
    return VideoFold.restored(video, folds, whole=video.keep_days != 0) if folds else None
