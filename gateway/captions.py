"""The captions of all videos of a gateway: what sources carry, live and recorded, and what owners gave."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.caption_files import HEARD_MS, CaptionFiles
from gateway.captions_fold import CaptionsFold, span_ms
from gateway.media_access import MediaAccess, media_access
from gateway.memory_cache import MemoryCache
from gateway.rendition_fold import RenditionFold
from gateway.state import GatewayState
from gateway.video_fold import VideoFold
from media.captions.cues import Cue
from media.captions.webvtt import overlapping
from media.hls import Segment
from media.hls_multivariant import Subtitles
from schemas.events import CaptionKind, CaptionsFound, Event, PartReady, SegmentClosed, VideoState
from schemas.topics import MEDIA_PARTS, VIDEOS_CAPTIONS
from stores.captions import CaptionFile, CaptionStore
from stores.cassandra import CassandraError
from stores.log_reader import Place

log = logging.getLogger(__name__)

SOURCE: Final = "source"
SHARE: Final = 16
"""Captions take at most this part of a gateway's memory, for each of: recorded ones, texts, what was heard of uploads."""

ACCESSIBLE: Final = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
"""CHARACTERISTICS of captions, as Apple names them (HLS authoring specification, 4.4)."""

TICK_S: Final = 30.0
YOUNG_MS: Final = 60_000
AGAIN_MS: Final = 5_000
"""What Cassandra has of a video that ended within the last minute is read again after so long: it may be behind."""


BLOCK: Final = 20
WARM_UP: Final = 10
"""Segments that are decoded at once for who goes back in a running broadcast, and those before to find the state."""


@dataclass(frozen=True, slots=True)
class TextTrack:
    """A rendition of text.

    Attributes:
        name: in its address: `cc1`, `svc1`, or the language of a file in lower case.
        label: what viewers read; unlike that of every other track of the video.
        language: BCP 47; empty where nobody said it.
        kind: captions or subtitles.
        file: what it is made of; None: of the source.
    """

    name: str
    label: str
    language: str
    kind: CaptionKind
    file: CaptionFile | None = None

    @property
    def version(self) -> str:
        """Another one for another file of the same language."""
        return "0" if self.file is None else str(self.file.uploaded_ms)


class Captions:
    """One for each gateway; made by `captions_of`."""

    def __init__(self, state: GatewayState, media: MediaAccess) -> None:
        share = state.settings.gateway_memory_mb * 1024 * 1024 // SHARE
        self.files: Final = CaptionFiles(state.cassandra, state.clock, share)
        self._link = state.cassandra
        self._clock = state.clock
        self._broadcasts = media.broadcasts
        self._live: dict[str, CaptionsFold] = {}
        self._changed: set[str] = set()
        self._orphans: set[str] = set()
        self._recorded = MemoryCache[CaptionsFold]("captions", share, lambda fold: fold.size_bytes)
        state.subscribe(MEDIA_PARTS, self.media, media.broadcasts.log_start_ms)
        state.subscribe(VIDEOS_CAPTIONS, self.files.uploaded, state.clock() - HEARD_MS)
        state.after_batch(self.folded)
        state.on_removed(self.removed)
        state.resource(self._ticking)

    # What came

    def media(self, event: Event, _place: Place | None = None) -> None:
        """Fold an event of `media.parts`."""
        if isinstance(event, CaptionsFound):
            self._live.setdefault(event.video_id, CaptionsFold()).found(event)
        elif not (isinstance(event, PartReady | SegmentClosed) and event.rendition == SOURCE):
            return
        if event.video_id in self._live:
            self._changed.add(event.video_id)

    def removed(self, video_id: str) -> None:
        """Nothing is held of a video that was removed."""
        self._live.pop(video_id, None)
        self.files.forget(video_id)

    def folded(self) -> None:
        """After a batch: decode what is complete."""
        for video_id in self._changed & self._live.keys():
            fold = self._broadcasts.get(video_id)
            source = fold.renditions.get(SOURCE) if fold is not None else None
            if source is not None:
                self._live[video_id].advance(source.segments)
        self._changed.clear()

    def forget(self) -> None:
        """Let go of videos that the gateway has let go of, at the second time that it is so."""
        gone = {video_id for video_id in self._live if self._broadcasts.get(video_id) is None}
        for video_id in gone & self._orphans:
            self._live.pop(video_id, None)
        self._orphans = gone

    # What is there

    async def tracks(self, fold: VideoFold) -> tuple[TextTrack, ...]:
        """The text renditions of a video: those of its source, then those of its files."""
        tracks = [*await self.of_source(fold)]
        labels = {track.label for track in tracks}
        for file in await self.files.of_video(fold.video_id):
            label = file.label if file.label not in labels else f"{file.label} ({file.language})"
            labels.add(label)
            tracks.append(TextTrack(file.language.lower(), label, file.language, file.kind, file))
        return tuple(tracks)

    async def of_source(self, fold: VideoFold) -> tuple[TextTrack, ...]:
        """The text renditions that the source of a video carries; of a live one they never become fewer."""
        found = (await self.of(fold)).tracks
        return tuple(
            TextTrack(name, "Captions" if number == 1 else f"Captions {number}", "", CaptionKind.CAPTIONS)
            for number, name in enumerate(found, 1)
        )

    async def of(self, fold: VideoFold) -> CaptionsFold:
        """The captions that the source of a video carries: all of a recorded one, the window of a live one."""
        if not self._is_recorded(fold):
            return self._live.get(fold.video_id) or CaptionsFold()
        source = fold.renditions.get(SOURCE)
        if source is None or not source.segments:
            return CaptionsFold()
        video = fold.video
        young = video is not None and self._clock() - video.changed_ms < YOUNG_MS
        again = self._clock() // AGAIN_MS if young else 0
        key = fold.video_id, source.segments[0].number, source.segments[-1].number, again
        return await self._recorded.get(key, lambda: self._read(fold.video_id, list(source.segments))) or CaptionsFold()

    async def cues(self, fold: VideoFold, track: TextTrack, number: int) -> tuple[int, list[Cue]] | None:
        """Where a segment starts in media time, in ms, and the cues that belong to it; None where it is not complete."""
        reference = reference_of(fold)
        segment = reference.segment(number) if reference is not None else None
        if track.file is None:
            found = (await self.of(fold)).segment(number)
            if found is None and segment is not None and segment.closed and not self._is_recorded(fold):
                found = (await self._before(fold, number)).segment(number)
            return None if found is None else (found.start_ms, list(found.cues.get(track.name, ())))
        text = await self.files.text(track.file) if segment is not None and segment.closed else None
        if segment is None or text is None:
            return None
        start_ms, end_ms = span_ms(segment)
        return start_ms, overlapping(text.cues, start_ms, end_ms)

    async def part(self, fold: VideoFold, track: TextTrack, number: int, part: int) -> tuple[int, list[Cue]] | None:
        """The same of a part at the live edge; None where it is not there, or nobody lists it any more."""
        if track.file is None:
            found = (await self.of(fold)).part(number, part)
            return None if found is None else (found.start_ms, list(found.cues.get(track.name, ())))
        reference = reference_of(fold)
        segment = reference.segment(number) if reference is not None else None
        text = await self.files.text(track.file) if segment is not None and part < len(segment.parts) else None
        if segment is None or text is None:
            return None
        start_ms, end_ms = span_ms(segment.parts[part])
        return start_ms, overlapping(text.cues, start_ms, end_ms)

    def _is_recorded(self, fold: VideoFold) -> bool:
        """Whether a fold is a whole video that has ended, and not the log's window."""
        ended = fold.video is not None and fold.video.state is VideoState.ENDED
        return ended and self._broadcasts.get(fold.video_id) is not fold

    async def _before(self, fold: VideoFold, number: int) -> CaptionsFold:
        """Captions of a running video from before the log's window: a block of segments, and some before to begin with."""
        source = fold.renditions.get(SOURCE)
        first = number // BLOCK * BLOCK
        wanted = range(first - WARM_UP, first + BLOCK)
        segments = [s for s in source.segments if s.number in wanted and s.closed] if source is not None else []
        if not segments:
            return CaptionsFold()
        key = fold.video_id, segments[0].number, segments[-1].number, "block"
        return await self._recorded.get(key, lambda: self._read(fold.video_id, segments)) or CaptionsFold()

    async def _read(self, video_id: str, segments: list[Segment]) -> CaptionsFold | None:
        session = self._link.session
        if session is None:
            return None
        captions = CaptionsFold(segments[0].number)
        try:
            async for event in CaptionStore(session).found(video_id, segments[0].number, segments[-1].number):
                captions.found(event, whole=True)
        except CassandraError as error:
            log.warning("captions of %s are left out: %s", video_id, error)
            return None
        await asyncio.to_thread(captions.advance, segments)
        return captions

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        async def tick() -> None:
            while True:
                await asyncio.sleep(TICK_S)
                self.forget()

        task = asyncio.create_task(tick(), name="captions")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


def subtitles_of(tracks: Sequence[TextTrack]) -> tuple[Subtitles, ...]:
    """Tracks as renditions of HLS; players choose by themselves only between those that differ (4.4.6.1)."""
    shown: list[Subtitles] = []
    for track in tracks:
        characteristics = ACCESSIBLE if track.kind is CaptionKind.CAPTIONS else ""
        same = any((other.language, other.characteristics) == (track.language, characteristics) for other in shown)
        uri = f"text/{track.name}/media.m3u8"
        shown.append(Subtitles(uri, track.label, track.language, autoselect=not same, characteristics=characteristics))
    return tuple(shown)


def captions_of(state: GatewayState) -> Captions:
    """The captions of a gateway; the first who asks, before the gateway starts, makes them."""
    if state.captions is None:
        state.captions = Captions(state, media_access(state))
    return state.captions


def reference_of(fold: VideoFold) -> RenditionFold | None:
    """The rendition that text is cut like: the source, else any other."""
    return fold.renditions.get(SOURCE) or next(iter(fold.listed), None)
