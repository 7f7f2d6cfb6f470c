"""What a folded video offers: its renditions with their measured rates, and which of them suit a client."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway import lead_in
from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.devices import Offer, Wish, chosen
from media.hls import Segment, target_duration_s
from media.hls_iframes import has_keyframe
from media.hls_multivariant import Audio, Rates, Video, measured_rates
from schemas.events import Track, TrackInfo

LEAST_SEGMENT_S: Final = 1.0
"""What an open segment is taken to last at least when rates are measured."""


@dataclass(frozen=True, slots=True)
class Variants:
    """The video renditions in the order in which they are offered, and the audio rendition."""

    videos: tuple[Video, ...]
    audio: Audio | None

    def suiting(self, wish: Wish) -> "Variants":
        """Those for a client, the one to begin with first; without audio it has to take the smallest picture."""
        by_name = {video.name: video for video in self.videos}
        offers = [offer_of(video) for video in self.videos]
        names = [offer.name for offer in chosen(offers, wish)]
        if not names and self.audio is None and offers:
            names = [min(offers, key=lambda offer: offer.bits).name]
        return Variants(tuple(by_name[name] for name in names), self.audio)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the video renditions."""
        return tuple(video.name for video in self.videos)


def offer_of(video: Video) -> Offer:
    """A rendition as `media.devices` chooses among them."""
    return Offer(video.name, video.codecs, video.width, video.height, video.frame_rate, video.rates.peak)


def variants_of(fold: VideoFold, nominal: dict[str, int]) -> Variants:
    """The renditions that have a part and say what they are; `nominal` are the encoder's bits per second by name.

    Players prepare once for all that a rendition has in the window, as draft-pantos-hls-rfc8216bis 4.4.6.2 has it: CODECS
    names every format, RESOLUTION is the one "at which to display all the video", the largest, FRAME-RATE the highest.
    """
    assert fold.video is not None
    target = target_duration_s(fold.video.segment_max_ms)
    videos, audio = [], None
    shown = [rendition for rendition in fold.listed if rendition.info is not None]
    for rendition in shown:
        segments = lead_in.shown(fold, rendition)
        infos, name = _infos(rendition, lead_in.lenders(fold, segments)), rendition.name
        codecs = ",".join(dict.fromkeys(info.codecs for info in infos))
        rates = _rates(segments, target, nominal.get(name, 0))
        if rendition.track is Track.AUDIO:
            audio = Audio(name, codecs, max(info.channels for info in infos), rates)
        elif is_offered(fold, rendition):
            picture = infos[0].width, infos[0].height, max(info.frame_rate for info in infos)
            videos.append(Video(name, codecs, *picture, rates, _keyframe_rates(segments, target)))
    return Variants(tuple(videos), audio)


def is_offered(fold: VideoFold, rendition: RenditionFold) -> bool:
    """Whether clients may play a rendition.

    The source is left out where a segment of it cannot be decoded by itself (a GOP longer than a segment) and another
    rendition, which has an IDR picture at every segment, is there instead.
    """
    if rendition.name != "source" or all(segment.independent for segment in rendition.segments):
        return True
    return not any(r.track is Track.VIDEO and r.name != "source" and r.info is not None for r in fold.listed)


def _infos(rendition: RenditionFold, borrowed: Sequence[TrackInfo]) -> list[TrackInfo]:
    """What a rendition is in the window, with what it borrows of others there, the largest picture first."""
    assert rendition.info is not None
    found = [rendition.info, *rendition.infos.values(), *borrowed]
    return sorted(found, key=lambda info: (info.width * info.height, info.codecs), reverse=True)


def nominal_rates(ladder: str) -> dict[str, int]:
    """Bits per second by rendition, from a ladder such as `720:2800,480:1200`."""
    pairs = (step.split(":") for step in ladder.split(",") if step.strip())
    return {f"{int(height)}p": int(kilobits) * 1000 for height, kilobits in pairs}


def _rates(segments: Sequence[Segment], target: int, nominal: int) -> Rates:
    media = [s for s in segments if not s.gap]
    whole = [s for s in media if s.closed] or media
    return measured_rates(((s.duration_s, s.size) for s in whole), target, nominal)


def _keyframe_rates(segments: Sequence[Segment], target: int) -> Rates | None:
    """Of the I-frame playlist; None where it would hold no picture."""
    found = [s for s in segments if has_keyframe(s)]
    lengths = (s.duration_s if s.closed else max(s.duration_s, LEAST_SEGMENT_S) for s in found)
    return measured_rates(zip(lengths, (s.keyframe_size for s in found), strict=True), target) if found else None
