"""The ladder: which renditions a source is made into.

A rung is named after the shorter side of its picture, as viewers know it: a phone's 1080x1920 is a "1080p" source, and
its 720p is 720x1280. Only rungs strictly below the source are made, nothing is scaled up; but a rung that was made stays,
also when the source becomes smaller.
"""

import math
from dataclasses import dataclass, replace

from media.errors import MediaError

SOURCE = "source"
PRESET = "superfast"
MAX_RUNGS = 8
MAX_SIDE = 16_384
MAX_ASPECT = 8
MIN_KBPS = 50
MAX_KBPS = 100_000

_HIGH_RATE_FPS = 33.0
_HIGH_RATE_FACTOR = 1.5
_PEAK = 1.1  # of the mean: parts are short, so that peaks are what a viewer's line must carry


class LadderError(MediaError):
    """A ladder setting or a source size that makes no sense."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder: the shorter side of its picture and its mean video bit rate at up to 30 fps."""

    short_side: int
    bitrate_bps: int


DEFAULT_RUNGS = (Rung(720, 2_800_000), Rung(480, 1_200_000), Rung(360, 700_000), Rung(240, 350_000))


@dataclass(frozen=True, slots=True)
class Rendition:
    """One quality of a video. `width` and `height` are square samples.

    `video_bitrate_bps` is the mean, `max_rate_bps` the peak over a buffer of `buffer_bits`; `preset` is x264's. For
    `source` these are 0 and empty: it is passed through as it was sent.
    """

    name: str
    width: int
    height: int
    video_bitrate_bps: int = 0
    max_rate_bps: int = 0
    buffer_bits: int = 0
    preset: str = ""

    @property
    def is_source(self) -> bool:
        """Whether this is what the streamer sent, not re-encoded."""
        return self.name == SOURCE


def choose_ladder(
    source_width: int,
    source_height: int,
    frame_rate: float,
    rungs: tuple[Rung, ...] = DEFAULT_RUNGS,
    *,
    stands_in: bool = False,
    below: int = 0,
) -> tuple[Rendition, ...]:
    """`source` first, then the rungs below it from the largest down.

    With `stands_in` the ladder must do without the source, for players that do not know its codec: a rung of just the
    source's size is made, too, and where all are larger, one of the source's own size at the rate of the smallest.
    Rungs below `below` are made in any case: the video had a larger picture before, and they have viewers.

    The size is that of the picture as shown, in square samples; `frame_rate` is in frames per second (0: not known),
    and above 33 the bit rates are half as much again. LadderError for a picture that no encoder would take.
    """
    short, long = sorted((source_width, source_height))
    if short < 1 or long > MAX_SIDE or long > short * MAX_ASPECT:
        expected = f"1 to {MAX_SIDE} each way, at most {MAX_ASPECT}:1"
        raise LadderError(f"source picture of {source_width}x{source_height}, expected {expected}")
    factor = _HIGH_RATE_FACTOR if frame_rate > _HIGH_RATE_FPS else 1.0
    fitting = [
        rung
        for rung in rungs
        if rung.short_side < below or is_made(rung.short_side, source_width, source_height, stands_in=stands_in)
    ]
    if stands_in and rungs and not fitting:
        fitting = [Rung(max(2, short // 2 * 2), min(rung.bitrate_bps for rung in rungs))]
    made = sorted(fitting, key=lambda rung: -rung.short_side)
    source = Rendition(SOURCE, source_width, source_height)
    return source, *(_rendition(rung, source_width, source_height, factor) for rung in made)


def is_made(rung_side: int, width: int, height: int, *, stands_in: bool = False) -> bool:
    """Whether a rung of the ladder is made of a picture, in a video that had no larger one before."""
    return rung_side < min(width, height) + stands_in


def requested_name(rung: Rung) -> str:
    """The name of a rendition that somebody asks for: it says all that makes it, so that asking twice is the same."""
    return f"{rung.short_side}p{rung.bitrate_bps // 1000}k"


def requested_rendition(source_width: int, source_height: int, rung: Rung) -> Rendition:
    """A rendition outside of the ladder, named by `requested_name`; its bit rate is taken as it is.

    LadderError for a rung above the source, which would be scaled up, and for a source that no encoder takes.
    """
    short, _ = sorted((source_width, source_height))
    if rung.short_side > short:
        raise LadderError(f"{rung.short_side}p of a {short}p source, expected at most {short}p: nothing is scaled up")
    choose_ladder(source_width, source_height, 0, ())
    return replace(_rendition(rung, source_width, source_height, 1.0), name=requested_name(rung))


def ladder_rendition(source_width: int, source_height: int, rung: Rung) -> Rendition:
    """A rung of the ladder by itself, to be made later than the others; its bit rate is taken as it is.

    LadderError for a source that no encoder takes.
    """
    choose_ladder(source_width, source_height, 0, ())
    return _rendition(rung, source_width, source_height, 1.0)


def usual_bitrate_bps(short_side: int, rungs: tuple[Rung, ...] = DEFAULT_RUNGS) -> int:
    """A bit rate for a height that the ladder does not have: that of the nearest rung, by the area of the picture."""
    nearest = min(rungs or DEFAULT_RUNGS, key=lambda rung: abs(rung.short_side - short_side))
    kbps = nearest.bitrate_bps / 1000 * math.pow(short_side / nearest.short_side, 1.5)
    return 1000 * min(MAX_KBPS, max(MIN_KBPS, round(kbps / 10) * 10))


def checked_rung(short_side: int, bitrate_bps: int) -> Rung:
    """A rung within the limits.

    LadderError says what is expected.
    """
    return _rung(f"{short_side}:{bitrate_bps // 1000}")


def rung_names(below: int, rungs: tuple[Rung, ...]) -> list[str]:
    """The renditions of the rungs whose shorter side is below `below`."""
    return [_name(rung) for rung in rungs if rung.short_side < below]


def _name(rung: Rung) -> str:
    return f"{rung.short_side}p"


def _rendition(rung: Rung, source_width: int, source_height: int, factor: float) -> Rendition:
    short, long = sorted((source_width, source_height))
    other = _even(rung.short_side * long, short)
    portrait = source_height > source_width
    bitrate = round(rung.bitrate_bps * factor)
    return Rendition(
        name=_name(rung),
        width=rung.short_side if portrait else other,
        height=other if portrait else rung.short_side,
        video_bitrate_bps=bitrate,
        max_rate_bps=round(bitrate * _PEAK),
        buffer_bits=bitrate,
        preset=PRESET,
    )


def _even(numerator: int, denominator: int) -> int:
    """The even number nearest to the quotient: 4:2:0 pictures have even sides."""
    return 2 * ((numerator + denominator) // (2 * denominator))


def parse_rungs(text: str) -> tuple[Rung, ...]:
    """Rungs from a setting such as `720:2800,480:1200` (shorter side in pixels, kbit/s); empty: source only.

    LadderError says which item is wrong and what is expected.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    rungs = tuple(_rung(item) for item in items)
    if len({rung.short_side for rung in rungs}) != len(rungs) or len(rungs) > MAX_RUNGS:
        raise LadderError(f"ladder {text!r}: expected at most {MAX_RUNGS} rungs of different heights")
    return rungs


def _rung(item: str) -> Rung:
    side, colon, kbps = item.partition(":")
    if not (colon and side.isascii() and side.isdigit() and kbps.isascii() and kbps.isdigit()):
        raise LadderError(f"ladder rung {item!r}: expected HEIGHT:KBPS, such as 720:2800")
    rung = Rung(int(side[:9]), int(kbps[:9]) * 1000)
    if not 64 <= rung.short_side <= 4320 or rung.short_side % 2:
        raise LadderError(f"ladder rung {item!r}: height {side}, expected an even number from 64 to 4320")
    if not MIN_KBPS <= rung.bitrate_bps // 1000 <= MAX_KBPS:
        raise LadderError(f"ladder rung {item!r}: {kbps} kbit/s, expected {MIN_KBPS} to {MAX_KBPS}")
    return rung


def rungs_of_file(values: object) -> tuple[Rung, ...]:
    """The rungs of a ladder file as TOML gives them: `{"rendition": [{"height": 144, "bitrate_kbps": 150}, …]}`.

    LadderError says which entry is wrong and what is expected.
    """
    entries = values.get("rendition") if isinstance(values, dict) else None
    if not isinstance(entries, list):
        raise LadderError("expected [[rendition]] tables, each with height and bitrate_kbps")
    rungs = tuple(_rung_of_entry(number, entry) for number, entry in enumerate(entries, 1))
    if not 0 < len(set(rungs)) == len(rungs) <= MAX_RUNGS:
        raise LadderError(f"expected 1 to {MAX_RUNGS} different renditions, found {len(rungs)}")
    return rungs


def _rung_of_entry(number: int, entry: object) -> Rung:
    height, kbps = (entry.get(key) for key in ("height", "bitrate_kbps")) if isinstance(entry, dict) else (None, None)
    if not isinstance(height, int) or not isinstance(kbps, int):
        raise LadderError(f"rendition {number}: expected whole numbers height and bitrate_kbps, found {entry!r:.80}")
    return checked_rung(height, kbps * 1000)
