"""Fold of one video: its renditions side by side, what the `videos` topic says of it, and its breaks."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Self

from gateway.ladder_start import made_from
from gateway.rendition_fold import Limits, Others, RenditionFold
from media.hls import Segment
from media.ladder import SOURCE
from schemas.events import BreakPlanned, PartReady, SegmentClosed, Track, VideoChanged, VideoState
from schemas.ids import started_ms

RENDITION_NAME: Final = re.compile(r"[a-z0-9]{1,16}")
MAX_RENDITIONS: Final = 16
MAX_BREAKS: Final = 200
MAX_PARTS: Final = 500
SILENCE_MS: Final = 1_000
"""The log's time goes by while records come: of a longer silence between two of them only so much counts."""

MAX_LEAD: Final = 50_000
"""A segment number so far ahead of the playlist is a mistake, not a loss."""


class FoldError(ValueError):
    """An event that no correct writer makes; says what was expected and found. The fold is as before."""


class VideoFold:
    """Everything that the playlists of one video are made of.

    Attributes:
        video_id: of the video.
        video: the latest state; None until the `videos` topic has told it.
        renditions: by name.
        breaks: planned ones by id.
        changed: names of renditions that changed since it was last cleared.
        version: rises with every event that changed something.
        recorded: it was made of the index, which has all that there is.
    """

    def __init__(self, video_id: str, limits: Limits, log_start_ms: int = 0) -> None:
        self.video_id: Final = video_id
        self.video: VideoChanged | None = None
        self.renditions: dict[str, RenditionFold] = {}
        self.breaks: dict[str, BreakPlanned] = {}
        self.changed: set[str] = set()
        self.version = 0
        self.recorded = False
        self._events = 0
        self._log_ms: int | None = None
        self._newest_record_ms = 0
        self._limits = limits
        self._from_start = started_ms(video_id) >= log_start_ms

    @classmethod
    def restored(
        cls,
        video: VideoChanged,
        renditions: Iterable[RenditionFold],
        breaks: Iterable[BreakPlanned] = (),
        *,
        whole: bool,
    ) -> Self:
        """A video that is over, from its renditions; `whole` as the property."""
        fold = cls(video.video_id, Limits(0, 0))
        fold._from_start = whole
        fold.recorded = True
        fold.video = video
        fold.renditions = {rendition.name: rendition for rendition in renditions}
        fold.breaks = {planned.break_id: planned for planned in breaks}
        fold.version = 1
        return fold

    def part(self, event: PartReady, record_ms: int | None = None) -> None:
        """Fold a part; `record_ms` is Kafka's time of its record.

        Raises:
            FoldError: it contradicts itself or passes a limit.
        """
        _check_part(event)
        rendition = self._rendition(event.rendition, event.track)
        _check_lead(rendition, event.segment)
        before = rendition.version
        self._goes_by(record_ms)
        self._events += 1
        rendition.part(event, self._others(rendition))
        self._settle(rendition, before)

    def closed(self, event: SegmentClosed, record_ms: int | None = None) -> None:
        """Fold the end of a segment; `record_ms` as for a part.

        Raises:
            FoldError: it contradicts itself or passes a limit.
        """
        if event.segment < 0 or event.parts < 0:
            raise FoldError(f"expected a segment and a count of parts, found {event}")
        track = Track.AUDIO if event.rendition == "audio" else Track.VIDEO
        rendition = self._rendition(event.rendition, track)
        _check_lead(rendition, event.segment)
        before = rendition.version
        self._goes_by(record_ms)
        self._events += 1
        rendition.closed(event, self._others(rendition))
        self._settle(rendition, before)

    def state(self, event: VideoChanged) -> None:
        """Fold a change of the video's state."""
        self.video = event
        self._touch_all()

    def planned(self, event: BreakPlanned) -> None:
        """Fold a break; beyond `MAX_BREAKS` the one that starts first is let go."""
        if event.break_id not in self.breaks:
            self.breaks[event.break_id] = event
            while len(self.breaks) > MAX_BREAKS:
                del self.breaks[min(self.breaks, key=lambda key: self.breaks[key].start_ms)]
            self._touch_all()

    def end(self) -> None:
        """Nothing more will come of an ended video: every rendition ends where it is."""
        for rendition in self._sorted():
            if not rendition.finished:
                rendition.end(self._others(rendition))
        self._touch_all()

    def has_ended(self, rendition: RenditionFold) -> bool:
        """Whether a rendition's playlist is complete: EXT-X-ENDLIST."""
        if rendition.finished:
            return True
        video = self.video
        return (
            video is not None
            and video.state is VideoState.ENDED
            and bool(rendition.segments)
            and rendition.segments[-1].closed
            and rendition.segments[-1].number >= video.last_segment
        )

    @property
    def waits(self) -> bool:
        """Whether a rendition has not ended, or has not begun though parts of it came."""
        return any(r.waits or r.segments for r in self.renditions.values() if not self.has_ended(r))

    @property
    def whole(self) -> bool:
        """Whether the playlists hold the video from its first segment on."""
        return self._from_start and bool(self.listed) and not any(r.trimmed for r in self.renditions.values())

    @property
    def is_on_demand(self) -> bool:
        """Whether its playlists are those of a video on demand once it is over: whole, and nothing in them may still come."""
        return self.whole and (self.recorded or not self.has_gaps)

    @property
    def has_gaps(self) -> bool:
        """Whether media is missing in a playlist."""
        return any(segment.gap for rendition in self.renditions.values() for segment in rendition.segments)

    @property
    def listed(self) -> list[RenditionFold]:
        """The renditions that have a part, in the order of their names."""
        return [rendition for rendition in self._sorted() if rendition.segments]

    @property
    def origins(self) -> dict[int, int]:
        """Media time in ms at which each epoch began, as far as parts tell it."""
        return {epoch: ms for rendition in self._sorted() for epoch, ms in rendition.origins.items()}

    @property
    def entries(self) -> int:
        """How many things are remembered, for the bound of memory."""
        return sum(rendition.entries for rendition in self.renditions.values()) + len(self.breaks)

    @property
    def newest_ms(self) -> int:
        """Wall clock of the newest segment; of the video's start while there is none."""
        return max((r.segments[-1].start_ms for r in self.listed), default=started_ms(self.video_id))

    def _goes_by(self, record_ms: int | None) -> None:
        """Count the time of the log. A silence counts little, a clock that was set counts little or nothing."""
        if record_ms is None:
            return
        if self._log_ms is None:
            self._log_ms = 0
        else:
            self._log_ms += min(max(0, record_ms - self._newest_record_ms), SILENCE_MS)
        self._newest_record_ms = record_ms

    def _rendition(self, name: str, track: Track) -> RenditionFold:
        rendition = self.renditions.get(name)
        if rendition is not None:
            return rendition
        if not RENDITION_NAME.fullmatch(name) or len(self.renditions) >= MAX_RENDITIONS:
            raise FoldError(
                f"expected at most {MAX_RENDITIONS} renditions of 1 to 16 letters and digits, found {name!r}"
            )
        rendition = self.renditions[name] = RenditionFold(name, track, self._limits, from_start=self._from_start)
        return rendition

    def _sorted(self) -> Iterator[RenditionFold]:
        return (self.renditions[name] for name in sorted(self.renditions))

    def _others(self, asking: RenditionFold) -> Others:
        """Where another rendition has a segment whole, for they are cut at the same times; from where on it was made."""

        def whole(number: int) -> Segment | None:
            for rendition in self._sorted():
                segment = rendition.segment(number) if rendition is not asking else None
                if segment is not None and segment.closed and not segment.gap:
                    return segment
            return None

        def made(first: int) -> int:
            source = self.renditions.get(SOURCE)
            return made_from(asking.name, source.segments, source.infos, first) if source is not None else 0

        return Others(whole, made, self._events, self._log_ms)

    def _settle(self, moved: RenditionFold, before: int) -> None:
        """After a change: renditions that wait for another's lengths go on, too."""
        if moved.version == before:
            return
        self.changed.add(moved.name)
        for rendition in self._sorted():
            if rendition is not moved and rendition.waits and not rendition.finished:
                before = rendition.version
                rendition.advance(self._others(rendition))
                if rendition.version != before:
                    self.changed.add(rendition.name)
        self.version += 1

    def _touch_all(self) -> None:
        self.changed |= set(self.renditions)
        for rendition in self.renditions.values():
            rendition.version += 1
        self.version += 1


def _check_part(event: PartReady) -> None:
    expected = f"{event.video_id}/{event.rendition}/{event.segment:08d}.{event.part:04d}.m4s"
    if event.name != expected:
        raise FoldError(f"expected the part's name to be {expected}, found {event.name!r}")
    if not event.init.startswith(f"{event.video_id}/{event.rendition}/init-"):
        raise FoldError(f"expected an init segment of the same rendition, found {event.init!r}")
    if not 0 <= event.part < MAX_PARTS:
        raise FoldError(f"expected a part number below {MAX_PARTS}, found {event.part}")
    if min(event.segment, event.size, event.epoch) < 0 or min(event.duration, event.timescale) <= 0:
        raise FoldError(f"expected numbers from 0 and a length above it, found {event}")


def _check_lead(rendition: RenditionFold, segment: int) -> None:
    at, _ = rendition.following
    if rendition.segments and segment > at + MAX_LEAD:
        raise FoldError(f"expected a segment up to {at + MAX_LEAD} of {rendition.name}, found {segment}")
