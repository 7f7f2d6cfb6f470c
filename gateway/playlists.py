"""Playlists of folded videos as bytes, rendered once for each change however many ask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakKeyDictionary

from gateway import lead_in
from gateway.rendition_fold import RenditionFold
from gateway.texts import Body
from gateway.variants import Variants, is_offered, nominal_rates, variants_of
from gateway.video_fold import VideoFold
from media.devices import Wish
from media.hls import (
    PART_HOLD_BACK_TARGETS,
    SKIP_TARGETS,
    AdBreak,
    RenditionReport,
    Segment,
    SegmentTexts,
    Skip,
    Start,
    Window,
    edge,
    media_playlist,
    target_duration_s,
)
from media.hls_iframes import iframe_playlist
from media.hls_multivariant import Subtitles, multivariant_playlist
from schemas.events import BreakPlanned, Track, VideoChanged, VideoState
from stores.settings import Settings

MAX_TEXTS: Final = 64
"""Multivariant playlists that are kept of one video: by address, query, and what suits the client."""

MAX_KINDS: Final = 16
"""Media playlists that are kept of one rendition: by what they leave out, where they begin, and their query."""

Kind = tuple[Skip | None, bool, str, float | None, int]


@dataclass(slots=True)
class _Kept:
    """Of one rendition: texts of segments, those before its own, and the newest playlists by kind with their versions."""

    texts: SegmentTexts = field(default_factory=SegmentTexts)
    lead: dict[int, Segment] = field(default_factory=dict)
    bodies: dict[Kind, tuple[tuple[int, int], Body]] = field(default_factory=dict)


class Playlists:
    """Renders the playlists of folds and keeps the newest text of each."""

    def __init__(self, settings: Settings) -> None:
        self._nominal = nominal_rates(settings.ladder)
        self._media: WeakKeyDictionary[RenditionFold, _Kept] = WeakKeyDictionary()
        self._variants: WeakKeyDictionary[VideoFold, tuple[object, Variants]] = WeakKeyDictionary()
        self._multivariant: WeakKeyDictionary[VideoFold, dict[object, tuple[object, Body]]] = WeakKeyDictionary()

    def media(
        self,
        fold: VideoFold,
        rendition: RenditionFold,
        *,
        skip: Skip = Skip.NOTHING,
        vod: bool = False,
        query: str = "",
        epoch: int | None = None,
        start_s: float | None = None,
    ) -> Body:
        """The media playlist of a rendition of a video whose state is known.

        With `skip` a delta update; with `vod` as a video on demand, where it is over and the fold has all of it. `query`
        goes behind the URIs of other playlists; `epoch` as `window_of`, `start_s` as `start_of` has it.
        """
        known = -1 if epoch is None else _known_epoch(fold, epoch)

        def text(kept: _Kept) -> str:
            window = window_of(fold, rendition, vod=vod, query=query, epoch=epoch, lead=kept.lead)
            return media_playlist(replace(window, start=start_of(fold, start_s)), skip=skip, texts=kept.texts)

        return self._newest(fold, rendition, (skip, vod, query, start_s, known), text)

    def iframes(self, fold: VideoFold, rendition: RenditionFold, *, vod: bool = False) -> Body:
        """The I-frame playlist of a video rendition."""

        def text(kept: _Kept) -> str:
            return iframe_playlist(window_of(fold, rendition, vod=vod, lead=kept.lead))

        return self._newest(fold, rendition, (None, vod, "", None, -1), text)

    def multivariant(
        self,
        fold: VideoFold,
        prefix: str,
        *,
        query: str = "",
        wish: Wish | None = None,
        start_s: float | None = None,
        subtitles: tuple[Subtitles, ...] = (),
    ) -> Body:
        """The multivariant playlist of a video whose state is known, for a client that wishes something.

        `prefix` goes before its URIs and `query` behind them; `start_s` as `start_of` has it.
        """
        measured, offered = self._offered(fold)
        variants, version = offered.suiting(wish or Wish()), (measured, subtitles)
        kept = self._multivariant.setdefault(fold, {})
        place = prefix, query, variants.names, start_s
        if place not in kept or kept[place][0] != version:
            text = multivariant_playlist(
                variants.videos,
                variants.audio,
                subtitles=subtitles,
                prefix=prefix,
                query=_with_epoch(query, _newest_epoch(fold)),
                start=start_of(fold, start_s),
            )
            if len(kept) >= MAX_TEXTS:
                kept.clear()
            kept[place] = version, Body(text.encode())
        return kept[place][1]

    def _offered(self, fold: VideoFold) -> tuple[object, Variants]:
        """What a video offers, measured once for all clients, and the version of it."""
        version = [(r.name, r.segments[0].number, r.segments[-1].number) for r in fold.listed]  # rates are of segments
        kept = self._variants.get(fold)
        if kept is None or kept[0] != version:
            kept = self._variants[fold] = version, variants_of(fold, self._nominal)
        return kept

    def _newest(self, fold: VideoFold, rendition: RenditionFold, kind: Kind, text: Callable[[_Kept], str]) -> Body:
        kept = self._media.get(rendition) or self._media.setdefault(rendition, _Kept())
        version = rendition.version, fold.version
        if len(kept.bodies) > MAX_KINDS:
            kept.bodies.clear()
        if kind not in kept.bodies or kept.bodies[kind][0] != version:
            kept.bodies[kind] = version, Body(text(kept).encode())
        return kept.bodies[kind][1]


def target_s(video: VideoChanged) -> int:
    """EXT-X-TARGETDURATION of a video."""
    return target_duration_s(video.segment_max_ms)


def window_of(
    fold: VideoFold,
    rendition: RenditionFold,
    *,
    vod: bool = False,
    query: str = "",
    epoch: int | None = None,
    lead: dict[int, Segment] | None = None,
) -> Window:
    """What a rendition's playlist is made of; with `vod` as a video on demand, where the rendition is over.

    Reports are of the renditions that the client knows: those that began up to `epoch`, as its multivariant playlist has
    it in its URIs, and those that the video began with. What a larger source added later is in later ones only. `lead` are
    the segments before its own that a rendition was given so far, as `lead_in.live` has it.
    """
    video = fold.video
    assert video is not None
    vod = vod and fold.has_ended(rendition)
    segments = lead_in.on_demand(fold, rendition) if vod else lead_in.live(fold, rendition, lead)
    first_ms = segments[0].start_ms if segments else 0
    removed_ms = first_ms - SKIP_TARGETS * target_s(video) * 1000
    known = _known_epoch(fold, epoch)
    query = _with_epoch(query, known if known > _first_epoch(fold) else None)
    targets = {other.name: other.part_target_ms(video.part_target_ms) for other in fold.listed}
    return Window(
        segments=segments,
        target_duration_s=target_s(video),
        part_target_ms=targets.get(rendition.name, video.part_target_ms),
        part_hold_back_ms=PART_HOLD_BACK_TARGETS * max(targets.values(), default=video.part_target_ms),
        ended=fold.has_ended(rendition),
        vod=vod and fold.is_on_demand,
        next_init_uri=rendition.next_init_uri,
        reports=tuple(
            _report(r, query, targets[r.name])
            for r in fold.listed
            if r is not rendition and r.began_epoch <= known and is_offered(fold, r)
        ),
        breaks=tuple(
            AdBreak(b.break_id, b.start_ms, b.media_time_ms, b.duration_ms)
            for b in _breaks(fold)
            if _end(b) >= first_ms
        ),
        removed_breaks=tuple(b.break_id for b in _breaks(fold) if removed_ms <= _end(b) < first_ms),
    )


def _first_epoch(fold: VideoFold) -> int:
    return min((rendition.began_epoch for rendition in fold.listed), default=0)


def _known_epoch(fold: VideoFold, epoch: int | None) -> int:
    """Renditions that began up to there are known to a client that says `epoch`."""
    first = _first_epoch(fold)
    return first if epoch is None else max(first, min(epoch, max(r.began_epoch for r in fold.listed)))


def _newest_epoch(fold: VideoFold) -> int | None:
    """In which the last rendition of a live video began; None where that is the one in which the first ones did."""
    if fold.video is None or fold.video.state is VideoState.ENDED:
        return None
    newest = max(rendition.began_epoch for rendition in fold.listed)
    return newest if newest > _first_epoch(fold) else None


def _with_epoch(query: str, epoch: int | None) -> str:
    return query if epoch is None else f"{query}{'&' if query else '?'}epoch={epoch}"


def _breaks(fold: VideoFold) -> Iterator[BreakPlanned]:
    yield from sorted(fold.breaks.values(), key=lambda b: (b.start_ms, b.break_id))


def _end(planned: BreakPlanned) -> int:
    return planned.start_ms + planned.duration_ms


def start_of(fold: VideoFold, start_s: float | None) -> Start | None:
    """Where to begin to play: `start_s` seconds from the start of the video, or below 0 from its end (EXT-X-START)."""
    if start_s is None or not fold.listed or start_s < 0:
        return None if start_s is None else Start(start_s)
    first_s = min(r.segments[0].dts / r.segments[0].timescale for r in fold.listed)
    return Start(max(0.0, start_s - first_s))


def _report(rendition: RenditionFold, query: str, part_target_ms: int) -> RenditionReport:
    number, part = edge(rendition.segments, part_target_ms)
    return RenditionReport(f"../{rendition.name}/media.m3u8{query}", number, part)


def is_settled(fold: VideoFold) -> bool:
    """Whether a multivariant playlist would name all renditions: clients read it once, at the start.

    Renditions are made side by side, so once one has a whole segment the others have begun; and each announced track
    must be there.
    """
    video, listed = fold.video, fold.listed
    if video is None or not listed:
        return False
    tracks = {rendition.track for rendition in listed}
    complete = (not video.audio or Track.AUDIO in tracks) and (not video.video or Track.VIDEO in tracks)
    begun = any(rendition.segments[0].closed for rendition in listed)
    return video.state is VideoState.ENDED or (complete and begun)
