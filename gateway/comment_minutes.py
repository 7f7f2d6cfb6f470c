"""How many comments each minute of a video had, for the last hour: a fold of `comments.feed`."""

from collections import OrderedDict
from typing import Final

from schemas.events import CommentAccepted, Event

MINUTE_MS: Final = 60_000
MAX_VIDEOS: Final = 2_000
MAX_MINUTES: Final = 60


class CommentMinutes:
    """The counts; a comment counts where it was submitted, once, whatever becomes of it later."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, OrderedDict[int, int]] = OrderedDict()
        self._seq: dict[str, int] = {}

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold a comment; repeats change nothing, for numbers only rise."""
        if not isinstance(event, CommentAccepted) or event.seq <= self._seq.get(event.video_id, 0):
            return
        self._seq[event.video_id] = event.seq
        minutes = self._videos.setdefault(event.video_id, OrderedDict())
        minute_ms = event.submitted_ms // MINUTE_MS * MINUTE_MS
        minutes[minute_ms] = minutes.get(minute_ms, 0) + 1
        if len(minutes) > MAX_MINUTES:
            del minutes[min(minutes)]
        self._videos.move_to_end(event.video_id)
        if len(self._videos) > MAX_VIDEOS:
            forgotten, _ = self._videos.popitem(last=False)
            del self._seq[forgotten]

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._videos.pop(video_id, None)
        self._seq.pop(video_id, None)

    def of(self, video_id: str) -> list[tuple[int, int]]:
        """The minutes that had comments, oldest first: wall clock, and how many."""
        return sorted(self._videos.get(video_id, {}).items())
