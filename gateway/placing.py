"""Where in a video people react: gathered for a second, then one event a video, for who watches later.

What reactions come to together is counted elsewhere, from each of them (`gateway.speaking`). Here only their positions
go, in moments of `MOMENT_MS`: a gateway that is killed loses those of its last second.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from gateway.feed_messages import React
from schemas.events import Origin, PlacedMoment, ReactionsPlaced, VideoChanged, VideoState
from stores.reaction_bursts import MOMENT_MS

log = logging.getLogger(__name__)

GATHER_S: Final = 1.0
MAX_MOMENTS: Final = 500
"""Moments and kinds that are gathered of all videos; then they go at once."""
AHEAD_MS: Final = 60_000
"""Clocks of pictures and of gateways may be so far apart."""
LONGEST_IMPORT_MS: Final = 7 * 86_400_000
"""The picture's clock of an imported video begins with the import and runs on ahead of ours."""


class Placing:
    """Gathers and sends. `send` takes an event to the log and does not raise."""

    def __init__(self, send: Callable[[ReactionsPlaced], None], run_id: str, now_ms: Callable[[], int]) -> None:
        self._send = send
        self._run_id = run_id
        self._now_ms = now_ms
        self._number = 0
        self._gathered: dict[str, tuple[VideoChanged, Counter[tuple[int, str]]]] = {}
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, video: VideoChanged, reaction: React) -> None:
        """Somebody reacts to what they see."""
        place_ms = place_of(video, reaction.media_ms, self._now_ms())
        if place_ms is None:
            return
        _, counts = self._gathered.setdefault(video.video_id, (video, Counter()))
        self._size -= len(counts)
        counts[place_ms // MOMENT_MS * MOMENT_MS, reaction.kind] += reaction.count
        self._size += len(counts)
        if self._size >= MAX_MOMENTS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self.flush)

    def flush(self) -> None:
        """Send what is gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered, self._size = self._gathered, {}, 0
        for video, counts in gathered.values():
            self._number += 1
            self._send(self._event(video, counts))

    def _event(self, video: VideoChanged, counts: Counter[tuple[int, str]]) -> ReactionsPlaced:
        moments: dict[int, dict[str, int]] = {}
        for (at_ms, kind), count in counts.items():
            moments.setdefault(at_ms, {})[kind] = count
        return ReactionsPlaced(
            video_id=video.video_id,
            channel=video.channel,
            gateway_id=self._run_id,
            number=self._number,
            recorded_ms=self._now_ms(),
            moments=tuple(PlacedMoment(at_ms=at_ms, reactions=moments[at_ms]) for at_ms in sorted(moments)),
        )


def place_of(video: VideoChanged, media_ms: int | None, now_ms: int) -> int | None:
    """The position of who sees the picture of `media_ms`; of who does not say, now, while the video goes on. None: there is none."""
    imported = video.origin is Origin.IMPORT
    latest = video.started_ms + LONGEST_IMPORT_MS if imported else now_ms + AHEAD_MS
    if media_ms is not None and video.started_ms - AHEAD_MS <= media_ms <= latest:
        return media_ms
    return None if imported or video.state is VideoState.ENDED else now_ms
