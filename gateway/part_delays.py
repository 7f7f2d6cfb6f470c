"""How long parts take from the ingest to the log, by rendition: a fold of `media.parts`."""

from collections import OrderedDict
from typing import Final

from schemas.events import Event, PartReady
from stores.log_reader import Place

MAX_VIDEOS: Final = 2_000
WEIGHT: Final = 0.1
"""Of the newest part in the running mean: some two seconds of parts count."""


class PartDelays:
    """The running means of each video's renditions."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, dict[str, float]] = OrderedDict()

    def apply(self, event: Event, place: Place | None = None) -> None:
        """Fold a part: from when the ingest had it to when the log did."""
        if not isinstance(event, PartReady) or place is None:
            return
        known = self._videos.get(event.video_id)
        if known is None:
            known = self._videos[event.video_id] = {}
            if len(self._videos) > MAX_VIDEOS:
                self._videos.popitem(last=False)
        took_ms = max(0, place.timestamp_ms - event.received_ms)
        known[event.rendition] = took_ms + (known.get(event.rendition, took_ms) - took_ms) * (1 - WEIGHT)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._videos.pop(video_id, None)

    def of(self, video_id: str) -> dict[str, int]:
        """Milliseconds by rendition."""
        return {name: round(ms) for name, ms in self._videos.get(video_id, {}).items()}
