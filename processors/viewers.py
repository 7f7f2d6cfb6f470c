"""Counts viewers: `presence` → `viewers`, exact through crashes as of what the gateways said.

Every gateway says every few seconds how many different viewers of a video it has, and who came (hashes). A video has now
as many viewers as the newest words of its gateways add up to; the peak is the highest sum that ever was. What a gateway
said lapses `LAPSE_MS` later, measured by the newest wall clock that any gateway of this partition has told, so that a
gateway that was killed does not leave its viewers behind. Different viewers are counted by `processors.unique`.

A word that comes again, and one that is older than what is known of its gateway, changes nothing; its hashes are taken in
all the same, which changes nothing either when they are known.

State, on `viewers.state`:

- `w/VIDEO`: the figures and what each gateway said last.
- `u/VIDEO`: the different viewers, written only when there are new ones.
- `c`: the newest wall clock.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import faust

from processors.exact import run_exactly
from processors.fold import ExactAgent, FoldError, Row, RowError, Write, pack_row, result, row_key, unpack_row
from processors.unique import UniqueViewers, hashes_of
from schemas.events import Event, PresenceRecorded, ViewersChanged
from schemas.topics import PRESENCE, VIEWERS, VIEWERS_STATE
from stores.settings import Settings

LAPSE_MS: Final = 15_000
TOLD_AGAIN_MS: Final = 10_000
"""Figures that stay the same are told again so often, so that readers can tell them from lapsed ones."""
INTERVAL_S: Final = 1.0
CLOCK_ROW: Final = "c"


@dataclass(slots=True)
class Watched:
    """One video. `gateways`: by run of a gateway, how many viewers and when it said so."""

    channel: str = ""
    as_of_offset: int = -1
    as_of_ms: int = 0
    viewers: int = 0
    peak: int = 0
    peak_ms: int = 0
    gateways: dict[str, tuple[int, int]] = field(default_factory=dict)
    unique: UniqueViewers = field(default_factory=UniqueViewers)
    told: tuple[int, int, int] = (-1, -1, -1)
    told_ms: int = 0

    def said(self, gateway_id: str, viewers: int, at_ms: int) -> None:
        """Take a gateway's word, or forget it (viewers -1)."""
        before, _ = self.gateways.pop(gateway_id, (0, 0))
        if viewers >= 0:
            self.gateways[gateway_id] = (viewers, at_ms)
        self.viewers += max(viewers, 0) - before

    def note_peak(self, at_ms: int) -> None:
        """The sum changed."""
        if self.viewers > self.peak:
            self.peak, self.peak_ms = self.viewers, at_ms

    @property
    def figures(self) -> tuple[int, int, int]:
        """Now, peak, different ones."""
        return self.viewers, self.peak, len(self.unique)


class ViewersFold:
    """The viewers of the videos of one partition."""

    def __init__(self) -> None:
        self._videos: dict[str, Watched] = {}
        self._lapses: list[tuple[int, str, str]] = []
        self._clock = 0
        self._changed: dict[str, Watched] = {}
        self._grown: dict[str, Watched] = {}
        self._gone: list[Write] = []

    def load(self, rows: Iterable[Row]) -> None:
        """Build the state from its rows."""
        for raw, value in rows:
            kind, _, video_id = raw.decode().partition("/")
            if value is None:
                continue
            if kind == CLOCK_ROW:
                (self._clock,) = unpack_row(value)
            elif kind == "w":
                _load(self._video(video_id), unpack_row(value))
            elif kind == "u":
                self._video(video_id).unique = UniqueViewers.unpacked(unpack_row(value)[0])
            else:
                raise RowError(f"expected a row of viewers.state (c, w/… or u/…), found {raw!r}")
        self._lapses = [
            (at_ms + LAPSE_MS, video_id, gateway_id)
            for video_id, video in self._videos.items()
            for gateway_id, (_, at_ms) in video.gateways.items()
        ]
        heapq.heapify(self._lapses)

    def apply(self, topic: str, offset: int, event: Event) -> None:  # noqa: ARG002  (one source only)
        """Take what one gateway says of one video."""
        if not isinstance(event, PresenceRecorded):
            raise FoldError(f"expected PresenceRecorded, found {type(event).__name__}")
        if event.viewers < 0:
            raise FoldError(f"expected a number of viewers from 0, found {event.viewers}")
        self._clock = max(self._clock, event.recorded_ms)
        self._lapse(offset)
        video = self._advanced(event.video_id, offset)
        video.channel = event.channel
        if video.unique.add(hashes_of(event.joined)):
            self._grown[event.video_id] = video
        _, known_ms = video.gateways.get(event.gateway_id, (0, -1))
        if event.recorded_ms > known_ms and event.recorded_ms + LAPSE_MS > self._clock:
            video.said(event.gateway_id, event.viewers, event.recorded_ms)
            heapq.heappush(self._lapses, (event.recorded_ms + LAPSE_MS, event.video_id, event.gateway_id))
        video.note_peak(self._clock)

    def forget(self, video_id: str) -> None:
        """Keep nothing of a video that is gone."""
        if self._videos.pop(video_id, None) is None:
            return
        self._changed.pop(video_id, None)
        self._grown.pop(video_id, None)
        self._gone.append(Write(VIEWERS.name, video_id.encode(), None))
        self._gone += [Write(VIEWERS_STATE.name, row_key(kind, video_id).encode(), None) for kind in "wu"]

    def take(self) -> list[Write]:
        """The figures that changed, and the rows that changed."""
        writes, self._gone = self._gone, []
        for video_id, video in self._changed.items():
            if video.figures != video.told or video.as_of_ms >= video.told_ms + TOLD_AGAIN_MS:
                video.told, video.told_ms = video.figures, video.as_of_ms
                writes.append(result(VIEWERS, _changed(video_id, video)))
            writes.append(_row(row_key("w", video_id), *_values(video)))
        writes += [_row(row_key("u", video_id), video.unique.packed()) for video_id, video in self._grown.items()]
        if self._changed:
            writes.append(_row(CLOCK_ROW, self._clock))
        self._changed, self._grown = {}, {}
        return writes

    def _lapse(self, offset: int) -> None:
        """Forget what was said too long ago."""
        while self._lapses and self._lapses[0][0] <= self._clock:
            ends_ms, video_id, gateway_id = heapq.heappop(self._lapses)
            video = self._videos.get(video_id)
            known = video.gateways.get(gateway_id) if video is not None else None
            if known is not None and known[1] + LAPSE_MS == ends_ms:
                self._advanced(video_id, offset).said(gateway_id, -1, ends_ms)

    def _advanced(self, video_id: str, offset: int) -> Watched:
        video = self._changed[video_id] = self._video(video_id)
        video.as_of_offset, video.as_of_ms = offset, self._clock
        return video

    def _video(self, video_id: str) -> Watched:
        video = self._videos.get(video_id)
        if video is None:
            video = self._videos[video_id] = Watched()
        return video


def _values(video: Watched) -> tuple[Any, ...]:
    figures = (video.channel, video.as_of_offset, video.as_of_ms, video.peak, video.peak_ms, video.told, video.told_ms)
    return *figures, [[gateway_id, *said] for gateway_id, said in video.gateways.items()]


def _load(video: Watched, values: list[Any]) -> None:
    *figures, told, video.told_ms, gateways = values
    video.channel, video.as_of_offset, video.as_of_ms, video.peak, video.peak_ms = figures
    video.told = (told[0], told[1], told[2])
    video.gateways = {gateway_id: (viewers, at_ms) for gateway_id, viewers, at_ms in gateways}
    video.viewers = sum(viewers for viewers, _ in video.gateways.values())


def _changed(video_id: str, video: Watched) -> ViewersChanged:
    return ViewersChanged(
        video_id=video_id,
        channel=video.channel,
        viewers=video.viewers,
        peak=video.peak,
        peak_ms=video.peak_ms,
        unique=len(video.unique),
        as_of_offset=video.as_of_offset,
        as_of_ms=video.as_of_ms,
    )


def _row(key: str, *values: Any) -> Write:
    return Write(VIEWERS_STATE.name, key.encode(), pack_row(*values))


def register(app: faust.App, settings: Settings) -> None:
    """Add the agent to the worker: figures are written at most every `INTERVAL_S`."""
    run_exactly(app, settings, ExactAgent("viewers", (PRESENCE,), VIEWERS_STATE, ViewersFold, interval_s=INTERVAL_S))
