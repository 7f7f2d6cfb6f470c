"""Manifests (MPD) of folded videos as bytes, rendered once for each change however many ask."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final
from weakref import WeakKeyDictionary

from gateway.captions import TextTrack, reference_of
from gateway.captions_fold import span_ms
from gateway.playlists import is_settled
from gateway.rendition_fold import RenditionFold
from gateway.texts import Body
from gateway.variants import nominal_rates, variants_of
from gateway.video_fold import VideoFold
from media.dash import Latency, Live, Period, Presentation, Shape, Span, Text, manifest
from media.dash_periods import Rendition, live_periods, published_us, recorded_periods
from media.devices import Wish
from schemas.events import CaptionKind, Track, TrackInfo, VideoChanged, VideoState
from stores.settings import Settings

UPDATE_MS: Final = 1_000
BUFFER_MS: Final = 1_000
RECENT_SEGMENTS: Final = 3
GRAIN_MS: Final = 500
MARGIN_MS: Final = 1_500
"""From the end of a segment until every player has heard of it (`UPDATE_MS`) and loaded it."""

START_MS: Final = 1_250
"""The delay that a live manifest suggests leads at least so far behind the start of what it lists.

Where it leads nearer, there is nothing yet in which Chromium can seek while Shaka sets out, and media that begins within a
second of 0 is played from 0 without being asked: Shaka then takes itself for where it wanted to be, loads ten seconds from
there, and waits for ever.
"""

MAX_KEPT: Final = 8


NO_WISH: Final = Wish()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a manifest is for: how far back a live video may be played, what the client wishes, `dvr` in its addresses."""

    window_ms: int
    wish: Wish = NO_WISH
    dvr_s: int | None = None


class Manifests:
    """Renders the manifests of folds and keeps the newest texts of each."""

    def __init__(self, settings: Settings) -> None:
        self._nominal = nominal_rates(settings.ladder)
        self._kept: WeakKeyDictionary[VideoFold, dict[Asked, tuple[object, Body]]] = WeakKeyDictionary()

    def body(
        self,
        fold: VideoFold,
        asked: Asked,
        headers: Mapping[str, Shape] | None = None,
        tracks: tuple[TextTrack, ...] = (),
    ) -> Body | None:
        """The manifest of a video whose state is known; None while nothing of it can be shown.

        `headers` says what tracks are of which the fold does not know it, by the names of their init segments. `tracks`
        are the captions; those of a live video never become fewer.
        """
        version = fold.video, [(r.name, r.finished, *_range(r)) for r in fold.listed], len(headers or {}), tracks
        kept = self._kept.setdefault(fold, {})
        if asked not in kept or kept[asked][0] != version:
            presentation = presentation_of(fold, asked, self._nominal, headers or {})
            if presentation is None:
                return None
            presentation = captioned(presentation, fold, tracks, asked.dvr_s)
            while len(kept) >= MAX_KEPT:
                del kept[next(iter(kept))]
            kept[asked] = version, Body(manifest(presentation).encode())
        return kept[asked][1]


def captioned(
    presentation: Presentation, fold: VideoFold, tracks: Sequence[TextTrack], dvr_s: int | None
) -> Presentation:
    """With captions; each track makes publishTime a µs later, for it may be new while nothing else is."""
    live = presentation.live
    query = "" if live is None or dvr_s is None else f"&dvr={dvr_s}"
    periods = [replace(period, texts=texts_of(fold, period, tracks, query)) for period in presentation.periods]
    if live is not None:
        live = replace(live, published_us=live.published_us + len(tracks))
    return replace(presentation, periods=periods, live=live)


def texts_of(fold: VideoFold, period: Period, tracks: Sequence[TextTrack], query: str) -> tuple[Text, ...]:
    """The captions of a Period: cut where `reference_of` is (`gateway.caption_routes`)."""
    reference = reference_of(fold)
    segments = (
        [s for s in reference.segments if str(s.epoch) == period.id and s.closed] if reference is not None else []
    )
    if not segments:
        return ()
    times = map(span_ms, segments)
    spans = tuple(Span(start_ms, end_ms - start_ms) for start_ms, end_ms in times)
    first = segments[0].number
    return tuple(
        Text(t.name, t.label, t.language, t.kind is CaptionKind.CAPTIONS, t.version, first, spans, query)
        for t in tracks
    )


def presentation_of(
    fold: VideoFold, asked: Asked, nominal: dict[str, int], headers: Mapping[str, Shape]
) -> Presentation | None:
    """What the manifest of a video whose state is known is made of; None while nothing of it can be shown.

    `nominal` are the encoder's bits per second by rendition; `headers` as for `Manifests.body`.
    """
    video = fold.video
    assert video is not None
    renditions = [_rendition(fold.video_id, r, nominal.get(r.name, 0), headers) for r in fold.listed]
    over = is_over(fold)
    if over:
        periods = recorded_periods(renditions)
    else:
        periods = live_periods(renditions, video.started_ms, fold.origins, _expected(video))
    if not periods:
        return None
    live = None if over else _live(video, periods, published_us(renditions), asked.window_ms)
    suiting = _suiting(fold, periods, nominal, asked.wish)
    return Presentation(video.title, suiting, BUFFER_MS, live)


def _suiting(fold: VideoFold, periods: Sequence[Period], nominal: dict[str, int], wish: Wish) -> Sequence[Period]:
    """The Periods without the renditions that do not suit a client."""
    if wish == NO_WISH:
        return periods
    variants = variants_of(fold, nominal)
    left_out = set(variants.names) - set(variants.suiting(wish).names)
    kept = [(period, tuple(t for t in period.tracks if t.name not in left_out)) for period in periods]
    return [replace(period, tracks=tracks or period.tracks) for period, tracks in kept]


def _expected(video: VideoChanged) -> list[str]:
    """What a video has whatever is made of it: the tracks that its publisher announced."""
    return [*(["audio"] if video.audio else []), *(["source"] if video.video else [])]


def _live(video: VideoChanged, periods: Sequence[Period], publish_us: int, window_ms: int) -> Live:
    """Players stay behind by a segment, what it takes to hear of it, and half a segment for a network that wavers."""
    shortest_ms, longest_ms = _recent_ms(periods)
    target_ms = _target_ms(longest_ms)
    return Live(
        available_ms=video.started_ms,
        published_us=publish_us,
        update_ms=UPDATE_MS,
        buffer_ms=window_ms,
        latency=Latency(target_ms, target_ms - GRAIN_MS),
        early_ms=max(0, math.floor((shortest_ms - video.part_target_ms) / 100)) * 100,
    )


def _target_ms(longest_ms: float) -> int:
    return GRAIN_MS * math.ceil((1.5 * longest_ms + MARGIN_MS) / GRAIN_MS)


def is_over(fold: VideoFold) -> bool:
    """Whether nothing will be added to a video."""
    video = fold.video
    return video is not None and video.state is VideoState.ENDED and all(map(fold.has_ended, fold.listed))


def is_ready(fold: VideoFold) -> bool:
    """Whether a manifest would name all renditions, and as much of them as players stay behind.

    Players take from the first manifest that they read what there is, and where to start.
    """
    video = fold.video
    goes_on = video is not None and video.state is VideoState.LIVE
    return is_over(fold) or (is_named(fold) and (not goes_on or _holds_enough(fold)))


def is_named(fold: VideoFold) -> bool:
    """Whether a manifest would name all renditions."""
    return is_settled(fold) and all(rendition.segments[0].closed for rendition in fold.listed)


def _holds_enough(fold: VideoFold) -> bool:
    """Whether there is enough (`START_MS`) of the renditions that go back to the start, before what is open now."""
    first = min(rendition.segments[0].number for rendition in fold.listed)
    there = [rendition for rendition in fold.listed if rendition.segments[0].number == first]
    newest = (s for r in _pictures(there) for s in islice(reversed(r.segments), RECENT_SEGMENTS + 1))
    longest_ms = max(1000 * segment.duration_s for segment in newest)
    least_ms = min(r.segments[-1].start_ms - r.segments[0].start_ms for r in there)
    return least_ms >= _target_ms(longest_ms) + START_MS


def _pictures(renditions: Sequence[RenditionFold]) -> Sequence[RenditionFold]:
    """Those that are no sound, where there are any: sound is cut where they are, to a frame of its own."""
    return [r for r in renditions if r.track is not Track.AUDIO] or renditions


def _rendition(video_id: str, rendition: RenditionFold, nominal_bits: int, headers: Mapping[str, Shape]) -> Rendition:
    shapes = {init: _shape(info) for init, info in rendition.infos.items()}
    for init in {segment.init_uri for segment in rendition.segments}:
        if found := headers.get(f"{video_id}/{rendition.name}/{init}"):
            shapes[init] = replace(found, frame_rate=rendition.info.frame_rate if rendition.info else 0.0)
    audio, segments = rendition.track is Track.AUDIO, tuple(rendition.segments)
    return Rendition(rendition.name, audio, shapes, segments, nominal_bits, rendition.joined)


def _shape(info: TrackInfo) -> Shape:
    return Shape(info.codecs, info.width, info.height, info.frame_rate, info.sample_rate, info.channels)


def _range(rendition: RenditionFold) -> tuple[int, int, bool]:
    """What a manifest lists of a rendition: it changes with whole segments only."""
    last = rendition.segments[-1]
    return rendition.segments[0].number, last.number, last.closed


def _recent_ms(periods: Sequence[Period]) -> tuple[float, float]:
    """The shortest and the longest of the newest segments, in ms; of pictures where there are any."""
    tracks = [t for t in periods[-1].tracks if not t.audio] or list(periods[-1].tracks)
    lasts = [s.duration * 1000 / t.timescale for t in tracks for s in t.spans[-RECENT_SEGMENTS:]]
    return min(lasts), max(lasts)
