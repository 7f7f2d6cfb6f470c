"""Media playlists with low latency, as text: HTTP Live Streaming 2nd Edition (draft-pantos-hls-rfc8216bis).

Section numbers below are of that draft. Everything here is a function of its arguments: the same window gives the same
bytes on every gateway. What a playlist is made of is in `media.hls_window`; multivariant playlists are in
`media.hls_multivariant`, I-frame playlists in `media.hls_iframes`.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

from media.hls_dateranges import date_range, is_over
from media.hls_text import date, decimal
from media.hls_window import (
    AdBreak,
    Part,
    RenditionReport,
    Segment,
    Start,
    Window,
    edge,
    end_ms,
    following,
    missing_parts,
    next_part_uri,
    part_uri,
    segment_uri,
    target_duration_s,
)

__all__ = [
    "PARTS_KEPT_TARGETS",
    "PART_HOLD_BACK_TARGETS",
    "SKIP_TARGETS",
    "AdBreak",
    "Part",
    "RenditionReport",
    "Segment",
    "SegmentTexts",
    "Skip",
    "Start",
    "Window",
    "edge",
    "following",
    "media_playlist",
    "next_part_uri",
    "part_uri",
    "segment_uri",
    "target_duration_s",
    "whole_segment",
]

LIVE_VERSION: Final = 10
"""EXT-X-VERSION (section 8): delta updates need 9, those that skip date ranges 10."""

GAP_VERSION: Final = 8
MAP_VERSION: Final = 6

HOLD_BACK_TARGETS: Final = 3
PART_HOLD_BACK_TARGETS: Final = 3
"""PART-HOLD-BACK must be 2 part targets and should be 3, of the longest of all renditions (4.4.3.8)."""

SKIP_TARGETS: Final = 6
PARTS_KEPT_TARGETS: Final = 3
"""Parts are listed up to so many target durations from the end (section 6.2.2)."""

PARTS_KEPT_SEGMENTS: Final = 3
"""And of so many segments at most, the one that is hinted among them: segments may be much shorter than the target."""

MAX_TEXTS: Final = 4_000


class Skip(Enum):
    """What a delta update leaves out (6.2.5.1); `_HLS_skip` names it."""

    NOTHING = ""
    SEGMENTS = "YES"
    SEGMENTS_AND_DATE_RANGES = "v2"


class SegmentTexts:
    """Texts of segments whose parts are not listed (any more), so that a long window costs little to render again."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Segment, str]] = {}
        self._runs: dict[bool, tuple[int, Sequence[Segment], str]] = {}

    def run(self, segments: Sequence[Segment], epoch: int, *, delta: bool) -> str:
        """The lines of complete segments that follow one another, the first after something of `epoch`.

        The last ones of a full playlist and of a delta update are remembered: they change only when a segment ends.
        """
        known = self._runs.get(delta)
        if known is None or known[0] != epoch or known[1] != segments:
            known = self._runs[delta] = epoch, segments, "\n".join(self._lines(segments, epoch))
        return known[2]

    def forget_before(self, number: int) -> None:
        """Let go the texts of segments that left the playlist; some of them only when they are many."""
        while self._texts and (oldest := next(iter(self._texts))) < number:  # not those that were read later
            del self._texts[oldest]
        if len(self._texts) > MAX_TEXTS and min(self._texts) < number:
            self._texts = {key: text for key, text in self._texts.items() if key >= number}

    def _lines(self, segments: Sequence[Segment], epoch: int) -> Iterator[str]:
        init_uri = ""
        for segment in segments:
            yield from _changes(segment, init_uri, epoch)
            yield self._text(segment)
            init_uri, epoch = segment.map_uri, segment.epoch

    def _text(self, segment: Segment) -> str:
        known = self._texts.get(segment.number)
        if known is None or known[0] is not segment:
            known = self._texts[segment.number] = segment, whole_segment(segment)
        return known[1]


def media_playlist(window: Window, *, skip: Skip = Skip.NOTHING, texts: SegmentTexts | None = None) -> str:
    """The playlist's text; with `skip` a delta update (6.2.5.1) where something is old enough to be skipped.

    `texts` are those of earlier playlists of the same rendition; they change nothing but the time it takes.
    """
    segments = window.segments
    skipped = _skippable(window) if skip is not Skip.NOTHING and not window.ended else 0
    first_number, first_epoch = (segments[0].number, segments[0].epoch) if segments else (0, 0)
    lines = [*_header(window), f"#EXT-X-MEDIA-SEQUENCE:{first_number}"]
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first_epoch}")
    if segments and all(segment.independent or segment.gap for segment in segments):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    skips_dates = skipped and skip is Skip.SEGMENTS_AND_DATE_RANGES
    lines += _date_ranges(window, segments[skipped].start_ms if skips_dates else None)
    if skipped:
        lines.append(_skip(skipped, window.removed_breaks if skips_dates else None))
    texts = texts or SegmentTexts()
    texts.forget_before(first_number)
    lines += _segment_lines(window, skipped, texts)
    lines += _tail(window)
    return "\n".join([*lines, ""])


def _header(window: Window) -> Iterator[str]:
    yield "#EXTM3U"
    yield f"#EXT-X-VERSION:{_version(window)}"
    yield f"#EXT-X-TARGETDURATION:{window.target_duration_s}"
    if window.vod or window.event:
        yield f"#EXT-X-PLAYLIST-TYPE:{'VOD' if window.vod else 'EVENT'}"
    if window.start is not None:
        precise = ",PRECISE=YES" if window.start.precise else ""
        yield f"#EXT-X-START:TIME-OFFSET={decimal(window.start.offset_s)}{precise}"
    if not window.vod:
        yield f"#EXT-X-SERVER-CONTROL:{_server_control(window)}"
        yield f"#EXT-X-PART-INF:PART-TARGET={decimal(window.part_target_ms / 1000)}"


def _version(window: Window) -> int:
    """What the tags need (section 8), and no more than that."""
    if not window.vod:
        return LIVE_VERSION
    return GAP_VERSION if any(segment.gap for segment in window.segments) else MAP_VERSION


def _server_control(window: Window) -> str:
    target = window.target_duration_s
    return (
        f"CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_TARGETS * target},CAN-SKIP-DATERANGES=YES,"
        f"HOLD-BACK={HOLD_BACK_TARGETS * target},PART-HOLD-BACK={decimal(window.part_hold_back_ms / 1000)}"
    )


def _date_ranges(window: Window, skipped_ms: int | None) -> Iterator[str]:
    """The breaks; only those that went on after `skipped_ms` where it is given: the others' tags are older (6.2.5.1)."""
    ends_ms = end_ms(window.segments)
    for ad_break in window.breaks:
        if skipped_ms is None or not is_over(ad_break, skipped_ms):
            yield from date_range(ad_break, ends_ms)


def _skip(count: int, removed_breaks: Sequence[str] | None) -> str:
    """EXT-X-SKIP (4.4.5.2); the attribute of date ranges is required where they are skipped."""
    removed = "" if removed_breaks is None else ',RECENTLY-REMOVED-DATERANGES="' + "\t".join(removed_breaks) + '"'
    return f"#EXT-X-SKIP:SKIPPED-SEGMENTS={count}{removed}"


def _tail(window: Window) -> Iterator[str]:
    if window.ended:
        yield "#EXT-X-ENDLIST"
        return
    last = window.segments[-1] if window.segments else None
    changes = last is not None and last.closed and window.next_init_uri not in (None, last.init_uri)
    if changes:
        yield f'#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="{window.next_init_uri}"'
    yield f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{next_part_uri(window.segments, goes_on=not changes)}"'
    yield from map(_report, window.reports)


def _segment_lines(window: Window, skipped: int, texts: SegmentTexts) -> Iterator[str]:
    segments = window.segments
    first_with_parts = max(skipped, _first_with_parts(window))
    init_uri, epoch = "", segments[skipped - 1].epoch if skipped else segments[0].epoch if segments else 0
    if first_with_parts > skipped:
        yield texts.run(segments[skipped:first_with_parts], epoch, delta=skipped > 0)
        init_uri, epoch = segments[first_with_parts - 1].map_uri, segments[first_with_parts - 1].epoch
    for segment in segments[first_with_parts:]:
        yield from _changes(segment, init_uri, epoch)
        init_uri, epoch = segment.map_uri, segment.epoch
        yield f"#EXT-X-PROGRAM-DATE-TIME:{date(segment.start_ms)}"
        yield from map(_part, segment.parts)
        if segment.gap:
            yield from _gap_parts(segment, window.part_target_ms)
        if segment.closed:
            yield _end(segment)


def _changes(segment: Segment, init_uri: str, epoch: int) -> Iterator[str]:
    """What is another one than before the segment; one discontinuity each: the tags are what clients count (4.4.4.3)."""
    for _ in range(segment.epoch - epoch):
        yield "#EXT-X-DISCONTINUITY"
    if segment.map_uri != init_uri or segment.epoch != epoch:
        yield f'#EXT-X-MAP:URI="{segment.map_uri}"'


def whole_segment(segment: Segment) -> str:
    """The lines of a complete segment without its parts, and without what depends on the one before it."""
    return f"#EXT-X-PROGRAM-DATE-TIME:{date(segment.start_ms)}\n{_end(segment)}"


def _end(segment: Segment) -> str:
    gap = "#EXT-X-GAP\n" if segment.gap else ""
    return f"{gap}#EXTINF:{segment.duration_s:.5f},\n{segment.uri}"


def _first_with_parts(window: Window) -> int:
    """Index of the first segment whose parts are listed: of those that end within three targets of the end."""
    if window.vod:
        return len(window.segments)
    next_is_open = bool(window.segments) and window.segments[-1].closed  # at the end too: what has left stays out
    first = len(window.segments) - PARTS_KEPT_SEGMENTS + next_is_open
    return max(first, _first_within(window, PARTS_KEPT_TARGETS))


def _skippable(window: Window) -> int:
    """How many segments end before the Skip Boundary (4.4.3.8)."""
    return _first_within(window, SKIP_TARGETS)


def _first_within(window: Window, targets: int) -> int:
    """Index of the first segment that ends within so many target durations of the playlist's end."""
    left = 0.0
    for index in range(len(window.segments) - 1, -1, -1):
        if left > targets * window.target_duration_s:
            return index + 1
        left += window.segments[index].duration_s
    return 0


def _part(part: Part) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={part.duration_s:.5f},URI="{part.uri}"{independent}'


def _gap_parts(segment: Segment, part_target_ms: int) -> Iterator[str]:
    """What is lost of a segment, as parts that are not there: clients near the end must see where it goes on."""
    lost_s = segment.duration_s - sum(part.duration_s for part in segment.parts)
    count = missing_parts(segment, part_target_ms)
    for index in range(count):
        uri = part_uri(segment.number, len(segment.parts) + index)
        yield f'#EXT-X-PART:DURATION={lost_s / count:.5f},URI="{uri}",GAP=YES'


def _report(report: RenditionReport) -> str:
    part = "" if report.last_part is None else f",LAST-PART={report.last_part}"
    return f'#EXT-X-RENDITION-REPORT:URI="{report.uri}",LAST-MSN={report.last_msn}{part}'
