"""How far the workers are with a video that is imported: a fold of `media.parts`."""

from typing import Final

from schemas.events import Event, PartReady, SegmentClosed
from stores.log_reader import Place

SOURCE: Final = ("source", "audio")


class ImportProgress:
    """The segments that are done of each rendition of one video. A lost segment is done, too."""

    def __init__(self) -> None:
        self.video_id = ""
        self.events = 0
        self._done: dict[str, int] = {}

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold one event; others than the video's are passed over."""
        if isinstance(event, PartReady | SegmentClosed) and event.video_id == self.video_id:
            done = event.segment if isinstance(event, SegmentClosed) else event.segment - 1
            self._done[event.rendition] = max(self._done.get(event.rendition, -1), done)
            self.events += 1

    @property
    def done(self) -> int:
        """The last segment that all renditions with a picture (with a sound, where there is none) are done with."""
        pictures = [done for name, done in self._done.items() if name != "audio"]
        return min(pictures or self._done.values(), default=-1)

    def missing(self, segment: int) -> str:
        """Who is not done with a segment, for people: "the workers: segment 9 (240p has 3, source has 9)"."""
        behind = [f"{name} has {done}" for name, done in sorted(self._done.items()) if done < segment]
        return f"the workers: segment {segment} ({', '.join(behind) or 'nothing came yet'})"
