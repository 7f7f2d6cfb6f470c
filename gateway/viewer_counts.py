"""How many watch each video, over all gateways: the fold of `viewers`."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from schemas.events import Event, ViewersChanged

MAX_VIDEOS: Final = 10_000
LAPSE_MS: Final = 30_000
"""Figures of a video that is watched come every 10 s at least; older ones say that nobody is left to tell of it."""


class ViewerCounts:
    """The newest figures of each video; `on_viewers` is called after each change."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, ViewersChanged] = OrderedDict()
        self.on_viewers: Callable[[ViewersChanged], None] = lambda _: None

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an event of `viewers`."""
        if not isinstance(event, ViewersChanged):
            return
        known = self._videos.get(event.video_id)
        if known is not None and known.as_of_offset > event.as_of_offset:
            return
        self._videos[event.video_id] = event
        self._videos.move_to_end(event.video_id)
        if len(self._videos) > MAX_VIDEOS:
            self._videos.popitem(last=False)
        if known is None or figures_of(known) != figures_of(event):
            self.on_viewers(event)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._videos.pop(video_id, None)

    def of_video(self, video_id: str) -> ViewersChanged | None:
        """The newest figures of a video."""
        return self._videos.get(video_id)

    def now(self, video_id: str, now_ms: int) -> int | None:
        """How many watch now; None when the log has not said so lately."""
        known = self._videos.get(video_id)
        return known.viewers if known is not None and now_ms < known.as_of_ms + LAPSE_MS else None


def figures_of(event: ViewersChanged) -> tuple[int, int, int]:
    """Now, peak, different ones."""
    return event.viewers, event.peak, event.unique


def viewers_message(event: ViewersChanged) -> dict[str, Any]:
    """As the feed has it."""
    return {"type": "viewers", "n": event.viewers, "peak": event.peak, "unique": event.unique}
