"""Playlists of folded videos as bytes, rendered once for each change however many ask."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from gateway.rendition_fold import RenditionFold
from gateway.texts import Body
from gateway.video_fold import VideoFold
from media.hls import (
    PART_HOLD_BACK_TARGETS,
    AdBreak,
    RenditionReport,
    SegmentTexts,
    Window,
    edge,
    media_playlist,
    target_duration_s,
)
from media.hls_multivariant import Audio, Rates, Video, measured_rates, multivariant_playlist
from schemas.events import Track, VideoChanged, VideoState
from stores.settings import Settings


@dataclass(slots=True)
class _Kept:
    """Of one rendition: the texts of its segments, and the newest playlists (full, delta) with their versions."""

    texts: SegmentTexts = field(default_factory=SegmentTexts)
    bodies: dict[bool, tuple[tuple[int, int], Body]] = field(default_factory=dict)


class Playlists:
    """Renders the playlists of folds and keeps the newest text of each."""

    def __init__(self, settings: Settings) -> None:
        self._nominal = nominal_rates(settings.ladder)
        self._media: WeakKeyDictionary[RenditionFold, _Kept] = WeakKeyDictionary()
        self._multivariant: WeakKeyDictionary[VideoFold, dict[str, tuple[object, Body]]] = WeakKeyDictionary()

    def media(self, fold: VideoFold, rendition: RenditionFold, *, skip: bool) -> Body:
        """The media playlist of a rendition of a video whose state is known; with `skip` a delta update."""
        version = rendition.version, fold.version
        kept = self._media.get(rendition) or self._media.setdefault(rendition, _Kept())
        if skip not in kept.bodies or kept.bodies[skip][0] != version:
            text = media_playlist(window_of(fold, rendition), skip=skip, texts=kept.texts)
            kept.bodies[skip] = version, Body(text.encode())
        return kept.bodies[skip][1]

    def multivariant(self, fold: VideoFold, prefix: str) -> Body:
        """The multivariant playlist of a video whose state is known; `prefix` goes before its URIs."""
        version = [(r.name, r.segments[0].number, r.segments[-1].number) for r in fold.listed]  # rates are of segments
        kept = self._multivariant.setdefault(fold, {})
        if prefix not in kept or kept[prefix][0] != version:
            videos, audio = described(fold, self._nominal)
            kept[prefix] = version, Body(multivariant_playlist(videos, audio, prefix=prefix).encode())
        return kept[prefix][1]


def target_s(video: VideoChanged) -> int:
    """EXT-X-TARGETDURATION of a video."""
    return target_duration_s(video.segment_max_ms)


def window_of(fold: VideoFold, rendition: RenditionFold) -> Window:
    """What a rendition's playlist is made of."""
    video = fold.video
    assert video is not None
    segments = tuple(rendition.segments)
    first_ms = segments[0].start_ms if segments else 0
    targets = {other.name: other.part_target_ms(video.part_target_ms) for other in fold.listed}
    return Window(
        segments=segments,
        target_duration_s=target_s(video),
        part_target_ms=targets.get(rendition.name, video.part_target_ms),
        part_hold_back_ms=PART_HOLD_BACK_TARGETS * max(targets.values(), default=video.part_target_ms),
        ended=fold.has_ended(rendition),
        reports=tuple(_report(other) for other in fold.listed if other is not rendition),
        breaks=tuple(
            AdBreak(b.break_id, b.start_ms, b.media_time_ms, b.duration_ms)
            for b in sorted(fold.breaks.values(), key=lambda b: (b.start_ms, b.break_id))
            if b.start_ms + b.duration_ms >= first_ms
        ),
    )


def _report(rendition: RenditionFold) -> RenditionReport:
    number, part = edge(rendition.segments)
    return RenditionReport(f"../{rendition.name}/media.m3u8", number, part)


def described(fold: VideoFold, nominal: dict[str, int]) -> tuple[list[Video], Audio | None]:
    """The renditions that a multivariant playlist lists: those that have a part and say what they are.

    The source is left out where a segment of it cannot be decoded by itself (a GOP longer than a segment) and another
    rendition, which has an IDR picture at every segment, is there instead.
    """
    assert fold.video is not None
    target = target_s(fold.video)
    videos, audio = [], None
    shown = [rendition for rendition in fold.listed if rendition.info is not None]
    transcoded = any(r.track is Track.VIDEO and r.name != "source" for r in shown)
    for rendition in shown:
        info, uri = rendition.info, f"{rendition.name}/media.m3u8"
        assert info is not None
        rates = _rates(rendition, target, nominal.get(rendition.name, 0))
        if rendition.track is Track.AUDIO:
            audio = Audio(uri, info.codecs, info.channels, rates)
        elif not transcoded or rendition.name != "source" or all(s.independent for s in rendition.segments):
            videos.append(Video(uri, info.codecs, info.width, info.height, info.frame_rate, rates))
    return videos, audio


def _rates(rendition: RenditionFold, target: int, nominal: int) -> Rates:
    media = [s for s in rendition.segments if not s.gap]
    whole = [s for s in media if s.closed] or media
    return measured_rates(((s.duration_s, s.size) for s in whole), target, nominal)


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


def nominal_rates(ladder: str) -> dict[str, int]:
    """Bits per second by rendition, from a ladder such as `720:2800,480:1200`."""
    pairs = (step.split(":") for step in ladder.split(",") if step.strip())
    return {f"{int(height)}p": int(kilobits) * 1000 for height, kilobits in pairs}
