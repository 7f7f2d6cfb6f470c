"""Which videos are too hot for one partition, and where a batch of their reactions goes (ADR 25).

The log itself says how hot a video is: `TotalsChanged` tells the reactions and the wall clock up to which they are
counted. A video is hot from the first second with `hot_per_s` reactions or more, until there were less than half as many in
each second of `COOL_MS`. Every gateway decides for itself: the totals are the same whatever it decides.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from schemas.events import Event, TotalsChanged
from schemas.topics import partition_of, share_partition

COOL_MS: Final = 30_000
SECOND_MS: Final = 1_000
MAX_VIDEOS: Final = 10_000


@dataclass(slots=True)
class Course:
    """How the reactions of one video went."""

    counted: int
    since_ms: int
    hot: bool = False
    warm_ms: int = 0


class Heat:
    """The videos of all channels.

    Args:
        hot_per_s: reactions a second; 0: no video is ever hot.
        shares: over how many partitions a hot video is spread.
        partitions: of `reactions`.
    """

    def __init__(self, hot_per_s: int, shares: int, partitions: int) -> None:
        self._hot_per_s = hot_per_s
        self._shares = min(shares, partitions)
        self._partitions = partitions
        self._courses: OrderedDict[str, Course] = OrderedDict()

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an event of `totals`."""
        if not isinstance(event, TotalsChanged) or not self._hot_per_s or self._shares < 2:
            return
        counted, at_ms = sum(event.reactions.values()), event.as_of_ms
        course = self._courses.setdefault(event.video_id, Course(counted, at_ms))
        self._courses.move_to_end(event.video_id)
        if len(self._courses) > MAX_VIDEOS:
            self._courses.popitem(last=False)
        took_ms = at_ms - course.since_ms
        if took_ms >= SECOND_MS:
            self._judge(course, (counted - course.counted) * SECOND_MS / took_ms, at_ms)
            course.counted, course.since_ms = counted, at_ms

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._courses.pop(video_id, None)

    def is_hot(self, video_id: str) -> bool:
        """Whether the reactions of a video are to be spread."""
        course = self._courses.get(video_id)
        return course is not None and course.hot

    def away(self, video_id: str, turn: int) -> tuple[int, int] | None:
        """Where a batch goes instead of its video's partition: that one, and the other; None: it stays at home."""
        if not self.is_hot(video_id):
            return None
        home = partition_of(video_id, self._partitions)
        share = share_partition(video_id, turn % self._shares, self._partitions)
        return (home, share) if share != home else None

    def _judge(self, course: Course, per_s: float, at_ms: int) -> None:
        if per_s * 2 >= self._hot_per_s:
            course.warm_ms = at_ms
        if per_s >= self._hot_per_s:
            course.hot = True
        elif course.hot and at_ms - course.warm_ms >= COOL_MS:
            course.hot = False
