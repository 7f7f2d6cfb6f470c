"""What floats up on every page: how many reactions came since the last time, told by the totals on the log.

Every gateway reads the same totals, so all of them tell the same counts, whichever of them was reacted through. What is
told is at most one message a video and tick, of as many numbers as there are kinds.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from schemas.events import Event, TotalsChanged

FRESH_MS: Final = 60_000
"""What was counted longer ago is no burst any more: a gateway that starts reads old totals."""
MAX_VIDEOS: Final = 5_000

Tell = Callable[[str, str, dict[str, Any]], None]


class Bursts:
    """A fold of `totals`. `tell` is called with channel, video and message at each tick in which something came."""

    def __init__(self, tell: Tell, now_ms: Callable[[], int]) -> None:
        self._tell = tell
        self._now_ms = now_ms
        self._started_ms = now_ms()
        self._counted: OrderedDict[str, tuple[int, dict[str, int]]] = OrderedDict()
        self._came: dict[tuple[str, str], dict[str, int]] = {}

    def apply(self, event: Event, _place: object = None) -> None:
        """Take the next totals of a video; the first ones of before this gateway only say where counting begins."""
        if not isinstance(event, TotalsChanged):
            return
        before = self._counted.pop(event.video_id, None)
        if before is not None and event.as_of_offset < before[0]:
            self._counted[event.video_id] = before
            return
        self._counted[event.video_id] = event.as_of_offset, event.reactions
        if len(self._counted) > MAX_VIDEOS:
            self._counted.popitem(last=False)
        if before is None and event.as_of_ms < self._started_ms:
            return
        if self._now_ms() - event.as_of_ms < FRESH_MS:
            self._add((event.channel, event.video_id), before[1] if before else {}, event.reactions)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._counted.pop(video_id, None)
        self._came = {video: counts for video, counts in self._came.items() if video[1] != video_id}

    def tick(self) -> None:
        """Tell what came since the last tick."""
        came, self._came = self._came, {}
        for (channel, video_id), counts in came.items():
            self._tell(channel, video_id, {"type": "reactions", "video": video_id, "counts": counts})

    def _add(self, video: tuple[str, str], before: dict[str, int], now: dict[str, int]) -> None:
        for kind, count in now.items():
            if (more := count - before.get(kind, 0)) > 0:
                counts = self._came.setdefault(video, {})
                counts[kind] = counts.get(kind, 0) + more
