"""How the publishers' streams arrive: a fold of `ingest.health`, the last ten minutes of each channel."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from schemas.events import Event, IngestMeasured

KEPT: Final = 300
"""Measurements of a channel, one each two seconds."""
MAX_CHANNELS: Final = 2_000
MAX_TROUBLES: Final = 10
READ_MS: Final = 3_600_000
"""What was measured before is not read when a gateway starts."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and when; `left`: it ended the connection."""

    at_ms: int
    text: str
    left: bool


@dataclass(slots=True)
class Arrival:
    """What is known of a channel's publisher.

    Attributes:
        measured: of the newest video, oldest first.
        troubles: newest last, of the videos before as well.
    """

    measured: deque[IngestMeasured] = field(default_factory=lambda: deque(maxlen=KEPT))
    troubles: deque[Trouble] = field(default_factory=lambda: deque(maxlen=MAX_TROUBLES))

    @property
    def newest(self) -> IngestMeasured:
        """The newest measurement."""
        return self.measured[-1]

    def since(self, ms: int) -> list[IngestMeasured]:
        """The measurements of this connection that ended after a wall clock."""
        return [one for one in self.measured if one.measured_ms > ms and one.connected_ms == self.newest.connected_ms]

    def connections(self, since_ms: int) -> int:
        """How many connections the video had since a wall clock."""
        return len({one.connected_ms for one in self.measured if one.measured_ms > since_ms})

    def grew(self, name: str, since_ms: int) -> int:
        """By how much a count of the connections has grown since a wall clock."""
        recent = [one for one in self.measured if one.measured_ms > since_ms]
        steps = (
            getattr(later, name) - (getattr(earlier, name) if earlier.connected_ms == later.connected_ms else 0)
            for earlier, later in pairwise(recent)
        )
        return sum(max(step, 0) for step in steps)


class IngestHealth:
    """The fold; channels that were silent for longest are forgotten first."""

    def __init__(self) -> None:
        self._channels: OrderedDict[str, Arrival] = OrderedDict()

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold a measurement; repeats and older ones change nothing."""
        if not isinstance(event, IngestMeasured):
            return
        known = self._channels.setdefault(event.channel, Arrival())
        if known.measured and event.measured_ms <= known.newest.measured_ms:
            return
        if known.measured and event.video_id != known.newest.video_id:
            known.measured.clear()
        known.measured.append(event)
        if event.problem:
            known.troubles.append(Trouble(event.measured_ms, event.problem, event.left))
        self._channels.move_to_end(event.channel)
        if len(self._channels) > MAX_CHANNELS:
            self._channels.popitem(last=False)

    def of(self, channel: str) -> Arrival | None:
        """What is known of a channel."""
        return self._channels.get(channel)
