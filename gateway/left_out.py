"""Which segments the workers left out because they had no time for them: a fold of `media.parts`."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.video_fold import VideoFold
from media.ladder import SOURCE
from schemas.events import Event, SegmentClosed
from stores.log_reader import Place

MAX_VIDEOS: Final = 2_000
MAX_SEGMENTS: Final = 300
RECENT_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Shed:
    """A rendition that was left out lately: `ms` of the last two minutes; `now`: of the newest segment too."""

    name: str
    ms: int
    now: bool


class LeftOut:
    """The segments that were left out, of each video and rendition; a segment that some worker made all the same is not."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, dict[str, OrderedDict[int, bool]]] = OrderedDict()

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold the end of a segment. What is said of it first counts, as in the playlist."""
        if not isinstance(event, SegmentClosed):
            return
        known = self._videos.setdefault(event.video_id, {})
        if len(self._videos) > MAX_VIDEOS:
            self._videos.popitem(last=False)
        segments = known.setdefault(event.rendition, OrderedDict())
        segments.setdefault(event.segment, event.left_out)
        if len(segments) > MAX_SEGMENTS:
            segments.popitem(last=False)

    def forget(self, video_id: str) -> None:
        """Let go of a video that was removed."""
        self._videos.pop(video_id, None)

    def of(self, video_id: str) -> Mapping[str, Mapping[int, bool]]:
        """Whether a segment was left out, by rendition and number."""
        return self._videos.get(video_id, {})


def shed_lately(fold: VideoFold | None, left_out: Mapping[str, Mapping[int, bool]], now_ms: int) -> tuple[Shed, ...]:
    """The renditions that viewers lately had to do without, the largest first; how long is told by the source's segments."""
    source = fold.renditions.get(SOURCE) if fold is not None else None
    if source is None:
        return ()
    recent = {s.number: round(s.duration_s * 1000) for s in source.segments if s.start_ms > now_ms - RECENT_MS}
    found = []
    for name, segments in left_out.items():
        if ms := sum(recent.get(number, 0) for number, left in segments.items() if left):
            found.append(Shed(name, ms, segments[max(segments)]))
    return tuple(sorted(found, key=lambda one: -int(one.name.rstrip("p"))))
