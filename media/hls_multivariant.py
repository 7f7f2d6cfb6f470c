"""Multivariant playlists as text: which renditions there are and what they need (draft-pantos-hls-rfc8216bis, 4.4.6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

VERSION: Final = 6
AUDIO_GROUP: Final = "audio"
HEADROOM: Final = 1.2
"""BANDWIDTH is an upper bound, and what comes may be above what was measured."""

DEFAULT_BITS: Final = 3_500_000
"""Players begin with the first variant: the best below this, which most lines carry."""

GRAIN_BITS: Final = 10_000
STEADY_S: Final = 30.0
"""A shorter measurement is no average yet; the encoder's setting is taken then where it is higher."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits per second of a rendition: peak of any run of about a target duration, and mean of the window."""

    peak: float
    mean: float


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio rendition."""

    uri: str
    codecs: str
    channels: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Video:
    """A video rendition; `frame_rate` 0 where it is not known."""

    uri: str
    codecs: str
    width: int
    height: int
    frame_rate: float
    rates: Rates


def measured_rates(segments: Iterable[tuple[float, int]], target_duration_s: int, nominal: int = 0) -> Rates:
    """Rates of segments given as (seconds, bytes), in order.

    The peak is that of 4.4.6.2: the highest rate of any run of segments that lasts 0.5 to 1.5 target durations, or of
    all when they are shorter. `nominal` is the encoder's setting in bits per second; a young window is not below it.
    """
    window = [(seconds, size * 8) for seconds, size in segments if seconds > 0]
    total_s, total_bits = sum(s for s, _ in window), sum(b for _, b in window)
    mean = total_bits / total_s if total_s else 0.0
    peak = mean
    for first in range(len(window)):
        lasts, bits = 0.0, 0
        for seconds, more in window[first:]:
            lasts, bits = lasts + seconds, bits + more
            if lasts > 1.5 * target_duration_s:
                break
            if lasts >= 0.5 * target_duration_s:
                peak = max(peak, bits / lasts)
    return Rates(max(peak, nominal), max(mean, nominal) if total_s < STEADY_S else mean)


def multivariant_playlist(videos: Sequence[Video], audio: Audio | None, *, prefix: str = "") -> str:
    """The playlist's text; `prefix` goes before every URI. Audio alone is a variant of its own.

    EXT-X-INDEPENDENT-SEGMENTS is left to the media playlists: clients read this one once, and what a publisher sends
    later may begin a segment without an IDR picture.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    if audio is not None and videos:
        channels = f',CHANNELS="{audio.channels}"' if audio.channels else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Original",DEFAULT=YES,AUTOSELECT=YES{channels},'
            f'URI="{prefix}{audio.uri}"'
        )
    for video in _in_order(videos):
        lines += [_variant(video, audio), prefix + video.uri]
    if audio is not None and not videos:
        lines += [f'#EXT-X-STREAM-INF:{_bandwidth([audio.rates])},CODECS="{audio.codecs}"', prefix + audio.uri]
    return "\n".join([*lines, ""])


def _in_order(videos: Sequence[Video]) -> list[Video]:
    """The best that most lines carry first, then all others from the best down."""
    ordered = sorted(videos, key=lambda video: (video.height, video.rates.peak), reverse=True)
    fitting = [video for video in ordered if video.rates.peak <= DEFAULT_BITS]
    first = fitting[0] if fitting else ordered[-1] if ordered else None
    return [] if first is None else [first, *(video for video in ordered if video is not first)]


def _variant(video: Video, audio: Audio | None) -> str:
    codecs = ",".join(dict.fromkeys([video.codecs, *([audio.codecs] if audio else [])]))
    attributes = [
        _bandwidth([video.rates, *([audio.rates] if audio else [])]),
        f'CODECS="{codecs}"',
        f"RESOLUTION={video.width}x{video.height}",
        *([f"FRAME-RATE={video.frame_rate:.3f}"] if video.frame_rate else []),
        *([f'AUDIO="{AUDIO_GROUP}"'] if audio else []),
        "CLOSED-CAPTIONS=NONE",
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _bandwidth(rates: Sequence[Rates]) -> str:
    peak = _grain(HEADROOM * sum(rate.peak for rate in rates))
    mean = _grain(sum(rate.mean for rate in rates))
    return f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={min(mean, peak)}"


def _grain(bits: float) -> int:
    return max(1, -int(-bits // GRAIN_BITS)) * GRAIN_BITS
