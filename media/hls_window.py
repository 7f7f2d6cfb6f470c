"""What media playlists are made of: segments, parts, and what a playlist says besides them.

Section numbers are those of HTTP Live Streaming 2nd Edition (draft-pantos-hls-rfc8216bis).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


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
        borrowed_from: the rendition whose media it is, where that is another one than the playlist's.
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
    borrowed_from: str = ""

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.duration / self.timescale

    @property
    def uri(self) -> str:
        """Its file, relative to the playlist."""
        return self._folder + segment_uri(self.number)

    @property
    def map_uri(self) -> str:
        """Its Media Initialization Section (4.4.4.5), relative to the playlist."""
        return self._folder + self.init_uri

    @property
    def _folder(self) -> str:
        return f"../{self.borrowed_from}/" if self.borrowed_from else ""


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
class Start:
    """Where to begin to play (4.4.2.2): seconds from the first segment's start, below 0 from the end of the last."""

    offset_s: float
    precise: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """What a media playlist is made of.

    Attributes:
        segments: dense in `number`; only the last may be open.
        target_duration_s: EXT-X-TARGETDURATION; constant for the video, no EXTINF rounds to more.
        part_target_ms: the Part Target Duration of this rendition.
        part_hold_back_ms: PART-HOLD-BACK; the same in all renditions of the video.
        ended: nothing will be added.
        vod: it is ended, and the whole video: EXT-X-PLAYLIST-TYPE:VOD, and nothing of low latency.
        event: it goes on, and no segment will ever leave it: EXT-X-PLAYLIST-TYPE:EVENT.
        start: where to begin to play; None leaves it to the client.
        next_init_uri: the Media Initialization Section of the next segment, where it is known and another one.
        reports: of the other renditions.
        breaks: that are not over before the first segment.
        removed_breaks: IDs of those that were over a little while before it.
    """

    segments: Sequence[Segment]
    target_duration_s: int
    part_target_ms: int
    part_hold_back_ms: int
    ended: bool = False
    vod: bool = False
    event: bool = False
    start: Start | None = None
    next_init_uri: str | None = None
    reports: Sequence[RenditionReport] = ()
    breaks: Sequence[AdBreak] = ()
    removed_breaks: Sequence[str] = ()


def part_uri(segment: int, part: int) -> str:
    """The file of a part, which is also its URI relative to the playlist."""
    return f"{segment:08d}.{part:04d}.m4s"


def segment_uri(segment: int) -> str:
    """The file of a whole segment."""
    return f"{segment:08d}.m4s"


def target_duration_s(segment_max_ms: int) -> int:
    """EXT-X-TARGETDURATION of segments up to `segment_max_ms`: the nearest whole second (4.4.3.1)."""
    return max(1, (segment_max_ms + 500) // 1000)


def following(segments: Sequence[Segment]) -> tuple[int, int]:
    """(segment, part) that comes next."""
    if not segments:
        return 0, 0
    last = segments[-1]
    return (last.number + 1, 0) if last.closed else (last.number, last.part_count)


def next_part_uri(segments: Sequence[Segment], *, goes_on: bool = True) -> str:
    """The URI of the part that comes next, which is known before it is known whether a segment ends.

    The first part of a segment is named as if it were one more of the segment before: so a part that is hinted (4.4.5.3)
    always comes under that name. Where it does not go on from there (`goes_on`: after a discontinuity, after what is
    lost, at the start) it has its own name.
    """
    last = segments[-1] if segments else None
    if last is not None and last.closed and not last.gap and last.part_count and goes_on:
        return part_uri(last.number, last.part_count)
    return part_uri(*following(segments))


def missing_parts(segment: Segment, part_target_ms: int) -> int:
    """As how many parts that are not there a playlist lists what is lost of a segment."""
    lost_s = segment.duration_s - sum(part.duration_s for part in segment.parts)
    return math.ceil(round(lost_s * 1000 / part_target_ms, 6)) if segment.gap else 0


def edge(segments: Sequence[Segment], part_target_ms: int) -> tuple[int, int | None]:
    """(LAST-MSN, LAST-PART) of a playlist that has a segment; parts that are lost are listed, and count."""
    last = segments[-1]
    count = len(last.parts) + missing_parts(last, part_target_ms) if last.gap else last.part_count
    return last.number, count - 1 if count else None


def end_ms(segments: Sequence[Segment]) -> int:
    """Wall clock at the end of the last segment; 0 without one."""
    return segments[-1].start_ms + round(segments[-1].duration_s * 1000) if segments else 0
