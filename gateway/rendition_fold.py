"""Fold of one rendition's events into the segments of its playlist.

The playlist is the contiguous prefix by (segment, part). What comes early waits in `_Waiting`; what comes twice is
ignored, the first one wins. Nothing here asks the time or another system, so every gateway that reads the same records
of the partition in their order has the same playlist.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final, Self

from media.dash_periods import Joined
from media.hls import PARTS_KEPT_TARGETS, Part, Segment, following, next_part_uri
from schemas.events import PartReady, SegmentClosed, Track, TrackInfo

LOST_AFTER_S: Final = 12.0
"""A part is lost when the same rendition has parts that start so much later in media time, and have waited long enough."""

LOST_AFTER_LOG_S: Final = 10.0
"""So long, in time of the log: what comes at once after a standstill comes in any order, and all of it is on its way."""

MAX_TARGET_S: Final = 10.5
"""No segment lasts longer (`Settings.segment_max_ms`, and half a second that EXT-X-TARGETDURATION rounds away)."""

PARTS_KEPT_S: Final = PARTS_KEPT_TARGETS * MAX_TARGET_S
LEAST_WINDOW_S: Final = 3 * MAX_TARGET_S
"""A live playlist is never shorter than three target durations (draft-pantos-hls-rfc8216bis section 6.2.2)."""

MAX_WAITING_SEGMENTS: Final = 200
"""Segments that may wait for an earlier one; beyond, the earliest that waits is taken for lost."""

GRAIN_MS: Final = 5
MAX_JOINED: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a rendition is remembered: `window_ms` of wall clock, and never more than `max_segments`."""

    window_ms: int
    max_segments: int


@dataclass(slots=True)
class _Waiting:
    """What is known of a segment that the playlist has not finished: early parts by number, the count once closed."""

    parts: dict[int, PartReady] = field(default_factory=dict)
    closed: int | None = None
    since_ms: int | None = None
    """When its first early part came, in time of the log; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Others:
    """What a rendition is told of the others of its video.

    Attributes:
        whole: the same segment in another rendition, complete with its media; None where there is none yet.
        made_from: the segment before which the rendition was not made, given the first one that came; 0 if not known.
        order: how many events of the video came before.
        log_ms: how much time of the log has gone by for the video; None where nobody tells it.
    """

    whole: Callable[[int], Segment | None]
    made_from: Callable[[int], int]
    order: int = 0
    log_ms: int | None = None


class RenditionFold:
    """One rendition of one video.

    Attributes:
        name: such as `source`, `480p`, `audio`.
        track: video or audio.
        segments: what the playlist lists, dense in number; only the last may be open.
        info: of the newest segment that began; None before the first.
        origins: media time in ms at which each epoch began, as far as parts tell it.
        began_epoch: of the first segment that the log told, also when that has left the playlist; -1 before it.
        brought_at: the first segment of a rendition that a larger source brought in mid-broadcast; None for others.
        infos: by the init segment's file name, of the segments that are listed.
        joined: by epoch, its first whole segment there, for the newest `MAX_JOINED` epochs.
        version: rises with every change of the playlist.
        finished: `end` was called; nothing will be added.
        trimmed: segments have left the playlist at its front.
    """

    def __init__(self, name: str, track: Track, limits: Limits, *, from_start: bool) -> None:
        self.name: Final = name
        self.track: Final = track
        self.segments: deque[Segment] = deque()
        self.info: TrackInfo | None = None
        self.infos: dict[str, TrackInfo] = {}
        self.origins: dict[int, int] = {}
        self.joined: dict[int, Joined] = {}
        self.began_epoch = -1
        self.brought_at: int | None = None
        self.version = 0
        self.finished = False
        self.trimmed = False
        self._longest = (-1, 0.0)
        self._limits = limits
        self._from_start = from_start
        self._next: int | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._end: tuple[int, int] | None = None
        self._end_s = 0.0
        self._total_s = 0.0
        self._parts_kept = 0
        self._retired: dict[int, int] = {}
        self._order = 0

    @classmethod
    def restored(cls, name: str, track: Track, segments: Sequence[Segment], infos: dict[str, TrackInfo]) -> Self:
        """A rendition that is over, from its segments (at least one); `infos` as the attribute."""
        fold = cls(name, track, Limits(0, len(segments)), from_start=True)
        fold.segments.extend(segments)
        fold.infos = infos
        fold.info = infos.get(segments[-1].init_uri) or next(reversed(infos.values()), None)
        fold.finished = True
        fold.began_epoch = segments[0].epoch
        fold._next = segments[-1].number + 1
        return fold

    # What came

    def part(self, event: PartReady, others: Others) -> None:
        """Fold a part."""
        waiting = None if self._has(event.segment, event.part) else self._entry(event.segment)
        if waiting is not None:
            if not waiting.parts:
                waiting.since_ms = others.log_ms
            waiting.parts.setdefault(event.part, event)
            self.advance(others)

    def closed(self, event: SegmentClosed, others: Others) -> None:
        """Fold the end of a segment."""
        waiting = self._entry(event.segment)
        if waiting is not None and waiting.closed is None:
            waiting.closed = event.parts
            self.advance(others)

    def advance(self, others: Others) -> None:
        """Move what waits to the playlist as far as it is contiguous, or lost."""
        self._order = others.order
        if self._next is None and not self._begin(others):
            return
        while self._waiting and (self._take_part() or self._complete() or self._lose(others, LOST_AFTER_S)):
            self.version += 1

    def end(self, others: Others) -> None:
        """Nothing more will come: what is missing is lost, the open segment is as long as it is."""
        self._order = others.order
        if self._next is None:
            self._from_start = False
            self._begin(others)
        known = self._next is not None
        while known and self._waiting and (self._take_part() or self._complete() or self._lose(others, 0.0)):
            pass
        if self.segments and not self.segments[-1].closed:
            self._close(self.segments[-1].duration, gap=False)
        self._waiting.clear()
        self.finished = True
        self.version += 1

    # What is there

    @property
    def following(self) -> tuple[int, int]:
        """(segment, part) that comes next."""
        return following(self.segments) if self.segments else (self._next or 0, 0)

    @property
    def longest_part_ms(self) -> float:
        """Of the parts that are listed; 0 until one of them was followed by another in its segment, and so is whole.

        A publisher that hiccups makes one long part: it counts only as long as it is listed.
        """
        version, longest_ms = self._longest
        if version != self.version:
            whole = max((p.duration_s for s in self.segments for p in s.parts[:-1]), default=0.0)
            last = max((s.parts[-1].duration_s for s in self.segments if s.parts), default=0.0)
            longest_ms = 1000 * max(whole, last) if whole else 0.0
            self._longest = self.version, longest_ms
        return longest_ms

    def part_target_ms(self, wanted_ms: int) -> int:
        """The Part Target Duration: what the parts that are listed were made for, and no less than the longest of them.

        Without parts, or with parts that do not say it, `wanted_ms` is where it starts from.
        """
        young = list(takewhile(lambda s: s.parts or not s.part_count, reversed(self.segments)))
        told_ms = max((s.part_target_ms for s in young if s.parts), default=0)
        if told_ms == 0:
            return part_target_ms(self.longest_part_ms, wanted_ms)
        longest_ms = 1000 * max(p.duration_s for s in young for p in s.parts)
        return told_ms if longest_ms <= told_ms + 0.005 else _above(longest_ms)

    @property
    def entries(self) -> int:
        """How many things are remembered, for the bound of memory."""
        return len(self.segments) + len(self._retired) + self._parts_kept + len(self._waiting)

    @property
    def waits(self) -> bool:
        """Whether something came that the playlist does not have yet."""
        return bool(self._waiting)

    @property
    def next_init_uri(self) -> str | None:
        """The init segment of the next part that came, as far as one waits for what is missing before it."""
        waiting = {n: entry.parts for n, entry in self._waiting.items() if entry.parts}
        if not waiting:
            return None
        parts = waiting[min(waiting)]
        return parts[min(parts)].init.rpartition("/")[2]

    def segment(self, number: int) -> Segment | None:
        """A segment of the playlist."""
        index = number - self.segments[0].number if self.segments else -1
        return self.segments[index] if 0 <= index < len(self.segments) else None

    def part_count(self, number: int) -> int:
        """How many parts of a segment are known to be stored, those of segments that left the playlist included."""
        segment = self.segment(number)
        return segment.part_count if segment is not None else self._retired.get(number, 0)

    def has_part(self, number: int, part: int) -> bool:
        """Whether a part is known to be stored, listed or not."""
        waiting = self._waiting.get(number)
        return part < self.part_count(number) or (waiting is not None and part in waiting.parts)

    def reached(self, number: int, part: int | None) -> bool:
        """Whether the playlist holds a segment or part, or a later one (draft section 6.2.5.2).

        A part past a complete segment's last stands for part 0 of the next segment.
        """
        if self.finished:
            return True
        at, count = self.following
        if number != at - 1:
            return number < at or (number == at and part is not None and part < count)
        last = self.segment(number)
        return part is None or last is None or part < last.part_count or count > 0

    # How it is folded

    def _has(self, number: int, part: int) -> bool:
        return self._next is not None and number == self._next and part < self._open_count()

    def _open_count(self) -> int:
        return self.segments[-1].part_count if self.segments and not self.segments[-1].closed else 0

    def _entry(self, number: int) -> _Waiting | None:
        """Where to keep what came of a segment; None for a segment that is done."""
        if self.finished or (self._next is not None and number < self._next):
            return None
        waiting = self._waiting.setdefault(number, _Waiting())
        if len(self._waiting) > MAX_WAITING_SEGMENTS:
            del self._waiting[min(n for n in self._waiting if n != self._next)]
        return waiting

    def _begin(self, others: Others) -> bool:
        """Find the first segment: the first that is there from part 0, once no earlier one can come.

        That is 0 where the log has the video's start, or the one in which the source became large enough.
        """
        began = sorted(number for number, waiting in self._waiting.items() if 0 in waiting.parts)
        if not began:
            return False
        expected = made_from = others.made_from(began[0])
        while (empty := self._waiting.get(expected)) and empty.closed == 0:
            expected += 1
        if (
            self._from_start
            and began[0] != expected
            and not self._waited_long(self._earliest_s(began[0]), LOST_AFTER_S, others.log_ms)
        ):
            return False
        self._next = began[0]
        self.brought_at = began[0] if made_from else None
        self._end_s = self._earliest_s(began[0])
        for number in [number for number in self._waiting if number < began[0]]:
            del self._waiting[number]
        return True

    def _earliest_s(self, number: int) -> float:
        return _start_s(self._waiting[number].parts[0])

    def _take_part(self) -> bool:
        """Append the next part when it is there."""
        assert self._next is not None
        waiting = self._waiting.get(self._next)
        count = self._open_count()
        event = waiting.parts.pop(count, None) if waiting is not None else None
        if waiting is None or event is None:
            return False
        if not waiting.parts and waiting.closed is None:
            del self._waiting[self._next]
        uri = event.name.rpartition("/")[2]
        if count == 0:
            before = self.segments[-1] if self.segments else None
            uri = next_part_uri(self.segments, goes_on=before is not None and before.epoch == event.epoch)
            self._open(event)
        last = self.segments[-1]
        part = Part(uri, event.dts, event.duration, event.timescale, event.independent, event.size)
        self.segments[-1] = replace(
            last,
            duration=last.duration + part.duration,
            parts=(*last.parts, part),
            part_count=count + 1,
            size=last.size + part.size,
        )
        self._parts_kept += 1
        self._end = (event.dts + event.duration, event.timescale)
        self._end_s = self._end[0] / self._end[1]
        return True

    def _open(self, event: PartReady) -> None:
        init = event.init.rpartition("/")[2]
        if not self.segments:
            self.began_epoch = event.epoch
        if event.epoch_ms >= 0:
            self.origins[event.epoch] = event.epoch_ms
        if event.info is not None:
            self.info = self.infos[init] = event.info
        times = event.captured_ms, event.dts, 0, event.timescale
        opened = Segment(event.segment, event.epoch, *times, init, event.independent, (), 0, 0)
        self.segments.append(replace(opened, part_target_ms=event.part_target_ms, keyframe_size=event.keyframe_size))

    def _complete(self) -> bool:
        """Close the open segment when it has all its parts.

        The marker says how many there are; or the next segment begins exactly where this one ends.
        """
        assert self._next is not None
        waiting, count = self._waiting.get(self._next), self._open_count()
        if count == 0:
            return False
        following_part = self._first_part(self._next + 1)
        marked = waiting is not None and waiting.closed is not None and waiting.closed <= count
        met = following_part is not None and self._end == (following_part.dts, following_part.timescale)
        if not marked and not met:
            return False
        self._close(self.segments[-1].duration, gap=False)
        return True

    def _first_part(self, number: int) -> PartReady | None:
        waiting = self._waiting.get(number)
        return waiting.parts.get(0) if waiting is not None else None

    def _lose(self, others: Others, after_s: float) -> bool:
        """Make the next segment a gap when its missing part will not come and its length is known."""
        assert self._next is not None
        waiting = self._waiting.get(self._next)
        marked_lost = waiting is not None and waiting.closed == 0
        if not marked_lost and not self._waited_long(self._end_s, after_s, others.log_ms):
            return False
        other = others.whole(self._next)
        open_ = self.segments[-1] if self._open_count() else None
        began_s = self._end_s - (open_.duration_s if open_ is not None else 0.0)
        lasts_s = other.duration_s if other is not None else self._length_by_next(began_s)
        if lasts_s is None:
            return False
        if open_ is None and not self._open_gap(other):
            return False
        last = self.segments[-1]
        self._close(max(round(lasts_s * last.timescale), last.duration, 1), gap=True)
        self._end, self._end_s = None, began_s + lasts_s
        return True

    def _waited_long(self, since_s: float, after_s: float, log_ms: int | None) -> bool:
        """Whether something is there that starts so much later, and something has waited for long in time of the log."""
        early = [waiting for waiting in self._waiting.values() if waiting.parts]
        if not early or len(self._waiting) >= MAX_WAITING_SEGMENTS:
            return bool(early)
        if max(_start_s(part) for waiting in early for part in waiting.parts.values()) - since_s < after_s:
            return False
        since_ms = min((waiting.since_ms for waiting in early if waiting.since_ms is not None), default=None)
        if after_s == 0 or log_ms is None or since_ms is None:
            return True
        return log_ms - since_ms >= LOST_AFTER_LOG_S * 1000

    def _length_by_next(self, began_s: float) -> float | None:
        """How long the missing segment is, from the next one that is there; several missing ones share the time.

        No longer than a segment may be: nobody published for a while, and a killed ingest had opened a GOP and taken nothing.
        """
        assert self._next is not None
        later = min((n for n, waiting in self._waiting.items() if n > self._next and 0 in waiting.parts), default=None)
        if later is None:
            return None
        share_s = (self._earliest_s(later) - began_s) / (later - self._next)
        return min(max(0.001, share_s), MAX_TARGET_S - 0.001)

    def _open_gap(self, other: Segment | None) -> bool:
        """Append a segment without media; needs one before it to follow."""
        if not self.segments or self._next is None:
            return False
        last = self.segments[-1]
        epoch, start_ms = last.epoch, last.start_ms + round(last.duration_s * 1000)
        if other is not None:
            epoch, start_ms = max(epoch, other.epoch), max(last.start_ms + 1, other.start_ms)
        times = start_ms, round(self._end_s * last.timescale), 0, last.timescale
        self.segments.append(Segment(self._next, epoch, *times, last.init_uri, True, (), 0, 0))
        return True

    def _close(self, duration: int, *, gap: bool) -> None:
        last = self.segments[-1]
        self.segments[-1] = replace(last, duration=duration, closed=True, gap=gap)
        if not gap and last.epoch not in self.joined:
            self.joined[last.epoch] = Joined(self._order, last.number)
            while len(self.joined) > MAX_JOINED:
                del self.joined[next(iter(self.joined))]
        self._waiting.pop(last.number, None)
        self._next = last.number + 1
        self._total_s += self.segments[-1].duration_s
        self._forget_parts()
        self._trim()

    def _forget_parts(self) -> None:
        """Of segments further from the end than playlists list parts, only the number of parts stays."""
        left_s, kept = 0.0, 0
        for index in range(len(self.segments) - 1, -1, -1):
            segment = self.segments[index]
            if left_s > PARTS_KEPT_S:
                if not segment.parts:
                    break
                self.segments[index] = replace(segment, parts=())
            else:
                kept += len(segment.parts)
            left_s += segment.duration_s
        self._parts_kept = kept

    def _trim(self) -> None:
        newest = self.segments[-1].start_ms
        while len(self.segments) > 1:
            first = self.segments[0]
            crowded = len(self.segments) > self._limits.max_segments
            old = newest - self.segments[1].start_ms > self._limits.window_ms
            if not crowded and not (old and self._total_s - first.duration_s >= LEAST_WINDOW_S):
                return
            self.segments.popleft()
            self.trimmed = True
            self._total_s -= first.duration_s
            self._retired[first.number] = 0 if first.gap else first.part_count  # late parts are found in the index
            if first.epoch != self.segments[0].epoch:
                self.origins.pop(first.epoch, None)
            if first.init_uri != self.segments[0].init_uri and all(s.init_uri != first.init_uri for s in self.segments):
                self.infos.pop(first.init_uri, None)
            while len(self._retired) > self._limits.max_segments:
                del self._retired[next(iter(self._retired))]


def part_target_ms(longest_part_ms: float, wanted_ms: int) -> int:
    """The Part Target Duration of parts that do not tell it: the video's, unless its parts pass it or fill it to less than 85 %.

    Frames of the other track may not divide the video's target (`media.parts`); the target is then the longest part,
    rounded up to 5 ms.
    """
    if longest_part_ms == 0 or 0.85 * wanted_ms <= longest_part_ms <= wanted_ms + 0.005:
        return wanted_ms
    return _above(longest_part_ms)


def _above(lasts_ms: float) -> int:
    return GRAIN_MS * -int(-(lasts_ms + 1) // GRAIN_MS)


def _start_s(event: PartReady) -> float:
    return event.dts / event.timescale
