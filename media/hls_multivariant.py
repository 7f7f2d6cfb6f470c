"""Multivariant playlists as text: which renditions there are and what they need (draft-pantos-hls-rfc8216bis, 4.4.6)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from media.hls_text import decimal, quoted
from media.hls_window import Start

VERSION: Final = 6
AUDIO_GROUP: Final = "audio"
SUBTITLES_GROUP: Final = "subtitles"
HEADROOM: Final = 1.2
"""BANDWIDTH is an upper bound, and what comes may be above what was measured."""

GRAIN_BITS: Final = 10_000
STEADY_S: Final = 30.0
"""A shorter measurement is no average yet; the encoder's setting is taken then where it is higher."""

_DEEP_PROFILES: Final = ("6e", "7a", "f4")
"""H.264 profiles of more than 8 bits, by the first byte of their codecs string: High 10, High 4:2:2, High 4:4:4."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits per second of a rendition: peak of any run of about a target duration, and mean of the window."""

    peak: float
    mean: float


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio rendition; `codecs` are all that it has, with commas between them."""

    name: str
    codecs: str
    channels: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Video:
    """A video rendition, which may change in mid-broadcast: all that players must be prepared for (4.4.6.2).

    Attributes:
        name: such as `source`.
        codecs: all that it has, with commas between them, that of the largest picture first.
        width: of the largest picture, at which "to display all the video".
        height: likewise.
        frame_rate: the highest; 0 where it is not known.
        rates: of the window.
        keyframes: rates of its I-frame playlist.
    """

    name: str
    codecs: str
    width: int
    height: int
    frame_rate: float
    rates: Rates
    keyframes: Rates | None = None


@dataclass(frozen=True, slots=True)
class Subtitles:
    """A rendition of subtitles: the URI of its media playlist, what people call it, and its language (RFC 5646).

    `autoselect`: players may choose it by language and `characteristics`, in which no two of them agree (4.4.6.1).
    """

    uri: str
    name: str
    language: str = ""
    default: bool = False
    autoselect: bool = True
    forced: bool = False
    characteristics: str = ""


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


def multivariant_playlist(
    videos: Sequence[Video],
    audio: Audio | None,
    *,
    subtitles: Sequence[Subtitles] = (),
    prefix: str = "",
    query: str = "",
    start: Start | None = None,
) -> str:
    """The playlist's text, variants in the order given; `prefix` goes before every URI and `query` behind it.

    Audio alone is the last variant. EXT-X-INDEPENDENT-SEGMENTS is left to the media playlists: clients read this one
    once, and what a publisher sends later may begin a segment without an IDR picture.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    if start is not None:
        precise = ",PRECISE=YES" if start.precise else ""
        lines.append(f"#EXT-X-START:TIME-OFFSET={decimal(start.offset_s)}{precise}")
    if audio is not None and videos:
        lines.append(_audio_media(audio, f"{prefix}{audio.name}/media.m3u8{query}"))
    lines += (_subtitles_media(shown, prefix, query) for shown in subtitles)
    scores = _scores(videos)
    for video in videos:
        lines.append(_variant(video, audio, scores[video.name], bool(subtitles)))
        lines.append(f"{prefix}{video.name}/media.m3u8{query}")
    if audio is not None:
        lines.append(_audio_variant(audio, bool(subtitles)))
        lines.append(f"{prefix}{audio.name}/media.m3u8{query}")
    lines += _keyframes(videos, scores, prefix, query)
    return "\n".join([*lines, ""])


def video_range(codecs: str) -> str | None:
    """VIDEO-RANGE where all that a codecs string names tells it: 8 bits are SDR; None for what may be more."""
    return "SDR" if all(map(_is_sdr, codecs.split(","))) else None


def _is_sdr(codecs: str) -> bool:
    family, _, rest = codecs.partition(".")
    if family in ("avc1", "avc3"):
        return rest[:2].lower() not in _DEEP_PROFILES
    if family in ("hvc1", "hev1"):
        return rest.startswith("1.")
    return family == "av01" and rest.split(".")[2:3] == ["08"]


def _scores(videos: Sequence[Video]) -> dict[str, int]:
    """SCORE (4.4.6.2): from 2 up as they get better; audio alone is 1.

    The best of the H.264 ladder has the highest: players keep to the codec that they prefer, and another one has no
    smaller renditions that they could step down to.
    """
    ordered = sorted(videos, key=lambda video: (min(video.width, video.height), video.rates.peak))
    ladder = [video for video in ordered if all(one.startswith("avc") for one in video.codecs.split(","))]
    best = ladder[-1:]
    return {video.name: score for score, video in enumerate([*(v for v in ordered if v not in best), *best], 2)}


def _audio_media(audio: Audio, uri: str) -> str:
    channels = f',CHANNELS="{audio.channels}"' if audio.channels else ""
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Original",DEFAULT=YES,AUTOSELECT=YES{channels},'
        f'STABLE-RENDITION-ID="{audio.name}",URI="{uri}"'
    )


def _subtitles_media(shown: Subtitles, prefix: str, query: str) -> str:
    attributes = [
        f'TYPE=SUBTITLES,GROUP-ID="{SUBTITLES_GROUP}",NAME={quoted(shown.name)}',
        *([f"LANGUAGE={quoted(shown.language)}"] if shown.language else []),
        f"DEFAULT={_yes(shown.default)},AUTOSELECT={_yes(shown.default or shown.autoselect)}",
        *(["FORCED=YES"] if shown.forced else []),
        *([f"CHARACTERISTICS={quoted(shown.characteristics)}"] if shown.characteristics else []),
        f'URI="{prefix}{shown.uri}{query}"',
    ]
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _variant(video: Video, audio: Audio | None, score: int, subtitled: bool) -> str:
    codecs = ",".join(dict.fromkeys([video.codecs, *([audio.codecs] if audio else [])]))
    shown = video_range(video.codecs)
    attributes = [
        _bandwidth([video.rates, *([audio.rates] if audio else [])]),
        f"SCORE={score}",
        f'CODECS="{codecs}"',
        f"RESOLUTION={video.width}x{video.height}",
        *([f"FRAME-RATE={video.frame_rate:.3f}"] if video.frame_rate else []),
        *([f"VIDEO-RANGE={shown}"] if shown else []),
        *([f'AUDIO="{AUDIO_GROUP}"'] if audio else []),
        *_captions(subtitled),
        f'STABLE-VARIANT-ID="{video.name}"',
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _audio_variant(audio: Audio, subtitled: bool) -> str:
    """Audio alone: without an AUDIO group, for its own playlist is the rendition."""
    attributes = [
        _bandwidth([audio.rates]),
        "SCORE=1",
        f'CODECS="{audio.codecs}"',
        *_captions(subtitled),
        f'STABLE-VARIANT-ID="{audio.name}"',
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _captions(subtitled: bool) -> list[str]:
    return [*([f'SUBTITLES="{SUBTITLES_GROUP}"'] if subtitled else []), "CLOSED-CAPTIONS=NONE"]


def _keyframes(videos: Sequence[Video], scores: dict[str, int], prefix: str, query: str) -> Iterator[str]:
    """The I-frame playlists (4.4.6.3)."""
    for video in videos:
        if video.keyframes is None:
            continue
        attributes = [
            _bandwidth([video.keyframes]),
            f"SCORE={scores[video.name]}",
            f'CODECS="{video.codecs}"',
            f"RESOLUTION={video.width}x{video.height}",
            *([f"VIDEO-RANGE={shown}"] if (shown := video_range(video.codecs)) else []),
            f'STABLE-VARIANT-ID="{video.name}-iframes"',
            f'URI="{prefix}{video.name}/iframes.m3u8{query}"',
        ]
        yield "#EXT-X-I-FRAME-STREAM-INF:" + ",".join(attributes)


def _bandwidth(rates: Sequence[Rates]) -> str:
    peak = _grain(HEADROOM * sum(rate.peak for rate in rates))
    mean = _grain(sum(rate.mean for rate in rates))
    return f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={min(mean, peak)}"


def _grain(bits: float) -> int:
    return max(1, -int(-bits // GRAIN_BITS)) * GRAIN_BITS
