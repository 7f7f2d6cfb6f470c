"""Media playlists with low latency, as text: HTTP Live Streaming 2nd Edition (draft-pantos-hls-rfc8216bis).

Section numbers below are of that draft. Everything here is a function of its arguments: the same window gives the same
bytes on every gateway. Multivariant playlists are in `media.hls_multivariant`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from media.scte35 import SpliceInsert

VERSION: Final = 9
"""EXT-X-VERSION: delta updates (EXT-X-SKIP) need 9, and no tag here needs more (section 8)."""

HOLD_BACK_TARGETS: Final = 3
PART_HOLD_BACK_TARGETS: Final = 3
"""PART-HOLD-BACK must be 2 part targets and should be 3, of the longest of all renditions (4.4.3.8)."""
SKIP_TARGETS: Final = 6
PARTS_KEPT_TARGETS: Final = 3
"""Parts are listed up to so many target durations from the end (section 6.2.2)."""


LEAST_FILL: Final = 0.85
"""What a part lasts at least, of the Part Target Duration, unless it is its segment's last (4.4.4.9)."""

MAX_TEXTS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Part:
    """A Partial Segment (4.4.4.9).

    Attributes:
        uri: relative to the playlist.
        dts: decode time of its first sample, in ticks of 1/`timescale` s.
        duration: its length in the same ticks.
        timescale: ticks per second.
        independent: its first sample can be decoded without any other.
        size: in bytes.
    """

    uri: str
    dts: int
    duration: int
    timescale: int
    independent: bool
    size: int

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.duration / self.timescale


@dataclass(frozen=True, slots=True)
class Segment:
    """A Media Segment, complete or (only as the last one) still growing.

    Attributes:
        number: its Media Sequence Number.
        epoch: its Discontinuity Sequence Number.
        start_ms: wall clock of its first presented sample (EXT-X-PROGRAM-DATE-TIME).
        dts: decode time of its first sample, in ticks of 1/`timescale` s, exactly as its `tfdt` says.
        duration: its length in the same ticks; of the parts so far while it is open.
        timescale: ticks per second.
        init_uri: its Media Initialization Section.
        independent: its first sample can be decoded without any other segment.
        parts: its parts as far as they are remembered.
        part_count: how many there are.
        size: bytes of all parts.
        closed: it has all its parts.
        part_target_ms: the Part Target Duration that its parts were made for; 0 where that is not known.
        keyframe_size: bytes from its start to the end of its first sample, an IDR picture; 0 where there is none.
        gap: its media is lost, wholly or behind `parts`; `duration` is how long it should have been.
    """

    number: int
    epoch: int
    start_ms: int
    dts: int
    duration: int
    timescale: int
    init_uri: str
    independent: bool
    parts: tuple[Part, ...]
    part_count: int
    size: int
    closed: bool = False
    gap: bool = False
    part_target_ms: int = 0
    keyframe_size: int = 0

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.duration / self.timescale


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """How far another rendition's playlist is (4.4.5.4); `last_part` None: its last segment lists no part."""

    uri: str
    last_msn: int
    last_part: int | None


@dataclass(frozen=True, slots=True)
class AdBreak:
    """A break that starts with a segment: wall clock as PROGRAM-DATE-TIME, media time from the start of the video."""

    id: str
    start_ms: int
    media_time_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Window:
    """What a media playlist is made of.

    Attributes:
        segments: dense in `number`; only the last may be open.
        target_duration_s: EXT-X-TARGETDURATION; constant for the video, no EXTINF rounds to more.
        part_target_ms: the Part Target Duration of this rendition.
        part_hold_back_ms: PART-HOLD-BACK; the same in all renditions of the video.
        ended: nothing will be added.
        reports: of the other renditions.
        breaks: that are not over before the first segment.
    """

    segments: Sequence[Segment]
    target_duration_s: int
    part_target_ms: int
    part_hold_back_ms: int
    ended: bool = False
    reports: Sequence[RenditionReport] = ()
    breaks: Sequence[AdBreak] = ()


def part_uri(segment: int, part: int) -> str:
    """The file of a part, which is also its URI relative to the playlist."""
    return f"{segment:08d}.{part:04d}.m4s"


def segment_uri(segment: int) -> str:
    """The file of a whole segment."""
    return f"{segment:08d}.m4s"


def target_duration_s(segment_max_ms: int) -> int:
    """EXT-X-TARGETDURATION of segments up to `segment_max_ms`: the nearest whole second (4.4.3.1)."""
    return max(1, (segment_max_ms + 500) // 1000)


class SegmentTexts:
    """Texts of segments whose parts are not listed (any more), so that a long window costs little to render again."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Segment, str]] = {}

    def text(self, segment: Segment) -> str:
        """What `whole_segment` says of it."""
        known = self._texts.get(segment.number)
        if known is None or known[0] is not segment:
            known = self._texts[segment.number] = segment, whole_segment(segment)
        return known[1]

    def forget_before(self, number: int) -> None:
        """Let go the texts of segments that left the playlist, when they are many."""
        if len(self._texts) > MAX_TEXTS and min(self._texts) < number:
            self._texts = {key: text for key, text in self._texts.items() if key >= number}


def media_playlist(window: Window, *, skip: bool = False, texts: SegmentTexts | None = None) -> str:
    """The playlist's text; with `skip` a delta update (6.2.5.1) where something is old enough to be skipped.

    `texts` are those of earlier playlists of the same rendition; they change nothing but the time it takes.
    """
    segments = window.segments
    skipped = _skippable(window) if skip and not window.ended else 0
    first_number, first_epoch = (segments[0].number, segments[0].epoch) if segments else (0, 0)
    lines = [*_header(window), f"#EXT-X-MEDIA-SEQUENCE:{first_number}"]
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first_epoch}")
    if segments and all(segment.independent or segment.gap for segment in segments):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines += (line for ad_break in window.breaks for line in _date_range(ad_break, _end_ms(segments)))
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    texts = texts or SegmentTexts()
    texts.forget_before(first_number)
    lines += _segment_lines(window, skipped, texts)
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        segment, part = hinted(window)
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{part_uri(segment, part)}"')
    lines += map(_report, window.reports)
    return "\n".join([*lines, ""])


def following(segments: Sequence[Segment]) -> tuple[int, int]:
    """(segment, part) that comes next."""
    if not segments:
        return 0, 0
    last = segments[-1]
    return (last.number + 1, 0) if last.closed else (last.number, last.part_count)


def hinted(window: Window) -> tuple[int, int]:
    """(segment, part) to hint (4.4.5.3): what comes next, as far as it can be known.

    A part that lasts less than 85 % of the target can only be its segment's last (4.4.4.9), so that the next segment is
    hinted before the end of this one was announced.
    """
    segment, part = following(window.segments)
    last = window.segments[-1].parts[-1:] if part else ()
    if last and last[0].duration_s * 1000 < LEAST_FILL * window.part_target_ms - 0.01:
        return segment + 1, 0
    return segment, part


def edge(segments: Sequence[Segment]) -> tuple[int, int | None]:
    """(LAST-MSN, LAST-PART) of a playlist that has a segment."""
    last = segments[-1]
    return last.number, last.part_count - 1 if last.part_count else None


def _header(window: Window) -> list[str]:
    target = window.target_duration_s
    control = (
        f"CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_TARGETS * target},HOLD-BACK={HOLD_BACK_TARGETS * target},"
        f"PART-HOLD-BACK={_decimal(window.part_hold_back_ms / 1000)}"
    )
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:{control}",
        f"#EXT-X-PART-INF:PART-TARGET={_decimal(window.part_target_ms / 1000)}",
    ]


def _segment_lines(window: Window, skipped: int, texts: SegmentTexts) -> Iterator[str]:
    segments = window.segments
    first_with_parts = _first_with_parts(window)
    init_uri, epoch = "", segments[skipped - 1].epoch if skipped else segments[0].epoch if segments else 0
    for index in range(skipped, len(segments)):
        segment = segments[index]
        for _ in range(segment.epoch - epoch):  # one each: the tags are what clients count (4.4.4.3)
            yield "#EXT-X-DISCONTINUITY"
        if segment.init_uri != init_uri or segment.epoch != epoch:
            yield f'#EXT-X-MAP:URI="{segment.init_uri}"'
        init_uri, epoch = segment.init_uri, segment.epoch
        if index < first_with_parts:
            yield texts.text(segment)
            continue
        yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.start_ms)}"
        yield from map(_part, segment.parts)
        if segment.gap:
            yield from _gap_parts(segment, window.part_target_ms)
        if segment.closed:
            yield _end(segment)


def whole_segment(segment: Segment) -> str:
    """The lines of a complete segment without its parts, and without what depends on the one before it."""
    return f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.start_ms)}\n{_end(segment)}"


def _end(segment: Segment) -> str:
    gap = "#EXT-X-GAP\n" if segment.gap else ""
    return f"{gap}#EXTINF:{segment.duration_s:.5f},\n{segment_uri(segment.number)}"


def _first_with_parts(window: Window) -> int:
    """Index of the first segment whose parts are listed: those that end within three targets of the end."""
    left = 0.0
    for index in range(len(window.segments) - 1, -1, -1):
        if left > PARTS_KEPT_TARGETS * window.target_duration_s:
            return index + 1
        left += window.segments[index].duration_s
    return 0


def _skippable(window: Window) -> int:
    """How many segments end before the Skip Boundary (4.4.3.8)."""
    left = 0.0
    for index in range(len(window.segments) - 1, -1, -1):
        if left > SKIP_TARGETS * window.target_duration_s:
            return index + 1
        left += window.segments[index].duration_s
    return 0


def _part(part: Part) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={part.duration_s:.5f},URI="{part.uri}"{independent}'


def _gap_parts(segment: Segment, part_target_ms: int) -> Iterator[str]:
    """What is lost of a segment, as parts that are not there: clients near the end must see where it goes on."""
    lost_s = segment.duration_s - sum(part.duration_s for part in segment.parts)
    count = math.ceil(round(lost_s * 1000 / part_target_ms, 6))
    for index in range(count):
        uri = part_uri(segment.number, len(segment.parts) + index)
        yield f'#EXT-X-PART:DURATION={lost_s / count:.5f},URI="{uri}",GAP=YES'


def _report(report: RenditionReport) -> str:
    part = "" if report.last_part is None else f",LAST-PART={report.last_part}"
    return f'#EXT-X-RENDITION-REPORT:URI="{report.uri}",LAST-MSN={report.last_msn}{part}'


def _date_range(ad_break: AdBreak, end_ms: int) -> Iterator[str]:
    """The tag of a break, and one more of the same ID once the program has returned (4.4.5.1)."""
    event_id = int.from_bytes(sha256(ad_break.id.encode()).digest()[:4], "big")
    start, length = ad_break.media_time_ms * 90, ad_break.duration_ms * 90
    head = f'#EXT-X-DATERANGE:ID="{ad_break.id}",START-DATE="{_date(ad_break.start_ms)}"'
    seconds = _decimal(ad_break.duration_ms / 1000)
    out = SpliceInsert(event_id, out=True, pts=start, duration=length).encode().hex().upper()
    yield f"{head},PLANNED-DURATION={seconds},SCTE35-OUT=0x{out}"
    if ad_break.start_ms + ad_break.duration_ms <= end_ms:
        back = SpliceInsert(event_id, out=False, pts=start + length).encode().hex().upper()
        yield f"{head},DURATION={seconds},SCTE35-IN=0x{back}"


def _end_ms(segments: Sequence[Segment]) -> int:
    return segments[-1].start_ms + round(segments[-1].duration_s * 1000) if segments else 0


def _date(wall_ms: int) -> str:
    """ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _decimal(value: float) -> str:
    """A decimal-floating-point (4.2) without needless zeros."""
    return f"{value:.5f}".rstrip("0").rstrip(".")
